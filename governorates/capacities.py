"""How a provider's word on its places ages, and which intake period follows another."""

import calendar
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from governorates.tables import Row, read_toml

DAY = dt.timedelta(days=1)
LONGEST_DAYS = 366


@dataclass(frozen=True, slots=True)
class CapacityAges:
    """Days since the last confirmation after which a service is asked again, drops in rank, is hidden."""

    confirm_days: int
    stale_days: int
    hide_days: int

    def freshness(self, confirmed_at: dt.datetime, now: dt.datetime) -> str:
        """Return fresh, stale or hidden (`referral_engine.capacity_states.FRESHNESS`)."""
        age = now - confirmed_at
        if age >= dt.timedelta(days=self.hide_days):
            return "hidden"
        return "stale" if age >= dt.timedelta(days=self.stale_days) else "fresh"

    def is_due(self, confirmed_at: dt.datetime, now: dt.datetime) -> bool:
        """Tell whether the provider should say again how it stands."""
        return now - confirmed_at >= dt.timedelta(days=self.confirm_days)


def read_capacity_ages(path: Path) -> CapacityAges:
    """Read and check [capacity] of sop.toml: the three figures grow."""
    table = read_toml(path)
    values = table.values.get("capacity")
    if not isinstance(values, dict):
        raise table.error("[capacity] is missing")
    row = Row(table.file, "[capacity]", values)
    keys = ("confirm_days", "stale_days", "hide_days")
    confirm, stale, hide = (int(row.number(key, 1, LONGEST_DAYS)) for key in keys)
    if not confirm <= stale < hide:
        raise row.error("confirm_days, stale_days and hide_days must grow")
    return CapacityAges(confirm, stale, hide)


def next_period(start: dt.date, end: dt.date, today: dt.date) -> tuple[dt.date, dt.date]:
    """Return the first period after start..end (both included), of the same length, that ends today or later.

    Whole calendar months stay whole months: 1 July to 31 December is followed by 1 January to 30 June.
    Raises ValueError when the period has not ended.
    """
    if end >= today:
        raise ValueError("the period has not ended")
    while end < today:
        start, end = _following(start, end)
    return start, end


def _following(start: dt.date, end: dt.date) -> tuple[dt.date, dt.date]:
    """The period right after this one. Each is looked at anew: a chain is the same from wherever it is followed."""
    if start.day == 1 and (end + DAY).day == 1:
        return end + DAY, _last_day(end + DAY, 12 * (end.year - start.year) + end.month - start.month + 1)
    return end + DAY, end + DAY + (end - start)


def _last_day(start: dt.date, months: int) -> dt.date:
    year, month = divmod(12 * start.year + start.month - 1 + months - 1, 12)
    return dt.date(year, month + 1, calendar.monthrange(year, month + 1)[1])
