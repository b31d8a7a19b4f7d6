"""Referrals drafted by hand at the desk, where matching found nothing or the person wishes otherwise."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.deadlines import start_clock
from casework.moves import Actor, lock_referral, make_move, record_event, require_choice
from casework.open_day_marks import open_day_of
from db import cases as case_query
from db import matching as match_query
from db import referrals as query
from db.errors import DomainError
from db.models import Case, MatchCandidate, Need, Referral
from db.options import Option
from db.vault import Vault
from referral_engine import sop
from referral_engine.reasons import Exclusion

DRAFTABLE = frozenset(
    {
        Exclusion.TOO_FAR,
        Exclusion.DECLINED_BEFORE,
        Exclusion.CAPACITY_STALE,
        Exclusion.NO_SLOT,
        Exclusion.UNREACHABLE,
    }
)
"""Exclusions that a person at the desk may set aside; never what the person said or a provider's condition."""


def draft(
    session: Session,
    vault: Vault,
    need_id: int,
    service_at_location_id: int,
    actor: Actor,
    reason: str,
    note: str | None = None,
) -> int:
    """Draft a referral by hand for a need that has none under way; no slot is held before it is proposed.

    The service must be one that matching looked at for this need and left out for a reason of `DRAFTABLE`, or
    an option. Returns the id. Raises DomainError `not_found`, `forbidden`, `referral_under_way`,
    `not_an_option` or `no_slot`.
    """
    need, case = _lock_need(session, need_id)
    candidate = query.get_candidate(session, need_id, service_at_location_id)
    if candidate is None or not may_be_drafted(candidate):
        raise DomainError("not_an_option", service_at_location_id=service_at_location_id)
    require_choice("override_reason", reason)
    now = datetime.now(UTC)
    capacity_id = query.get_open_intake(session, service_at_location_id, now.date())
    if capacity_id is None:
        raise DomainError("no_slot", service_at_location_id=service_at_location_id)
    referral = _draft_row(need, case, candidate, capacity_id, now)
    referral.open_day_id = open_day_of(session, case, now)
    session.add(referral)
    session.flush()
    parts = lock_referral(session, referral.id, actor)  # the same reach as for every other act
    if actor.role not in sop.MOVES["draft"].actors:
        raise DomainError("forbidden", move="draft")
    record_event(session, vault, parts, "draft", None, sop.INITIAL, actor, reason, note, now)
    match_query.set_referred(session, [need_id])
    start_clock(session, parts, now)
    return referral.id


def propose(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """Propose a drafted referral: it takes a slot and waits for the coordinator. Raises DomainError `no_slot`."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "propose", actor)


def _lock_need(session: Session, need_id: int) -> tuple[Need, Case]:
    found = case_query.lock_need(session, need_id)
    if found is None:
        raise DomainError("not_found", need_id=need_id)
    need, case = found
    if need.status != "open" or need.same_as_id is not None or query.has_live_referral(session, need_id):
        raise DomainError("referral_under_way", need_id=need_id)
    return need, case


def may_be_drafted(candidate: MatchCandidate | Option) -> bool:
    """Whether a person may refer to this service although matching did not: an option, or left out for travel."""
    codes = {reason["code"] for reason in candidate.reasons}
    return candidate.status == "option" or (bool(codes) and codes <= {str(code) for code in DRAFTABLE})


def _draft_row(
    need: Need, case: Case, candidate: MatchCandidate, capacity_id: int, now: datetime
) -> Referral:
    return Referral(
        need_id=need.id,
        case_id=case.id,
        service_at_location_id=candidate.service_at_location_id,
        capacity_id=capacity_id,
        match_run_id=candidate.match_run_id,
        submission_id=case.submission_id,
        state=sop.INITIAL,
        state_since=now,
        urgency=need.urgency,
        minutes=candidate.minutes,
        km=candidate.km,
        created_at=now,
    )
