"""A provider's word ages by the governorate's figures, and one intake period follows the other."""

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from governorates import CapacityAges, load, next_period, task_due_at

NOW = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
AGES = CapacityAges(7, 14, 42)


@pytest.mark.parametrize(
    ("days", "due", "freshness"),
    [
        (0, False, "fresh"),
        (6.99, False, "fresh"),
        (7, True, "fresh"),
        (13.99, True, "fresh"),
        (14, True, "stale"),
        (41.99, True, "stale"),
        (42, True, "hidden"),
        (400, True, "hidden"),
    ],
)
def test_a_word_ages(days: float, due: bool, freshness: str) -> None:
    said = NOW - dt.timedelta(days=days)
    assert (AGES.is_due(said, NOW), AGES.freshness(said, NOW)) == (due, freshness)


def test_a_word_of_the_future_is_fresh() -> None:
    """The clock of another machine may run ahead."""
    assert AGES.freshness(NOW + dt.timedelta(hours=1), NOW) == "fresh"


@pytest.mark.parametrize(
    ("period", "today", "following"),
    [
        (("2026-07-01", "2026-12-31"), "2027-01-01", ("2027-01-01", "2027-06-30")),
        (("2026-07-01", "2026-12-31"), "2027-07-01", ("2027-07-01", "2027-12-31")),
        (("2028-02-01", "2028-02-29"), "2028-03-02", ("2028-03-01", "2028-03-31")),
        (("2027-12-01", "2028-01-31"), "2028-02-01", ("2028-02-01", "2028-03-31")),
        (("2026-11-02", "2026-11-15"), "2026-11-16", ("2026-11-16", "2026-11-29")),
        (("2026-11-02", "2026-11-02"), "2026-11-23", ("2026-11-23", "2026-11-23")),
    ],
)
def test_a_period_follows_the_other(period: tuple, today: str, following: tuple) -> None:
    start, end, now = (dt.date.fromisoformat(day) for day in (*period, today))
    assert next_period(start, end, now) == tuple(dt.date.fromisoformat(day) for day in following)


@example(dt.date(2026, 1, 29), 91, 369)
@given(st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31)), st.integers(0, 400), st.integers(1, 900))
def test_the_next_period_covers_today_and_touches_the_chain_of_periods(
    start: dt.date, days: int, later: int
) -> None:
    end = start + dt.timedelta(days=days)
    today = end + dt.timedelta(days=later)
    following = next_period(start, end, today)
    assert following[0] <= today <= following[1]
    while end < following[0] - dt.timedelta(days=1):
        start, end = next_period(start, end, end + dt.timedelta(days=1))
    assert following[0] == end + dt.timedelta(days=1)


def test_a_period_that_runs_has_no_next() -> None:
    with pytest.raises(ValueError, match="has not ended"):
        next_period(dt.date(2026, 7, 1), dt.date(2026, 12, 31), dt.date(2026, 12, 31))


def test_a_safety_concern_is_due_the_same_day_whatever_the_calendar() -> None:
    friday = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
    for urgency in ("emergency", "urgent", "normal"):
        assert task_due_at(load(), "safety_concern", urgency, friday).date() == friday.date()


def test_a_working_clock_of_a_task_stands_still_at_the_weekend() -> None:
    thursday = dt.datetime(2026, 11, 19, 6, tzinfo=dt.UTC)
    assert task_due_at(load(), "tracing", "normal", thursday) == dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)
