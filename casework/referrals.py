"""What a coordinator decides about a proposal before the person is asked: approve, hold, choose another."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework import deadlines
from casework.moves import Actor, check_move, lock_referral, make_move
from db import referrals as query
from db.deadlines import get_open_deadline
from db.errors import DomainError
from db.vault import Vault


def approve(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """Approve a proposal; it then waits for the person's consent to this very recipient."""
    parts = lock_referral(session, referral_id, actor)
    make_move(session, vault, parts, "approve", actor)
    make_move(session, vault, parts, "ask_consent", actor)


def hold(
    session: Session,
    vault: Vault,
    referral_id: int,
    actor: Actor,
    reason: str,
    note: str | None = None,
    *,
    now: datetime | None = None,
) -> None:
    """Set a proposal aside with a coded reason; it keeps its slot, and its clock stands still for a while.

    Raises DomainError `text_required` for a reason that says nothing without words (`with_words` of its list).
    """
    at, parts = now or datetime.now(UTC), lock_referral(session, referral_id, actor)
    make_move(session, vault, parts, "hold", actor, reason, note, now=at)
    parts.referral.held_reason = reason
    deadline = get_open_deadline(session, referral_id, lock=True)
    if deadline is not None:
        deadlines.pause(session, parts, deadline, deadlines.ON_HOLD, at)
    session.flush()


def release_hold(
    session: Session, vault: Vault, referral_id: int, actor: Actor, *, now: datetime | None = None
) -> None:
    """Put a held proposal back into the queue; its clock goes on."""
    at, parts = now or datetime.now(UTC), lock_referral(session, referral_id, actor)
    make_move(session, vault, parts, "unhold", actor, now=at)
    parts.referral.held_reason = None
    deadline = get_open_deadline(session, referral_id, lock=True)
    if deadline is not None and deadline.paused_reason == deadlines.ON_HOLD:
        deadlines.resume(session, parts, deadline, at)
    session.flush()


def choose_other(
    session: Session,
    vault: Vault,
    referral_id: int,
    service_at_location_id: int,
    actor: Actor,
    reason: str,
    note: str | None = None,
) -> None:
    """Change a proposal to another of its options, with a coded reason.

    The new slot is reserved before the old one is given back, so a person never falls between two chairs.
    Raises DomainError `not_an_option` or `no_slot`.
    """
    parts = lock_referral(session, referral_id, actor)
    referral = parts.referral
    candidate = query.get_candidate(session, parts.need.id, service_at_location_id)
    if (
        candidate is None
        or candidate.status != "option"
        or service_at_location_id == referral.service_at_location_id
    ):
        raise DomainError("not_an_option", service_at_location_id=service_at_location_id)
    check_move(referral, "change", actor, reason, note)
    today = datetime.now(UTC).date()
    query.lock_slots(session, service_at_location_id, today, referral.capacity_id)
    capacity_id = query.reserve_slot(session, service_at_location_id, today)
    if capacity_id is None:
        raise DomainError("no_slot", service_at_location_id=service_at_location_id)
    make_move(session, vault, parts, "change", actor, reason, note)
    query.release_slot(session, referral.capacity_id)
    referral.service_at_location_id = service_at_location_id
    referral.capacity_id = capacity_id
    referral.minutes, referral.km = candidate.minutes, candidate.km
    session.flush()
