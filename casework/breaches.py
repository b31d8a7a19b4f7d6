"""What follows when the clock of a referral has run out: remind, tell a role, or look for another provider.

Which of these, and whom to tell, is the clock's row in the governorate's data.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from casework import deadlines, rerouting
from casework.messages import queue_about_referral, queue_message, user_recipient
from casework.moves import SYSTEM, lock_referral, make_move
from db import contact_points as contacts
from db import deadlines as query
from db import escalations
from db.contact_points import MinistryView
from db.models import Deadline, Role
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import load
from referral_engine import sop

SUPERVISOR = "supervisor"
OTHERWISE_TELL = "coordinator"
"""Who is told where a clock's row names nobody: of a waiting list with no place anywhere else."""

_AUDIENCES = {
    sop.Actor.PROVIDER: "provider",
    sop.Actor.COORDINATOR: "coordinator",
    sop.Actor.OFFICER: "office",
    "supervisor": SUPERVISOR,
}


class Outcome(enum.StrEnum):
    """What acting on a breach did."""

    REMINDED = "reminded"
    ESCALATED = "escalated"
    REROUTED = "rerouted"  # the next-best provider is reserved
    EXPIRED = "expired"  # the need waits for the next matching run, or for somebody to reach the person
    ASKED = "asked"  # a long service is due to be asked after


@dataclass(frozen=True, slots=True)
class Breach:
    """One clock that ran out, what was done, and the (template, audience) pairs of the messages about it.

    `next_referral_id` is the proposal that took the place of one that expired.
    """

    referral_id: int
    state: str
    outcome: Outcome
    messages: tuple[tuple[str, str], ...] = ()
    next_referral_id: int | None = None


def breach_messages(outcome: Outcome, state: str, told: str | None = None) -> tuple[tuple[str, str], ...]:
    """Templates and audiences of what an outcome tells. A referral that expired is told of by its own move."""
    owed_by = _AUDIENCES[sop.NEXT_ACTOR[sop.ReferralState(state)]]
    rows: dict[Outcome, tuple[tuple[str, str], ...]] = {
        Outcome.REMINDED: (("deadline_overdue", owed_by),),
        Outcome.ASKED: (("progress_due", owed_by),),
        Outcome.ESCALATED: () if told is None else (("referral_escalated", _AUDIENCES[told]),),
    }
    return rows.get(outcome, ())


def act_on_breach(session: Session, vault: Vault, referral_id: int, now: datetime) -> Breach | None:
    """Act on the clock of one referral if it has run out by `now` and nobody is acting on its case just now.

    The unit of the job: one transaction. None when there is nothing to do (any more).
    """
    if not query.hold_case_of(session, referral_id):
        return None
    parts = lock_referral(session, referral_id, SYSTEM)
    deadline = query.get_open_deadline(session, referral_id, lock=True)
    if deadline is None or not _has_run_out(deadline, parts, now):
        return None
    if deadline.breach_action == "monitor":
        return _ask(session, parts, deadline, now)
    deadline.breached_at = deadline.breached_at or now
    end = deadlines.ends_at(session, parts, deadline)
    if deadline.breach_action in {"reroute", "expire"} or (end is not None and end <= now):
        return _end(session, vault, parts, deadline, now)
    if deadline.breach_action == "escalate":
        return _escalate(session, parts, deadline, now)
    return _remind(session, parts, deadline, now)


def _has_run_out(deadline: Deadline, parts: ReferralParts, now: datetime) -> bool:
    """Whether it is time to act; a clock of another state is put right by `start_missing_clocks`."""
    return deadline.state == parts.referral.state and deadline.act_at is not None and deadline.act_at <= now


def _ask(session: Session, parts: ReferralParts, deadline: Deadline, now: datetime) -> Breach:
    return _turn(session, parts, deadline, Outcome.ASKED, now)


def _remind(session: Session, parts: ReferralParts, deadline: Deadline, now: datetime) -> Breach:
    clock, rules = deadlines.clock_of(parts), load(parts.case.governorate).deadline_rules
    if clock.escalate_to is not None and deadline.reminders >= rules.reminders:
        return _escalate(session, parts, deadline, now)
    return _turn(session, parts, deadline, Outcome.REMINDED, now)


def _turn(
    session: Session, parts: ReferralParts, deadline: Deadline, outcome: Outcome, now: datetime
) -> Breach:
    """One more reminder; its message is about this clock and this number, however often the job runs."""
    deadline.reminders += 1
    deadline.act_at = deadlines.next_turn(session, parts, deadline, now)
    session.flush()
    return _tell(session, parts, outcome, f"clock-{deadline.id}-{deadline.reminders}", now)


def _escalate(session: Session, parts: ReferralParts, deadline: Deadline, now: datetime) -> Breach:
    """Tell the role of the clock's row; again after the clock's length when it was seen and nothing moved."""
    told = deadlines.clock_of(parts).escalate_to or OTHERWISE_TELL
    referral = parts.referral
    created = escalations.create_escalation(session, parts.need.id, referral.id, told, referral.state, now)
    deadline.act_at = deadlines.next_turn(session, parts, deadline, now)
    session.flush()
    told_now = None if created is None else told
    return _tell(session, parts, Outcome.ESCALATED, f"escalation-{created}", now, told_now)


def _end(session: Session, vault: Vault, parts: ReferralParts, deadline: Deadline, now: datetime) -> Breach:
    """Expire the referral, and propose the next-best provider where the row says so and there is one.

    A place on a provider's waiting list is given up only for a place elsewhere.
    """
    source = parts.referral.state
    chosen = rerouting.choose_next(session, parts, now) if deadline.breach_action == "reroute" else None
    if chosen is None and source == sop.ReferralState.WAITLISTED and deadline.breach_action == "reroute":
        return _escalate(session, parts, deadline, now)
    make_move(session, vault, parts, "expire", SYSTEM, sop.reason_to_expire(source), now=now)
    if chosen is None or parts.need.status != "open":
        rerouting.leave_open(session, parts, source, now)
        return Breach(parts.referral.id, source, Outcome.EXPIRED)
    proposed = rerouting.propose_next(session, vault, parts, chosen, now)
    return Breach(parts.referral.id, source, Outcome.REROUTED, next_referral_id=proposed)


def _tell(
    session: Session,
    parts: ReferralParts,
    outcome: Outcome,
    about: str,
    now: datetime,
    told: str | None = None,
) -> Breach:
    """Write the messages of an outcome in its own transaction; `about` keeps each of them from coming twice."""
    state = parts.referral.state
    messages = breach_messages(outcome, state, told)
    queue_about_referral(session, parts, messages, about, now)
    return Breach(parts.referral.id, state, outcome, messages)


def end_pause(session: Session, vault: Vault, referral_id: int, now: datetime) -> bool:
    """Let a clock go on whose pause has come to its end; False when there is nothing to do (any more)."""
    if not query.hold_case_of(session, referral_id):
        return False
    parts = lock_referral(session, referral_id, SYSTEM)
    deadline = query.get_open_deadline(session, referral_id, lock=True)
    if deadline is None or deadline.paused_until is None or deadline.paused_until > now:
        return False
    make_move(session, vault, parts, "resume_clock", SYSTEM, now=now)
    deadlines.resume(session, parts, deadline, now)
    return True


def tell_supervisors(session: Session, governorate: str, now: datetime) -> list[int]:
    """Tell supervisors of needs of high risk they have not been told of; ids of the needs.

    Within 24 hours, says the Inter-Agency CP Case Management SOP (p. 29); here with the next run of the job.
    """
    urgencies = load(governorate).deadline_rules.supervisor_told
    escalations.settle_ended_needs(session, governorate, now)
    need_ids = escalations.create_high_risk(session, governorate, urgencies, SUPERVISOR, now)
    if need_ids:
        _write_to_supervisors(session, governorate, need_ids, now)
    return need_ids


def _write_to_supervisors(session: Session, governorate: str, need_ids: Sequence[int], now: datetime) -> None:
    """One message a supervisor and run, with how many needs it is. Each need is told of once, so the key is exact."""
    for ministry in load(governorate).ministries:
        viewer = MinistryView(governorate, ministry, Role.SUPERVISOR)
        number = escalations.count_high_risk(session, viewer, need_ids)
        users = contacts.list_reached_users(session, governorate, Role.SUPERVISOR, ministries=[ministry])
        for user in users if number else ():
            queue_message(
                session,
                "high_risk_told",
                user_recipient(governorate, user),
                params={"needs": number},
                dedupe_key=f"from-{min(need_ids)}",
                now=now,
            )
