"""Offers of cases and of needs: what follows when one is not answered in time, and how an answer ends it.

The side that was asked is reminded once; after the clock's length once more, the supervisor of the side that offers
is told. Until it is answered the offer stays with that side, which sees it and may take it back.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from casework.messages import queue_message, user_recipient
from casework.moves import Actor
from db import case_events, escalations
from db import contact_points as contacts
from db import offers as query
from db.contact_points import Reached
from db.models import CaseTransfer, HandOver, Need, OfferState, Role
from governorates import Governorate
from governorates.calendar import offer_due_at
from governorates.model import URGENCIES
from governorates.offers import OFFERS

TRANSFER, HAND_OVER = OFFERS
REMINDERS = 1
"""So often the side that was asked is reminded before somebody else is told."""


def most_pressing(urgencies: list[str]) -> str:
    """The most pressing of these urgencies; of none it is normal."""
    return min(urgencies, key=URGENCIES.index, default="normal")


def end_offer(
    session: Session, offer: CaseTransfer | HandOver, state: OfferState, actor: Actor, now: datetime
) -> None:
    """Write down how an offer ended; nobody is reminded of it any more."""
    offer.state, offer.answered_by, offer.answered_at, offer.act_at = state, actor.user_id, now, None
    if offer.escalation_id is not None:
        escalations.settle_answered(session, offer.escalation_id, now)


def tell_offered(
    session: Session, governorate: Governorate, offer: CaseTransfer | HandOver, now: datetime
) -> None:
    """Tell the side that is asked that an offer has arrived."""
    kind = TRANSFER if isinstance(offer, CaseTransfer) else HAND_OVER
    _write(session, governorate, f"{kind}_offered", _asked(session, governorate, offer), str(offer.id), now)


def _asked(session: Session, governorate: Governorate, offer: CaseTransfer | HandOver) -> list[Reached]:
    """Who answers an offer: the officers of an office, or the coordinators of a ministry."""
    if isinstance(offer, CaseTransfer):
        return contacts.list_reached_users(
            session, governorate.code, Role.OFFICER, office_id=offer.to_office_id
        )
    return contacts.list_reached_users(
        session, governorate.code, Role.COORDINATOR, ministries=[offer.to_ministry]
    )


def tell_overdue_transfer(session: Session, governorate: Governorate, offer_id: int, now: datetime) -> bool:
    """Remind the office that was asked, or tell supervisors of the operator, whose the offices are.

    One turn of one offer, the unit of the job; False when there is nothing to do (any more).
    """
    transfer = query.hold_due_offer(session, CaseTransfer, governorate.code, offer_id, now)
    if transfer is None:
        return False
    operator = governorate.operator.code
    if transfer.reminders < REMINDERS:
        urgency = most_pressing(case_events.list_urgencies(session, transfer.case_id))
        _remind(session, governorate, TRANSFER, transfer, urgency, now)
    else:
        need = query.get_pressing_need(session, governorate, operator, transfer.case_id)
        _escalate(session, governorate, TRANSFER, transfer, operator, need, now)
    return True


def tell_overdue_hand_over(session: Session, governorate: Governorate, offer_id: int, now: datetime) -> bool:
    """Remind the ministry that was asked, or tell supervisors of the one that offers; as `tell_overdue_transfer`."""
    hand_over = query.hold_due_offer(session, HandOver, governorate.code, offer_id, now)
    if hand_over is None:
        return False
    need = session.get_one(Need, hand_over.need_id)
    if hand_over.reminders < REMINDERS:
        _remind(session, governorate, HAND_OVER, hand_over, need.urgency, now)
    else:
        _escalate(session, governorate, HAND_OVER, hand_over, hand_over.from_ministry, need, now)
    return True


def _remind(
    session: Session,
    governorate: Governorate,
    kind: str,
    offer: CaseTransfer | HandOver,
    urgency: str,
    now: datetime,
) -> None:
    users = _asked(session, governorate, offer)
    offer.reminders += 1
    offer.act_at = offer_due_at(governorate, kind, urgency, now)
    _write(session, governorate, f"{kind}_overdue", users, f"{offer.id}-{offer.reminders}", now)


def _escalate(
    session: Session,
    governorate: Governorate,
    kind: str,
    offer: CaseTransfer | HandOver,
    ministry: str,
    need: Need | None,
    now: datetime,
) -> None:
    """Tell the ministry's supervisors by a message and, where they have a need of the case, on their list."""
    offer.act_at = None
    if need is not None:
        offer.escalation_id = escalations.create_offer_escalation(
            session, need.id, Role.SUPERVISOR, kind, now
        )
    users = contacts.list_reached_users(session, governorate.code, Role.SUPERVISOR, ministries=[ministry])
    _write(session, governorate, f"{kind}_escalated", users, str(offer.id), now)


def _write(
    session: Session,
    governorate: Governorate,
    template: str,
    users: list[Reached],
    about: str,
    now: datetime,
) -> None:
    for user in users:
        recipient = user_recipient(governorate.code, user)
        queue_message(session, template, recipient, params={}, dedupe_key=about, now=now)
    session.flush()
