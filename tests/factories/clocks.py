"""When a clock of the data runs out, as the acts count it."""

from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta

from governorates import Governorate, add_time


def due_at(
    governorate: Governorate,
    state: str,
    urgency: str,
    since: datetime,
    closed: AbstractSet[date] = frozenset(),
) -> datetime:
    """When a referral that entered `state` at `since` is due to leave it; `closed` are days off announced."""
    clock = governorate.clocks[state, urgency]
    return add_time(governorate, since, timedelta(hours=clock.hours), clock.working, closed)
