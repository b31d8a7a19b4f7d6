"""Cases that go from office to office: the offers of one case, and all of an office."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api import transfer_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.case_frame import require_case
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.spoken_consents import Spoken, consent_values
from api.texts import text_of
from casework import transfers
from db.consents import list_consent_facts
from db.offices import list_offices
from db.transfers import list_case_transfers, list_transfers

router = APIRouter()

Reader = Annotated[CurrentUser, Depends(Require(Permission.TRANSFER_READ))]
Decider = Annotated[CurrentUser, Depends(Require(Permission.TRANSFER_DECIDE))]
Reason = Annotated[str, Form(max_length=40)]
Note = Annotated[str, Form(max_length=2000)]


def _states(language: str) -> dict[str, str]:
    table = transfer_texts.OFFER_STATES
    return {code: text_of(table, code, language) for code in table}


@router.get("/transfers")
def transfers_page(
    request: Request,
    session: Database,
    user: Reader,
    side: Annotated[Literal["incoming", "outgoing"], Query()] = "incoming",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the cases offered to the own office, or by it; of those not taken over yet a code and figures only."""
    values = {
        "listed": list_transfers(session, user, incoming=side == "incoming", page=page),
        "side": side,
        "states": _states(language_of(request)),
        "now": datetime.now(UTC),
    }
    return render(request, "transfers.html", values)


@router.get("/cases/{code}/transfer")
def case_transfer_page(request: Request, session: Database, user: Reader, code: str) -> Response:
    """Show to whom a case was offered, and offer it to another office."""
    case, language = require_case(request, session, user, code), language_of(request)
    governorate = request.app.state.context.governorate
    offices = list_offices(session, user.governorate)
    values = {
        "case": case,
        "offers": list_case_transfers(session, user, case.id),
        "offices": [office for office in offices if office.id != case.office_id],
        "may_offer": case.closed_at is None and case.office_id == user.office_id,
        "states": _states(language),
        "now": datetime.now(UTC),
    }
    is_child = list_consent_facts(session, [case.id], governorate.consent.adult_age)[case.id].is_child
    asking = consent_values(governorate, transfers.CONSENT_KIND, case, language, is_child=is_child)
    return render(request, "case_transfer.html", values | asking)


@router.post("/cases/{code}/transfer")
def offer(
    request: Request,
    session: Database,
    keys: Keys,
    user: Decider,
    spoken: Spoken,
    code: str,
    to_office: Annotated[int, Form()] = 0,
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Offer the whole case to another office, with the person's yes."""
    case = require_case(request, session, user, code)
    transfers.offer(
        session,
        keys,
        case.id,
        to_office,
        user.actor,
        reason=reason,
        spoken=spoken,
        note=note.strip() or None,
        now=datetime.now(UTC),
    )
    return see(f"/cases/{case.code}/transfer", "transfer_offered")


@router.post("/transfers/{transfer_id}/accept")
def accept(session: Database, keys: Keys, user: Decider, transfer_id: int) -> Response:
    """Take a case over."""
    transfers.accept(session, keys, transfer_id, user.actor, now=datetime.now(UTC))
    return see("/transfers", "transfer_accepted")


@router.post("/transfers/{transfer_id}/decline")
def decline(session: Database, keys: Keys, user: Decider, transfer_id: int, reason: Reason = "") -> Response:
    """Leave a case where it is, with a coded reason."""
    transfers.decline(session, keys, transfer_id, user.actor, reason=reason, now=datetime.now(UTC))
    return see("/transfers", "transfer_declined")


@router.post("/transfers/{transfer_id}/withdraw")
def withdraw(session: Database, keys: Keys, user: Decider, transfer_id: int) -> Response:
    """Take an offer back."""
    transfers.withdraw_offer(session, keys, transfer_id, user.actor, now=datetime.now(UTC))
    return see("/transfers?side=outgoing", "transfer_withdrawn")
