"""Parts are compared apart, points add up, and no single part decides."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.duplicate_keys import KINDS, blocking_keys
from casework.duplicate_scores import (
    CaseTraits,
    HouseholdMember,
    compare_households,
    compare_names,
    compare_phones,
    compare_places,
    score_pair,
)
from casework.names import FoldedName
from governorates import DUPLICATE_PARTS, duplicate_weights

WEIGHTS = duplicate_weights()
NAMES = ("زهراء", "كريم", "صالح", "محمد", "محمود", "عبد الله", "ئازاد", "")


def case(given_name: str = "زهراء", father: str = "كريم", grandfather: str = "صالح") -> CaseTraits:
    return CaseTraits(
        FoldedName.of(given_name),
        FoldedName.of(father),
        FoldedName.of(grandfather),
        phones=frozenset({"7701234567"}),
        birth_year=1992,
        sex="female",
        places=("P1", "S1", "D1"),
        household_size=4,
        members=tuple(HouseholdMember(FoldedName.of(name), 2010) for name in ("هدى", "علي", "سارة")),
    )


def levels(one: CaseTraits, other: CaseTraits) -> dict[str, str]:
    return {part.part: part.level for part in score_pair(one, other, WEIGHTS).parts}


def test_the_same_household_has_full_points() -> None:
    found = score_pair(case(), case(), WEIGHTS)
    assert found.score == 100
    assert [part.part for part in found.parts] == list(DUPLICATE_PARTS)


def test_points_are_those_of_the_table_and_add_up() -> None:
    other = replace(case("زهرا"), phones=frozenset({"7701234576"}), birth_year=1989)
    found = score_pair(case(), other, WEIGHTS)
    assert {part.part: part.points for part in found.parts} == {
        part: WEIGHTS.points[part][level] for part, level in levels(case(), other).items()
    }
    assert found.score == min(100, sum(part.points for part in found.parts))
    assert levels(case(), other)["phone"] == "close"
    assert levels(case(), other)["birth_year"] == "close"


@pytest.mark.parametrize("other", ["محمود", "أحمد", "حامد"])
def test_names_that_only_look_alike_are_different(other: str) -> None:
    assert compare_names(FoldedName.of("محمد"), FoldedName.of(other), WEIGHTS) == "different"


@pytest.mark.parametrize(("one", "other"), [("مصطفى", "مصطفا"), ("عثمان", "عوسمان"), ("ابتسام", "ابتسم")])
def test_slips_are_close(one: str, other: str) -> None:
    assert compare_names(FoldedName.of(one), FoldedName.of(other), WEIGHTS) == "close"


def test_one_letter_makes_another_short_name() -> None:
    assert compare_names(FoldedName.of("علي"), FoldedName.of("عدي"), WEIGHTS) == "different"


def test_a_brother_with_the_same_phone_is_not_shown() -> None:
    brother = replace(case("حسن"), sex="male", birth_year=1988, household_size=7, members=())
    assert score_pair(case(), brother, WEIGHTS).score < WEIGHTS.ask_from


def test_a_missing_grandfather_costs_only_his_points() -> None:
    found = score_pair(case(), case(grandfather=""), WEIGHTS)
    assert levels(case(), case(grandfather=""))["grandfather_name"] == "unknown"
    assert found.score >= WEIGHTS.very_likely_from


def test_phones_within_one_slip_are_close() -> None:
    number = frozenset({"7701234567"})
    assert compare_phones(number, frozenset({"7501111111", "7701234567"})) == "same"
    for slip in ("7701234568", "770123457", "7701234576"):
        assert compare_phones(number, frozenset({slip})) == "close"
    assert compare_phones(number, frozenset({"7701234599"})) == "different"
    assert compare_phones(number, frozenset()) == "unknown"


def test_places_are_compared_from_the_home_upward() -> None:
    home = ("P1", "S1", "D1")
    assert compare_places(home, home) == "same"
    assert compare_places(home, ("P2", "S1", "D1")) == "close"
    assert compare_places(home, (None, None, "D1")) == "close"
    assert compare_places(home, ("P9", "S9", "D9")) == "different"
    assert compare_places(home, (None, None, None)) == "unknown"


def test_households_by_their_people_else_by_their_size() -> None:
    other = replace(case(), members=case().members[:1])
    assert compare_households(case(), case(), WEIGHTS) == "same"
    assert compare_households(case(), other, WEIGHTS) == "close"
    stranger = replace(case(), members=(HouseholdMember(FoldedName.of("وفاء"), 1950),) * 3)
    assert compare_households(case(), stranger, WEIGHTS) == "different"
    unlisted = replace(case(), members=(), household_size=4)
    assert compare_households(case(), unlisted, WEIGHTS) == "close"
    assert compare_households(case(), replace(unlisted, household_size=9), WEIGHTS) == "different"
    assert compare_households(case(), replace(unlisted, household_size=None), WEIGHTS) == "unknown"


traits = st.builds(
    CaseTraits,
    *(st.sampled_from(NAMES).map(FoldedName.of) for _ in range(3)),
    phones=st.frozensets(st.sampled_from(("7701234567", "7701234568", "7509999999")), max_size=2),
    birth_year=st.none() | st.integers(1920, 2026),
    birth_year_estimated=st.booleans(),
    sex=st.sampled_from((None, "male", "female")),
    household_size=st.none() | st.integers(1, 12),
)


@given(traits, traits)
def test_the_order_of_two_cases_does_not_matter(one: CaseTraits, other: CaseTraits) -> None:
    assert score_pair(one, other, WEIGHTS) == score_pair(other, one, WEIGHTS)


@given(traits)
def test_no_key_holds_a_single_name(one: CaseTraits) -> None:
    singles = {name.sounds for name in (one.given_name, one.father_name, one.grandfather_name)}
    for kind, key in blocking_keys(one):
        assert kind in KINDS
        assert key not in singles
        assert kind == "phone" or key.count("|") == 1


def test_spelling_variants_share_a_block() -> None:
    assert blocking_keys(case("فاطمة", "أحمد")) & blocking_keys(case("فاتمە", "ئەحمەد", "يوسف"))


def test_traits_never_show_what_a_person_said() -> None:
    shown = repr(case())
    assert "زهرا" not in shown
    assert "7701234567" not in shown
