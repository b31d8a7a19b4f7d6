"""Clocks in the governorate's own calendar."""

import datetime as dt

import pytest

from governorates import is_working_day, load
from tests.factories.clocks import due_at

BAGHDAD = dt.timezone(dt.timedelta(hours=3))
NINEVEH = load()


def local(year: int, month: int, day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(year, month, day, hour, tzinfo=BAGHDAD)


def test_friday_saturday_and_holidays_are_off() -> None:
    assert not is_working_day(NINEVEH, dt.date(2026, 11, 27))
    assert not is_working_day(NINEVEH, dt.date(2026, 11, 28))
    assert is_working_day(NINEVEH, dt.date(2026, 11, 29))
    assert not is_working_day(NINEVEH, dt.date(2028, 3, 21)), "Nowruz, every year"
    assert not is_working_day(NINEVEH, dt.date(2027, 5, 18)), "a feast of one year"
    assert is_working_day(NINEVEH, dt.date(2028, 5, 18)), "not of another"


def test_an_emergency_counts_every_hour() -> None:
    assert due_at(NINEVEH, "proposed", "emergency", local(2026, 11, 27, 23)) == local(2026, 11, 28, 1)


def test_two_working_days_pass_over_the_weekend() -> None:
    wednesday = local(2026, 11, 25, 15)
    assert due_at(NINEVEH, "proposed", "normal", wednesday) == local(2026, 11, 29, 15)


def test_a_clock_that_starts_on_a_day_off_starts_with_the_next_working_day() -> None:
    assert due_at(NINEVEH, "proposed", "normal", local(2026, 11, 27, 10)) == local(2026, 12, 1, 0)


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_at(NINEVEH, "sent", "normal", dt.datetime(2026, 11, 25))
