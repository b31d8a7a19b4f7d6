"""The nearest suitable offers by travel, exact, without asking for the travel of every pair.

A k-d tree on the unit sphere gives neighbours in order of straight-line distance. No journey beats its
straight line times the floor, so once that bound for the farthest neighbour seen lies beyond the last
option accepted, no neighbour not yet seen can enter the list. Until then k is doubled for the needs that
are still open.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from referral_engine.travel import Floats, TravelTable

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Nearest:
    """Options by need and rank, arrays of shape (k,): positions of needs and offers, and rank from 1."""

    needs: Places
    offers: Places
    rank: Places


def nearest_options(
    suitable: Bools, caps: Floats, table: TravelTable, count: int, standing: Places
) -> Nearest:
    """Give each need its best ``count`` suitable offers: by standing, then by minutes, then by position.

    ``suitable`` (n, m): masks without the journey. ``caps`` (m,): longest one-way minutes of each offer.
    ``standing`` (m,): all offers of a lower figure come before those of a higher one, however near.
    Needs whose origin is NaN have no options. The travel that was needed stays in ``table``.
    """
    found = np.zeros(len(suitable), dtype=np.intp)
    parts: list[Nearest] = []
    for level in np.unique(standing):
        wanted = suitable & (standing == level)[None, :] & (found < count)[:, None]
        part = _nearest_of_level(wanted, caps, table, count)
        rank = part.rank + found[part.needs]
        kept = rank <= count
        parts.append(Nearest(part.needs[kept], part.offers[kept], rank[kept]))
        found += np.bincount(part.needs[kept], minlength=len(found))
    return _in_order(parts)


def _nearest_of_level(suitable: Bools, caps: Floats, table: TravelTable, count: int) -> Nearest:
    total = suitable.shape[1]
    chosen: list[Nearest] = []
    reach = np.where(suitable, caps[None, :], -np.inf).max(axis=1, initial=-np.inf)
    pending = np.flatnonzero(suitable.any(axis=1) & np.isfinite(table.origins).all(axis=1))
    tree = cKDTree(table.destination_points) if pending.size else None
    width = min(total, 2 * count)
    while tree is not None and pending.size:
        chord, near = _neighbours(tree, table.origin_points[pending], width)
        minutes = _minutes(pending, near, suitable, caps, table)
        order = np.lexsort((near, minutes), axis=1)[:, :count]
        best = np.take_along_axis(minutes, order, axis=1)
        unseen = table.least_minutes(chord[:, -1])
        last = best[:, -1] if best.shape[1] == count else np.full(len(pending), np.inf)
        done = (unseen > last) | (unseen > reach[pending]) | (width == total)
        chosen.append(_accept(pending[done], np.take_along_axis(near, order, axis=1)[done], best[done]))
        pending = pending[~done]
        width = min(total, 2 * width)
    return _in_order(chosen)


def nearest_by_air(table: TravelTable, count: int) -> Bools:
    """Mark the ``count`` nearest offers in a straight line of each need with a known origin: bool (n, m)."""
    shape = table.known.shape
    marked = np.zeros(shape, dtype=bool)
    known = np.flatnonzero(np.isfinite(table.origins).all(axis=1))
    width = min(count, shape[1])
    if known.size and width:
        _, near = _neighbours(cKDTree(table.destination_points), table.origin_points[known], width)
        marked[known[:, None], near] = True
    return marked


def _neighbours(tree: cKDTree, points: Floats, width: int) -> tuple[Floats, Places]:
    chord, near = tree.query(points, k=list(range(1, width + 1)))
    return chord, near.astype(np.intp)


def _minutes(pending: Places, near: Places, suitable: Bools, caps: Floats, table: TravelTable) -> Floats:
    """Give minutes of the neighbours (p, width), inf where unsuitable or beyond the cap."""
    rows = np.broadcast_to(pending[:, None], near.shape)
    fits = suitable[rows, near]
    table.fill(rows[fits], near[fits])
    minutes = np.where(fits, table.minutes[rows, near], np.inf)
    minutes[minutes > caps[near]] = np.inf
    return minutes


def _accept(needs: Places, offers: Places, minutes: Floats) -> Nearest:
    rows, places = np.nonzero(np.isfinite(minutes))
    return Nearest(needs[rows], offers[rows, places], places + 1)


def _in_order(parts: list[Nearest]) -> Nearest:
    if not parts:
        empty = np.empty(0, dtype=np.intp)
        return Nearest(empty, empty, empty)
    needs, offers, rank = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("needs", "offers", "rank")
    )
    order = np.lexsort((rank, needs))
    return Nearest(needs[order], offers[order], rank[order])
