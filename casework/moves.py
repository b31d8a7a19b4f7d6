"""Making a move of a referral: who may, what must accompany it, and what it does to slot, need and consent.

States and moves are `referral_engine.sop`; every move is one row of history. Who may act is decided here for
the rows (own ministry, own organization, own office) and, before that, in the route for the permission.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.deadlines import start_clock
from casework.merged_needs import MERGED
from casework.messages import queue_for_move
from casework.provider_links import close_provider_links
from casework.tasks import follow_move
from db import merges, open_days
from db import referrals as query
from db.errors import DomainError
from db.mandates import is_within_mandate
from db.models import Referral, ReferralEvent
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import choice_codes, codes_with_words, offered_codes
from referral_engine import sop

LONGEST_NOTE = 2000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user of the system, or the system itself (`user_id` None)."""

    user_id: int | None
    role: str
    governorate: str
    office_id: int | None = None
    organization_id: int | None = None
    ministry: str | None = None


SYSTEM = Actor(None, sop.Actor.SYSTEM, "")
"""The system itself: matching, clocks, and what follows from a person's changed consent."""


def lock_referral(session: Session, referral_id: int, actor: Actor) -> ReferralParts:
    """Hold the case and the referral until the transaction ends; DomainError `not_found` for somebody else's."""
    parts = query.get_referral_parts(session, referral_id, lock=True)
    if parts is None or not _is_within_reach(session, parts, actor):
        raise DomainError("not_found", referral_id=referral_id)
    return parts


def _is_within_reach(session: Session, parts: ReferralParts, actor: Actor) -> bool:
    if actor.role == sop.Actor.SYSTEM:
        return True
    if actor.governorate != parts.case.governorate:
        return False
    if actor.role == sop.Actor.PROVIDER:
        return actor.organization_id == parts.organization.id
    if actor.role == sop.Actor.OFFICER:
        return is_at_office(session, parts.case.id, parts.case.office_id, actor)
    if actor.role == sop.Actor.COORDINATOR:
        return is_within_mandate(session, parts.need.id, actor.governorate, actor.ministry)
    return False


def is_at_office(session: Session, case_id: int, case_office_id: int | None, actor: Actor) -> bool:
    """Whether the case, or one merged into it, is looked after at the actor's office, or is at its open day."""
    return actor.office_id is not None and (
        actor.office_id == case_office_id
        or merges.is_office_of_merged(session, case_id, actor.office_id)
        or open_days.is_received_at(session, case_id, actor.office_id)
    )


def check_move(
    referral: Referral,
    move_name: str,
    actor: Actor,
    reason: str | None = None,
    note: str | None = None,
    *,
    picked: bool = True,
) -> sop.ReferralState:
    """The state that the move leads to.

    `picked`: somebody chose the reason from the list; false where the act itself says it.
    Raises DomainError `illegal_move`, `forbidden`, `reason_required`, `reason_unknown`, `text_required` or
    `text_too_long` when the table does not allow it so.
    """
    move = sop.MOVES[move_name]
    if actor.role not in move.actors:
        raise DomainError("forbidden", move=move_name)
    is_held = referral.held_reason is not None
    if (move.guard is sop.Guard.NOT_HELD and is_held) or (move.guard is sop.Guard.HELD and not is_held):
        raise DomainError("illegal_move", state="held" if is_held else str(referral.state), move=move_name)
    try:
        target = sop.next_state(referral.state, move_name)
    except sop.IllegalMove as error:
        raise DomainError("illegal_move", state=str(referral.state), move=move_name) from error
    by_person = actor.role != sop.Actor.SYSTEM
    if move.reason_list is not None:
        require_choice(move.reason_list, reason, by_person=by_person and picked)
    if len(note or "") > LONGEST_NOTE:
        raise DomainError("text_too_long", move=move_name)
    if by_person and _needs_text(move, reason) and not (note or "").strip():
        raise DomainError("text_required", move=move_name)
    return target


def _needs_text(move: sop.Move, reason: str | None) -> bool:
    """Whether words must accompany the move: always, or with a reason that says nothing without them."""
    if reason in sop.NEEDS_NO_TEXT:
        return False
    return move.needs_text or (move.reason_list is not None and reason in codes_with_words(move.reason_list))


def require_choice(list_name: str, code: str | None, *, by_person: bool = True) -> str:
    """A code of a choice list, of those that people may choose unless the system itself acts.

    Raises DomainError `reason_required` or `reason_unknown`.
    """
    if not code:
        raise DomainError("reason_required", reason_list=list_name)
    if code not in (offered_codes(list_name) if by_person else choice_codes(list_name)):
        raise DomainError("reason_unknown", reason_list=list_name)
    return code


def make_move(
    session: Session,
    vault: Vault,
    parts: ReferralParts,
    move_name: str,
    actor: Actor,
    reason: str | None = None,
    note: str | None = None,
    *,
    picked: bool = True,
    now: datetime | None = None,
) -> None:
    """Make one move of a referral that the caller holds (`lock_referral`): state, event, slot, need, clock.

    The caller proves the guard of the move; `picked` as in `check_move`.
    Raises what `check_move` raises, and `no_slot` when the move
    takes a slot and none is free.
    """
    referral, move = parts.referral, sop.MOVES[move_name]
    target = check_move(referral, move_name, actor, reason, note, picked=picked)
    source, at = referral.state, now or datetime.now(UTC)
    effect = move.slot_effect(source)
    if effect is sop.SlotEffect.TAKES:
        take_slot(session, referral, at)
    if move.target is not None and not move.swaps:
        referral.state, referral.state_since, referral.held_reason = target, at, None
    record_event(session, vault, parts, move_name, source, target, actor, reason, note, at)
    if effect is sop.SlotEffect.FREES:
        query.release_slot(session, referral.capacity_id)
    _follow_need(parts, target, reason, actor)
    follow_move(session, parts, target, at)
    if move_name in sop.TAKES_DISCLOSURE_BACK:
        close_provider_links(session, referral.id, parts.organization.id, parts.case.governorate, at)
    if reason == "consent_withdrawn":
        query.withdraw_referral_consents(session, referral.id, at)
    queue_for_move(session, parts, move, actor, at)
    if move.target is not None and not move.swaps:
        start_clock(session, parts, at)
    session.flush()


def take_slot(session: Session, referral: Referral, now: datetime) -> None:
    """Reserve a slot of the intake open on that day for this referral. Raises DomainError `no_slot`."""
    capacity_id = query.reserve_slot(session, referral.service_at_location_id, now.date())
    if capacity_id is None:
        raise DomainError("no_slot", service_at_location_id=referral.service_at_location_id)
    referral.capacity_id = capacity_id


def _follow_need(parts: ReferralParts, target: str, reason: str | None, actor: Actor) -> None:
    status = sop.NEED_AFTER.get(sop.ReferralState(target))
    if status is None:
        return
    if reason in sop.ENDS_THE_NEED and actor.role != sop.Actor.PROVIDER:
        status = "withdrawn"
    elif status == "open" and parts.need.same_as_id is not None:
        status = MERGED  # another need of the household stands for this one
    parts.need.status = status


def record_event(
    session: Session,
    vault: Vault,
    parts: ReferralParts,
    move_name: str,
    source: str | None,
    target: str,
    actor: Actor,
    reason: str | None,
    note: str | None,
    at: datetime,
) -> None:
    """Append one row of history; the note is sealed with the case's key."""
    key_id = parts.case.data_key_id
    session.add(
        ReferralEvent(
            referral_id=parts.referral.id,
            move=move_name,
            from_state=source,
            to_state=target,
            actor_role=actor.role,
            user_id=actor.user_id,
            reason=reason,
            note=None if key_id is None else vault.seal(key_id, "referral_event.note", note),
            at=at,
        )
    )
    session.flush()
