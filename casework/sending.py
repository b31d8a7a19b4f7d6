"""The named consent and what follows from it: send, refuse, recall, and recall what is no longer covered."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.capacities import ask_for_assessment
from casework.disclosure import record_disclosure, values_to_send
from casework.moves import SYSTEM, Actor, check_move, lock_referral, make_move
from casework.tasks import cancel_tasks
from db import cases as case_query
from db import referrals as query
from db.errors import DomainError
from db.models import Consent
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import LANGUAGES, load
from referral_engine import sop

CONSENT_TEXT_VERSION = "2026-11"
CHANNELS = ("desk", "safe_call")


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
) -> None:
    """Record that the person agreed to this recipient and these fields, and send the referral.

    `read_out` is the mark of the fields that stood on the page (`casework.disclosure.read_out_mark`): when they
    are no longer what would be sent, nothing is (`changed_meanwhile`).

    The consent row, the disclosure and the move are one transaction; the database refuses the state `sent`
    without a consent in force for this referral. Where no native reader has reviewed the language's text, the
    interpreter must be named (SOP: the Arabic text is read and interpreted).
    """
    if channel not in CHANNELS:
        raise DomainError("channel_unknown", channel=channel)
    if language not in LANGUAGES:
        raise DomainError("language_unknown", language=language)
    parts = lock_referral(session, referral_id, actor)
    if not interpreter and not load(parts.case.governorate).language_details[language].reviewed:
        raise DomainError("interpreter_required", language=language)
    check_move(parts.referral, "send", actor)
    _require_bounds(session, parts)
    values = values_to_send(session, vault, parts, read_out)
    key_id = parts.case.data_key_id
    if key_id is None:
        raise DomainError("case_erased")
    consent = Consent(
        case_id=parts.case.id,
        kind="referral",
        referral_id=referral_id,
        given=True,
        text_version=CONSENT_TEXT_VERSION,
        language=language,
        channel=channel,
        interpreter=vault.seal(key_id, "consent.interpreter", interpreter),
        categories=[parts.need.category],
        recipients=[parts.organization.kind],
        exclusions=[],
        excluded_organizations=[],
        fields=list(values),
        recorded_by=actor.user_id,
    )
    session.add(consent)
    session.flush()
    record_disclosure(session, vault, parts, consent, values)
    make_move(session, vault, parts, "send", actor)
    ask_for_assessment(session, parts, datetime.now(UTC))


def refuse_consent(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The person does not want this provider to know: recall, and never propose that provider again."""
    parts = lock_referral(session, referral_id, actor)
    if parts.referral.state != sop.ReferralState.AWAITING_CONSENT:
        raise DomainError("illegal_move", state=parts.referral.state, move="refuse_consent")
    make_move(session, vault, parts, "recall", actor, "consent_withdrawn")
    leave_out_provider(session, parts)


def recall(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str | None = None
) -> None:
    """Take a referral back before the service began; the slot is free and the disclosure is withdrawn.

    Who takes consent back is not offered this provider again; the needs of who left or died end here.
    """
    parts = lock_referral(session, referral_id, actor)
    make_move(session, vault, parts, "recall", actor, reason, note)
    if reason == "consent_withdrawn":
        leave_out_provider(session, parts)


def recall_uncovered(session: Session, vault: Vault, case_id: int) -> None:
    """Recall what is under way and no longer covered by the newest assessment's consent.

    What waits for an exclusion to be settled stays as it is: it cannot be sent before that.
    """
    case_query.lock_case(session, case_id)
    bounds = case_query.get_assessment_consent(session, case_id)
    for referral_id in query.list_live_referral_ids(session, case_id):
        parts = lock_referral(session, referral_id, SYSTEM)
        covered = bounds is not None and bounds.in_force and _covers(bounds, parts)
        if not covered and parts.referral.state in sop.MOVES["recall"].sources:
            make_move(session, vault, parts, "recall", SYSTEM, "consent_withdrawn")


def withdraw_case(session: Session, vault: Vault, case_id: int, at: datetime) -> None:
    """Consent was taken back for the whole case: recall everything that still can be, close open needs."""
    case_query.lock_case(session, case_id)
    case_query.withdraw_consents(session, case_id, "assessment", at)
    recall_uncovered(session, vault, case_id)
    cancel_tasks(session, case_id, at)
    for need in case_query.list_needs(session, case_id):
        if need.status in {"open", "referred"} and not query.has_live_referral(session, need.id):
            need.status, need.unmet_reason, need.unmet_details, need.unmet_since = (
                "withdrawn",
                None,
                None,
                None,
            )
    session.flush()


def _require_bounds(session: Session, parts: ReferralParts) -> None:
    """The first step of consent still bounds the second: category, kind of recipient, exclusions."""
    bounds = case_query.get_assessment_consent(session, parts.case.id)
    if bounds is None or not bounds.in_force or bounds.exclusion_open:
        raise DomainError("consent_required", referral_id=parts.referral.id)
    if not _covers(bounds, parts):
        raise DomainError("consent_does_not_cover", referral_id=parts.referral.id)


def covers(bounds: Consent, category: str, organization_kind: str, organization_id: int) -> bool:
    """Whether what the person agreed to at the assessment covers such a recipient."""
    return (
        category in bounds.categories
        and organization_kind in bounds.recipients
        and organization_id not in bounds.excluded_organizations
    )


def _covers(bounds: Consent, parts: ReferralParts) -> bool:
    return covers(bounds, parts.need.category, parts.organization.kind, parts.organization.id)


def leave_out_provider(session: Session, parts: ReferralParts) -> None:
    """Leave this provider out of whatever is matched for this case from now on. The case is held."""
    consent = case_query.get_assessment_consent(session, parts.case.id)
    if consent is not None and parts.organization.id not in consent.excluded_organizations:
        consent.excluded_organizations = [*consent.excluded_organizations, parts.organization.id]
        session.flush()
