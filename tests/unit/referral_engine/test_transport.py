"""The transport solver equals enumeration and scipy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_engine.transport import FORBIDDEN, solve
from tests.unit.referral_engine.oracle import least_cost

UNSERVED = 10_000


def _problem(seed: int, needs: int, offers: int, top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    high = rng.integers(0, top, (needs, offers + 1))
    high[rng.random(high.shape) < 0.3] = FORBIDDEN
    high[:, -1] = UNSERVED
    return high, rng.integers(0, 5, high.shape), rng.integers(0, 3, offers)


def _total(high: np.ndarray, low: np.ndarray, columns: tuple[int, ...]) -> tuple[int, int]:
    rows = range(len(columns))
    return sum(int(high[r, c]) for r, c in zip(rows, columns, strict=True)), sum(
        int(low[r, c]) for r, c in zip(rows, columns, strict=True)
    )


def _enumerate(high: np.ndarray, low: np.ndarray, slots: np.ndarray) -> tuple[int, int]:
    needs, columns = high.shape
    allowed = (
        chosen
        for chosen in itertools.product(range(columns), repeat=needs)
        if all(chosen.count(offer) <= slots[offer] for offer in range(columns - 1))
    )
    return min(_total(high, low, chosen) for chosen in allowed)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 3), st.sampled_from([2, 4, 100]))
def test_solve__both_costs_equal_those_of_complete_enumeration(seed, needs, offers, top) -> None:
    high, low, slots = _problem(seed, needs, offers, top)
    given_offers = solve(high, low, slots)
    columns = tuple(int(offer) if offer >= 0 else offers for offer in given_offers)
    assert _total(high, low, columns) == _enumerate(high, low, slots)
    assert (np.bincount(given_offers[given_offers >= 0], minlength=offers) <= slots).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_solve__first_cost_equals_scipy_on_larger_problems(seed) -> None:
    high, low, _ = _problem(seed, 60, 12, 300)
    slots = np.random.default_rng(seed).integers(0, 7, 12)
    columns = solve(high, low, slots)
    mine = int(high[np.arange(60), columns].sum())
    usable = high[:, :-1] < FORBIDDEN
    assert mine == least_cost(high[:, :-1], usable, slots, UNSERVED)


def test_solve__moves_an_earlier_need_on_to_make_room() -> None:
    high = np.array([[1, 2, UNSERVED], [1, FORBIDDEN, UNSERVED]])
    assert solve(high, np.zeros_like(high), np.array([1, 1])).tolist() == [1, 0]


def test_solve__moves_an_earlier_need_on_for_the_low_cost_alone() -> None:
    high = np.array([[0, FORBIDDEN, 0, UNSERVED], [5, 5, FORBIDDEN, UNSERVED]])
    low = np.array([[0, 0, 0, 0], [0, 9, 0, 0]])
    assert solve(high, low, np.array([1, 1, 1])).tolist() == [2, 0]


def test_solve__refuses_costs_that_could_not_be_added_exactly() -> None:
    high = np.array([[int(FORBIDDEN) // 4, 0]])
    with pytest.raises(OverflowError):
        solve(high, np.zeros_like(high), np.array([1]))
