"""Two-sided closure: after the provider has said that the service was delivered, the returnee is heard."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.consent_gate import require_named_consent
from casework.moves import Actor, check_move, lock_referral, make_move
from db.errors import DomainError
from db.vault import Vault


def answer_info(
    session: Session, vault: Vault, referral_id: int, actor: Actor, note: str, *, agreed: bool
) -> None:
    """Answer what the provider asked, in words that the person agreed to. Raises DomainError `consent_required`."""
    parts = lock_referral(session, referral_id, actor)
    if not agreed:
        raise DomainError("consent_required", referral_id=referral_id)
    check_move(parts.referral, "answer_info", actor, None, note)
    require_named_consent(session, parts, datetime.now(UTC))
    make_move(session, vault, parts, "answer_info", actor, None, note)


def confirm(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The returnee says that the service was received."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "confirm", actor)


def dispute(session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str) -> None:
    """The returnee says that it was not, or not as promised; the coordinator looks into it."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "dispute", actor, reason, note)


def resume(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The provider goes on with a disputed service."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "resume", actor)


def close(session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str) -> None:
    """Close what the returnee has confirmed, with a coded reason."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "close", actor, reason)
