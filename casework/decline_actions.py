"""What follows from a provider's no, or from its service broken off: `referral_engine.decline_actions` says which."""

from datetime import datetime

from sqlalchemy.orm import Session

from casework.capacities import report_no_capacity
from casework.moves import Actor
from casework.sending import exclude_recipient
from casework.tasks import open_task
from db import capacities as query
from db.referrals import ReferralParts
from referral_engine.decline_actions import DECLINE_ACTIONS, NOT_COMPLETED_TASKS, LeaveOut
from referral_engine.sop import Actor as Role


def hold_slots(session: Session, parts: ReferralParts) -> None:
    """Hold the service's periods before the slot is given back: the decline may write two of them."""
    query.lock_capacities(session, [parts.referral.service_at_location_id])


def apply_decline(session: Session, parts: ReferralParts, reason: str, actor: Actor, now: datetime) -> None:
    """Do what a decline with this reason leads to; the move itself has been made and its case is held.

    The need is open again by then: it is matched at once, or when its task is done.
    """
    action = DECLINE_ACTIONS[reason]
    referral = parts.referral
    if action.no_capacity:
        report_no_capacity(session, referral.service_at_location_id, actor, now)
    if action.leave_out is LeaveOut.FOR_CASE:
        exclude_recipient(session, parts)
    if action.task is not None:
        urgency = action.urgency or referral.urgency
        open_task(
            session, parts.case, action.task, now, need=parts.need, referral_id=referral.id, urgency=urgency
        )


def apply_not_completed(
    session: Session, parts: ReferralParts, reason: str, actor: Actor, now: datetime
) -> None:
    """Open the task by which the office hears the person, when it is the provider who says what they want.

    The move itself has been made and its case is held. The office's own word needs no such task.
    """
    kind = NOT_COMPLETED_TASKS.get(reason)
    if kind is not None and actor.role == Role.PROVIDER:
        urgency = parts.referral.urgency
        open_task(
            session, parts.case, kind, now, need=parts.need, referral_id=parts.referral.id, urgency=urgency
        )
