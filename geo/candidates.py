"""What an importer reads from a source's file, before it is merged."""

from collections.abc import Mapping
from dataclasses import dataclass


class ImportFileError(ValueError):
    """The whole file cannot be read: wrong format, or a column that its kind must have is missing."""


@dataclass(frozen=True, slots=True)
class PlaceCandidate:
    """One place of a source's file. `parent_pcode` or, for a list, the names of its areas are given."""

    where: str
    pcode: str
    level: str
    name_en: str
    name_ar: str
    longitude: float
    latitude: float
    legacy_pcode: str = ""
    parent_pcode: str = ""
    area_names: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken: where it stands in the source's file, and why."""

    where: str
    reason: str
