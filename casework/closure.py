"""Two-sided closure: after the provider has said that the service was delivered, the returnee is heard."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.consent_gate import require_named_consent
from casework.follow_ups import record_answer
from casework.moves import Actor, check_move, lock_referral, make_move
from casework.named_consents import KIND, Asked, add_named_consent
from db import referrals as query
from db.errors import DomainError
from db.follow_ups import count_failed_attempts
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import load

INFO_ANSWER = "info_answer"
"""What a consent row names when the person agreed to an answer; the very words are the note of the move."""


def answer_info(
    session: Session, vault: Vault, referral_id: int, actor: Actor, note: str, asked: Asked
) -> None:
    """Answer what the provider asked, in words that were read out and that the person agreed to.

    The person's word on this recipient with what had been sent and this answer is a consent row of its own; the
    answer is kept as it was sent, in the history. Raises DomainError as `sending.send` does.
    """
    now = datetime.now(UTC)
    parts = lock_referral(session, referral_id, actor)
    check_move(parts.referral, "answer_info", actor, None, note)
    asked.require_sound(session, parts.case.id, parts.case.governorate, KIND)
    require_named_consent(session, parts, now)
    sent = [name for row in query.list_disclosures(session, [referral_id]) for name in row.fields]
    add_named_consent(session, vault, parts, actor, asked, [*sent, INFO_ANSWER], now)
    make_move(session, vault, parts, "answer_info", actor, None, note, now=now)


def confirm(
    session: Session, vault: Vault, referral_id: int, actor: Actor, *, asked: str | None = None
) -> None:
    """The returnee says that the service was received; `asked` is how (`follow_up_kind`)."""
    parts = lock_referral(session, referral_id, actor)
    make_move(session, vault, parts, "confirm", actor)
    _record_asking(session, vault, parts, actor, asked)


def dispute(
    session: Session,
    vault: Vault,
    referral_id: int,
    actor: Actor,
    reason: str,
    note: str,
    *,
    asked: str | None = None,
) -> None:
    """The returnee says that it was not, or not as promised; the coordinator looks into it."""
    parts = lock_referral(session, referral_id, actor)
    make_move(session, vault, parts, "dispute", actor, reason, note)
    _record_asking(session, vault, parts, actor, asked)


def _record_asking(
    session: Session, vault: Vault, parts: ReferralParts, actor: Actor, asked: str | None
) -> None:
    """The call or visit at which the returnee was heard is a follow-up that is done."""
    if asked is not None:
        record_answer(session, vault, parts.case, parts.referral.id, actor, kind=asked, now=datetime.now(UTC))


def resume(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The provider goes on with a disputed service."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "resume", actor)


def close(session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str) -> None:
    """Close what the returnee has confirmed, with a coded reason."""
    make_move(session, vault, lock_referral(session, referral_id, actor), "close", actor, reason)


def close_unheard(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str
) -> None:
    """Close a delivered service whose returnee could not be heard, in spite of attempts on enough different days.

    How many is data of the governorate. Raises DomainError `follow_ups_missing` while there were fewer.
    """
    parts = lock_referral(session, referral_id, actor)
    check_move(parts.referral, "close_unheard", actor, reason, note)
    wanted = load(parts.case.governorate).follow_up_attempts.most
    tried = count_failed_attempts(session, referral_id)
    if tried < wanted:
        raise DomainError("follow_ups_missing", referral_id=referral_id, tried=tried, wanted=wanted)
    make_move(session, vault, parts, "close_unheard", actor, reason, note)
