"""The directory of services of a governorate: who offers what, where, to whom and for how many.

The five CSV files of `governorates/<code>/directory/` are an invented sample for demonstrations and tests.
`read_directory` checks everything before it returns anything, and complains about all faults at once, so that
whoever edits the files by hand mends them in one round.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from governorates.choices import KIND_ASKED_APART, choice_codes
from governorates.directory_rows import (
    Directory,
    EligibilityRow,
    LocationRow,
    OrganizationRow,
    ServiceAtLocationRow,
    ServiceRow,
)
from governorates.errors import GovernorateDataError
from governorates.languages import LANGUAGES, Names
from governorates.model import POPULATED_LEVELS, Governorate, Place
from governorates.tables import Row, read_csv

STATE_PROGRAMME = "state_programme"

AREA_LEVELS = ("governorate", "district", "subdistrict")
"""Levels in which an area of service is told: everybody who lives below is covered."""

FARTHEST_KM = 5.0
"""A location farther than this from the point of its own town, quarter or camp is taken for a slip."""

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG

_CODE = re.compile(r"[a-z][a-z0-9_]*")
_NAMES = tuple(f"name_{language}" for language in LANGUAGES)
_DATES = ("intake_start", "intake_end", "assured_date")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "organizations.csv": ("code", "kind", "ministry", *_NAMES),
    "locations.csv": ("code", "organization", "place", *_NAMES, "latitude", "longitude", "confidential"),
    "services.csv": ("code", "organization", "service_type", *_NAMES, "languages"),
    "service_at_locations.csv": ("service", "location", "area", "slots", *_DATES),
    "eligibility.csv": ("service", "attribute", "operator", "values", *_NAMES),
}

NUMBER, CHOICE, FLAG, SEVERAL = "number", "choice", "flag", "several"
OPERATORS: Mapping[str, tuple[str, ...]] = {
    NUMBER: ("between",),
    CHOICE: ("in", "not_in"),
    FLAG: ("is_true", "is_false"),
    SEVERAL: ("has_all", "has_any"),
}
"""Operators by the kind of attribute that they suit."""

ATTRIBUTES: Mapping[str, tuple[str, str | None]] = {
    "age": (NUMBER, None),
    "months_since_return": (NUMBER, None),
    "household_size": (NUMBER, None),
    "female_headed": (FLAG, None),
    "disability": (FLAG, None),
    "documents": (SEVERAL, "document"),
    "languages": (SEVERAL, "language"),
    "sex": (CHOICE, "sex"),
    "displacement_status": (CHOICE, "displacement_status"),
    "housing_damage": (CHOICE, "housing_damage"),
    "tenure": (CHOICE, "tenure"),
    "education_level": (CHOICE, "education_level"),
    "work_status": (CHOICE, "work_status"),
}
"""What a rule may ask about: kind of attribute, and the choice list of its values."""

NEVER_ASKED = frozenset(
    {"affiliation", "perceived_affiliation", "ethnicity", "religion", "sect", "tribe", "security_status"}
)
"""Attributes that no rule may use, so that the refusal says why rather than "unknown"."""


class DirectoryError(ValueError):
    """The files of a directory are wrong; `problems` holds every fault found, in the order of the files."""

    def __init__(self, problems: Iterable[GovernorateDataError]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


_Record = TypeVar("_Record")
_Coded = TypeVar("_Coded", OrganizationRow, LocationRow, ServiceRow)


class _Line:
    """A row under examination: each look-up notes what is wrong and returns something to go on with."""

    def __init__(self, row: Row, problems: list[GovernorateDataError]) -> None:
        self._row = row
        self._problems = problems

    def complain(self, problem: str) -> None:
        self._problems.append(self._row.error(problem))

    def raw(self, column: str) -> str:
        return str(self._row.values[column]).strip()

    def code(self, column: str = "code") -> str:
        found = self.raw(column)
        if not _CODE.fullmatch(found):
            self.complain(f"{column} {found!r} is no code of lower-case letters, digits and underscores")
        return found

    def one_of(self, column: str, allowed: Collection[str], what: str) -> str:
        found = self.raw(column)
        if found not in allowed:
            self.complain(f"{column} {found!r} is no {what}")
        return found

    def several_of(self, column: str, allowed: Collection[str], what: str) -> tuple[str, ...]:
        found = tuple(self.raw(column).split())
        if not found:
            self.complain(f"{column} is empty")
        if len(set(found)) < len(found):
            self.complain(f"{column} names the same twice")
        for item in found:
            if item not in allowed:
                self.complain(f"{column} {item!r} is no {what}")
        return found

    def number(self, column: str, low: float, high: float) -> float:
        try:
            return self._row.number(column, low, high)
        except GovernorateDataError as problem:
            self._problems.append(problem)
            return math.nan

    def whole(self, column: str) -> int:
        found = self.raw(column)
        if not re.fullmatch(r"[0-9]{1,5}", found):
            self.complain(f"{column} {found!r} is no whole number from 0")
            return 0
        return int(found)

    def date(self, column: str) -> dt.date:
        found = self.raw(column)
        try:
            return dt.date.fromisoformat(found)
        except ValueError:
            self.complain(f"{column} {found!r} is no date like 2026-11-30")
            return dt.date.min

    def names(self) -> Names:
        for column in _NAMES:
            if not self.raw(column):
                self.complain(f"{column} is empty")
        return {language: self.raw(f"name_{language}") for language in LANGUAGES}


def read_directory(folder: Path, governorate: Governorate) -> Directory:
    """Read and check the five files of a directory folder against a governorate's places and taxonomy.

    Raises `DirectoryError` with all faults: a file that cannot be read as a table stops the reading after
    the other files have been opened; anything else is collected row by row.
    """
    tables = _read_tables(folder)
    home = governorate.pcode
    inside = {
        code: place for code, place in governorate.places.items() if home in governorate.ancestors(code)
    }
    areas = [code for code, place in inside.items() if place.level in AREA_LEVELS]
    problems: list[GovernorateDataError] = []

    def each(file: str, read: Callable[[_Line], _Record]) -> list[_Record]:
        return [read(_Line(row, problems)) for row in tables[file]]

    def by_code(file: str, read: Callable[[_Line], _Coded]) -> dict[str, _Coded]:
        found = each(file, read)
        _complain_of_repeats(tables[file], [record.code for record in found], problems)
        return {record.code: record for record in found}

    organizations = by_code("organizations.csv", lambda line: _organization(line, governorate))
    locations = by_code("locations.csv", lambda line: _location(line, organizations, inside))
    services = by_code("services.csv", lambda line: _service(line, organizations, governorate))
    offers = each("service_at_locations.csv", lambda line: _offer(line, services, locations, areas))
    pairs = [f"{offer.service} at {offer.location}" for offer in offers]
    _complain_of_repeats(tables["service_at_locations.csv"], pairs, problems)
    rules = each("eligibility.csv", lambda line: _rule(line, services))
    conditions = [f"{rule.service} {rule.attribute} {rule.operator}" for rule in rules]
    _complain_of_repeats(tables["eligibility.csv"], conditions, problems)
    if problems:
        raise DirectoryError(problems)
    frozen = (MappingProxyType(organizations), MappingProxyType(locations), MappingProxyType(services))
    return Directory(*frozen, tuple(offers), tuple(rules))


def _read_tables(folder: Path) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    problems: list[GovernorateDataError] = []
    for file, columns in _COLUMNS.items():
        try:
            tables[file] = list(read_csv(folder / file, columns))
        except GovernorateDataError as problem:
            problems.append(problem)
    if problems:
        # Without a whole table every reference to it would be reported as broken.
        raise DirectoryError(problems)
    return tables


def _complain_of_repeats(rows: list[Row], keys: list[str], problems: list[GovernorateDataError]) -> None:
    seen: set[str] = set()
    for row, key in zip(rows, keys, strict=True):
        if key in seen:
            problems.append(row.error(f"{key} occurs twice"))
        seen.add(key)


def _organization(line: _Line, governorate: Governorate) -> OrganizationRow:
    kind = line.one_of("kind", choice_codes("organization_kind"), "kind of organization")
    ministry = line.raw("ministry")
    if kind in (KIND_ASKED_APART, STATE_PROGRAMME):
        line.code("ministry")
        if (kind == KIND_ASKED_APART) != (ministry == governorate.asked_apart.code):
            line.complain(f"ministry {ministry!r} does not go with kind {kind}")
    elif ministry:
        line.complain(f"ministry {ministry!r} is only for bodies of the state")
    return OrganizationRow(line.code(), kind, ministry, line.names())


def _location(
    line: _Line, organizations: Mapping[str, OrganizationRow], places: Mapping[str, Place]
) -> LocationRow:
    found = LocationRow(
        code=line.code(),
        organization=line.one_of("organization", organizations, "organization of organizations.csv"),
        place=line.one_of("place", places, "place of ours"),
        names=line.names(),
        latitude=line.number("latitude", -90, 90),
        longitude=line.number("longitude", -180, 180),
        confidential=line.one_of("confidential", ("yes", "no"), "yes or no") == "yes",
    )
    place = places.get(found.place)
    if place is not None and place.level in POPULATED_LEVELS:
        km = _kilometres(found.latitude, found.longitude, place.latitude, place.longitude)
        if km > FARTHEST_KM:
            line.complain(f"lies {km:.1f} km from place {place.pcode}, more than {FARTHEST_KM:.0f} km")
    return found


def _service(
    line: _Line, organizations: Mapping[str, OrganizationRow], governorate: Governorate
) -> ServiceRow:
    known_languages = [code for code in choice_codes("language") if code != "other"]
    found = ServiceRow(
        code=line.code(),
        organization=line.one_of("organization", organizations, "organization of organizations.csv"),
        service_type=line.one_of("service_type", governorate.service_types, "service type of taxonomy.toml"),
        names=line.names(),
        languages=line.several_of("languages", known_languages, "language of choices.toml"),
    )
    organization = organizations.get(found.organization)
    service_type = governorate.service_types.get(found.service_type)
    if organization is not None and service_type is not None:
        owner = governorate.ministries[governorate.categories[service_type.category].ministry]
        # Both ways: others keep out of the ministry's mandate, and its offices learn of nothing else.
        if owner.asked_apart != (organization.kind == KIND_ASKED_APART):
            line.complain(
                f"{service_type.code} is in the mandate of {owner.code}, not for kind {organization.kind}"
            )
    return found


def _offer(
    line: _Line,
    services: Mapping[str, ServiceRow],
    locations: Mapping[str, LocationRow],
    areas: Collection[str],
) -> ServiceAtLocationRow:
    found = ServiceAtLocationRow(
        service=line.one_of("service", services, "service of services.csv"),
        location=line.one_of("location", locations, "location of locations.csv"),
        area=line.several_of("area", areas, "governorate, district or sub-district of ours"),
        slots=line.whole("slots"),
        intake_start=line.date("intake_start"),
        intake_end=line.date("intake_end"),
        assured_date=line.date("assured_date"),
    )
    if dt.date.min < found.intake_end < found.intake_start:
        line.complain("intake ends before it starts")
    service, location = services.get(found.service), locations.get(found.location)
    if service is not None and location is not None and service.organization != location.organization:
        line.complain(f"location {location.code} is not of organization {service.organization}")
    return found


def _rule(line: _Line, services: Mapping[str, ServiceRow]) -> EligibilityRow:
    service = line.one_of("service", services, "service of services.csv")
    attribute, operator = line.raw("attribute"), line.raw("operator")
    values = tuple(line.raw("values").split())
    if attribute in NEVER_ASKED:
        line.complain(f"attribute {attribute!r} may never decide about a service")
    elif attribute not in ATTRIBUTES:
        line.complain(f"attribute {attribute!r} is unknown")
    elif operator not in OPERATORS[ATTRIBUTES[attribute][0]]:
        line.complain(f"operator {operator!r} is unknown for {attribute}")
    else:
        _check_values(line, attribute, values)
    return EligibilityRow(service, attribute, operator, values, line.names())


def _check_values(line: _Line, attribute: str, values: tuple[str, ...]) -> None:
    kind, choice_list = ATTRIBUTES[attribute]
    if kind == FLAG and values:
        line.complain(f"values must be empty for {attribute}")
    elif kind == NUMBER and not _is_range(values):
        line.complain(f"values {' '.join(values)!r} are no range like '16 45' or '18 *'")
    elif choice_list is not None:
        line.several_of("values", choice_codes(choice_list), f"choice of {choice_list}")


def _is_range(values: tuple[str, ...]) -> bool:
    if len(values) != len(("low", "high")) or values == ("*", "*"):
        return False
    if not all(value == "*" or re.fullmatch(r"[0-9]{1,3}", value) for value in values):
        return False
    return "*" in values or int(values[0]) <= int(values[1])


def _kilometres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the great-circle distance of two points in degrees (haversine)."""
    here, there = math.radians(latitude), math.radians(other_latitude)
    half_width = math.sin(math.radians(other_longitude - longitude) / 2)
    half_height = math.sin((there - here) / 2)
    chord = half_height**2 + math.cos(here) * math.cos(there) * half_width**2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))
