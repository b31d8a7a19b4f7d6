"""When a clock runs out, in the governorate's own calendar."""

import datetime as dt

from governorates.model import WEEKDAYS, Clock, Governorate

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
    return runs_out_at(governorate, governorate.clocks[state, urgency], since)


def task_due_at(governorate: Governorate, kind: str, urgency: str, since: dt.datetime) -> dt.datetime:
    """Return when a task opened at `since` (aware) is due, in UTC; as `due_at`."""
    return runs_out_at(governorate, governorate.task_clocks[kind, urgency], since)


def offer_due_at(governorate: Governorate, offer: str, urgency: str, since: dt.datetime) -> dt.datetime:
    """Return when an offer (`governorates.offers.OFFERS`) made at `since` (aware) must be answered, in UTC."""
    return runs_out_at(governorate, governorate.offer_clocks[offer, urgency], since)


def runs_out_at(governorate: Governorate, clock: Clock, since: dt.datetime) -> dt.datetime:
    """Return when a clock that starts at `since` (aware) runs out, in UTC."""
    return add_hours(governorate, since, clock.hours, clock.working)


def add_hours(governorate: Governorate, since: dt.datetime, hours: float, working: bool) -> dt.datetime:
    """Return the moment `hours` after `since`, in UTC; `working` hours are 24 a working day.

    Raises ValueError for a naive `since`.
    """
    if since.tzinfo is None:
        raise ValueError("since needs a time zone")
    left = dt.timedelta(hours=hours)
    if not working:
        return since.astimezone(dt.UTC) + left
    local = since.astimezone(local_zone(governorate))
    while True:
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        if is_working_day(governorate, local.date()):
            if local + left <= midnight:
                return (local + left).astimezone(dt.UTC)
            left -= midnight - local
        local = midnight


def local_day(governorate: Governorate, moment: dt.datetime) -> dt.date:
    """Return the date on the office's wall at a moment (aware)."""
    return moment.astimezone(local_zone(governorate)).date()


def day_bounds(governorate: Governorate, day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the first moment of a local day and of the next one, in UTC."""
    first = dt.datetime.combine(day, dt.time.min, local_zone(governorate))
    return first.astimezone(dt.UTC), (first + DAY).astimezone(dt.UTC)
