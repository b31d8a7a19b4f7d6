"""Stopping the clock of a referral and letting it go on; reporting on long services; looking again for a need."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Keys, Require
from api.pages.provider import Answerer
from api.permissions import Permission
from api.redirects import see
from api.waking import Wake
from casework import pauses, rerouting
from db import accounts
from db.errors import DomainError
from db.needs import get_case_of_visible_need
from db.options import is_referral_visible
from db.provider_list import get_provider_referral
from governorates import load, local_zone

router = APIRouter()

Pauser = Annotated[CurrentUser, Depends(Require(Permission.CLOCK_PAUSE))]
Reason = Annotated[str, Form(max_length=40)]
Until = Annotated[str, Form(max_length=10)]
Note = Annotated[str, Form(max_length=2000)]


def _end_of(day: str, governorate: str) -> datetime | None:
    """The end of a day of the form, in the governorate's time. Raises DomainError `date_not_ahead` for no date."""
    if not day.strip():
        return None
    try:
        chosen = date.fromisoformat(day.strip())
        zone = local_zone(load(governorate))
        return (datetime.combine(chosen, time.min, zone) + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise DomainError("date_not_ahead") from None


def _require_visible(session: Database, user: CurrentUser, referral_id: int) -> None:
    if not is_referral_visible(session, user, referral_id):
        raise DomainError("not_found", referral_id=referral_id)


def _require_listed(session: Database, user: CurrentUser, referral_id: int) -> None:
    if get_provider_referral(session, user, referral_id) is None:
        raise DomainError("not_found", referral_id=referral_id)


@router.post("/referrals/{referral_id}/pause-clock")
def pause(
    session: Database, keys: Keys, user: Pauser, referral_id: int, reason: Reason = "", until: Until = ""
) -> Response:
    """Stop the clock while somebody waits for a document or the person."""
    _require_visible(session, user, referral_id)
    end = _end_of(until, user.governorate)
    pauses.pause_clock(session, keys, referral_id, user.actor, reason, end)
    return see(f"/referrals/{referral_id}", "paused")


@router.post("/referrals/{referral_id}/resume-clock")
def resume(session: Database, keys: Keys, user: Pauser, referral_id: int) -> Response:
    """Let a paused clock go on."""
    _require_visible(session, user, referral_id)
    pauses.resume_clock(session, keys, referral_id, user.actor)
    return see(f"/referrals/{referral_id}", "clock_resumed")


@router.post("/referrals/{referral_id}/report-progress")
def report(session: Database, keys: Keys, user: Pauser, referral_id: int, note: Note = "") -> Response:
    """Write down how a long service goes."""
    _require_visible(session, user, referral_id)
    pauses.report_progress(session, keys, referral_id, user.actor, note)
    return see(f"/referrals/{referral_id}", "progress_reported")


@router.post("/provider/referrals/{referral_id}/pause-clock")
def provider_pause(
    session: Database, keys: Keys, user: Answerer, referral_id: int, reason: Reason = "", until: Until = ""
) -> Response:
    """Stop the provider's own clock, for example while a document is on its way."""
    _require_listed(session, user, referral_id)
    end = _end_of(until, user.governorate)
    pauses.pause_clock(session, keys, referral_id, user.actor, reason, end)
    return see(f"/provider/referrals/{referral_id}", "paused")


@router.post("/provider/referrals/{referral_id}/resume-clock")
def provider_resume(session: Database, keys: Keys, user: Answerer, referral_id: int) -> Response:
    """Let the provider's own clock go on."""
    _require_listed(session, user, referral_id)
    pauses.resume_clock(session, keys, referral_id, user.actor)
    return see(f"/provider/referrals/{referral_id}", "clock_resumed")


@router.post("/provider/referrals/{referral_id}/report-progress")
def provider_report(
    session: Database, keys: Keys, user: Answerer, referral_id: int, note: Note = ""
) -> Response:
    """Say how a long service goes."""
    _require_listed(session, user, referral_id)
    pauses.report_progress(session, keys, referral_id, user.actor, note)
    return see(f"/provider/referrals/{referral_id}", "progress_reported")


@router.post("/needs/{need_id}/look-again")
def look_again(
    session: Database,
    wake: Wake,
    user: Annotated[CurrentUser, Depends(Require(Permission.NEED_LOOK_AGAIN))],
    need_id: int,
) -> Response:
    """Say that the person was reached, so that matching looks for a provider again."""
    found = get_case_of_visible_need(session, user, need_id)
    if found is None:
        raise DomainError("not_found", need_id=need_id)
    rerouting.look_again(session, need_id, user.actor, datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "need.look_again", "need", [need_id])
    wake()
    return see(f"/cases/{found.printed_code}", "look_again")
