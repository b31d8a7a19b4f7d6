"""One block a service type: its needs, its offers, what stands between them, and the travel asked for.

Slots belong to a service at a location, which has one service type, so blocks share nothing and are solved
apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from referral_engine.candidates import Nearest, Places, nearest_by_air, nearest_options
from referral_engine.eligibility import CompiledRules, Verdicts
from referral_engine.masks import Bits, Bools, capacity_is, hard_masks, standing
from referral_engine.reasons import Exclusion
from referral_engine.travel import Floats, Travel, TravelTable

_SET_BY_OTHERS = np.uint16(
    Exclusion.DECLINED_BEFORE.bit
    | Exclusion.CAPACITY_STALE.bit
    | Exclusion.NO_CAPACITY_REPORTED.bit
    | Exclusion.NO_SLOT.bit
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the answer is kept: options a need, and offers whose exclusion is recorded a need."""

    options: int
    exclusions: int


@dataclass(frozen=True, slots=True)
class Block:
    """Needs (n) and offers (m) of one service type. ``bits`` (n, m): zero where an offer is open to a need.

    ``places`` (n,): positions of the needs in the whole needs frame. ``recorded`` (n, m): offers whose
    exclusion the result explains. ``standing`` (m,): the order of offers before minutes count
    (`referral_engine.masks.standing`).
    """

    needs: pd.DataFrame
    offers: pd.DataFrame
    places: NDArray[np.intp]
    verdicts: Verdicts
    bits: Bits
    table: TravelTable
    nearest: Nearest
    recorded: Bools
    standing: Places

    @property
    def open(self) -> Bools:
        """Bool (n, m): the offer passes every hard condition for the need; the minutes are known."""
        opened: Bools = self.bits == 0
        return opened

    @property
    def assignable(self) -> Bools:
        """Bool (n, m): open, and the offer gives places, not only a waiting list."""
        return self.open & ~capacity_is(self.offers, "waitlist")[None, :]


def blocks(
    needs: pd.DataFrame,
    offers: pd.DataFrame,
    rules: CompiledRules,
    *,
    travel: Travel,
    floor_minutes_per_km: float,
    limits: Limits,
) -> Iterator[Block]:
    """Yield a block for each service type that somebody needs, in order of its code; offers may be none."""
    need_types = needs["service_type"].to_numpy(dtype=object)
    offer_types = offers["service_type"].to_numpy(dtype=object)
    for service_type in sorted(set(need_types)):
        places = np.flatnonzero(need_types == service_type)
        yield _block(
            needs.iloc[places],
            offers[offer_types == service_type],
            places,
            rules,
            travel=travel,
            floor=floor_minutes_per_km,
            limits=limits,
        )


def _block(
    needs: pd.DataFrame,
    offers: pd.DataFrame,
    places: NDArray[np.intp],
    rules: CompiledRules,
    *,
    travel: Travel,
    floor: float,
    limits: Limits,
) -> Block:
    verdicts = rules.verdicts(offers["service_id"].to_numpy(dtype=np.int64), places)
    bits = hard_masks(needs, offers, verdicts)
    caps = offers["max_minutes"].to_numpy(dtype=np.float64)
    table = TravelTable(travel, _degrees(needs), _degrees(offers), floor)
    order = standing(offers)
    nearest = nearest_options(bits == 0, caps, table, limits.options, order)
    recorded = nearest_by_air(table, limits.exclusions)
    bits |= _journey_bits(bits, caps, table, recorded)
    return Block(needs, offers, places, verdicts, bits, table, nearest, recorded, order)


def _journey_bits(bits: Bits, caps: Floats, table: TravelTable, recorded: Bools) -> Bits:
    """Ask for the travel of the recorded pairs and of those that only the journey or others could close."""
    located = np.isfinite(table.origins).all(axis=1).reshape(-1, 1)
    beyond: Bools = table.least_minutes_of_all() > caps[None, :]
    asked = ((bits & ~_SET_BY_OTHERS) == 0) & located & ~beyond
    table.fill(*np.nonzero(asked | recorded))
    no_way = np.isinf(table.minutes) | ~located
    too_far = np.where(table.known, (table.minutes > caps[None, :]) & ~no_way, beyond)
    marks = np.where(no_way, Exclusion.UNREACHABLE.bit, 0) | np.where(too_far, Exclusion.TOO_FAR.bit, 0)
    return marks.astype(np.uint16)


def _degrees(frame: pd.DataFrame) -> Floats:
    return frame[["longitude", "latitude"]].to_numpy(dtype=np.float64)
