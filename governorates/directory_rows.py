"""Records of the directory of services, in the words of HSDS 3."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from governorates.languages import Names


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """A provider; `ministry` is the code of the ministry above a state body, else empty."""

    code: str
    kind: str
    ministry: str
    names: Names


@dataclass(frozen=True, slots=True)
class LocationRow:
    """Where an organization receives people, in WGS 84 degrees; a confidential one is on no map."""

    code: str
    organization: str
    place: str
    names: Names
    latitude: float
    longitude: float
    confidential: bool


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """What an organization offers; `languages` are codes of the choice list language."""

    code: str
    organization: str
    service_type: str
    names: Names
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceAtLocationRow:
    """A service at one location: P-codes covered, slots of the intake, and when these were confirmed."""

    service: str
    location: str
    area: tuple[str, ...]
    slots: int
    intake_start: dt.date
    intake_end: dt.date
    assured_date: dt.date


@dataclass(frozen=True, slots=True)
class EligibilityRow:
    """A condition of a service, all of which must hold; `values` as in the file, `*` for an open end."""

    service: str
    attribute: str
    operator: str
    values: tuple[str, ...]
    names: Names


@dataclass(frozen=True, slots=True)
class Directory:
    """The whole directory, in the order of its files; the first three tables by code."""

    organizations: Mapping[str, OrganizationRow]
    locations: Mapping[str, LocationRow]
    services: Mapping[str, ServiceRow]
    services_at_locations: tuple[ServiceAtLocationRow, ...]
    eligibility: tuple[EligibilityRow, ...]

    def starting(self, today: dt.date) -> "Directory":
        """Return the directory with its intake periods moved by whole days so that the first is open today.

        For invented directories, whose dates would else run out; unchanged while today lies in a period.
        """
        first = min(row.intake_start for row in self.services_at_locations)
        last = max(row.intake_end for row in self.services_at_locations)
        if first <= today <= last:
            return self
        shift = today - first
        moved = tuple(
            dataclasses.replace(
                row,
                intake_start=row.intake_start + shift,
                intake_end=row.intake_end + shift,
                assured_date=row.assured_date + shift,
            )
            for row in self.services_at_locations
        )
        return dataclasses.replace(self, services_at_locations=moved)
