"""The nearest options equal brute force, and the travel model is asked sparingly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_engine.candidates import nearest_by_air, nearest_options
from referral_engine.travel import TravelError, TravelTable
from tests.unit.referral_engine.worlds import FLOOR, CrookedTravel, straight_km


def all_fresh(count: int) -> np.ndarray:
    return np.zeros(count, dtype=np.intp)


def _points(rng: np.random.Generator, count: int, spread: float, grid: bool) -> np.ndarray:
    points = rng.normal([43.1, 36.3], spread, size=(count, 2))
    return np.round(points, 1) if grid else points


def _brute_force(
    suitable, caps, travel, *, origins, destinations, count, standing
) -> list[tuple[int, int, int]]:
    best = []
    for need, origin in enumerate(origins):
        minutes = travel(np.repeat(origin[None], len(destinations), 0), destinations).minutes
        fits = [
            (standing[o], m, o)
            for o, m in enumerate(minutes)
            if suitable[need, o] and m <= caps[o] and np.isfinite(m)
        ]
        best += [(need, o, rank) for rank, (*_, o) in enumerate(sorted(fits)[:count], 1)]
    return best


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    needs=st.integers(1, 12),
    offers=st.integers(1, 60),
    count=st.integers(1, 6),
    share=st.sampled_from([0.05, 0.5, 1.0]),
    grid=st.booleans(),
    rounding=st.sampled_from([None, 1]),
    levels=st.integers(1, 4),
)
def test_nearest_options__equals_brute_force(
    *, seed, needs, offers, count, share, grid, rounding, levels
) -> None:
    rng = np.random.default_rng(seed)
    origins, destinations = _points(rng, needs, 0.3, grid), _points(rng, offers, 0.3, grid)
    suitable = rng.random((needs, offers)) < share
    caps = rng.choice([20.0, 60.0, 500.0, np.inf], size=offers)
    travel = CrookedTravel(seed % 1000, blocked=0.2, rounding=rounding)
    standing = rng.integers(0, levels, size=offers)
    table = TravelTable(travel, origins, destinations, FLOOR)
    found = nearest_options(suitable, caps, table, count, standing)
    expected = _brute_force(
        suitable,
        caps,
        travel,
        origins=origins,
        destinations=destinations,
        count=count,
        standing=standing,
    )
    assert list(zip(found.needs, found.offers, found.rank, strict=True)) == expected


def test_nearest_options__asks_for_a_small_part_of_the_pairs() -> None:
    rng = np.random.default_rng(3)
    origins, destinations = _points(rng, 200, 1.0, False), _points(rng, 1500, 1.0, False)
    travel = CrookedTravel(3)
    table = TravelTable(travel, origins, destinations, FLOOR)
    found = nearest_options(np.ones((200, 1500), dtype=bool), np.full(1500, 600.0), table, 5, all_fresh(1500))
    assert len(found.needs) == 1000
    assert travel.asked == table.known.sum() < 0.2 * table.known.size


def test_nearest_options__passes_over_a_need_without_a_point() -> None:
    origins = np.array([[np.nan, np.nan], [43.1, 36.3]])
    table = TravelTable(CrookedTravel(1), origins, np.array([[43.1, 36.3]]), FLOOR)
    found = nearest_options(np.ones((2, 1), dtype=bool), np.array([60.0]), table, 3, all_fresh(1))
    assert found.needs.tolist() == [1]


def test_a_journey_quicker_than_the_floor_is_refused() -> None:
    origins, destinations = np.array([[43.1, 36.3]]), np.array([[43.6, 36.3]])
    table = TravelTable(CrookedTravel(1), origins, destinations, floor_minutes_per_km=9.0)
    with pytest.raises(TravelError, match="quicker than"):
        table.fill(np.array([0]), np.array([0]))


def test_a_pair_is_never_asked_twice() -> None:
    rng = np.random.default_rng(5)
    travel = CrookedTravel(5)
    table = TravelTable(travel, _points(rng, 4, 0.3, False), _points(rng, 3, 0.3, False), FLOOR)
    table.fill(np.array([0, 0, 1]), np.array([0, 0, 2]))
    assert travel.asked == 2
    table.fill(*np.nonzero(np.ones((4, 3))))
    assert travel.asked == 12


def test_nearest_by_air__marks_the_nearest_in_a_straight_line() -> None:
    rng = np.random.default_rng(8)
    origins, destinations = _points(rng, 20, 0.5, False), _points(rng, 30, 0.5, False)
    marked = nearest_by_air(TravelTable(CrookedTravel(1), origins, destinations, FLOOR), 7)
    for origin, row in zip(origins, marked, strict=True):
        km = straight_km(np.repeat(origin[None], 30, 0), destinations)
        assert set(np.flatnonzero(row)) == set(np.argsort(km)[:7])
