"""What a governorate's data files say, as frozen records."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from governorates.capacities import CapacityAges
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

COMPLAINT_CLOCK_STATES = (
    "received",
    "acknowledged",
    "under_review",
    "answered",
    "appealed",
    "appeal_answered",
)
"""Every state of a complaint but the final one (`referral_engine.complaints`)."""

BREACHES = ("remind", "escalate", "reroute", "expire", "monitor")
"""What follows when a clock has run out; `monitor` is that of [[monitoring]] rows and never a failure."""

ESCALATION_ROLES = ("officer", "coordinator", "supervisor")

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
    """One answer of a choice list.

    `fits`: of whom it may be said, `child` or `adult`; empty where of anybody. `by_system`: people are not offered it
    and may not choose it. `with_words`: it needs words beside it.
    """

    code: str
    names: Names
    fits: tuple[str, ...] = ()
    by_system: bool = False
    with_words: bool = False


@dataclass(frozen=True, slots=True)
class Ministry:
    """A ministry, or a body in its place, that owns service categories.

    `asked_apart`: its offices learn of a person only after a yes to a question of its own in the consent.
    """

    code: str
    names: Names
    asked_apart: bool = False


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
    """How many hours a referral of this urgency may stay in a state; `working` skips days off.

    `breach` is one of BREACHES; `escalate_to` the role that is told, at once or after the reminders. `expire_hours`:
    after how long, counted as `hours`, the referral ends although it was reminded of; None: it does not.
    """

    state: str
    urgency: str
    hours: float
    source: str
    working: bool = False
    breach: str = "remind"
    escalate_to: str | None = None
    expire_hours: float | None = None


@dataclass(frozen=True, slots=True)
class DeadlineRules:
    """What holds for every clock: [deadlines] and [[monitoring]] of sop.toml.

    `monitoring` maps a service type to the clock that takes the place of the one of `service_started`.
    """

    reminders: int
    consent_attempts: int
    max_pause_days: Mapping[str, float]
    supervisor_told: tuple[str, ...]
    monitoring: Mapping[str, Clock]


@dataclass(frozen=True, slots=True)
class ComplaintClock:
    """How many hours a complaint may stay in a state; `kind` is empty in the clock of every other kind."""

    state: str
    kind: str
    hours: float
    source: str
    working: bool


@dataclass(frozen=True, slots=True)
class ComplaintProcedure:
    """What differs in complaints from one governorate to the next.

    `hotline` is a number for people who cannot or do not want to write, or None.
    """

    hotline: str | None
    clocks: Mapping[tuple[str, str], ComplaintClock]

    def clock(self, state: str, kind: str) -> ComplaintClock:
        """Return the clock of a state for a kind of complaint; KeyError for a state without one."""
        return self.clocks.get((state, kind)) or self.clocks[state, ""]


@dataclass(frozen=True, slots=True)
class FollowUpClock:
    """Days after a start (`governorates.follow_ups.FOLLOW_UP_STARTS`) on which a person is visited or called.

    `working`: one that falls on a day off waits for the next working day.
    """

    after: str
    urgency: str
    kind: str
    days: tuple[int, ...]
    working: bool
    source: str


@dataclass(frozen=True, slots=True)
class FollowUpAttempts:
    """How often a person who was not reached is tried again, `again_days` working days later each time."""

    most: int
    again_days: int
    source: str


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
class ContactTimes:
    """How and when messages may reach people, in local hours.

    `phone_prefix` is the country's, with its plus. `hours` maps each choice of contact_hours to its first hour
    and the hour at which it is over.
    """

    digest_hour: int
    phone_prefix: str
    hours: Mapping[str, tuple[int, int]]


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
class UnchartedBarrier:
    """A barrier known to be there whose course or crossings nobody has entered yet."""

    code: str
    names: Names
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
    operator: Ministry
    languages: tuple[str, ...]
    language_details: Mapping[str, Language]
    places: Mapping[str, Place]
    children_of: Mapping[str, tuple[Place, ...]]
    ministries: Mapping[str, Ministry]
    categories: Mapping[str, Category]
    service_types: Mapping[str, ServiceType]
    clocks: Mapping[tuple[str, str], Clock]
    follow_ups: Mapping[tuple[str, str], FollowUpClock]
    follow_up_attempts: FollowUpAttempts
    deadline_rules: DeadlineRules
    weekend: tuple[str, ...]
    holidays: tuple[Holiday, ...]
    utc_offset_hours: float
    crossings: tuple[Crossing, ...]
    barriers: tuple[Barrier, ...]
    uncharted: tuple[UnchartedBarrier, ...]
    code_alphabet: str
    code_length: int
    consent: ConsentRules
    offices: tuple[Office, ...]
    capacity_ages: CapacityAges
    task_clocks: Mapping[tuple[str, str], Clock]
    complaints: ComplaintProcedure
    contact: ContactTimes
    offer_clocks: Mapping[tuple[str, str], Clock]

    @property
    def names(self) -> Names:
        """Name of the governorate itself."""
        return self.places[self.pcode].names

    @property
    def default_language(self) -> str:
        """The language of whoever has not chosen one: the first of languages.toml."""
        return self.languages[0]

    @property
    def asked_apart(self) -> Ministry:
        """The one ministry whose offices are asked for apart in the consent."""
        return next(ministry for ministry in self.ministries.values() if ministry.asked_apart)

    def categories_of(self, ministry: str | None) -> tuple[str, ...]:
        """Return the codes of the categories that a ministry owns, in the order of the file."""
        return tuple(code for code, category in self.categories.items() if category.ministry == ministry)

    @property
    def directory_path(self) -> Path:
        """Folder of the sample directory of organizations and services."""
        return self.folder / "directory"

    @property
    def places_path(self) -> Path:
        """The places file, which an import replaces."""
        return self.folder / "places.csv"

    def clock_of(self, state: str, urgency: str, service_type: str) -> Clock:
        """Return the clock of a referral to such a service; KeyError for a state without a clock."""
        monitored = self.deadline_rules.monitoring.get(service_type)
        if monitored is not None and monitored.state == state:
            return monitored
        return self.clocks[state, urgency]

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
