"""Merging official files into a governorate's places.csv, safe to run twice."""

import csv
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geo.boundaries import read_boundaries
from geo.candidates import PlaceCandidate, Rejection
from geo.gazetteer import Gazetteer
from geo.master_lists import read_master_list
from governorates import LANGUAGES, POPULATED_LEVELS, Governorate, fold, load
from governorates.places import PARENT_LEVEL, PLACE_COLUMNS, read_places

IRAQ = (38.7, 29.0, 48.9, 37.5)
"""West, south, east and north of the country."""

NEAR_KM = 10.0
"""A place whose sub-district a list does not name joins that of a listed place of its district this near."""

SAME_DEGREES = 0.00001
"""About a metre: less is rounding, and the old figure stays."""

READERS: dict[str, tuple[str, Callable[[Path], Iterator[PlaceCandidate]]]] = {
    "cod-ab": ("OCHA COD-AB", read_boundaries),
    "dtm": ("IOM DTM Iraq", read_master_list),
}

Row = dict[str, str]


@dataclass(slots=True)
class ImportReport:
    """What an import did: codes added and changed, and counts of rows unchanged or of another governorate."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    elsewhere: int = 0
    rejected: list[Rejection] = field(default_factory=list)


def import_places(
    path: Path, source: str, governorate: Governorate, target: Path | None = None
) -> ImportReport:
    """Merge a file of source `cod-ab` or `dtm` into `target` (the governorate's own places.csv by default).

    Official names in Arabic and English and points win; Kurdish names, banks and levels set here are kept.
    The file is replaced at once or not at all. Raises ValueError for an unknown source, `ImportFileError` for
    a file that cannot be read and `GovernorateDataError` if the result would not be a valid places file.
    """
    if source not in READERS:
        raise ValueError(f"source must be one of {', '.join(READERS)}")
    title, read = READERS[source]
    target = target or governorate.places_path
    rows = _read_rows(target if target.exists() else governorate.places_path)
    merge = _Merge(governorate, rows, f"{title} ({path.name})")
    for candidate in read(path):
        merge.take(candidate)
    if merge.report.added or merge.report.changed or not target.exists():
        _replace(target, list(merge.rows.values()))
        load.cache_clear()
    return merge.report


class _Merge:
    """The rows so far, by code, and what happened to them."""

    def __init__(self, governorate: Governorate, rows: dict[str, Row], source: str) -> None:
        self.rows = rows
        self.report = ImportReport()
        self._governorate = governorate
        self._gazetteer = Gazetteer(governorate)
        self._source = source

    def take(self, candidate: PlaceCandidate) -> None:
        """Add or update one place, or say why not."""
        if self._is_elsewhere(candidate):
            self.report.elsewhere += 1
            return
        known = self.rows.get(candidate.pcode)
        problem = _problem(candidate, known)
        parent = self._parent(candidate, known)
        if problem is None and parent is None:
            problem = "the area it lies in is not known here"
        if problem is not None:
            self.report.rejected.append(Rejection(candidate.where, problem))
            return
        row = self._merged(candidate, known, parent or "")
        if known is None:
            self.report.added.append(candidate.pcode)
        elif row != known:
            self.report.changed.append(candidate.pcode)
        else:
            self.report.unchanged += 1
        self.rows[candidate.pcode] = row

    def _is_elsewhere(self, candidate: PlaceCandidate) -> bool:
        """Tell whether a sub-district or place belongs to another governorate; only ours are kept."""
        if candidate.area_names is not None:
            ours = {fold(name) for name in (self._governorate.code, *self._governorate.names.values())}
            return fold(candidate.area_names["governorate"]) not in ours
        return candidate.level == "subdistrict" and not candidate.pcode.startswith(self._governorate.pcode)

    def _parent(self, candidate: PlaceCandidate, known: Row | None) -> str | None:
        """Return the code of the area it lies in, empty for a governorate, None if nothing tells."""
        if candidate.level == "governorate":
            return ""
        if candidate.area_names is None:
            parent = self.rows.get(candidate.parent_pcode)
            return candidate.parent_pcode if parent and _is_parent(parent, candidate.level) else None
        if known is not None:
            return known["parent_pcode"]
        districts = self._named("district", candidate.area_names["district"])
        named = self._named("subdistrict", candidate.area_names["subdistrict"])
        inside = [row["pcode"] for row in named if row["parent_pcode"] in {d["pcode"] for d in districts}]
        return inside[0] if len(inside) == 1 else self._neighbours_parent(candidate, districts)

    def _named(self, level: str, name: str) -> list[Row]:
        wanted = _area_key(name)
        columns = [f"name_{language}" for language in LANGUAGES]
        return [
            row
            for row in self.rows.values()
            if wanted
            and row["level"] == level
            and row["pcode"].startswith(self._governorate.pcode)
            and wanted in {_area_key(row[column]) for column in columns}
        ]

    def _neighbours_parent(self, candidate: PlaceCandidate, districts: Sequence[Row]) -> str | None:
        """Return the sub-district of the nearest listed place, if that is near and in a named district."""
        if not (math.isfinite(candidate.longitude) and math.isfinite(candidate.latitude)):
            return None
        place, away = self._gazetteer.nearest_place(candidate.longitude, candidate.latitude)
        district = self._governorate.ancestor_at(place.pcode, "district")
        if away > NEAR_KM or district not in {row["pcode"] for row in districts}:
            return None
        return place.parent_pcode

    def _merged(self, candidate: PlaceCandidate, known: Row | None, parent: str) -> Row:
        old = known or dict.fromkeys(PLACE_COLUMNS, "")
        row = old | {
            "pcode": candidate.pcode,
            "level": old["level"] or candidate.level,
            "parent_pcode": parent,
            "name_ar": candidate.name_ar or old["name_ar"],
            "name_en": candidate.name_en or old["name_en"],
            "latitude": _degrees(candidate.latitude, old["latitude"]),
            "longitude": _degrees(candidate.longitude, old["longitude"]),
            "legacy_pcode": candidate.legacy_pcode or old["legacy_pcode"],
        }
        if row != old:
            kept = [note.strip() for note in old["source"].split(";")[1:] if ":" in note]
            row["source"] = "; ".join([self._source, *kept])
        return row


def _problem(candidate: PlaceCandidate, known: Row | None) -> str | None:
    """Return why a candidate cannot be a row, or None."""
    if not candidate.pcode:
        return "no code"
    if not (candidate.name_ar or (known and known["name_ar"])):
        return "no Arabic name"
    if not (candidate.name_en or (known and known["name_en"])):
        return "no English name"
    west, south, east, north = IRAQ
    if not (west <= candidate.longitude <= east and south <= candidate.latitude <= north):
        return "no point in Iraq"
    if known is not None and (known["level"] in POPULATED_LEVELS) != (candidate.level in POPULATED_LEVELS):
        return f"the code belongs to a {known['level']} here"
    return None


def _degrees(new: float, old: str) -> str:
    return old if old and abs(new - float(old)) < SAME_DEGREES else f"{new:.6f}"


def _is_parent(row: Row, level: str) -> bool:
    return row["level"] == PARENT_LEVEL[level]


def _area_key(name: str) -> str:
    """Return an area's name for comparing: no article and no word for its seat."""
    words = [word for word in fold(name).split() if word not in ("al", "markaz", "center", "مركز")]
    return "".join(word.removeprefix("ال") for word in words)


def _read_rows(path: Path) -> dict[str, Row]:
    read_places(path)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {row["pcode"]: row for row in csv.DictReader(stream)}


def _replace(target: Path, rows: list[Row]) -> None:
    """Write beside the target, check, and only then take its place."""
    order = {level: rank for rank, level in enumerate(("governorate", "district", "subdistrict"))}
    rows.sort(key=lambda row: order.get(row["level"], len(order)))
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".csv")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, PLACE_COLUMNS, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
            stream.flush()
            os.fsync(stream.fileno())
        read_places(draft)
        draft.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
