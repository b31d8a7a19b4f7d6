"""When a clock runs out, in the governorate's own calendar."""

import datetime as dt
from collections.abc import Set as AbstractSet

from governorates.model import WEEKDAYS, Governorate

DAY = dt.timedelta(days=1)
NO_CLOSURES: frozenset[dt.date] = frozenset()


def local_zone(governorate: Governorate) -> dt.tzinfo:
    """The governorate's own time."""
    return dt.timezone(dt.timedelta(hours=governorate.utc_offset_hours))


def is_working_day(
    governorate: Governorate, day: dt.date, closed: AbstractSet[dt.date] = NO_CLOSURES
) -> bool:
    """Tell whether offices are open on a day; `closed` are days off that were announced besides the holidays."""
    if WEEKDAYS[day.weekday()] in governorate.weekend or day in closed:
        return False
    return not any(holiday.falls_on(day) for holiday in governorate.holidays)


def task_due_at(governorate: Governorate, kind: str, urgency: str, since: dt.datetime) -> dt.datetime:
    """Return when a task opened at `since` (aware) is due, in UTC. Raises ValueError for a naive `since`."""
    clock = governorate.task_clocks[kind, urgency]
    return add_hours(governorate, since, clock.hours, clock.working)


def offer_due_at(governorate: Governorate, offer: str, urgency: str, since: dt.datetime) -> dt.datetime:
    """Return when an offer (`governorates.offers.OFFERS`) made at `since` (aware) must be answered, in UTC."""
    clock = governorate.offer_clocks[offer, urgency]
    return add_hours(governorate, since, clock.hours, clock.working)


def add_hours(governorate: Governorate, since: dt.datetime, hours: float, working: bool) -> dt.datetime:
    """Return the moment `hours` after `since`, in UTC; `working` hours are 24 a working day. As `add_time`."""
    return add_time(governorate, since, dt.timedelta(hours=hours), working)


def add_time(
    governorate: Governorate,
    since: dt.datetime,
    length: dt.timedelta,
    working: bool,
    closed: AbstractSet[dt.date] = NO_CLOSURES,
) -> dt.datetime:
    """Return the moment a `length` of time after `since`, in UTC; `working` leaves out days off.

    The end of a working day is its midnight, so that a result may be the first moment of a day off, never a
    later one. Raises ValueError for a naive `since`.
    """
    local = local_time(governorate, since)
    if not working:
        return since.astimezone(dt.UTC) + length
    left = length
    while True:
        midnight = _midnight_after(local)
        if is_working_day(governorate, local.date(), closed):
            if local + left <= midnight:
                return (local + left).astimezone(dt.UTC)
            left -= midnight - local
        local = midnight


def time_between(
    governorate: Governorate,
    start: dt.datetime,
    end: dt.datetime,
    working: bool,
    closed: AbstractSet[dt.date] = NO_CLOSURES,
) -> dt.timedelta:
    """Return how much time of a clock passes from `start` to `end`; nothing when `end` comes first.

    Raises ValueError for naive times.
    """
    local, last = local_time(governorate, start), local_time(governorate, end)
    if not working:
        return max(last - local, dt.timedelta(0))
    passed = dt.timedelta(0)
    while local < last:
        midnight = _midnight_after(local)
        if is_working_day(governorate, local.date(), closed):
            passed += min(midnight, last) - local
        local = midnight
    return passed


def local_day(governorate: Governorate, moment: dt.datetime) -> dt.date:
    """Return the date on the office's wall at a moment (aware)."""
    return local_time(governorate, moment).date()


def day_bounds(governorate: Governorate, day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the first moment of a local day and of the next one, in UTC."""
    first = dt.datetime.combine(day, dt.time.min, local_zone(governorate))
    return first.astimezone(dt.UTC), (first + DAY).astimezone(dt.UTC)


def local_time(governorate: Governorate, moment: dt.datetime) -> dt.datetime:
    """Return a moment as the office's clock shows it; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("the moment needs a time zone")
    return moment.astimezone(local_zone(governorate))


def _midnight_after(local: dt.datetime) -> dt.datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
