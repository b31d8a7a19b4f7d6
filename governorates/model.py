"""What a governorate's data files say, as frozen records."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from governorates.consent_rules import ConsentRules
from governorates.languages import Names

PLACE_LEVELS = ("governorate", "district", "subdistrict", "town", "neighbourhood", "camp", "village")
"""From the whole to its parts; the last four lie side by side in a sub-district."""

POPULATED_LEVELS = PLACE_LEVELS[3:]
"""Levels whose point is where people live. The point of an upper level is only a label on a map."""

DIMENSIONS = ("economic", "social", "psychosocial", "protection")
URGENCIES = ("emergency", "urgent", "normal")
CLOCK_STATES = (
    "draft",
    "proposed",
    "approved",
    "awaiting_consent",
    "sent",
    "acknowledged",
    "info_requested",
    "waitlisted",
    "accepted",
    "service_started",
    "service_delivered",
    "confirmed",
    "disputed",
)
"""States in which somebody owes the next step (`referral_engine.sop.LIVE`), so that each needs a clock."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in WGS 84 degrees; `bank` is east, west or unknown beside a barrier, else empty."""

    pcode: str
    level: str
    parent_pcode: str | None
    names: Names
    latitude: float
    longitude: float
    bank: str
    source: str
    legacy_pcode: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a choice list."""

    code: str
    names: Names


@dataclass(frozen=True, slots=True)
class Ministry:
    """A ministry that owns service categories."""

    code: str
    names: Names


@dataclass(frozen=True, slots=True)
class Category:
    """A category of services, its dimension of reintegration and the ministry that owns it."""

    code: str
    dimension: str
    ministry: str
    names: Names


@dataclass(frozen=True, slots=True)
class ServiceType:
    """A type of service; `max_minutes` is the longest one-way journey at which it is within reach."""

    code: str
    category: str
    max_minutes: int
    names: Names


@dataclass(frozen=True, slots=True)
class Clock:
    """How many hours a referral of this urgency may stay in a state; `working` skips days off."""

    state: str
    urgency: str
    hours: float
    source: str
    working: bool = False


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day off, each year where `year` is None."""

    month: int
    day: int
    year: int | None
    names: Names

    def falls_on(self, day: dt.date) -> bool:
        """Tell whether this holiday is `day`."""
        return (self.month, self.day) == (day.month, day.day) and self.year in (None, day.year)


@dataclass(frozen=True, slots=True)
class Language:
    """A language offered here; `reviewed` says whether a native reader has seen its texts."""

    code: str
    direction: str
    reviewed: bool
    names: Names


@dataclass(frozen=True, slots=True)
class Crossing:
    """A bridge or ferry over a barrier: midpoint and both ends, (longitude, latitude)."""

    code: str
    barrier: str
    names: Names
    midpoint: tuple[float, float]
    west: tuple[float, float]
    east: tuple[float, float]
    open: bool
    source: str


@dataclass(frozen=True, slots=True)
class Barrier:
    """A line that journeys cross only at crossings.

    `line` holds (longitude, latitude) downstream. Vertices `exact[0]` to `exact[1]` are right within
    `exact_uncertainty_km`, the others within `uncertainty_km`. In `complete_bbox` (west, south, east,
    north) every crossing is known.
    """

    code: str
    names: Names
    line: tuple[tuple[float, float], ...]
    complete_bbox: tuple[float, float, float, float]
    uncertainty_km: float
    exact: tuple[int, int]
    exact_uncertainty_km: float
    source: str


@dataclass(frozen=True, slots=True)
class Office:
    """An office that receives people, and the districts (P-codes) it serves."""

    code: str
    names: Names
    districts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Governorate:
    """Everything that differs from one governorate to the next; compared by identity."""

    code: str
    pcode: str
    folder: Path
    languages: tuple[str, ...]
    language_details: Mapping[str, Language]
    places: Mapping[str, Place]
    children_of: Mapping[str, tuple[Place, ...]]
    ministries: Mapping[str, Ministry]
    categories: Mapping[str, Category]
    service_types: Mapping[str, ServiceType]
    clocks: Mapping[tuple[str, str], Clock]
    weekend: tuple[str, ...]
    holidays: tuple[Holiday, ...]
    utc_offset_hours: float
    crossings: tuple[Crossing, ...]
    barriers: tuple[Barrier, ...]
    code_alphabet: str
    code_length: int
    consent: ConsentRules
    offices: tuple[Office, ...]

    @property
    def names(self) -> Names:
        """Name of the governorate itself."""
        return self.places[self.pcode].names

    @property
    def directory_path(self) -> Path:
        """Folder of the sample directory of organizations and services."""
        return self.folder / "directory"

    @property
    def places_path(self) -> Path:
        """The places file, which an import replaces."""
        return self.folder / "places.csv"

    def ancestors(self, pcode: str) -> tuple[str, ...]:
        """Return `pcode`, its parent and so on up to its governorate; KeyError for an unknown code."""
        chain = []
        step: str | None = pcode
        while step is not None:
            chain.append(step)
            step = self.places[step].parent_pcode
        return tuple(chain)

    def ancestor_at(self, pcode: str, level: str) -> str | None:
        """Return the code of the `level` in which the place lies (itself included), or None."""
        return next((code for code in self.ancestors(pcode) if self.places[code].level == level), None)

    def children(self, pcode: str) -> tuple[Place, ...]:
        """Return the places directly inside, in the order of the file."""
        return self.children_of.get(pcode, ())

    def populated(self, pcode: str) -> tuple[Place, ...]:
        """Return the towns, quarters, camps and villages at or anywhere below a place."""
        place = self.places[pcode]
        if place.level in POPULATED_LEVELS:
            return (place,)
        return tuple(found for child in self.children(pcode) for found in self.populated(child.pcode))

    def level_of(self, pcode: str) -> str:
        """Return the level of a place; KeyError for an unknown code."""
        return self.places[pcode].level

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the governorate's populated places."""
        found = self.populated(self.pcode)
        longitudes = [place.longitude for place in found]
        latitudes = [place.latitude for place in found]
        return min(longitudes), min(latitudes), max(longitudes), max(latitudes)
