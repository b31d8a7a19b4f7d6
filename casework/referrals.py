"""The acts on a referral. States and moves are `referral_engine.sop`; every act is one or two rows of history.

Who may act is decided here for the rows (own ministry, own organization, own office) and, before that, in the
route for the permission.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.disclosure import record_disclosure, values_to_send
from casework.merged_needs import MERGED
from db import cases as case_query
from db import merges, open_days
from db import referrals as query
from db.errors import DomainError
from db.models import Consent, Referral, ReferralEvent
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import LANGUAGES, choices, load
from referral_engine import sop

CONSENT_TEXT_VERSION = "2026-11"
CHANNELS = ("desk", "safe_call")
SYSTEM = "system"
REASONS_THAT_END_THE_NEED = ("moved_away", "deceased")
"""Reasons of a recall after which looking for another provider at the same home would be wrong."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user of the system, or the system itself (`user_id` None)."""

    user_id: int | None
    role: str
    governorate: str
    office_id: int | None = None
    organization_id: int | None = None
    ministry: str | None = None


def approve(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """Approve a proposal; it then waits for the person's consent to this very recipient."""
    parts = _lock(session, referral_id, actor)
    _move(session, vault, parts, "approve", actor)
    _move(session, vault, parts, "ask_consent", actor)


def hold(session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str) -> None:
    """Set a proposal aside with a coded reason; it keeps its slot."""
    parts = _lock(session, referral_id, actor)
    _move(session, vault, parts, "hold", actor, reason)
    parts.referral.held_reason = reason
    session.flush()


def release_hold(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """Put a held proposal back into the queue."""
    parts = _lock(session, referral_id, actor)
    _move(session, vault, parts, "unhold", actor)
    parts.referral.held_reason = None
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
    parts = _lock(session, referral_id, actor)
    referral = parts.referral
    candidate = query.get_candidate(session, parts.need.id, service_at_location_id)
    if (
        candidate is None
        or candidate.status != "option"
        or service_at_location_id == referral.service_at_location_id
    ):
        raise DomainError("not_an_option", service_at_location_id=service_at_location_id)
    _check_move(referral, "change", actor, reason)
    today = datetime.now(UTC).date()
    query.lock_slots(session, service_at_location_id, today, referral.capacity_id)
    capacity_id = query.reserve_slot(session, service_at_location_id, today)
    if capacity_id is None:
        raise DomainError("no_slot", service_at_location_id=service_at_location_id)
    _move(session, vault, parts, "change", actor, reason, note)
    query.release_slot(session, referral.capacity_id)
    referral.service_at_location_id = service_at_location_id
    referral.capacity_id = capacity_id
    referral.minutes, referral.km = candidate.minutes, candidate.km
    session.flush()


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
    parts = _lock(session, referral_id, actor)
    if not interpreter and not load(parts.case.governorate).language_details[language].reviewed:
        raise DomainError("interpreter_required", language=language)
    _check_move(parts.referral, "send", actor, None)
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
    _move(session, vault, parts, "send", actor)


def refuse_consent(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The person does not want this provider to know: recall, and never propose that provider again."""
    parts = _lock(session, referral_id, actor)
    if parts.referral.state != sop.ReferralState.AWAITING_CONSENT:
        raise DomainError("illegal_move", state=parts.referral.state, move="refuse_consent")
    _move(session, vault, parts, "recall", actor, "consent_withdrawn")
    _exclude(session, parts)


def accept(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The provider takes the person on."""
    _act(session, vault, referral_id, "accept", actor)


def decline(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str | None = None
) -> None:
    """The provider says no with a coded reason; the slot is free and the need is matched again without it."""
    _act(session, vault, referral_id, "decline", actor, reason, note)


def start(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The service has begun."""
    _act(session, vault, referral_id, "start", actor)


def deliver(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
    """The provider says that the service was delivered."""
    _act(session, vault, referral_id, "deliver", actor)


def close(session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str) -> None:
    """Close a delivered referral with a coded reason."""
    _act(session, vault, referral_id, "close", actor, reason)


def recall(
    session: Session, vault: Vault, referral_id: int, actor: Actor, reason: str, note: str | None = None
) -> None:
    """Take a referral back before the service began; the slot is free and the disclosure is withdrawn.

    Who takes consent back is not offered this provider again; the needs of who left or died end here.
    """
    parts = _lock(session, referral_id, actor)
    _move(session, vault, parts, "recall", actor, reason, note)
    if reason == "consent_withdrawn":
        _exclude(session, parts)
    elif reason in REASONS_THAT_END_THE_NEED:
        parts.need.status = "withdrawn"
        session.flush()


def recall_uncovered(session: Session, vault: Vault, case_id: int) -> None:
    """Recall what is under way and no longer covered by the newest assessment's consent.

    What waits for an exclusion to be settled stays as it is: it cannot be sent before that.
    """
    case_query.lock_case(session, case_id)
    bounds = case_query.get_assessment_consent(session, case_id)
    actor = Actor(None, SYSTEM, "")
    for referral_id in query.list_live_referral_ids(session, case_id):
        parts = _lock(session, referral_id, actor)
        covered = bounds is not None and bounds.in_force and _covers(bounds, parts)
        if not covered and parts.referral.state in sop.MOVES["recall"].sources:
            _move(session, vault, parts, "recall", actor, "consent_withdrawn")


def withdraw_case(session: Session, vault: Vault, case_id: int, at: datetime) -> None:
    """Consent was taken back for the whole case: recall everything that still can be, close open needs."""
    case_query.lock_case(session, case_id)
    case_query.withdraw_consents(session, case_id, "assessment", at)
    recall_uncovered(session, vault, case_id)
    for need in case_query.list_needs(session, case_id):
        if need.status in {"open", "referred"} and not query.has_live_referral(session, need.id):
            need.status, need.unmet_reason, need.unmet_details, need.unmet_since = (
                "withdrawn",
                None,
                None,
                None,
            )
    session.flush()


def _act(
    session: Session,
    vault: Vault,
    referral_id: int,
    move: str,
    actor: Actor,
    reason: str | None = None,
    note: str | None = None,
) -> None:
    _move(session, vault, _lock(session, referral_id, actor), move, actor, reason, note)


def _lock(session: Session, referral_id: int, actor: Actor) -> ReferralParts:
    parts = query.get_referral_parts(session, referral_id, lock=True)
    if parts is None or not _is_within_reach(session, parts, actor):
        raise DomainError("not_found", referral_id=referral_id)
    return parts


def _is_within_reach(session: Session, parts: ReferralParts, actor: Actor) -> bool:
    if actor.role == SYSTEM:
        return True
    if actor.governorate != parts.case.governorate:
        return False
    if actor.role == "provider":
        return actor.organization_id == parts.organization.id
    if actor.role == "officer":
        return actor.office_id is not None and (
            actor.office_id == parts.case.office_id
            or merges.is_office_of_merged(session, parts.case.id, actor.office_id)
            or open_days.is_received_at(session, parts.case.id, actor.office_id)
        )
    if actor.role == "coordinator":
        return load(parts.case.governorate).categories[parts.need.category].ministry == actor.ministry
    return False


def _require_reason(reason_list: str, reason: str | None) -> None:
    if not reason:
        raise DomainError("reason_required", reason_list=reason_list)
    if reason not in {choice.code for choice in choices(reason_list)}:
        raise DomainError("reason_unknown", reason_list=reason_list)


def _require_bounds(session: Session, parts: ReferralParts) -> None:
    """The first step of consent still bounds the second: category, kind of recipient, exclusions."""
    bounds = case_query.get_assessment_consent(session, parts.case.id)
    if bounds is None or not bounds.in_force or bounds.exclusion_open:
        raise DomainError("consent_required", referral_id=parts.referral.id)
    if not _covers(bounds, parts):
        raise DomainError("consent_does_not_cover", referral_id=parts.referral.id)


def _covers(bounds: Consent, parts: ReferralParts) -> bool:
    return (
        parts.need.category in bounds.categories
        and parts.organization.kind in bounds.recipients
        and parts.organization.id not in bounds.excluded_organizations
    )


def _exclude(session: Session, parts: ReferralParts) -> None:
    """Leave this provider out of whatever is matched for this case from now on. The case is held."""
    consent = case_query.get_assessment_consent(session, parts.case.id)
    if consent is not None and parts.organization.id not in consent.excluded_organizations:
        consent.excluded_organizations = [*consent.excluded_organizations, parts.organization.id]
        session.flush()


def _check_move(referral: Referral, move_name: str, actor: Actor, reason: str | None) -> sop.ReferralState:
    """The state that the move leads to. Raises DomainError when the table does not allow it."""
    move = sop.MOVES[move_name]
    if actor.role not in move.actors and actor.role != SYSTEM:
        raise DomainError("forbidden", move=move_name)
    is_held = referral.held_reason is not None
    if (move.guard is sop.Guard.NOT_HELD and is_held) or (move.guard is sop.Guard.HELD and not is_held):
        raise DomainError("illegal_move", state="held" if is_held else str(referral.state), move=move_name)
    try:
        target = sop.next_state(referral.state, move_name)
    except sop.IllegalMove as error:
        raise DomainError("illegal_move", state=str(referral.state), move=move_name) from error
    if move.reason_list is not None:
        _require_reason(move.reason_list, reason)
    return target


def _move(
    session: Session,
    vault: Vault,
    parts: ReferralParts,
    move_name: str,
    actor: Actor,
    reason: str | None = None,
    note: str | None = None,
) -> None:
    """Make one move: state, event, slot, need."""
    referral, move = parts.referral, sop.MOVES[move_name]
    target = _check_move(referral, move_name, actor, reason)
    source = referral.state
    now = datetime.now(UTC)
    if target != source:
        referral.state, referral.state_since, referral.held_reason = target, now, None
    _add_event(session, vault, parts, referral.id, move_name, source, target, actor, reason, note)
    if move.frees_slot:
        query.release_slot(session, referral.capacity_id)
    _follow_need(session, parts, target, now)
    if reason == "consent_withdrawn":
        query.withdraw_referral_consents(session, referral.id, now)
    session.flush()


def _follow_need(session: Session, parts: ReferralParts, target: str, now: datetime) -> None:
    if target == sop.ReferralState.CLOSED:
        parts.need.status = "served"
    elif target == sop.ReferralState.DECLINED:
        parts.need.status = _idle_status(parts)
    elif target == sop.ReferralState.RECALLED:
        parts.need.status = _idle_status(parts)
        query.withdraw_disclosure(session, parts.referral.id, now)


def _idle_status(parts: ReferralParts) -> str:
    """Open again, unless another need of the household stands for this one."""
    return "open" if parts.need.same_as_id is None else MERGED


def _add_event(
    session: Session,
    vault: Vault,
    parts: ReferralParts,
    referral_id: int,
    move_name: str,
    source: str | None,
    target: str,
    actor: Actor,
    reason: str | None,
    note: str | None,
) -> None:
    key_id = parts.case.data_key_id
    session.add(
        ReferralEvent(
            referral_id=referral_id,
            move=move_name,
            from_state=source,
            to_state=target,
            actor_role=actor.role,
            user_id=actor.user_id,
            reason=reason,
            note=None if key_id is None else vault.seal(key_id, "referral_event.note", note),
        )
    )
    session.flush()
