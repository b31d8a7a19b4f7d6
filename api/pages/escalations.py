"""What a supervisor, coordinator or officer was told of, by case code, until somebody has seen to it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api import transfer_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.texts import text_of
from casework.escalations import settle_escalation
from db import accounts
from db.escalations import HIGH_RISK, list_escalations

router = APIRouter(prefix="/escalations")


@router.get("")
def escalations_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.ESCALATION_READ))],
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """List what is open: by urgency, then the oldest first. Codes only, no names."""
    language, table = language_of(request), transfer_texts.UNANSWERED
    values = {
        "listed": list_escalations(session, user, page),
        "high_risk": HIGH_RISK,
        "unanswered": {kind: text_of(table, kind, language) for kind in table},
    }
    return render(request, "escalations.html", values)


@router.post("/{escalation_id}/settle")
def settle(
    session: Database,
    keys: Keys,
    user: Annotated[CurrentUser, Depends(Require(Permission.ESCALATION_SETTLE))],
    escalation_id: int,
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Say that it was seen, and what is done about it."""
    settle_escalation(session, keys, user, escalation_id, note, user_id=user.user_id, now=datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "escalation.settle", "escalation", [escalation_id])
    return see("/escalations", "escalation_seen")
