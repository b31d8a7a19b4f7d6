"""The transport problem, solved exactly: each need to one offer within its slots, or to none, at least cost.

Costs are pairs of whole numbers compared first by the high part and then by the low one, so goals of very
different weight are kept in strict order and no rounding enters. Needs are placed one by one along the
cheapest chain of moves (successive shortest paths); the residual graph is contracted onto the offers, since
a move from one offer to another is made by whichever of its needs moves most cheaply. After each placement
the assignment is optimal for the needs so far.
"""

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

FORBIDDEN = np.int64(1) << np.int64(60)
"""High cost of a pair that may not be used."""


def solve(high: Whole, low: Whole, slots: Whole) -> NDArray[np.intp]:
    """Give for each need the offer it gets, (n,), -1 for none.

    ``high`` and ``low`` are (n, m + 1): cost of each pair, the last column that of staying unserved (always
    allowed). ``slots`` (m,). Raises `OverflowError` when a cost is too large for exact sums.
    """
    usable = high < FORBIDDEN
    # A chain visits each column once at most, and a move between two of them costs a difference of two costs.
    largest = int(FORBIDDEN) // (2 * (len(slots) + 2))
    if max(np.abs(high[usable]).max(initial=0), np.abs(low[usable]).max(initial=0)) > largest:
        raise OverflowError("costs are too large for an exact solution")
    residual = _Residual(high, low, np.append(slots, len(high)))
    for need in range(len(high)):
        residual.place(need)
    return np.where(residual.at == len(slots), -1, residual.at)


def _less(high: Whole, low: Whole, than_high: Whole, than_low: Whole) -> NDArray[np.bool_]:
    smaller: NDArray[np.bool_] = (high < than_high) | ((high == than_high) & (low < than_low))
    return smaller


def _least(high: Whole, low: Whole) -> tuple[Whole, Whole, NDArray[np.intp]]:
    """Give the least pair of each column and the row where it stands."""
    best = high.min(axis=0)
    lows = np.where(high == best, low, FORBIDDEN)
    row = lows.argmin(axis=0)
    return best, np.take_along_axis(lows, row[None, :], axis=0)[0], row


class _Residual:
    """The assignment so far, and for every two offers the cheapest need to move from one to the other."""

    def __init__(self, high: Whole, low: Whole, slots: Whole) -> None:
        size = len(slots)
        self.high, self.low, self.slots = high, low, slots
        self.at = np.full(len(high), -1, dtype=np.intp)
        self.load = np.zeros(size, dtype=np.int64)
        self.step_high = np.full((size, size), FORBIDDEN)
        self.step_low = np.zeros((size, size), dtype=np.int64)
        self.mover = np.full((size, size), -1, dtype=np.intp)

    def place(self, need: int) -> None:
        """Bring one need in along the cheapest chain of moves that ends at a free slot."""
        end, came_from = self._cheapest_chain(need)
        touched = [end]
        while came_from[end] >= 0:
            start = came_from[end]
            self.at[self.mover[start, end]] = end
            end = start
            touched.append(end)
        self.at[need] = end
        self.load[touched[0]] += 1
        for offer in touched:
            if (
                self.load[offer] >= self.slots[offer]
            ):  # a chain ends at an offer with a free slot: no step leaves it
                self._renew(offer)

    def _cheapest_chain(self, need: int) -> tuple[int, NDArray[np.intp]]:
        high, low = self.high[need].copy(), self.low[need].copy()
        came_from = np.full(len(high), -1, dtype=np.intp)
        free = self.load < self.slots
        changed = np.ones(len(high), dtype=bool)
        while True:
            end = self._cheapest_free(high, low, free)
            # An optimal assignment has no chain of negative cost, so offers dearer than `end` lead nowhere.
            active = np.flatnonzero(changed & ~free & _less(high, low, high[end], low[end]))
            if not active.size:
                return end, came_from
            via_high = np.minimum(high[active, None] + self.step_high[active], FORBIDDEN)
            via_high[self.step_high[active] == FORBIDDEN] = FORBIDDEN
            new_high, new_low, row = _least(via_high, low[active, None] + self.step_low[active])
            changed = (new_high < FORBIDDEN) & _less(new_high, new_low, high, low)
            high[changed], low[changed] = new_high[changed], new_low[changed]
            came_from[changed] = active[row[changed]]

    @staticmethod
    def _cheapest_free(high: Whole, low: Whole, free: NDArray[np.bool_]) -> int:
        among = np.flatnonzero(free)
        least = among[high[among] == high[among].min()]
        return int(least[low[least].argmin()])

    def _renew(self, offer: int) -> None:
        """Work out again which of the offer's needs moves most cheaply to each other offer."""
        here = np.flatnonzero(self.at == offer)
        high = self.high[here] - self.high[here, offer, None]
        high[self.high[here] == FORBIDDEN] = FORBIDDEN
        low = self.low[here] - self.low[here, offer, None]
        self.step_high[offer], self.step_low[offer], row = _least(high, low)
        self.mover[offer] = here[row]
