"""Needs whose decisions go from ministry to ministry."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api import transfer_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.spoken_consents import Spoken
from api.texts import text_of
from casework import hand_overs
from db.hand_overs import list_hand_overs

router = APIRouter()

Decider = Annotated[CurrentUser, Depends(Require(Permission.HAND_OVER_DECIDE))]
Reason = Annotated[str, Form(max_length=40)]


@router.get("/hand-overs")
def hand_overs_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.HAND_OVER_READ))],
    side: Annotated[Literal["incoming", "outgoing"], Query()] = "incoming",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the needs offered to the own ministry, or by it: a code and the category."""
    language, table = language_of(request), transfer_texts.OFFER_STATES
    values = {
        "listed": list_hand_overs(session, user, incoming=side == "incoming", page=page),
        "side": side,
        "states": {code: text_of(table, code, language) for code in table},
        "now": datetime.now(UTC),
    }
    return render(request, "hand_overs.html", values)


@router.post("/needs/{need_id}/hand-over")
def offer(
    session: Database,
    keys: Keys,
    user: Decider,
    spoken: Spoken,
    need_id: int,
    to_ministry: Annotated[str, Form(max_length=20)] = "",
    reason: Reason = "",
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Offer the decisions on a need to another ministry, with the person's yes to it."""
    hand_overs.offer_need(
        session,
        keys,
        need_id,
        to_ministry,
        user.actor,
        reason=reason,
        spoken=spoken,
        note=note.strip() or None,
        now=datetime.now(UTC),
    )
    return see(f"/needs/{need_id}", "hand_over_offered")


@router.post("/hand-overs/{hand_over_id}/accept")
def accept(session: Database, keys: Keys, user: Decider, hand_over_id: int) -> Response:
    """Take the decisions on a need over."""
    hand_overs.accept(session, keys, hand_over_id, user.actor, now=datetime.now(UTC))
    return see("/hand-overs", "hand_over_accepted")


@router.post("/hand-overs/{hand_over_id}/decline")
def decline(session: Database, keys: Keys, user: Decider, hand_over_id: int, reason: Reason = "") -> Response:
    """Leave a need where it is, with a coded reason."""
    hand_overs.decline(session, keys, hand_over_id, user.actor, reason=reason, now=datetime.now(UTC))
    return see("/hand-overs", "hand_over_declined")


@router.post("/hand-overs/{hand_over_id}/withdraw")
def withdraw(session: Database, keys: Keys, user: Decider, hand_over_id: int) -> Response:
    """Take an offer back."""
    hand_overs.withdraw_offer(session, keys, hand_over_id, user.actor, now=datetime.now(UTC))
    return see("/hand-overs?side=outgoing", "hand_over_withdrawn")
