"""The provider's answers to a referral that was sent to it."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.decline_actions import apply_decline, apply_not_completed, hold_slots
from casework.follow_ups import schedule_after_delivery
from casework.moves import Actor, lock_referral, make_move
from casework.outcomes import DeliveredOutcome, record_outcome
from db.vault import Vault


def acknowledge(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The provider has seen the referral; an answer is still due."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "acknowledge", actor)


def request_info(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str
) -> None:
    """The provider cannot decide without knowing more; the office asks the person what may be answered."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "request_info", actor, reason, note)


def waitlist(session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str) -> None:
    """The provider puts the person on its own list; the slot is free for somebody else meanwhile."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "waitlist", actor, reason, note)


def accept(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The provider takes the person on; from the waiting list that takes a slot (`no_slot`)."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "accept", actor)


def decline(session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str) -> None:
    """The provider says no with a coded reason; the slot is free, and what follows is a matter of the reason."""
    parts, now = lock_referral(session, referral_id, actor), datetime.now(UTC)
    hold_slots(session, parts)
    make_move(session, vault, parts, "decline", actor, reason, note, now=now)
    apply_decline(session, parts, reason, actor, now)


def start(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The service has begun."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "start", actor)


def deliver(
    session: Session,
    vault: Vault,
    referral_id: int,
    actor: Actor,
    outcome: DeliveredOutcome | None = None,
    *,
    now: datetime | None = None,
) -> None:
    """The provider says that the service was delivered, and what it gave; the returnee is asked next, by a clock.

    Raises what `record_outcome` raises.
    """
    parts, at = lock_referral(session, referral_id, actor), now or datetime.now(UTC)
    make_move(session, vault, parts, "deliver", actor, now=at)
    if outcome is not None:
        record_outcome(
            session,
            vault,
            referral_id,
            outcome_type=outcome.outcome_type,
            quantity=outcome.quantity,
            unit=outcome.unit,
            delivered_on=outcome.delivered_on,
            actor=actor,
            now=at,
        )
    schedule_after_delivery(session, parts.referral, parts.case, at)


def not_complete(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str
) -> None:
    """The service was not given or broke off: no-show, unreachable, refused, or the provider failed.

    A provider's word that the person refused does not end the need: the office asks the person first.
    """
    parts, now = lock_referral(session, referral_id, actor), datetime.now(UTC)
    make_move(session, vault, parts, "not_complete", actor, reason, note, now=now)
    apply_not_completed(session, parts, reason, actor, now)
