"""When a clock runs out, in the governorate's own calendar."""

import datetime as dt

from governorates.model import WEEKDAYS, Governorate

DAY = dt.timedelta(days=1)


def local_zone(governorate: Governorate) -> dt.tzinfo:
    """The governorate's own time."""
    return dt.timezone(dt.timedelta(hours=governorate.utc_offset_hours))


def is_working_day(governorate: Governorate, day: dt.date) -> bool:
    """Tell whether offices are open on a day."""
    if WEEKDAYS[day.weekday()] in governorate.weekend:
        return False
    return not any(holiday.falls_on(day) for holiday in governorate.holidays)


def due_at(governorate: Governorate, state: str, urgency: str, since: dt.datetime) -> dt.datetime:
    """Return when a referral that entered `state` at `since` (aware) is due to leave it, in UTC.

    A working clock counts 24 hours a working day and stands still on weekends and holidays.
    Raises KeyError for a state without a clock and ValueError for a naive `since`.
    """
    if since.tzinfo is None:
        raise ValueError("since needs a time zone")
    clock = governorate.clocks[state, urgency]
    left = dt.timedelta(hours=clock.hours)
    if not clock.working:
        return since.astimezone(dt.UTC) + left
    local = since.astimezone(local_zone(governorate))
    while True:
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        if is_working_day(governorate, local.date()):
            if local + left <= midnight:
                return (local + left).astimezone(dt.UTC)
            left -= midnight - local
        local = midnight
