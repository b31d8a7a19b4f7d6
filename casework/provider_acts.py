"""The provider's answers to a referral that was sent to it."""

from sqlalchemy.orm import Session

from casework.moves import Actor, lock_referral, make_move
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
    """The provider says no with a coded reason; the slot is free and the need is matched again without it."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "decline", actor, reason, note)


def start(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The service has begun."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "start", actor)


def deliver(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The provider says that the service was delivered; the returnee is asked next."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "deliver", actor)


def not_complete(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str
) -> None:
    """The service was not given or broke off: no-show, unreachable, refused, or the provider failed."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "not_complete", actor, reason, note)
