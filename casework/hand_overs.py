"""The decisions on a need go to another ministry: offered with the person's yes to that ministry, then answered."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import add_case_event, key_of
from casework.moves import Actor, require_choice
from casework.offers import end_offer, tell_offered
from casework.spoken_consents import SpokenConsent, record_spoken_consent, require_in_force
from db import case_events
from db import cases as case_query
from db import consents as consent_query
from db import hand_overs as query
from db.errors import DomainError
from db.mandates import is_within_mandate
from db.models import Case, CaseEventKind, Consent, HandOver, Need, OfferState
from db.vault import Vault
from governorates import load
from governorates.calendar import offer_due_at

CONSENT_KIND = "hand_over"


def offer_need(
    session: Session,
    vault: Vault,
    need_id: int,
    to_ministry: str,
    actor: Actor,
    *,
    reason: str,
    spoken: SpokenConsent,
    now: datetime,
    note: str | None = None,
) -> int:
    """Offer the decisions on a need of the own mandate to another ministry; returns the id of the offer.

    Raises what `record_spoken_consent` raises; DomainError `forbidden`, `not_found`, `case_closed`, `offer_waits`,
    `value_wrong` (no other ministry of the governorate), `reason_required` or `reason_unknown`.
    """
    if actor.role != "coordinator" or actor.ministry is None:
        raise DomainError("forbidden")
    need = case_events.get_visible_need(session, actor, need_id)
    case = None if need is None else case_query.get_case(session, need.case_id)
    if need is None or case is None:
        raise DomainError("not_found", need_id=need_id)
    require_choice("hand_over_reason", reason)
    governorate = load(case.governorate)
    if to_ministry not in governorate.ministries or to_ministry == actor.ministry:
        raise DomainError("value_wrong", field="to_ministry")
    _require_going_on(need, case)
    if query.has_open_hand_over(session, need.id):
        raise DomainError("offer_waits", need_id=need_id)
    consent = record_spoken_consent(session, vault, case, actor, CONSENT_KIND, spoken, now)
    due_at = offer_due_at(governorate, "hand_over", need.urgency, now)
    hand_over = HandOver(
        need_id=need.id,
        from_ministry=actor.ministry,
        to_ministry=to_ministry,
        reason=reason,
        note=vault.seal(key_of(case), "hand_over.note", note) if note else None,
        consent_id=consent.id,
        state=OfferState.OFFERED,
        requested_by=actor.user_id,
        requested_at=now,
        due_at=due_at,
        act_at=due_at,
    )
    session.add(hand_over)
    session.flush()
    tell_offered(session, load(case.governorate), hand_over, now)
    _record(session, vault, case, hand_over, actor, CaseEventKind.HAND_OVER_OFFERED, now, reason)
    return hand_over.id


def _require_going_on(need: Need, case: Case) -> None:
    if case.closed_at is not None:
        raise DomainError("case_closed", case_id=case.id)
    if need.same_as_id is not None:
        raise DomainError("changed_meanwhile", need_id=need.id)


def accept(session: Session, vault: Vault, hand_over_id: int, actor: Actor, *, now: datetime) -> None:
    """Take the decisions on a need over; its referrals stay as they are. From now on only this ministry decides.

    Raises DomainError `forbidden`, `not_found`, `changed_meanwhile` (it was answered, or the need is not the
    other ministry's any more), `case_closed`, `case_erased`, `consent_required` or `consent_expired`.
    """
    hand_over, need, case = _hold(session, hand_over_id, actor, incoming=True)
    if not is_within_mandate(session, need.id, case.governorate, hand_over.from_ministry):
        raise DomainError("changed_meanwhile", hand_over_id=hand_over_id)
    _require_going_on(need, case)
    key_of(case)
    require_in_force(session, case, session.get_one(Consent, hand_over.consent_id), now)
    need.ministry = hand_over.to_ministry
    end_offer(session, hand_over, OfferState.ACCEPTED, actor, now)
    _record(session, vault, case, hand_over, actor, CaseEventKind.HAND_OVER_ACCEPTED, now)


def decline(
    session: Session, vault: Vault, hand_over_id: int, actor: Actor, *, reason: str, now: datetime
) -> None:
    """Leave the need where it is. Raises what `accept` raises of who may, `reason_required` or `reason_unknown`."""
    hand_over, _, case = _hold(session, hand_over_id, actor, incoming=True)
    require_choice("hand_over_decline_reason", reason)
    hand_over.answer_reason = reason
    end_offer(session, hand_over, OfferState.DECLINED, actor, now)
    _record(session, vault, case, hand_over, actor, CaseEventKind.HAND_OVER_DECLINED, now, reason)


def withdraw_offer(session: Session, vault: Vault, hand_over_id: int, actor: Actor, *, now: datetime) -> None:
    """Take an offer back before it is answered; as `decline`, by the ministry that made it."""
    hand_over, _, case = _hold(session, hand_over_id, actor, incoming=False)
    end_offer(session, hand_over, OfferState.WITHDRAWN, actor, now)
    _record(session, vault, case, hand_over, actor, CaseEventKind.HAND_OVER_WITHDRAWN, now)


def end_hand_overs(
    session: Session,
    vault: Vault,
    household: Sequence[Case],
    actor: Actor,
    *,
    reason: str,
    now: datetime,
    categories: Collection[str] | None = None,
) -> None:
    """Take hand-overs of a household whose cases the caller holds back, because the person took its yes back.

    Of some categories, or all. What waits for an answer gets none; a need that was taken over goes back to the
    ministry that its category belongs to, and the other one does not see it any more.
    """
    for hand_over, need in query.lock_standing_hand_overs(session, [case.id for case in household]):
        if categories is not None and need.category not in categories:
            continue
        consent_query.withdraw_consent(session, hand_over.consent_id, now)
        if hand_over.state == OfferState.ACCEPTED:
            need.ministry = None
        end_offer(session, hand_over, OfferState.WITHDRAWN, actor, now)
        _record(
            session, vault, household[0], hand_over, actor, CaseEventKind.HAND_OVER_WITHDRAWN, now, reason
        )


def _hold(
    session: Session, hand_over_id: int, actor: Actor, *, incoming: bool
) -> tuple[HandOver, Need, Case]:
    """The open offer with its need and case; whoever stands on the other side of it may not answer."""
    if actor.role != "coordinator":
        raise DomainError("forbidden")
    found = query.lock_visible_hand_over(session, actor, hand_over_id)
    if found is None:
        raise DomainError("not_found", hand_over_id=hand_over_id)
    if actor.ministry != (found[0].to_ministry if incoming else found[0].from_ministry):
        raise DomainError("forbidden", hand_over_id=hand_over_id)
    if found[0].state != OfferState.OFFERED:
        raise DomainError("changed_meanwhile", hand_over_id=hand_over_id)
    return found


def _record(
    session: Session,
    vault: Vault,
    case: Case,
    hand_over: HandOver,
    actor: Actor,
    kind: CaseEventKind,
    now: datetime,
    reason: str | None = None,
) -> None:
    details = {
        "need_id": hand_over.need_id,
        "from_ministry": hand_over.from_ministry,
        "to_ministry": hand_over.to_ministry,
    }
    add_case_event(
        session, vault, case, actor, kind, now, object_id=hand_over.id, reason=reason, details=details
    )
