"""Follow-up clocks, the questionnaire and the letters: right data read, wrong data refused with their place."""

import copy
import datetime as dt
from typing import Any

import pytest

from governorates import (
    FOLLOW_UP_KINDS,
    SCORE_DIMENSIONS,
    GovernorateDataError,
    choice_codes,
    follow_up_due,
    letter_texts,
    load,
    months_due,
    next_attempt_due,
    score_questionnaire,
)
from governorates.follow_ups import read_attempts, read_follow_ups
from governorates.letters import LETTERS_FILE, read_letter_texts
from governorates.reader import HOME
from governorates.reintegration_scores import INDICATORS, SCORE_FILE, read_score_questionnaire
from governorates.tables import Row, read_toml

NINEVEH = load("nineveh")
THURSDAY = dt.datetime(2026, 11, 26, 9, tzinfo=dt.UTC)


def changed(file: str, change: Any) -> Row:
    table = read_toml(HOME / file)
    values = copy.deepcopy(dict(table.values))
    change(values)
    return Row(table.file, table.where, values)


def test_the_calls_after_delivery_are_those_of_the_procedure() -> None:
    days = {
        urgency: NINEVEH.follow_ups["service_delivered", urgency].days
        for urgency in ("emergency", "urgent", "normal")
    }
    assert days == {"emergency": (2, 90, 180), "urgent": (7, 90, 180), "normal": (30, 90, 180)}
    assert set(FOLLOW_UP_KINDS) == set(choice_codes("follow_up_kind"))


def test_an_emergency_call_falls_on_a_friday_others_wait_for_sunday() -> None:
    emergency = NINEVEH.follow_ups["service_delivered", "emergency"]
    urgent = NINEVEH.follow_ups["service_delivered", "urgent"]
    wednesday = THURSDAY - dt.timedelta(days=1)
    assert follow_up_due(NINEVEH, emergency, 2, wednesday).isoformat() == "2026-11-27T09:00:00+00:00"
    assert follow_up_due(NINEVEH, urgent, 2, wednesday).isoformat() == "2026-11-29T09:00:00+00:00"


def test_the_local_day_counts_not_the_day_in_greenwich() -> None:
    urgent = NINEVEH.follow_ups["service_delivered", "urgent"]
    # 22:00 on Wednesday in London is 01:00 on Thursday in Mosul; a day later it is Friday there.
    late = dt.datetime(2026, 11, 25, 22, tzinfo=dt.UTC)
    assert follow_up_due(NINEVEH, urgent, 1, late).isoformat() == "2026-11-28T22:00:00+00:00"


def test_a_holiday_is_jumped_over() -> None:
    urgent = NINEVEH.follow_ups["service_delivered", "urgent"]
    before_christmas = dt.datetime(2030, 12, 18, 9, tzinfo=dt.UTC)  # 25 December 2030 is a Wednesday
    assert follow_up_due(NINEVEH, urgent, 7, before_christmas).date() == dt.date(2030, 12, 26)


def test_the_next_attempt_is_on_the_next_working_day() -> None:
    assert next_attempt_due(NINEVEH, THURSDAY).date() == dt.date(2026, 11, 29)


@pytest.mark.parametrize(
    ("start", "months", "days", "due"),
    [
        (dt.datetime(2026, 8, 31, 9, tzinfo=dt.UTC), 6, 0, dt.date(2027, 2, 28)),
        (dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC), 0, 14, dt.date(2026, 12, 7)),
        (dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC), 12, 14, dt.date(2027, 12, 7)),
    ],
)
def test_months_end_with_the_month(start: dt.datetime, months: int, days: int, due: dt.date) -> None:
    assert months_due(NINEVEH, start, months, days).date() == due


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        months_due(NINEVEH, dt.datetime(2026, 1, 1), 1, 0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v["follow_up"].pop(), "no follow-up clock for plan_agreed, normal"),
        (lambda v: v["follow_up"].append(v["follow_up"][0]), "two follow-up clocks"),
        (lambda v: v["follow_up"][0].update(days=[90, 2]), "days must rise"),
        (
            lambda v: v["follow_up"][0].update(days=[3, 90]),
            "that of the clock of service_delivered, emergency",
        ),
        (lambda v: v["follow_up"][0].update(days=["2"]), "whole numbers"),
        (lambda v: v["follow_up"][0].update(kind="letter"), "kind 'letter'"),
        (lambda v: v["follow_up"][0].pop("working"), "working is neither"),
        (lambda v: v.pop("follow_up"), "is missing"),
    ],
)
def test_wrong_clocks_are_refused(change: Any, complaint: str) -> None:
    with pytest.raises(GovernorateDataError, match=complaint):
        read_follow_ups(changed("nineveh/sop.toml", change), NINEVEH.clocks)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v.pop("follow_up_attempts"), "is missing"),
        (lambda v: v["follow_up_attempts"].update(most=0), "most 0.0 is not between"),
    ],
)
def test_wrong_attempts_are_refused(change: Any, complaint: str) -> None:
    with pytest.raises(GovernorateDataError, match=complaint):
        read_attempts(changed("nineveh/sop.toml", change))


def test_the_questionnaire_has_fifteen_indicators_of_equal_weight_in_three_dimensions() -> None:
    found = score_questionnaire()
    assert len(found.indicators) == INDICATORS == 15
    assert {one.dimension for one in found.indicators} == set(SCORE_DIMENSIONS)
    assert {one.weight for one in found.indicators} == {1}
    assert set(found.weights.values()) == {1}
    assert [one.months for one in found.rounds.values()] == [0, 6, 12]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v["indicator"].pop(), "must have 15 indicators, not 14"),
        (lambda v: v["indicator"][1].update(code="income_source"), "stands here twice"),
        (lambda v: v["indicator"][0].update(weight=0), "weight 0.0 is not between"),
        (lambda v: v["indicator"][0].update(dimension="protection"), "dimension 'protection'"),
        (lambda v: v["indicator"][0].update(scale="colour"), "scale 'colour'"),
        (lambda v: v["indicator"][0]["names"].pop("kmr"), "the name in kmr is missing"),
        (lambda v: v["scale"]["whole"]["no"].update(value=0.7), "values must fall from 1 to 0"),
        (lambda v: v["weights"].pop("social"), "must have exactly"),
        (lambda v: v.pop("source"), "source is missing"),
        (lambda v: v["round"].pop(), "each later than the one before"),
        (lambda v: v["round"][1].update(months=0), "each later than the one before"),
        (lambda v: v.update(answered_share=0), "answered_share 0.0"),
    ],
)
def test_a_wrong_questionnaire_is_refused(change: Any, complaint: str) -> None:
    with pytest.raises(GovernorateDataError, match=complaint):
        read_score_questionnaire(changed(SCORE_FILE, change))


def test_whatever_is_changed_in_the_questionnaire_gives_it_another_version() -> None:
    reworded = changed(SCORE_FILE, lambda v: v["indicator"][0].update(weight=2))
    assert read_score_questionnaire(reworded).version != score_questionnaire().version


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v["letter"][0].update(en="Nothing"), "en must name exactly bearer, code, office"),
        (lambda v: v["letter"][3].update(referral=False), "ar must name exactly"),
        (lambda v: v["letter"][1].update(code="registration"), "two letters have one code"),
        (lambda v: v["bearer"].pop("en"), "en is missing"),
    ],
)
def test_wrong_letters_are_refused(change: Any, complaint: str) -> None:
    with pytest.raises(GovernorateDataError, match=complaint):
        read_letter_texts(changed(LETTERS_FILE, change))


def test_letters_have_words_for_everybody_they_are_for() -> None:
    assert set(letter_texts().kinds) == {"registration", "school", "civil_status", "provider"}
