"""Working time, closures and what a breach does, as data: over feasts, weekends and days announced a day ahead."""

import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governorates import GovernorateDataError, add_time, is_working_day, load, local_day, time_between
from governorates.model import CLOCK_STATES, URGENCIES
from governorates.reader import read_governorate
from referral_engine.sop import MOVES, NEXT_ACTOR
from tests.factories.clocks import due_at
from tests.unit.governorates.test_reader import edit, folder

__all__ = ["folder"]

BAGHDAD = dt.timezone(dt.timedelta(hours=3))
NINEVEH = load()
MOMENTS = st.datetimes(dt.datetime(2026, 12, 1), dt.datetime(2027, 9, 1), timezones=st.just(BAGHDAD))
LENGTHS = st.timedeltas(dt.timedelta(0), dt.timedelta(days=40))
CLOSED = st.frozensets(st.dates(dt.date(2026, 12, 1), dt.date(2027, 12, 1)), max_size=12)


def local(year: int, month: int, day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(year, month, day, hour, tzinfo=BAGHDAD)


def test_a_clock_stands_still_over_the_feast_and_the_weekend_after_it() -> None:
    """Eid al-Fitr 2027: Wednesday 10 to Friday 12 March, then Saturday."""
    tuesday = local(2027, 3, 9, 12)
    assert due_at(NINEVEH, "sent", "normal", tuesday) == local(2027, 3, 15, 12)
    assert due_at(NINEVEH, "sent", "urgent", tuesday) == local(2027, 3, 10, 12), "urgent clocks know no feast"


def test_a_day_off_announced_a_day_ahead_moves_the_due_time() -> None:
    sunday = local(2026, 11, 29, 9)
    assert due_at(NINEVEH, "proposed", "normal", sunday) == local(2026, 12, 1, 9)
    storm = frozenset({dt.date(2026, 11, 30), dt.date(2026, 12, 1)})
    assert due_at(NINEVEH, "proposed", "normal", sunday, storm) == local(2026, 12, 3, 9)


@given(MOMENTS, LENGTHS, CLOSED)
def test_a_clock_never_runs_out_inside_a_day_off(
    since: dt.datetime, length: dt.timedelta, closed: frozenset[dt.date]
) -> None:
    due = add_time(NINEVEH, since, length, True, closed)
    just_before = due - dt.timedelta(microseconds=1)
    days = {local_day(NINEVEH, due), local_day(NINEVEH, just_before)}
    assert any(is_working_day(NINEVEH, day, closed) for day in days)
    assert due >= since + length


@given(MOMENTS, LENGTHS, CLOSED, st.booleans())
def test_what_is_added_is_what_has_passed(
    since: dt.datetime, length: dt.timedelta, closed: frozenset[dt.date], working: bool
) -> None:
    due = add_time(NINEVEH, since, length, working, closed)
    assert time_between(NINEVEH, since, due, working, closed) == length
    assert time_between(NINEVEH, due, since, working, closed) == dt.timedelta(0)


@given(MOMENTS, LENGTHS, CLOSED, st.dates(dt.date(2026, 12, 1), dt.date(2027, 12, 1)))
def test_another_day_off_never_makes_anything_due_earlier(
    since: dt.datetime, length: dt.timedelta, closed: frozenset[dt.date], more: dt.date
) -> None:
    assert add_time(NINEVEH, since, length, True, closed | {more}) >= add_time(
        NINEVEH, since, length, True, closed
    )


def test_naive_times_are_refused_everywhere() -> None:
    naive, aware = dt.datetime(2027, 3, 9), local(2027, 3, 9)
    for working in (True, False):
        with pytest.raises(ValueError, match="time zone"):
            add_time(NINEVEH, naive, dt.timedelta(1), working)
        with pytest.raises(ValueError, match="time zone"):
            time_between(NINEVEH, aware, naive, working)


def test_a_clock_that_ends_a_referral_stands_only_where_the_table_lets_it_expire() -> None:
    for state in CLOCK_STATES:
        for urgency in URGENCIES:
            clock = NINEVEH.clocks[state, urgency]
            if clock.breach in {"reroute", "expire"}:
                assert state in MOVES["expire"].sources, state
            if state in MOVES["expire"].sources and NEXT_ACTOR[state] == "provider":
                assert clock.breach == "reroute", f"{state}: a silent provider is passed over"


def test_whoever_is_told_is_not_the_one_who_owes_the_step() -> None:
    for (state, _), clock in NINEVEH.clocks.items():
        assert clock.escalate_to != NEXT_ACTOR[state], state
        assert clock.escalate_to or clock.breach in {"reroute", "expire"}, f"{state} could be forgotten"


def test_a_long_service_is_asked_after_and_no_breach() -> None:
    monitored = NINEVEH.clock_of("service_started", "urgent", "property_compensation")
    assert (monitored.breach, monitored.escalate_to) == ("monitor", None)
    assert NINEVEH.clock_of("accepted", "urgent", "property_compensation").breach == "escalate"
    assert NINEVEH.clock_of("service_started", "urgent", "counselling").breach == "remind"


WRONG = [
    ('breach = "expire"', 'breach = "panic"', "breach 'panic' is none of"),
    ('breach = "expire"', 'breach = "monitor"', "breach 'monitor' is none of"),
    ('breach = "expire"\n', "", "breach is missing"),
    ('escalate_to = "supervisor"\n', "", "escalate_to is missing"),
    ('escalate_to = "supervisor"', 'escalate_to = "mayor"', "escalate_to 'mayor' is none of"),
    ('breach = "expire"', 'breach = "expire"\nexpire_hours = 90', "expire_hours stands beside expire"),
    ("expire_hours = 12", "expire_hours = 2", "expire_hours must be more than hours"),
    ('breach = "expire"', 'breach = "expire"\nescalate_to = "officer"', "escalate_to stands beside expire"),
    ('service_type = "property_compensation"', 'service_type = "magic"', "'magic' is not in the taxonomy"),
    ('service_type = "civil_documents"', 'service_type = "property_compensation"', "has two intervals"),
    ("hours = 2160", "hours = 1", "[[monitoring]] 1: hours 1.0 is not between"),
    ("reminders = 3", "reminders = 0", "[deadlines]: reminders 0.0 is not between"),
    ("urgent = 7, ", "", "[max_pause_days]: urgent is not a number"),
    ('supervisor_told = ["emergency"]', 'supervisor_told = ["high"]', "supervisor_told must be a list of"),
]


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG, ids=[row[2][:30] for row in WRONG])
def test_a_wrong_row_is_named(folder: Path, old: str, new: str, complaint: str) -> None:
    edit(folder / "sop.toml", old, new)
    with pytest.raises(GovernorateDataError, match=re.escape(complaint)):
        read_governorate(folder)


def test_no_clock_lasts_longer_than_the_inter_agency_form_allows_for_an_answer() -> None:
    outer = {"emergency": 24, "urgent": 72, "normal": 14 * 24}
    for urgency, hours in outer.items():
        assert NINEVEH.clocks["acknowledged", urgency].hours <= hours


def test_sending_is_due_by_the_figures_of_the_domain_and_the_slot_is_free_only_later() -> None:
    """Domain facts, section 3: the officer sends within 2 h, 24 h or 3 working days."""
    found = {urgency: NINEVEH.clocks["awaiting_consent", urgency] for urgency in URGENCIES}
    assert {urgency: (one.hours, one.working) for urgency, one in found.items()} == {
        "emergency": (2, False), "urgent": (24, False), "normal": (72, True),
    }  # fmt: skip
    assert all(one.expire_hours and one.expire_hours > one.hours for one in found.values())
    assert {one.escalate_to for one in found.values()} == {"coordinator"}
