"""Slots, tiers and goals of the assignment, against independent solvers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_engine import Rule, match
from referral_engine.assignment import burden
from referral_engine.frames import URGENCIES
from tests.unit.referral_engine.oracle import assignable_pairs, least_cost, minutes, most_served, verdict
from tests.unit.referral_engine.worlds import (
    FLOOR,
    NOW,
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
    st.integers(0, 8),
    slots=st.sampled_from([0, 2, 6]),
)


def _run(world: World, seed: int = 1):
    return match(world.needs, world.offers, world.rules, world.travel, floor_minutes_per_km=FLOOR, seed=seed)


def _tiers(world: World, assigned: pd.Series):
    """Yield each tier: its needs, offers, open pairs, slots left to it, and who got what (-1: nobody)."""
    for service_type in TYPES:
        needs, offers, usable = assignable_pairs(world, service_type)
        slots = offers["free_slots"].to_numpy(dtype=int)
        got = np.array(
            [offers.index.get_loc(assigned[n]) if n in assigned.index else -1 for n in needs.index], dtype=int
        )
        for tier in URGENCIES:
            rows = (needs["urgency"] == tier).to_numpy(dtype=bool)
            yield tier, needs[rows], offers, usable[rows], slots, got[rows], got
            slots = slots - np.bincount(got[rows][got[rows] >= 0], minlength=len(offers))


@settings(max_examples=25, deadline=None)
@given(WORLDS)
def test_capacity_is_kept_and_every_assigned_pair_passes_every_hard_condition(world: World) -> None:
    assigned = _run(world).assigned
    used = assigned.value_counts().reindex(world.offers.index, fill_value=0)
    assert (used <= world.offers["free_slots"].clip(lower=0)).all()
    for service_type in TYPES:
        needs, offers, usable = assignable_pairs(world, service_type)
        for row, need_id in enumerate(needs.index):
            if need_id in assigned.index:
                assert usable[row, offers.index.get_loc(assigned[need_id])], need_id


@settings(max_examples=25, deadline=None)
@given(WORLDS)
def test_each_tier_serves_as_many_as_any_matching_could(world: World) -> None:
    for tier, _, _, usable, slots, got, _ in _tiers(world, _run(world).assigned):
        assert (got >= 0).sum() == most_served(usable, slots), tier


@settings(max_examples=25, deadline=None)
@given(WORLDS)
def test_nobody_is_served_with_a_slot_that_a_more_urgent_unserved_need_could_have_used(world: World) -> None:
    for tier, needs, _, usable, _, got, everyone in _tiers(world, _run(world).assigned):
        later = everyone[_later(world, needs, tier)]
        for row in np.flatnonzero(got < 0):
            assert not usable[row, later[later >= 0]].any(), needs.index[row]


def _later(world: World, tier_needs: pd.DataFrame, tier: str) -> np.ndarray:
    if not len(tier_needs):
        return np.array([], dtype=int)
    same_type = world.needs[world.needs["service_type"] == tier_needs["service_type"].iloc[0]]
    return np.flatnonzero(same_type["urgency"].map(URGENCIES.index) > URGENCIES.index(tier))


@settings(max_examples=25, deadline=None)
@given(WORLDS)
def test_stale_offers_then_unknown_pairs_and_then_burden_are_the_least_possible(world: World) -> None:
    for _, needs, offers, usable, slots, got, _ in _tiers(world, _run(world).assigned):
        if not usable.any():
            continue
        pairs = [[(n, o) for _, o in offers.iterrows()] for _, n in needs.iterrows()]
        load = np.array(
            [
                [_burden(world, *pair) if u else 0 for pair, u in zip(*row, strict=True)]
                for row in zip(pairs, usable, strict=True)
            ]
        )
        unknown = np.array([[verdict(world, *pair) == 0 for pair in row] for row in pairs])
        stale = (offers["freshness"] == "stale").to_numpy(dtype=bool)[None, :]
        weight = len(needs) * (int(load.max()) + 1)
        old = len(needs) * (weight + int(load.max()) + 1)
        unserved = len(needs) * (old + weight + int(load.max()) + 1)
        cost = load + weight * unknown + old * stale
        mine = sum(int(cost[row, offer]) if offer >= 0 else unserved for row, offer in enumerate(got))
        assert mine == least_cost(cost, usable, slots, unserved)


def _burden(world: World, need_row, offer_row) -> int:
    return int(burden(np.array([minutes(world.travel, need_row, offer_row)]))[0])


def test_burden_is_convex_one_long_journey_weighs_more_than_two_short_ones() -> None:
    short, long = burden(np.array([30.0, 60.0]))
    assert (short, long) == (450, 1200)


def test_a_full_nearest_offer_leaves_nobody_unserved_while_a_farther_one_has_slots() -> None:
    offers = [offer(free_slots=2)] + [
        offer(longitude=43.15 + step / 100, free_slots=1) for step in range(1, 9)
    ]
    result = match(
        needs_frame([need()] * 10),
        offers_frame(offers),
        [],
        CrookedTravel(1),
        floor_minutes_per_km=FLOOR,
        seed=1,
        options=2,
    )
    assert len(result.assigned) == 10
    assert result.unmet.empty
    listed = result.candidates[result.candidates["status"] == "option"]
    assigned = listed[listed["assigned"]].set_index("need_id")
    pd.testing.assert_series_equal(
        assigned["service_at_location_id"].sort_index(), result.assigned, check_names=False
    )
    assert assigned["rank"].max() > 2, "the assigned option is listed also beyond the options asked for"
    per_need = listed[~listed["assigned"] | (listed["rank"] <= 2)].groupby("need_id").size()
    assert (per_need == 2).all()


def test_eligible_needs_go_before_those_that_a_document_must_settle() -> None:
    rows = [need(documents=None), need(longitude=43.2, documents=("civil_id",))]
    rules = [Rule(1, 1, "documents", "has_any", ("civil_id",))]
    frame = offers_frame([offer(free_slots=1)])
    result = match(needs_frame(rows), frame, rules, CrookedTravel(1), floor_minutes_per_km=FLOOR, seed=1)
    assert result.assigned.to_dict() == {2: 101}
    alone = match(needs_frame(rows[:1]), frame, rules, CrookedTravel(1), floor_minutes_per_km=FLOOR, seed=1)
    assert alone.assigned.to_dict() == {1: 101}
    codes = [reason["code"] for reason in alone.candidates.loc[0, "reasons"]]
    assert "needs_check" in codes


@pytest.mark.parametrize("seed", range(8))
def test_of_two_equal_needs_the_one_that_waits_longer_is_served_and_gets_the_nearer_place(seed: int) -> None:
    rows = [need(waiting_since=NOW), need(waiting_since=NOW - pd.Timedelta(days=3)), need(waiting_since=NOW)]
    near, far = offer(free_slots=1), offer(free_slots=1, longitude=43.3)
    travel = CrookedTravel(1)

    def assigned(count: int, offers: list) -> dict:
        frames = needs_frame(rows[:count]), offers_frame(offers)
        return match(*frames, [], travel, floor_minutes_per_km=FLOOR, seed=seed).assigned.to_dict()

    shorter = 101 if minutes(travel, need(), near) < minutes(travel, need(), far) else 102
    assert assigned(2, [near]) == {2: 101}
    assert assigned(2, [near, far])[2] == shorter
    assert 2 in assigned(3, [near])


@pytest.mark.parametrize("count", [2, 5])
def test_full_ties_fall_by_the_seed_and_not_by_the_id(count: int) -> None:
    frame, one_slot = needs_frame([need()] * count), offers_frame([offer(free_slots=1)])
    winners = {
        match(frame, one_slot, [], CrookedTravel(1), floor_minutes_per_km=FLOOR, seed=seed).assigned.index[0]
        for seed in range(40)
    }
    assert winners == set(frame.index)
