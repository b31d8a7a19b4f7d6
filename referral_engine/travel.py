"""Travel as the engine sees it: a function of pairs, asked once a pair, and a floor that it never beats."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""

SPHERE_SLACK = 0.99
"""A great circle may exceed the way on the ellipsoid by up to 0.56 %; the floor is lowered by more."""

ROUNDING_MINUTES = 0.05
"""A travel model may round to a tenth of a minute."""


class Pairs(Protocol):
    """What a travel model answers for k pairs, arrays of shape (k,); minutes inf where there is no way."""

    @property
    def minutes(self) -> Floats: ...  # noqa: D102
    @property
    def km(self) -> Floats: ...  # noqa: D102
    @property
    def river_considered(self) -> NDArray[np.bool_]: ...  # noqa: D102


Travel = Callable[[Floats, Floats], Pairs]
"""origins (k, 2) and destinations (k, 2) in degrees (longitude, latitude) -> `Pairs`."""


class TravelError(ValueError):
    """The travel model broke its contract: wrong shape, or a journey quicker than the stated floor allows."""

    code = "bad_travel"


def unit_sphere(degrees: Floats) -> Floats:
    """Turn (k, 2) longitude, latitude in degrees into (k, 3) points on the unit sphere; NaN stays NaN."""
    longitude, latitude = np.radians(degrees).T
    return np.column_stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )


def chord_km(chord: Floats) -> Floats:
    """Turn chords of the unit sphere into great-circle kilometres."""
    kilometres: Floats = 2 * EARTH_KM * np.arcsin(np.clip(chord / 2, 0, 1))
    return kilometres


class TravelTable:
    """Travel between the needs and offers of one block, asked lazily and never twice for a pair.

    ``origins`` (n, 2) and ``destinations`` (m, 2) in degrees. ``minutes``, ``km`` and ``river`` are (n, m)
    and hold answers where ``known``.
    """

    def __init__(
        self, travel: Travel, origins: Floats, destinations: Floats, floor_minutes_per_km: float
    ) -> None:
        self._travel = travel
        self._floor = floor_minutes_per_km
        self.origins = origins
        self.destinations = destinations
        self.origin_points = unit_sphere(origins)
        self.destination_points = unit_sphere(destinations)
        shape = (len(origins), len(destinations))
        self.minutes = np.full(shape, np.nan)
        self.km = np.full(shape, np.nan)
        self.river = np.zeros(shape, dtype=bool)
        self.known = np.zeros(shape, dtype=bool)

    def least_minutes(self, chord: Floats) -> Floats:
        """Give the minutes that no journey between points so far apart (chords of the sphere) can beat."""
        bound: Floats = chord_km(chord) * self._floor * SPHERE_SLACK - ROUNDING_MINUTES
        return bound

    def least_minutes_of_all(self) -> Floats:
        """Give the bound of every pair, (n, m); NaN where the origin is unknown."""
        squared = 2 - 2 * self.origin_points @ self.destination_points.T
        return self.least_minutes(np.sqrt(np.maximum(squared, 0)))

    def fill(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
        """Ask the model for those of the pairs that are not known yet; raises `TravelError`."""
        fresh = np.zeros(self.known.shape, dtype=bool)
        fresh[rows, columns] = True
        rows, columns = np.nonzero(fresh & ~self.known)
        if not rows.size:
            return
        answer = self._travel(self.origins[rows], self.destinations[columns])
        minutes = np.asarray(answer.minutes, dtype=np.float64)
        if minutes.shape != rows.shape:
            raise TravelError(f"expected minutes of shape {rows.shape}, got {minutes.shape}")
        chord = np.linalg.norm(self.origin_points[rows] - self.destination_points[columns], axis=1)
        if np.isnan(minutes).any() or (minutes < self.least_minutes(chord)).any():
            raise TravelError(
                f"a journey is NaN or quicker than {self._floor} minutes a kilometre in a straight line"
            )
        self.minutes[rows, columns] = minutes
        self.km[rows, columns] = answer.km
        self.river[rows, columns] = answer.river_considered
        self.known[rows, columns] = True
