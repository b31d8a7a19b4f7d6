"""What a provider says of its places: who is offered, in which order, and what is said about it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_engine import match
from referral_engine.engine import MatchResult
from tests.unit.referral_engine.oracle import minutes, open_pairs, standing
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
    st.integers(0, 16),
    st.integers(0, 12),
    slots=st.sampled_from([1, 3, 6]),
)


class Even(CrookedTravel):
    """The straight line times one factor, so that nearer on the map is nearer on the way."""

    def __call__(self, origins, destinations):
        answer = super().__call__(origins, destinations)
        return type(answer)(answer.km * 1.5, answer.km, answer.river_considered)


def _run(world: World, options: int = 5) -> MatchResult:
    frames = world.needs, world.offers, world.rules, world.travel
    return match(*frames, floor_minutes_per_km=FLOOR, seed=1, options=options)


def _codes(result: MatchResult, need_id: int, offer_id: int) -> list[str]:
    rows = result.candidates.set_index(["need_id", "service_at_location_id"])
    return [reason["code"] for reason in rows.loc[(need_id, offer_id), "reasons"]]


def _one_need(*offers: dict, **changes: object) -> MatchResult:
    return _run(World(needs_frame([need(**changes)]), offers_frame(list(offers)), (), Even(1)))


@settings(max_examples=30, deadline=None)
@given(WORLDS, st.sampled_from([1, 2, 50]))
def test_options_stand_in_the_order_of_plain_python(world: World, count: int) -> None:
    """Fresh before stale before waiting lists, then minutes; what lies beyond the list has its true rank."""
    listed = _run(world, count).candidates
    listed = listed[listed["status"] == "option"]
    for service_type in TYPES:
        needs, offers, usable = open_pairs(world, service_type)
        for row, (need_id, need_row) in enumerate(needs.iterrows()):
            keys = [
                (standing(offer_row), minutes(world.travel, need_row, offer_row), offer_id)
                for column, (offer_id, offer_row) in enumerate(offers.iterrows())
                if usable[row, column]
            ]
            true_rank = {offer_id: rank for rank, (*_, offer_id) in enumerate(sorted(keys), 1)}
            own = listed[listed["need_id"] == need_id]
            found = dict(zip(own["service_at_location_id"], own["rank"], strict=True))
            assert found == {offer_id: true_rank[offer_id] for offer_id in found}
            assert set(found) >= {offer_id for offer_id, rank in true_rank.items() if rank <= count}
            extra = set(found) - {offer_id for offer_id, rank in true_rank.items() if rank <= count}
            nearest = min(keys, key=lambda key: (key[1], key[2]))[2] if keys else None
            assigned = set(own["service_at_location_id"][own["assigned"].astype(bool)])
            assert extra <= assigned | {nearest}
            said = [o for o, reasons in zip(own["service_at_location_id"], own["reasons"], strict=True)
                    if {"code": "nearest"} in reasons]  # fmt: skip
            assert said == ([] if nearest is None else [nearest])


@settings(max_examples=30, deadline=None)
@given(WORLDS)
def test_nobody_is_put_on_a_waiting_list_or_sent_to_who_has_nothing_or_was_not_heard_of(world: World) -> None:
    given_to = world.offers.loc[_run(world).assigned.to_numpy()]
    assert not given_to["capacity_status"].isin({"waitlist", "no_capacity"}).any()
    assert not (given_to["freshness"] == "hidden").any()


def test_a_stale_offer_next_door_comes_after_a_fresh_one_far_away() -> None:
    result = _one_need(offer(freshness="stale"), offer(longitude=43.4))
    assert result.assigned.to_dict() == {1: 102}
    ranks = result.candidates.set_index("service_at_location_id")["rank"].to_dict()
    assert ranks == {101: 2, 102: 1}
    assert "capacity_old" in _codes(result, 1, 101)
    assert "nearest" in _codes(result, 1, 101)
    chosen = result.candidates.set_index("service_at_location_id").loc[102, "reasons"]
    passed = [reason for reason in chosen if reason["code"] == "not_nearest"]
    assert [(p["because"], p["service_at_location_id"]) for p in passed] == [("capacity_old", 101)]


def test_a_stale_offer_is_better_than_none() -> None:
    assert _one_need(offer(freshness="stale")).assigned.to_dict() == {1: 101}


def test_one_more_need_served_by_a_stale_offer_goes_before_keeping_to_fresh_ones() -> None:
    rows = needs_frame([need(), need(longitude=43.2)])
    frame = offers_frame([offer(free_slots=1), offer(free_slots=1, freshness="stale")])
    result = _run(World(rows, frame, (), Even(1)))
    assert sorted(result.assigned.tolist()) == [101, 102]


def test_a_waiting_list_is_an_option_that_says_so_and_is_given_to_nobody() -> None:
    near_list = offer(capacity_status="waitlist", free_slots=0)
    result = _one_need(near_list, offer(longitude=43.4))
    assert result.assigned.to_dict() == {1: 102}
    assert "waiting_list" in _codes(result, 1, 101)
    passed = [r for r in result.candidates.set_index("service_at_location_id").loc[102, "reasons"]
              if r["code"] == "not_nearest"]  # fmt: skip
    assert passed[0]["because"] == "waiting_list"
    alone = _one_need(near_list)
    assert alone.assigned.empty
    assert alone.unmet.loc[1, "reason"] == "waiting_list_only"
    assert alone.unmet.loc[1, "details"] == [{"code": "waiting_list", "count": 1}]
    assert alone.candidates.loc[0, "status"] == "option"


def test_taken_slots_are_told_from_waiting_lists() -> None:
    frame = offers_frame([offer(free_slots=1), offer(capacity_status="waitlist")])
    result = _run(World(needs_frame([need(urgency="emergency"), need()]), frame, (), Even(1)))
    assert result.assigned.to_dict() == {1: 101}
    assert result.unmet.loc[2, "reason"] == "no_slot"
    assert result.unmet.loc[2, "details"] == [
        {"code": "slots_taken", "count": 1},
        {"code": "waiting_list", "count": 1},
    ]


def test_who_assesses_first_is_given_people_and_says_so() -> None:
    result = _one_need(offer(capacity_status="assessment_required"))
    assert result.assigned.to_dict() == {1: 101}
    assert "assessment_first" in _codes(result, 1, 101)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"freshness": "hidden"}, ["capacity_stale"]),
        ({"capacity_status": "no_capacity"}, ["no_capacity_reported"]),
        ({"capacity_status": "no_capacity", "free_slots": 0}, ["no_capacity_reported", "no_slot"]),
        (
            {"capacity_status": "no_capacity", "freshness": "hidden"},
            ["capacity_stale", "no_capacity_reported"],
        ),
        ({"capacity_status": "waitlist", "freshness": "hidden", "free_slots": 0}, ["capacity_stale"]),
    ],
)
def test_a_closed_offer_says_why(changes: dict, codes: list[str]) -> None:
    result = _one_need(offer(**changes))
    assert result.assigned.empty
    assert _codes(result, 1, 101) == codes


def test_many_stale_offers_keep_the_costs_exact() -> None:
    """Five hundred needs of one tier with a goal more still fit the whole numbers of the solver."""
    rng = np.random.default_rng(4)
    offers = [offer(longitude=43.1 + rng.normal(0, 0.4), free_slots=9,
                    freshness=["fresh", "stale"][place % 2], max_minutes=400.0)
              for place in range(60)]  # fmt: skip
    rows = [need(longitude=43.1 + rng.normal(0, 0.4)) for _ in range(500)]
    result = _run(World(needs_frame(rows), offers_frame(offers), (), Even(1)))
    stale = {100 + place + 1 for place in range(60) if place % 2}
    assert len(result.assigned) == 500
    assert result.assigned.isin(stale).sum() == 500 - 30 * 9
