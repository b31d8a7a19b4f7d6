"""What an edit of a form adds to a person's consent: asked about, or left out, on the page of the case."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api.asked_form import asked_form
from api.auth import CurrentUser, Database, Keys, Require
from api.case_frame import require_case
from api.permissions import Permission
from api.redirects import see
from api.waking import Wake
from casework import wider_answers as acts
from casework.named_consents import Asked
from db import accounts
from db.errors import DomainError

router = APIRouter()

Renewer = Annotated[CurrentUser, Depends(Require(Permission.BOUNDS_RENEW))]
AskedAnswers = Annotated[Asked, Depends(asked_form)]
Code = Annotated[str, Form(max_length=40)]


@router.post("/cases/{code}/wider-answers/{issue_id}/accept")
def accept(
    request: Request,
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Renewer,
    asked: AskedAnswers,
    code: str,
    issue_id: int,
    agreed: Code = "",
) -> Response:
    """Record that the person was asked and says yes to what the edit adds; then the matching runs at once."""
    case = require_case(request, session, user, code)
    if agreed != "yes":
        raise DomainError("consent_required", case_id=case.id)
    acts.accept_wider(session, keys, case.id, issue_id, user.actor, asked, now=datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "consent.accept_wider", "case_file", [case.id])
    wake()
    return see(f"/cases/{case.printed_code}", "renewed")


@router.post("/cases/{code}/wider-answers/{issue_id}/keep")
def keep(request: Request, session: Database, user: Renewer, code: str, issue_id: int) -> Response:
    """Record that what the person had agreed to stays as it is."""
    case = require_case(request, session, user, code)
    acts.keep_narrower(session, case.id, issue_id, user.actor, now=datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "consent.keep_narrower", "case_file", [case.id])
    return see(f"/cases/{case.printed_code}", "kept_narrower")
