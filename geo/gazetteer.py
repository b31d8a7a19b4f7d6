"""Looking places up by code, by name and by point, and what a declared place says about where a home is."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from geo.sphere import great_circle_km
from geo.travel import Points
from governorates import PLACE_LEVELS, POPULATED_LEVELS, Governorate, Place, fold

OWN_RADIUS_KM = {"town": 2.0, "neighbourhood": 0.7, "camp": 0.7, "village": 1.0}
"""How far a home may lie from the point of its place. Project defaults; a town with quarters is measured."""

LEAST_AREA_RADIUS_KM = 5.0
LEAST_ALLOWANCE_KM = 5.0
LONE_PLACE_ALLOWANCE_KM = 15.0
"""A sub-district with one listed place surely has homes farther out that no list names."""

WIDEST_SHARE = 90
"""Radius of an area: that within which this per cent of its populated places lie."""

BASIS_PLACE, BASIS_AREA, BASIS_LABEL = "place", "area_median", "area_label"


class ResidencePoint(NamedTuple):
    """Where a home in a place is taken to be: degrees, radius of doubt and what it rests on.

    `basis` is `place` (its own point), `area_median` (median of the populated places in the area) or
    `area_label` (nothing known inside the area but its label on a map).
    """

    longitude: float
    latitude: float
    radius_km: float
    basis: str


class Gazetteer:
    """Places of a governorate, for look-ups."""

    def __init__(self, governorate: Governorate) -> None:
        self._governorate = governorate
        self._legacy = {
            place.legacy_pcode: place for place in governorate.places.values() if place.legacy_pcode
        }
        self._populated = [p for p in governorate.places.values() if p.level in POPULATED_LEVELS]
        self._populated_points = _points(self._populated)
        self._measured: dict[str, ResidencePoint] = {}
        self._allowed: dict[str, tuple[Points, float]] = {}

    @cached_property
    def _folded(self) -> list[tuple[Place, dict[str, str]]]:
        """What a search compares; who only looks codes up does without it."""
        return [
            (place, {language: _search_key(name) for language, name in place.names.items()})
            for place in self._governorate.places.values()
        ]

    def find(self, pcode: str) -> Place | None:
        """Return the place of a code, or of an older OCHA code (IQ-P...), or None."""
        return self._governorate.places.get(pcode) or self._legacy.get(pcode)

    def search(self, text: str, language: str = "ar", limit: int = 10) -> tuple[Place, ...]:
        """Return places whose name in any language matches, the best first.

        Whole names before beginnings, beginnings before the rest; then names in `language`, then larger
        places. Spelling variants of Arabic and Kurdish letters and the article count as equal.
        """
        wanted = _search_key(text)
        if not wanted:
            return ()
        ranked = []
        for order, (place, names) in enumerate(self._folded):
            matches = [
                (closeness, code != language)
                for code, name in names.items()
                if (closeness := _closeness(wanted, name)) is not None
            ]
            if matches:
                ranked.append((*min(matches), PLACE_LEVELS.index(place.level), order, place))
        ranked.sort(key=lambda found: found[:-1])
        return tuple(found[-1] for found in ranked[:limit])

    def residence_point(self, pcode: str) -> ResidencePoint:
        """Return where a home declared in this place is taken to be; KeyError for an unknown code."""
        if pcode not in self._measured:
            self._measured[pcode] = self._measure(self._governorate.places[pcode])
        return self._measured[pcode]

    def _measure(self, place: Place) -> ResidencePoint:
        if place.level in POPULATED_LEVELS:
            radius = max(OWN_RADIUS_KM[place.level], self._quarters_radius_km(place))
            return ResidencePoint(place.longitude, place.latitude, radius, BASIS_PLACE)
        inside = self._governorate.populated(place.pcode)
        if not inside:
            radius = self._label_reach_km(place)
            return ResidencePoint(place.longitude, place.latitude, radius, BASIS_LABEL)
        points = _points(inside)
        middle = np.median(points, axis=0)
        spread = float(np.percentile(great_circle_km(points, middle), WIDEST_SHARE))
        return ResidencePoint(
            float(middle[0]), float(middle[1]), max(spread, LEAST_AREA_RADIUS_KM), BASIS_AREA
        )

    def _quarters_radius_km(self, place: Place) -> float:
        """Return how far a town's quarters reach: quarters of its sub-district nearest to this town."""
        if place.level != "town" or place.parent_pcode is None:
            return 0.0
        beside = self._governorate.children(place.parent_pcode)
        quarters = _points([other for other in beside if other.level == "neighbourhood"])
        towns = [other for other in beside if other.level == "town"]
        if not len(quarters):
            return 0.0
        distances = great_circle_km(quarters[:, None], _points(towns)[None])
        own = towns.index(place)
        mine = distances[distances.argmin(axis=1) == own, own]
        return float(np.percentile(mine, WIDEST_SHARE)) if len(mine) else 0.0

    def _label_reach_km(self, place: Place) -> float:
        """Return a radius for an area of which only the label is known: the third nearest label beside it."""
        inside = self._governorate.children(place.pcode)
        if inside:
            label = _points([place])
            reach = [self._label_reach_km(child) for child in inside]
            return float((great_circle_km(_points(inside), label) + reach).max())
        alike = [p for p in self._governorate.places.values() if p.level == place.level and p is not place]
        distances = np.sort(great_circle_km(_points(alike), _points([place])))
        return float(distances[min(2, len(distances) - 1)])

    def nearest_place(self, longitude: float, latitude: float) -> tuple[Place, float]:
        """Return the nearest populated place of the governorate and the kilometres to it."""
        distances = great_circle_km(self._populated_points, np.array([longitude, latitude]))
        nearest = int(distances.argmin())
        return self._populated[nearest], float(distances[nearest])

    def is_far_outside(self, longitude: float, latitude: float, pcode: str) -> float | None:
        """Return by how many kilometres a point lies beyond what a declared place allows, or None.

        Measured from the nearest populated place of the sub-district (or upper level) in question, minus how
        thinly its places are strewn. KeyError for an unknown code.
        """
        area = self._governorate.ancestor_at(pcode, "subdistrict") or pcode
        if area not in self._allowed:
            self._allowed[area] = self._known_points(area)
        points, allowance = self._allowed[area]
        point = np.array([longitude, latitude])
        beyond = float(great_circle_km(points, point).min()) - allowance
        return beyond if beyond > 0 else None

    def _known_points(self, area: str) -> tuple[Points, float]:
        """Return the points known in an area, and how far from them a home may be."""
        inside = self._governorate.populated(area)
        if inside:
            points = _points(inside)
            return points, _allowance_km(points)
        label = self._governorate.places[area]
        return _points([label]), self._label_reach_km(label)


def _points(places: Sequence[Place]) -> Points:
    return np.array([(place.longitude, place.latitude) for place in places]).reshape(-1, 2)


def _allowance_km(points: Points) -> float:
    """Return how far a home may be from the nearest listed place: twice the wide gaps between places."""
    if len(points) == 1:
        return LONE_PLACE_ALLOWANCE_KM
    distances = great_circle_km(points[:, None], points[None])
    np.fill_diagonal(distances, np.inf)
    return max(LEAST_ALLOWANCE_KM, 2 * float(np.percentile(distances.min(axis=1), WIDEST_SHARE)))


def _search_key(name: str) -> str:
    """Return a folded name without the article, written ال or Al."""
    words = [word for word in fold(name).split() if word not in ("al", "ال")]
    return " ".join(word.removeprefix("ال") if len(word) > 4 else word for word in words)


def _closeness(wanted: str, name: str) -> int | None:
    """Return 0 for the whole name, 1 its beginning, 2 the beginning of a word in it, 3 within, None not."""
    if name == wanted:
        return 0
    if name.startswith(wanted):
        return 1
    if f" {wanted}" in name:
        return 2
    return 3 if wanted in name else None
