"""Reasons become sentences with their figures, rules and the provider that was passed over."""

from dataclasses import replace
from typing import Any

import pytest

from api.reason_words import ReasonWords, rule_ids
from db.options import Option
from governorates import LANGUAGES
from referral_engine.reasons import REASON_CODES

RULES = {4: {"ar": "العمر بين 18 و 45", "en": "Age between 18 and 45"}}
PARAMETERS: dict[str, Any] = {
    "minutes": 95.4,
    "max": 60,
    "free": 3,
    "rule_id": 4,
    "settle": "person/age_years",
    "radius_km": 2.0,
    "languages": ["ar"],
    "because": "too_far",
    "service_at_location_id": 2,
    "count": 5,
}


def option(number: int, minutes: float, status: str = "option", *reasons: dict[str, Any]) -> Option:
    name = {"ar": f"جهة {number}", "en": f"Organization {number}"}
    return Option(
        service_at_location_id=number,
        organization_id=number,
        organization=name,
        organization_kind="local_cso",
        service=name,
        location=name,
        place="IQG15Q05N04",
        longitude=43.1,
        latitude=36.3,
        confidential=False,
        status=status,
        rank=number,
        minutes=minutes,
        km=1.0,
        river_considered=True,
        eligibility=1,
        reasons=reasons,
        free_slots=1,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_becomes_a_sentence(language: str) -> None:
    words = ReasonWords(language, RULES)
    for use, say in (("option", words.option), ("excluded", words.excluded)):
        for code, names in REASON_CODES[use].items():
            sentence = say({"code": code} | {name: PARAMETERS[name] for name in names})
            assert sentence != code
            assert "%" not in sentence


def test_figures_and_rules_stand_in_the_sentence() -> None:
    words = ReasonWords("en", RULES)
    assert words.excluded({"code": "too_far", "minutes": 95.4, "max": 60}) == (
        "Too far: 95 minutes, the limit is 60"
    )
    assert (
        words.excluded({"code": "not_eligible", "rule_id": 4}) == "Condition not met: Age between 18 and 45"
    )
    unknown = words.option({"code": "rule_unknown", "rule_id": 4, "settle": "person/age_years"})
    assert unknown == "To be checked: Age between 18 and 45 (ask about: Age)"


def test_a_rule_that_a_newer_directory_replaced_is_called_so() -> None:
    said = ReasonWords("en", {}).excluded({"code": "not_eligible", "rule_id": 9})
    assert said == "Condition not met: a condition of the service that was replaced since"


def test_nearest_is_said() -> None:
    chosen = option(1, 10, "option", {"code": "nearest"})
    assert (
        ReasonWords("en", RULES).on_the_nearest(chosen, [chosen]) == "This is the nearest suitable provider."
    )


def test_why_the_nearer_one_was_passed_over() -> None:
    chosen = option(
        1,
        30,
        "option",
        {"code": "not_nearest", "because": "no_slot", "service_at_location_id": 2, "minutes": 8},
    )
    nearer = option(2, 8, "excluded", {"code": "no_slot"})
    sentence = ReasonWords("en", RULES).on_the_nearest(chosen, [chosen, nearer])
    assert sentence == "Nearer, but passed over: Organization 2 (8 minutes). No free place."


def test_a_nearer_option_is_named_when_the_coordinator_chose_another() -> None:
    chosen, nearer = option(2, 30), option(1, 8)
    words = ReasonWords("en", RULES)
    assert words.on_the_nearest(chosen, [nearer, chosen]) == (
        "A nearer option exists: Organization 1 (8 minutes)."
    )
    assert words.on_the_nearest(nearer, [nearer, chosen]) is None
    assert words.on_the_nearest(None, [nearer]) is None


def test_rule_ids_are_collected_from_all_reasons() -> None:
    one = option(1, 1, "excluded", {"code": "not_eligible", "rule_id": 4}, {"code": "no_slot"})
    assert rule_ids([one, replace(one, reasons=({"code": "rule_met", "rule_id": 8},))]) == {4, 8}
