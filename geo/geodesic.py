"""Travel without a road network: great circle times a detour factor, over a bridge where a river parts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geo.rivers import UNSURE, Banks, River
from geo.sphere import great_circle_km
from geo.travel import Points, TravelPairs
from governorates import Crossing, Governorate

DETOUR = 1.35
"""Road over straight-line kilometres. Project default; literature on road networks gives 1.2 to 1.6."""

KMH = 45.0
"""Door-to-door speed by car or minibus, checkpoints included. Project default."""


class GeodesicTravel:
    """Great-circle travel in a governorate; implements `TravelTime`.

    Where a barrier is uncharted, every journey says that the river was not considered.
    `crossings` replaces the governorate's own, for instance with those that are open today.
    `detour` is a factor of at least 1 and `kmh` a speed; ValueError otherwise.
    """

    def __init__(
        self,
        governorate: Governorate,
        *,
        crossings: Sequence[Crossing] | None = None,
        detour: float = DETOUR,
        kmh: float = KMH,
    ) -> None:
        if not (1 <= detour < np.inf and 0 < kmh < np.inf):
            raise ValueError("detour must be at least 1 and kmh more than 0")
        known = governorate.crossings if crossings is None else crossings
        places = tuple(governorate.places.values())
        self._rivers = [River(barrier, known, places) for barrier in governorate.barriers]
        self._is_charted = not governorate.uncharted
        self._detour = detour
        self._minutes_per_km = 60 / kmh

    @property
    def minutes_per_km_floor(self) -> float:
        """Minutes for a great-circle kilometre where nothing lies between; no journey is quicker."""
        return self._detour * self._minutes_per_km

    def pairs(self, origins: Points, destinations: Points) -> TravelPairs:
        """Return the journeys between rows of (k, 2) longitude and latitude.

        Raises ValueError unless both are finite and of the same shape.
        """
        origins, destinations = _checked(origins), _checked(destinations)
        if origins.shape != destinations.shape:
            raise ValueError("origins and destinations must have the same shape")
        straight = great_circle_km(origins, destinations)
        considered = np.full(len(straight), self._is_charted, dtype=np.bool_)
        for river in self._rivers:
            round_way, known = _round(river, origins, destinations)
            straight = np.maximum(straight, round_way)
            considered &= known
        km = straight * self._detour
        return TravelPairs(minutes=km * self._minutes_per_km, km=km, river_considered=considered)


def _checked(points: Points) -> Points:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError("points must be rows of longitude and latitude")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite")
    return points


def _round(river: River, origins: Points, destinations: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Return the kilometres (k,) over a crossing, 0 where none is needed, and whether that is certain.

    Same bank: no crossing. Opposite banks, both points where every crossing is listed: the best open one, or
    no way at all. Opposite banks with one point beyond, the river being met on the listed reach: the best
    open one, but with all of them closed there may be a bridge elsewhere that nobody entered. Otherwise not
    known.
    """
    banks_from, banks_to = river.banks(origins), river.banks(destinations)
    sure = (banks_from != UNSURE) & (banks_to != UNSURE)
    apart = sure & (banks_from != banks_to)
    here, there = river.inside(origins), river.inside(destinations)
    over = apart & here & there
    mixed = np.flatnonzero(apart & (here != there))
    if not river.is_closed:
        over[mixed] = river.crosses_within_bbox(origins[mixed], destinations[mixed])
    km = np.zeros(len(origins))
    km[over] = _over(river, origins, destinations, banks_from, over)
    return km, sure & (over | ~apart)


def _over(
    river: River, origins: Points, destinations: Points, banks: Banks, which: NDArray[np.bool_]
) -> Points:
    return river.over_best_crossing_km(origins[which], destinations[which], banks[which])
