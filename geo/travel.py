"""The one interface between whatever knows travel times and whoever ranks by them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Shape (k, 2): longitude, latitude in WGS 84 degrees."""


@dataclass(frozen=True, slots=True)
class TravelPairs:
    """One-way journeys, each array of shape (k,).

    `minutes` and `km` are infinite where there is no way. `river_considered` is False where a river may lie
    between and its crossings are not known, so that the journey may be longer than said.
    """

    minutes: NDArray[np.float64]
    km: NDArray[np.float64]
    river_considered: NDArray[np.bool_]


class TravelTime(Protocol):
    """A model of travel."""

    @property
    def minutes_per_km_floor(self) -> float:
        """No journey is quicker than its great-circle kilometres times this."""
        ...

    def pairs(self, origins: Points, destinations: Points) -> TravelPairs:
        """Return the journeys from each origin to the destination in the same row."""
        ...
