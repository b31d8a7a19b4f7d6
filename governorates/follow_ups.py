"""Follow-up clocks: who is visited or called, how many days after what."""

import calendar
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from governorates.calendar import DAY, is_working_day, local_time
from governorates.model import URGENCIES, Clock, FollowUpAttempts, FollowUpClock
from governorates.tables import Row, rows_of

if TYPE_CHECKING:
    from governorates.model import Governorate

FOLLOW_UP_KINDS = ("visit", "call", "office")
FOLLOW_UP_STARTS = ("service_delivered", "plan_agreed")
"""What sets a follow-up clock going."""

LONGEST_DAYS = 3 * 366


def read_follow_ups(
    table: Row, state_clocks: Mapping[tuple[str, str], Clock]
) -> dict[tuple[str, str], FollowUpClock]:
    """Read and check the [[follow_up]] tables of sop.toml: one for each start and urgency.

    A start that is a state of a referral has its first follow-up due when that state's clock runs out.
    """
    clocks: dict[tuple[str, str], FollowUpClock] = {}
    for row in rows_of(table, "follow_up"):
        key = row.text("after", FOLLOW_UP_STARTS), row.text("urgency", URGENCIES)
        if key in clocks:
            raise row.error(f"{key[0]}, {key[1]} has two follow-up clocks")
        days, state_clock = _days(row), state_clocks.get(key)
        if state_clock is not None and days[0] * 24 != state_clock.hours:
            raise row.error(f"the first day must be that of the clock of {key[0]}, {key[1]}")
        clocks[key] = FollowUpClock(
            *key, row.text("kind", FOLLOW_UP_KINDS), days, row.flag("working"), row.text("source")
        )
    for start in FOLLOW_UP_STARTS:
        for urgency in URGENCIES:
            if (start, urgency) not in clocks:
                raise table.error(f"no follow-up clock for {start}, {urgency}")
    return clocks


def read_attempts(table: Row) -> FollowUpAttempts:
    """Read and check [follow_up_attempts] of sop.toml."""
    values = table.values.get("follow_up_attempts")
    if not isinstance(values, Mapping):
        raise table.error("[follow_up_attempts] is missing")
    row = Row(table.file, "[follow_up_attempts]", values)
    return FollowUpAttempts(
        most=int(row.number("most", 1, 20)),
        again_days=int(row.number("again_days", 1, 60)),
        source=row.text("source"),
    )


def _days(row: Row) -> tuple[int, ...]:
    found = row.values.get("days")
    if not isinstance(found, list) or not found or not all(type(day) is int for day in found):
        raise row.error("days must be a list of whole numbers")
    if found != sorted(set(found)) or not 1 <= found[0] <= found[-1] <= LONGEST_DAYS:
        raise row.error(f"days must rise, from 1 to {LONGEST_DAYS}")
    return tuple(found)


def follow_up_due(
    governorate: "Governorate", clock: FollowUpClock, days: int, since: dt.datetime
) -> dt.datetime:
    """Return when the follow-up `days` after `since` (aware) is due, in UTC.

    A working clock that falls on a day off is due at the same time of the next working day.
    Raises ValueError for a naive `since`.
    """
    due = local_time(governorate, since) + days * DAY
    return (_next_working(governorate, due) if clock.working else due).astimezone(dt.UTC)


def months_due(governorate: "Governorate", since: dt.datetime, months: int, days: int) -> dt.datetime:
    """Return the working day `days` after the date that is `months` after `since` (aware), in UTC.

    A month that is too short ends it: one month after 31 January is 28 or 29 February.
    """
    start = local_time(governorate, since)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    due = start.replace(year=year, month=month + 1, day=min(start.day, last)) + days * DAY
    return _next_working(governorate, due).astimezone(dt.UTC)


def next_attempt_due(governorate: "Governorate", after: dt.datetime) -> dt.datetime:
    """Return when somebody tries again after an attempt that failed at `after` (aware), in UTC."""
    due, left = local_time(governorate, after), governorate.follow_up_attempts.again_days
    while left:
        due += DAY
        left -= is_working_day(governorate, due.date())
    return due.astimezone(dt.UTC)


def _next_working(governorate: "Governorate", due: dt.datetime) -> dt.datetime:
    while not is_working_day(governorate, due.date()):
        due += DAY
    return due
