"""Which fields a provider receives, by the service it gives: one table that the consent screen reads out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from governorates.reader import HOME
from governorates.tables import Row, read_toml, rows_of

PROFILES_FILE = "disclosure_profiles.toml"

DISCLOSED_FIELDS = (
    "case_code",
    "given_name",
    "father_name",
    "grandfather_name",
    "sex",
    "age_years",
    "phone",
    "contact_answerer",
    "contact_hours",
    "contact_language",
    "district",
    "place",
    "service_type",
    "urgency",
    "household_size",
    "housing_damage",
    "tenure",
    "documents",
    "education_level",
    "work_status",
    "disability",
)
"""Every field that some provider may receive, in the order of reading out. Nothing else can be sent."""


@dataclass(frozen=True, slots=True)
class DisclosureProfiles:
    """What disclosure_profiles.toml says: fields by service type or category, in the order of reading out."""

    by_service_type: Mapping[str, tuple[str, ...]]
    by_category: Mapping[str, tuple[str, ...]]
    contact: tuple[str, ...]
    sources: Mapping[str, str]

    def fields_for(self, service_type: str, category: str) -> tuple[str, ...]:
        """The fields that a provider of this service receives; KeyError where no profile says so."""
        return self.by_service_type.get(service_type) or self.by_category[category]


@cache
def disclosure_profiles() -> DisclosureProfiles:
    """Return the profiles that every governorate shares; raises `GovernorateDataError` where they are wrong."""
    return read_disclosure_profiles(read_toml(HOME / PROFILES_FILE))


def read_disclosure_profiles(table: Row) -> DisclosureProfiles:
    """Check the table; raises `GovernorateDataError` naming the profile that is wrong."""
    always, contact = _fields(table, "always"), _fields(table, "contact")
    by_type: dict[str, tuple[str, ...]] = {}
    by_category: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    for row in rows_of(table, "profile"):
        keys = {"service_type", "category"} & row.values.keys()
        if len(keys) != 1:
            raise row.error("a profile names one service_type or one category")
        kind = keys.pop()
        code, own = row.text(kind), _fields(row, "fields")
        repeated = {*own} & {*always, *contact}
        if repeated:
            raise row.error(f"{min(repeated)} is in every profile already")
        target = by_type if kind == "service_type" else by_category
        if code in target:
            raise row.error(f"{code} has two profiles")
        target[code] = tuple(name for name in DISCLOSED_FIELDS if name in {*always, *contact, *own})
        sources[code] = row.text("source")
    return DisclosureProfiles(by_type, by_category, contact, sources)


def _fields(row: Row, key: str) -> tuple[str, ...]:
    names = row.values.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise row.error(f"{key} must be a list of fields")
    for name in names:
        if name not in DISCLOSED_FIELDS:
            raise row.error(f"{name} is not a field that may be sent")
    if len(set(names)) != len(names):
        raise row.error(f"{key} names a field twice")
    return tuple(names)
