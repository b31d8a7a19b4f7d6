"""The provider's side: what was referred to it, and its answers."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api import texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.provider_sheet import TITLE, sheet_rows
from api.redirects import see
from api.referral_view import reason_of_event
from api.rendering import language_of, render
from api.spreadsheets import send_sheet
from api.waking import Wake
from casework import provider_acts as acts
from casework.disclosure import read_disclosures
from casework.outcomes import DeliveredOutcome
from casework.pauses import offered
from db import accounts
from db.errors import DomainError
from db.options import list_events
from db.provider_list import (
    ProviderFilters,
    ProviderPage,
    get_provider_referral,
    list_provider_referrals,
)
from db.vault import Vault
from db.visibility import PROVIDER_STATES
from db.withdrawals import count_open_deletions
from referral_engine.sop import moves_from

router = APIRouter(prefix="/provider")


Reader = Annotated[CurrentUser, Depends(Require(Permission.PROVIDER_LIST_READ))]
Answerer = Annotated[CurrentUser, Depends(Require(Permission.PROVIDER_LIST_ANSWER))]
Reason = Annotated[str, Form(max_length=40)]
Note = Annotated[str, Form(max_length=2000)]


def provider_filters(
    state: Annotated[str | None, Query(max_length=30)] = None,
    service_type: Annotated[str | None, Query(max_length=60)] = None,
) -> ProviderFilters:
    """Filters from the address; an unknown state is left out."""
    return ProviderFilters(
        state=state if state in PROVIDER_STATES else None, service_type=service_type or None
    )


Filters = Annotated[ProviderFilters, Depends(provider_filters)]


@router.get("")
def provider_page(
    request: Request,
    session: Database,
    user: Reader,
    filters: Filters,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """List the referrals addressed to this organization, by code; names stand on each referral's own page."""
    listed = list_provider_referrals(session, user, filters, page=page)
    waiting = count_open_deletions(session, user.organization_id)
    return render(request, "provider.html", {"listed": listed, "filters": filters, "deletions": waiting})


def _lines(
    session: Database,
    keys: Vault,
    user: CurrentUser,
    filters: ProviderFilters,
    request: Request,
    purpose: str,
) -> tuple[ProviderPage, list[list[str]]]:
    """The filtered list with what was disclosed; each row's reading is audited."""
    listed = list_provider_referrals(session, user, filters, page=None)
    ids = [row.referral_id for row in listed.rows]
    disclosed = read_disclosures(session, keys, ids)
    accounts.record_audit(session, user.user_id, "disclosure.read", "referral", ids, purpose)
    governorate = request.app.state.context.governorate
    return listed, sheet_rows(listed.rows, disclosed, governorate, language_of(request))


@router.get("/referrals.xlsx")
def provider_spreadsheet(
    request: Request, session: Database, keys: Keys, user: Reader, filters: Filters
) -> Response:
    """Download exactly the rows that the filters list, with the fields that were disclosed."""
    _, lines = _lines(session, keys, user, filters, request, "spreadsheet")
    return send_sheet(lines, TITLE, language_of(request), "referrals.xlsx")


@router.get("/print")
def provider_print(
    request: Request, session: Database, keys: Keys, user: Reader, filters: Filters
) -> Response:
    """Show the same rows laid out for paper."""
    listed, lines = _lines(session, keys, user, filters, request, "print")
    values = {"heading": lines[0], "lines": lines[1:], "rows": listed.rows}
    return render(request, "provider_print.html", values)


@router.get("/referrals/{referral_id}")
def provider_referral(
    request: Request, session: Database, keys: Keys, user: Reader, referral_id: int
) -> Response:
    """Show one referral with exactly the fields that the person agreed to; the reading is audited."""
    row = get_provider_referral(session, user, referral_id)
    if row is None:
        raise DomainError("not_found", referral_id=referral_id)
    disclosed = read_disclosures(session, keys, [referral_id]).get(referral_id, {})
    accounts.record_audit(session, user.user_id, "disclosure.read", "referral", [referral_id], "page")
    governorate, language = request.app.state.context.governorate, language_of(request)
    values = {
        "row": row,
        "fields": [
            (
                texts.text_of(texts.DISCLOSURE_FIELDS, name, language),
                texts.value_text(name, disclosed[name], governorate, language),
                name,
            )
            for name in texts.DISCLOSURE_FIELDS
            if name in disclosed and name != "case_code"
        ],
        "moves": offered(
            (move.name for move in moves_from(row.state, user.role)),
            row.state,
            user.role,
            row.paused_reason,
            row.breach_action,
        ),
        "exchange": _exchange(session, keys, referral_id, language),
    }
    return render(request, "provider_referral.html", values)


def _exchange(session: Database, keys: Vault, referral_id: int, language: str) -> list[dict[str, object]]:
    """What this provider asked and what the office answered, oldest first; nothing else of the history."""
    events = [e for e in list_events(session, referral_id) if e.move in {"request_info", "answer_info"}]
    notes = keys.open_many("referral_event.note", [event.note for event in events])
    return [
        {
            "answered": event.move == "answer_info",
            "reason": reason_of_event(event, language),
            "note": note,
        }
        for event, note in zip(events, notes, strict=True)
    ]


def _require_listed(session: Database, user: CurrentUser, referral_id: int) -> None:
    if get_provider_referral(session, user, referral_id) is None:
        raise DomainError("not_found", referral_id=referral_id)


@router.post("/referrals/{referral_id}/accept")
def accept(session: Database, keys: Keys, user: Answerer, referral_id: int) -> Response:
    """Take the person on."""
    _require_listed(session, user, referral_id)
    acts.accept(session, keys, referral_id, user.actor)
    return see(f"/provider/referrals/{referral_id}", "accepted")


@router.post("/referrals/{referral_id}/decline")
def decline(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Answerer,
    referral_id: int,
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Say no with a coded reason; the referral leaves this list at once."""
    _require_listed(session, user, referral_id)
    acts.decline(session, keys, referral_id, user.actor, reason, note)
    wake()
    return see("/provider", "declined")


@router.post("/referrals/{referral_id}/start")
def start(session: Database, keys: Keys, user: Answerer, referral_id: int) -> Response:
    """Say that the service has begun."""
    _require_listed(session, user, referral_id)
    acts.start(session, keys, referral_id, user.actor)
    return see(f"/provider/referrals/{referral_id}", "started")


@router.post("/referrals/{referral_id}/deliver")
def deliver(
    session: Database,
    keys: Keys,
    user: Answerer,
    referral_id: int,
    outcome_type: Annotated[str, Form(max_length=40)] = "",
    quantity: Annotated[Decimal | None, Form()] = None,
    unit: Annotated[str, Form(max_length=40)] = "",
    delivered_on: Annotated[date | None, Form()] = None,
) -> Response:
    """Say that the service was delivered, and what was given: how much of what, and when."""
    _require_listed(session, user, referral_id)
    if quantity is None or delivered_on is None:
        raise DomainError("value_wrong", field="quantity")
    outcome = DeliveredOutcome(outcome_type, quantity, unit, delivered_on)
    acts.deliver(session, keys, referral_id, user.actor, outcome)
    return see(f"/provider/referrals/{referral_id}", "delivered")


@router.post("/referrals/{referral_id}/acknowledge")
def acknowledge(session: Database, keys: Keys, user: Answerer, referral_id: int) -> Response:
    """Say that the referral was seen; the answer follows."""
    _require_listed(session, user, referral_id)
    acts.acknowledge(session, keys, referral_id, user.actor)
    return see(f"/provider/referrals/{referral_id}", "acknowledged")


@router.post("/referrals/{referral_id}/request-info")
def request_info(
    session: Database, keys: Keys, user: Answerer, referral_id: int, reason: Reason = "", note: Note = ""
) -> Response:
    """Ask the office for what is missing to decide."""
    _require_listed(session, user, referral_id)
    acts.request_info(session, keys, referral_id, user.actor, reason, note)
    return see(f"/provider/referrals/{referral_id}", "info_requested")


@router.post("/referrals/{referral_id}/waitlist")
def waitlist(
    session: Database, keys: Keys, user: Answerer, referral_id: int, reason: Reason = "", note: Note = ""
) -> Response:
    """Put the person on the provider's own waiting list."""
    _require_listed(session, user, referral_id)
    acts.waitlist(session, keys, referral_id, user.actor, reason, note)
    return see(f"/provider/referrals/{referral_id}", "waitlisted")


@router.post("/referrals/{referral_id}/not-completed")
def not_completed(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Answerer,
    referral_id: int,
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Say that the service was not given or broke off; the referral leaves this list."""
    _require_listed(session, user, referral_id)
    acts.not_complete(session, keys, referral_id, user.actor, reason, note)
    wake()
    return see("/provider", "not_completed")
