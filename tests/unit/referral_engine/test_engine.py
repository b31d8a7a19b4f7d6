"""The whole match: every need answered, every reason known, every run repeatable."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_engine import REASON_CODES, MatchResult, Rule, match
from referral_engine.eligibility import ATTRIBUTES
from referral_engine.explain import CANDIDATE_COLUMNS
from referral_engine.reasons import PASSED_OVER, Exclusion
from tests.unit.referral_engine.oracle import blockers, open_pairs, verdict
from tests.unit.referral_engine.worlds import (
    FLOOR,
    TYPES,
    CrookedTravel,
    World,
    need,
    needs_frame,
    offer,
    offers_frame,
    random_world,
)

WORLDS = st.builds(
    random_world,
    st.integers(0, 100_000),
    st.integers(0, 24),
    st.integers(0, 10),
    slots=st.sampled_from([0, 2, 6]),
)


def _run(world: World, **settings_: object) -> MatchResult:
    known = {"floor_minutes_per_km": FLOOR, "seed": 1} | settings_
    return match(world.needs, world.offers, world.rules, world.travel, **known)


@settings(max_examples=25, deadline=None)
@given(WORLDS)
def test_every_need_is_either_assigned_or_unmet_with_a_reason(world: World) -> None:
    result = _run(world)
    assert not set(result.assigned.index) & set(result.unmet.index)
    assert set(result.assigned.index) | set(result.unmet.index) == set(world.needs.index)
    assert set(result.unmet["reason"]) <= set(REASON_CODES["unmet"])
    marked = result.candidates[result.candidates["assigned"].astype(bool)]
    assert (
        dict(zip(marked["need_id"], marked["service_at_location_id"], strict=True))
        == result.assigned.to_dict()
    )


@settings(max_examples=25, deadline=None)
@given(WORLDS)
def test_options_and_exclusions_say_what_plain_python_says_of_each_pair(world: World) -> None:
    listed = _run(world, options=50).candidates.set_index(["need_id", "service_at_location_id"])
    for service_type in TYPES:
        needs, offers, usable = open_pairs(world, service_type)
        for row, (need_id, need_row) in enumerate(needs.iterrows()):
            if np.isnan(need_row["longitude"]):
                assert need_id not in listed.index
                continue
            for column, (offer_id, offer_row) in enumerate(offers.iterrows()):
                entry = listed.loc[(need_id, offer_id)]
                assert entry["status"] == ("option" if usable[row, column] else "excluded")
                assert entry["eligibility"] == verdict(world, need_row, offer_row)
                codes = {reason["code"] for reason in entry["reasons"]}
                if not usable[row, column]:
                    assert codes == blockers(world, need_row, offer_row)


@settings(max_examples=25, deadline=None)
@given(WORLDS)
def test_every_reason_given_is_in_the_table_with_just_its_parameters(world: World) -> None:
    result = _run(world)
    for status, reasons in zip(result.candidates["status"], result.candidates["reasons"], strict=True):
        assert reasons
        for reason in reasons:
            assert set(reason) - {"code"} == set(REASON_CODES[status][reason["code"]])
            if reason["code"] == "not_nearest":
                assert reason["because"] in {*Exclusion, *PASSED_OVER}
            if reason["code"] == "rule_unknown":
                assert reason["settle"] in ATTRIBUTES
    for details in result.unmet["details"]:
        for detail in details:
            assert set(detail) - {"code"} == set(REASON_CODES["detail"][detail["code"]])


@settings(max_examples=25, deadline=None)
@given(WORLDS, st.integers(0, 1000))
def test_the_order_of_rows_changes_nothing(world: World, shuffle: int) -> None:
    rng = np.random.default_rng(shuffle)
    needs = world.needs.sample(frac=1, random_state=rng)[rng.permutation(world.needs.columns)]
    offers = world.offers.sample(frac=1, random_state=rng)
    rules = [world.rules[place] for place in rng.permutation(len(world.rules))]
    _assert_same(_run(world), _run(World(needs, offers, tuple(rules), world.travel)))


def _assert_same(one: MatchResult, other: MatchResult) -> None:
    pd.testing.assert_frame_equal(one.candidates, other.candidates)
    pd.testing.assert_series_equal(one.assigned, other.assigned)
    pd.testing.assert_frame_equal(one.unmet, other.unmet)
    assert (one.digest, one.digests, one.engine_version) == (
        other.digest,
        other.digests,
        other.engine_version,
    )


def test_a_replay_is_identical_and_a_changed_input_is_named_by_its_digest() -> None:
    world = random_world(11)
    first = _run(world)
    _assert_same(first, _run(world))
    one_slot_more = world.offers.assign(free_slots=world.offers["free_slots"] + 1)
    one_year_older = world.needs.assign(age=world.needs["age"] + 1)
    changed = {
        "needs": World(one_year_older, world.offers, world.rules, world.travel),
        "offers": World(world.needs, one_slot_more, world.rules, world.travel),
        "rules": World(world.needs, world.offers, world.rules[1:], world.travel),
    }
    for part, other in changed.items():
        again = _run(other)
        assert again.digest != first.digest
        assert again.digests[part] != first.digests[part]
    closed_roads = _run(World(world.needs, world.offers, world.rules, CrookedTravel(11, blocked=0.6)))
    assert {part for part in first.digests if first.digests[part] != closed_roads.digests[part]} == {"travel"}
    assert {part for part in first.digests if first.digests[part] != _run(world, seed=2).digests[part]} == {
        "settings"
    }


def test_inputs_are_not_changed() -> None:
    world = random_world(12)
    needs, offers = world.needs.copy(deep=True), world.offers.copy(deep=True)
    _run(world)
    pd.testing.assert_frame_equal(world.needs, needs)
    pd.testing.assert_frame_equal(world.offers, offers)


def test_exclusions_are_recorded_for_the_nearest_of_many_offers() -> None:
    offers = [offer(longitude=43.15 + step / 100, area=("IQG08",)) for step in range(60)]
    world = World(needs_frame([need()]), offers_frame(offers), (), CrookedTravel(1))
    excluded = _run(world).candidates
    assert excluded["service_at_location_id"].sort_values().tolist() == list(range(101, 141))
    assert len(_run(world, exclusions=3).candidates) == 3
    assert _run(world, exclusions=0).unmet.loc[1, "details"] == [{"code": "area", "count": 60}]


def test_an_option_says_its_minutes_slots_rules_language_and_what_is_uncertain() -> None:
    rules = (Rule(4, 1, "age", "between", (18, None)), Rule(5, 1, "documents", "has_all", ("property_deed",)))
    rows = [need(documents=None, radius_km=2.5, languages=("ar", "ckb"))]
    world = World(
        needs_frame(rows), offers_frame([offer(free_slots=3, languages=("ckb",))]), rules, CrookedTravel(1)
    )
    entry = _run(world).candidates.loc[0]
    expected = [
        {"code": "assigned"},
        {"code": "nearest"},
        {"code": "minutes", "minutes": round(entry["minutes"])},
        {"code": "slots", "free": 3},
        {"code": "rule_met", "rule_id": 4},
        {"code": "rule_unknown", "rule_id": 5, "settle": "documents"},
        {"code": "needs_check"},
        {"code": "place_approximate", "radius_km": 2.5},
        {"code": "language_shared", "languages": ["ckb"]},
    ]
    if not entry["river_considered"]:
        expected.insert(7, {"code": "river_not_considered"})
    assert entry["reasons"] == expected


def test_an_exclusion_names_the_failed_rules_alone() -> None:
    rules = (
        Rule(4, 1, "age", "between", (18, None)),
        Rule(5, 1, "sex", "in", ("male",)),
        Rule(6, 1, "age", "between", (60, 99)),
    )
    excluded = _run(World(needs_frame([need()]), offers_frame([offer()]), rules, CrookedTravel(1))).candidates
    assert excluded.loc[0, "reasons"] == [
        {"code": "not_eligible", "rule_id": 5},
        {"code": "not_eligible", "rule_id": 6},
    ]


def test_why_not_the_nearest_is_answered() -> None:
    class Even(CrookedTravel):
        def __call__(self, origins, destinations):
            answer = super().__call__(origins, destinations)
            return type(answer)(answer.km * 1.5, answer.km, answer.river_considered)

    def because(nearest: dict, rules: tuple = (), **changes: object) -> object:
        offers = offers_frame([offer(**nearest), offer(longitude=43.3, service_id=2)])
        result = _run(World(needs_frame([need(**changes)] * 2), offers, rules, Even(1)))
        second = result.candidates[
            result.candidates["assigned"] & (result.candidates["service_at_location_id"] == 102)
        ]
        said = [reason for reason in second["reasons"].iloc[0] if reason["code"] == "not_nearest"]
        assert said[0]["service_at_location_id"] == 101
        return said[0]["because"]

    unknown = (Rule(1, 1, "documents", "has_any", ("civil_id",)),)
    assert because({"free_slots": 1}) == "no_slot"
    assert because({"free_slots": 0}) == "no_slot"
    assert because({"area": ("IQG08",)}) == "area"
    assert because({"organization_kind": "moi_office"}, consent_kinds=("local_cso",)) == "consent_moi"
    assert because({}, unknown, documents=None) == "needs_check"
    assert because({}, unknown, documents=()) == "not_eligible"


@pytest.mark.parametrize(
    "bad",
    [
        {"options": 0},
        {"exclusions": -1},
        {"floor_minutes_per_km": -1.0},
        {"floor_minutes_per_km": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match="at least"):
        _run(random_world(1), **bad)


def test_nothing_in_gives_nothing_out_with_the_columns_in_place() -> None:
    result = _run(World(needs_frame([]), offers_frame([]), (), CrookedTravel(1)))
    assert tuple(result.candidates.columns) == CANDIDATE_COLUMNS
    assert result.assigned.empty
    assert result.unmet.empty
