"""The named consent and what follows from it: send, refuse, recall, and recall what is no longer covered."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.capacities import ask_for_assessment
from casework.consent_gate import covers, require_bounds
from casework.disclosure import record_disclosure, values_to_send
from casework.moves import SYSTEM, Actor, check_move, lock_referral, make_move
from casework.named_consents import KIND, Asked, add_named_consent
from casework.respondents import Respondent
from db import cases as case_query
from db import referrals as query
from db.errors import DomainError
from db.referrals import ReferralParts
from db.vault import Vault
from referral_engine import sop


def send(
    session: Session,
    vault: Vault,
    referral_id: int,
    actor: Actor,
    *,
    channel: str,
    language: str,
    interpreter: str | None = None,
    read_out: str | None = None,
    respondent: Respondent | None = None,
    now: datetime | None = None,
) -> None:
    """Record that the person agreed to this recipient and these fields, and send the referral.

    `read_out` is the mark of the fields that stood on the page (`casework.disclosure.read_out_mark`): when they
    are no longer what would be sent, nothing is (`changed_meanwhile`). `respondent` says who answered when it was
    not the person alone.

    The consent row, the disclosure and the move are one transaction; the database refuses the state `sent`
    without a consent in force for this referral. Raises DomainError as `Asked.require_sound` and
    `consent_gate.require_bounds` do.
    """
    asked = Asked(channel, language, interpreter, respondent or Respondent())
    now = now or datetime.now(UTC)
    parts = lock_referral(session, referral_id, actor)
    asked.require_sound(session, parts.case.id, parts.case.governorate, KIND)
    check_move(parts.referral, "send", actor)
    require_bounds(session, parts, now)
    values = values_to_send(session, vault, parts, read_out)
    consent = add_named_consent(session, vault, parts, actor, asked, list(values), now)
    record_disclosure(session, vault, parts, consent, values)
    make_move(session, vault, parts, "send", actor, now=now)
    ask_for_assessment(session, parts, now)


def refuse_consent(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The person does not want this provider to know: recall, and never propose that provider again."""
    parts = lock_referral(session, referral_id, actor)
    if parts.referral.state != sop.ReferralState.AWAITING_CONSENT:
        raise DomainError("illegal_move", state=parts.referral.state, move="refuse_consent")
    make_move(session, vault, parts, "recall", actor, "consent_withdrawn", picked=False)
    exclude_recipient(session, parts)


def recall(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str | None = None
) -> None:
    """Take a referral back before the service began; the slot is free and the disclosure is withdrawn.

    The needs of who left or died end here. That the person took consent back is no reason that anybody picks
    (`reason_unknown`): `casework.withdrawals.withdraw` writes that down, with its channel and receipt.
    """
    parts = lock_referral(session, referral_id, actor)
    make_move(session, vault, parts, "recall", actor, reason, note)


def take_back(
    session: Session, vault: Vault, parts: ReferralParts, reason: str, now: datetime | None = None
) -> None:
    """Recall a live referral, or after the service let it end, because nothing allows it any more."""
    move = "recall" if parts.referral.state in sop.MOVES["recall"].sources else "withdraw"
    make_move(session, vault, parts, move, SYSTEM, reason, now=now)


def recall_uncovered(session: Session, vault: Vault, case_id: int, now: datetime | None = None) -> None:
    """Take back what is under way and no longer covered by the newest assessment's consent.

    What waits for an exclusion to be settled stays as it is: it cannot be sent before that. Nor does age alone
    take anything back here (`casework.renewals`).
    """
    case_query.lock_case(session, case_id)
    bounds = case_query.get_assessment_consent(session, case_id)
    for referral_id in query.list_live_referral_ids(session, case_id):
        parts = lock_referral(session, referral_id, SYSTEM)
        if bounds is None or not bounds.in_force or not covers(bounds, parts):
            take_back(session, vault, parts, "consent_withdrawn", now)


def exclude_recipient(session: Session, parts: ReferralParts) -> None:
    """Leave this provider out of whatever is matched for this case from now on. The case is held."""
    consent = case_query.get_assessment_consent(session, parts.case.id)
    if consent is not None and parts.organization.id not in consent.excluded_organizations:
        consent.excluded_organizations = [*consent.excluded_organizations, parts.organization.id]
        session.flush()
