"""The clock of a referral: started at each change of state, paused, resumed, and moved by announced closures.

Lengths, calendar and what a breach does are data of the governorate; acting on a breach is `casework.breaches`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from db import closures as closure_query
from db import deadlines as query
from db import escalations
from db.models import Deadline, OfficeClosure
from db.referrals import ReferralParts
from governorates import Clock, Governorate, add_time, load, local_day, time_between
from referral_engine import sop

ON_HOLD = "on_hold"
"""The reason of a pause that a coordinator's hold makes."""

_DAY = timedelta(days=1)
_NO_TIME = timedelta(0)


class ClosedDays:
    """Announced days off of a governorate: those of all, and those of one office."""

    def __init__(self, closures: Iterable[OfficeClosure]) -> None:
        self._of: dict[int | None, set[date]] = {}
        for closure in closures:
            days = (closure.last_day - closure.first_day).days + 1
            found = self._of.setdefault(closure.office_id, set())
            found.update(closure.first_day + timedelta(days=number) for number in range(days))

    def of(self, state: str, office_id: int | None) -> frozenset[date]:
        """Days on which the clock of a state stands still besides weekends and holidays.

        A closed office stops the clocks that run for its officers, not those of ministries and providers.
        """
        days = self._of.get(None, set())
        if office_id is not None and sop.NEXT_ACTOR[sop.ReferralState(state)] is sop.Actor.OFFICER:
            days = days | self._of.get(office_id, set())
        return frozenset(days)


def read_closed_days(session: Session, governorate: Governorate, since: datetime) -> ClosedDays:
    """The announced days off that may concern a clock which counts from `since`."""
    day = local_day(governorate, since)
    return ClosedDays(closure_query.list_closures(session, governorate.code, day))


@dataclass(frozen=True, slots=True)
class ClockedReferral:
    """What the clock of a referral hangs on."""

    referral_id: int
    state: str
    urgency: str
    service_type: str
    office_id: int | None


def start_clock(session: Session, parts: ReferralParts, at: datetime) -> None:
    """Close the clock of the state that was left and start that of the one entered, when it is live.

    Who was told of the old one has nothing left to do. The caller holds the referral.
    """
    referral = parts.referral
    session.flush()
    query.close_deadline(session, referral.id, at)
    escalations.settle_moved_on(session, referral.id, at)
    if referral.state in sop.LIVE:
        start_clocks(session, load(parts.case.governorate), [_clocked(parts)], at)


def _clocked(parts: ReferralParts) -> ClockedReferral:
    referral = parts.referral
    return ClockedReferral(
        referral.id, referral.state, referral.urgency, parts.need.service_type, parts.case.office_id
    )


def clock_of(parts: ReferralParts) -> Clock:
    """The clock of the state in which a referral stands."""
    governorate, referral = load(parts.case.governorate), parts.referral
    return governorate.clock_of(referral.state, referral.urgency, parts.need.service_type)


def start_clocks(
    session: Session, governorate: Governorate, referrals: Sequence[ClockedReferral], at: datetime
) -> int:
    """Start the clocks of live referrals that have none open, in two statements; how many were started."""
    if not referrals:
        return 0
    closed = read_closed_days(session, governorate, at)
    return query.create_deadlines(session, [_new_row(governorate, closed, one, at) for one in referrals])


def _new_row(
    governorate: Governorate, closed: ClosedDays, one: ClockedReferral, at: datetime
) -> dict[str, Any]:
    clock = governorate.clock_of(one.state, one.urgency, one.service_type)
    length = timedelta(hours=clock.hours)
    due = add_time(governorate, at, length, clock.working, closed.of(one.state, one.office_id))
    return {
        "referral_id": one.referral_id,
        "state": one.state,
        "breach_action": clock.breach,
        "working": clock.working,
        "started_at": at,
        "counts_from": at,
        "remaining": length,
        "due_at": due,
        "act_at": due,
    }


def start_missing_clocks(session: Session, governorate: Governorate, now: datetime, limit: int = 1000) -> int:
    """Give every live referral without a clock one that counts from now; how many. Safe to run at any time.

    Referrals from before there were clocks get their full time from now on: else the first run after an update
    would take everything back from every provider at once.
    """
    query.close_stale(session, governorate.code, now)
    rows = query.list_without_deadline(session, governorate.code, limit)
    missing = [
        ClockedReferral(row.id, row.state, row.urgency, row.service_type, row.office_id) for row in rows
    ]
    return start_clocks(session, governorate, missing, now)


def pause(
    session: Session,
    parts: ReferralParts,
    deadline: Deadline,
    reason: str,
    now: datetime,
    until: datetime | None = None,
) -> bool:
    """Stop a clock that the caller holds; what is left of it is kept. False when its pauses are used up.

    All pauses of one clock together last no longer than the urgency allows (`max_pause_days`), so that every
    pause ends by itself. A clock that is paused already gets the new reason and end.
    """
    governorate = load(parts.case.governorate)
    _count_pause(deadline, now)
    longest = timedelta(days=governorate.deadline_rules.max_pause_days[parts.referral.urgency])
    left = longest - deadline.paused_total
    if left <= _NO_TIME:
        return False
    if deadline.paused_at is None:
        closed = read_closed_days(session, governorate, deadline.counts_from)
        days = closed.of(deadline.state, parts.case.office_id)
        used = time_between(governorate, deadline.counts_from, now, deadline.working, days)
        deadline.remaining -= used
    deadline.paused_at, deadline.paused_reason = now, reason
    deadline.paused_until = now + left if until is None else min(until, now + left)
    deadline.due_at = deadline.act_at = None
    session.flush()
    return True


def resume(session: Session, parts: ReferralParts, deadline: Deadline, now: datetime) -> None:
    """Let a paused clock go on with what was left of it; does nothing to one that runs.

    A pause that ended before `now` ended then, however late the job comes.
    """
    if deadline.paused_at is None or deadline.paused_until is None:
        return
    governorate, at = load(parts.case.governorate), min(now, deadline.paused_until)
    _count_pause(deadline, at)
    closed = read_closed_days(session, governorate, at).of(deadline.state, parts.case.office_id)
    deadline.counts_from = at
    deadline.due_at = add_time(governorate, at, max(deadline.remaining, _NO_TIME), deadline.working, closed)
    deadline.act_at = deadline.due_at
    deadline.paused_at = deadline.paused_until = deadline.paused_reason = None
    session.flush()


def _count_pause(deadline: Deadline, until: datetime) -> None:
    if deadline.paused_at is not None:
        deadline.paused_total += max(until - deadline.paused_at, _NO_TIME)
        deadline.paused_at = until


def restart(session: Session, parts: ReferralParts, now: datetime) -> None:
    """Let the clock of the present state begin anew: somebody has asked after a long service."""
    query.close_deadline(session, parts.referral.id, now)
    escalations.settle_moved_on(session, parts.referral.id, now)
    start_clocks(session, load(parts.case.governorate), [_clocked(parts)], now)


def next_turn(session: Session, parts: ReferralParts, deadline: Deadline, now: datetime) -> datetime:
    """When the job looks again at a clock that ran out: after its whole length, or when the referral ends."""
    governorate, clock = load(parts.case.governorate), clock_of(parts)
    closed = read_closed_days(session, governorate, now).of(deadline.state, parts.case.office_id)
    turn = add_time(governorate, now, timedelta(hours=clock.hours), clock.working, closed)
    end = ends_at(session, parts, deadline)
    return turn if end is None else min(turn, end)


def ends_at(session: Session, parts: ReferralParts, deadline: Deadline) -> datetime | None:
    """When a referral ends that was reminded of in vain, by a clock that runs; None where its row does not say so.

    Pauses before and after the breach do not count: what is left of the clock may be less than nothing.
    """
    governorate, clock = load(parts.case.governorate), clock_of(parts)
    if clock.expire_hours is None:
        return None
    left = deadline.remaining + timedelta(hours=clock.expire_hours - clock.hours)
    closed = read_closed_days(session, governorate, deadline.counts_from)
    days = closed.of(deadline.state, parts.case.office_id)
    return add_time(governorate, deadline.counts_from, max(left, _NO_TIME), deadline.working, days)


def recount(session: Session, governorate: Governorate, closure: OfficeClosure) -> int:
    """Move the due times of the clocks that an announced or cancelled closure concerns; how many moved."""
    first = datetime.combine(closure.first_day - _DAY, datetime.min.time(), UTC)
    last = datetime.combine(closure.last_day + 2 * _DAY, datetime.min.time(), UTC)
    rows = query.list_counting(session, governorate.code, first, last, closure.office_id)
    if not rows:
        return 0
    closed = read_closed_days(session, governorate, min(row.counts_from for row in rows))
    moved = 0
    for row in rows:
        days = closed.of(row.state, row.office_id)
        due = add_time(governorate, row.counts_from, max(row.remaining, _NO_TIME), True, days)
        if due != row.due_at:
            moved += query.set_due(session, row.id, row.counts_from, due)
    return moved
