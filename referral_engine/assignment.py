"""Who gets which slot: tiers of urgency in order, inside a tier one exact transport problem a service type.

The goals of a tier, each strictly before the next:

1. most needs served;
2. fewest of them by an offer whose capacity was not confirmed lately (fresh before stale);
3. fewest of them with an unsettled rule (eligible before unknown);
4. least total burden of travel, convex in minutes, so that one very long journey weighs more than two short
   ones;
5. shorter journeys and places for those who wait longer;
6. a tie broken by a hash of seed, need and offer.

An offer that has a waiting list only is given to nobody: that is a person's choice. A tier takes what it needs
before the next is looked at; the slots that are left go on.
"""

import numpy as np
from numpy.typing import NDArray

from referral_engine.blocks import Block
from referral_engine.eligibility import UNKNOWN
from referral_engine.frames import URGENCIES
from referral_engine.transport import FORBIDDEN, Whole, solve
from referral_engine.travel import Floats

UNASSIGNED = -1

_TIE_BITS = 10


def burden(minutes: Floats) -> Whole:
    """Give the burden of one way in tenths: minutes + minutes squared / 60, so that an hour counts double."""
    tenths: Whole = np.rint(10 * (minutes + minutes**2 / 60)).astype(np.int64)
    return tenths


def assign(block: Block, seed: int) -> NDArray[np.intp]:
    """Give for each need of the block the position of the offer it gets, (n,), `UNASSIGNED` for none."""
    given = np.full(len(block.needs), UNASSIGNED, dtype=np.intp)
    slots = np.maximum(block.offers["free_slots"].to_numpy(dtype=np.int64), 0)
    urgency = block.needs["urgency"].to_numpy(dtype=object)
    some_open = block.assignable.any(axis=1)
    for tier in URGENCIES:
        rows = np.flatnonzero((urgency == tier) & some_open)
        if rows.size and slots.any():
            given[rows] = _solve_tier(block, rows, slots, seed)
            slots = slots - np.bincount(given[rows][given[rows] >= 0], minlength=len(slots))
    return given


def _solve_tier(block: Block, rows: NDArray[np.intp], slots: Whole, seed: int) -> NDArray[np.intp]:
    columns = np.flatnonzero((slots > 0) & block.assignable[rows].any(axis=0))
    if not columns.size:
        return np.full(len(rows), UNASSIGNED, dtype=np.intp)
    high, low = _costs(block, rows, columns, seed)
    chosen = solve(high, low, slots[columns])
    return np.where(chosen >= 0, columns[chosen], UNASSIGNED)


def _costs(block: Block, rows: NDArray[np.intp], columns: NDArray[np.intp], seed: int) -> tuple[Whole, Whole]:
    """Pack goals 1 to 4 into the high cost, 5 and 6 into the low one, each weight above all below it."""
    cell = np.ix_(rows, columns)
    usable = block.assignable[cell]
    load = burden(np.where(usable, block.table.minutes[cell], 0))
    heaviest = int(load.max(initial=0)) + 1
    unknown = len(rows) * heaviest
    stale = block.standing[columns] > 0
    old = len(rows) * (unknown + heaviest) if stale.any() else 0
    unserved = len(rows) * (old + unknown + heaviest)
    high = np.full((len(rows), len(columns) + 1), unserved, dtype=np.int64)
    charged = load + unknown * (block.verdicts[cell] == UNKNOWN) + old * stale[None, :]
    high[:, :-1] = np.where(usable, charged, FORBIDDEN)

    since = block.needs["waiting_since"].astype("int64").to_numpy()
    waited = _waiting_weight(since[rows].astype(np.int64))
    low = np.empty_like(high)
    low[:, :-1] = waited[:, None] * load
    low[:, -1] = waited * heaviest
    low *= len(rows) << _TIE_BITS
    ids = (block.needs.index.to_numpy()[rows], block.offers.index.to_numpy()[columns])
    low[:, :-1] += _tie(seed, *ids)
    return high, low


def _waiting_weight(since: Whole) -> Whole:
    """Give 1 to those who came last and one more for each earlier moment."""
    moments, place = np.unique(since, return_inverse=True)
    return len(moments) - place.astype(np.int64)


def _tie(seed: int, need_ids: Whole, offer_ids: Whole) -> Whole:
    """Give (needs, offers) numbers below 2**_TIE_BITS that depend on seed and ids only."""
    mixed = _mix(need_ids.astype(np.uint64) ^ _mix(np.array([seed % 2**64], dtype=np.uint64)))
    return (
        _mix(mixed[:, None] ^ _mix(offer_ids.astype(np.uint64))[None, :]) >> np.uint64(64 - _TIE_BITS)
    ).astype(np.int64)


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit numbers (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
