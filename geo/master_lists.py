"""IOM DTM master lists (XLSX or CSV): towns, quarters, camps and villages with their points."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from geo.candidates import ImportFileError, PlaceCandidate
from governorates import fold

if TYPE_CHECKING:
    from pandas import DataFrame

HEADINGS = {
    "id": ("placeid", "locationid", "dtmplaceid", "placecode"),
    "name_en": (
        "locationnameinenglish",
        "locationnameenglish",
        "placenameinenglish",
        "locationname",
        "nameen",
    ),
    "name_ar": ("locationnameinarabic", "locationnamearabic", "placenameinarabic", "namear"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "long", "lon"),
    "governorate": ("governorate", "governorateinenglish", "governoratename"),
    "district": ("district", "districtinenglish", "districtname"),
    "subdistrict": ("subdistrict", "subdistrictinenglish", "subdistrictname", "nahiya"),
    "legacy": ("pcode", "ochapcode", "legacypcode"),
}
"""What DTM has called its columns, written without spaces and signs."""

REQUIRED = ("id", "name_en", "latitude", "longitude", "governorate", "district")
HEADING_ROWS = 20
"""Lists open with a title and a logo; the headings stand somewhere in the first rows."""

LEVEL_WORDS = (
    ("camp", {"مخيم", "camp"}),
    ("neighbourhood", {"حي", "hay", "quarter", "neighbourhood"}),
    ("town", {"مركز", "قصبه", "center", "centre", "qasabat", "markaz"}),
)


def read_master_list(path: Path) -> Iterator[PlaceCandidate]:
    """Yield the places of a DTM list: of the first sheet that has the columns.

    Raises `ImportFileError` if no sheet has them or the file cannot be read.
    """
    for sheet in _sheets(path):
        found = _headings(sheet)
        if found is not None:
            row_number, columns = found
            yield from _places(sheet, row_number, columns)
            return
    raise ImportFileError(f"{path.name} has no row of headings with {', '.join(REQUIRED)}")


def _sheets(path: Path) -> list["DataFrame"]:
    """Return the sheets as text cells, empty cells as empty text."""
    import pandas as pd

    try:
        if path.suffix.lower() == ".csv":
            # names: a title row has fewer cells than the table below it
            width = max(line.count(",") for line in path.read_text(encoding="utf-8-sig").splitlines()) + 1
            sheets = [pd.read_csv(path, header=None, names=range(width), dtype=str, encoding="utf-8-sig")]
        else:
            sheets = list(pd.read_excel(path, sheet_name=None, header=None, dtype=str).values())
    except (ValueError, OSError, KeyError) as fault:
        raise ImportFileError(f"{path.name} is no CSV or XLSX list: {type(fault).__name__}") from fault
    return [sheet.fillna("") for sheet in sheets]


def _headings(sheet: "DataFrame") -> tuple[int, dict[str, int]] | None:
    """Return the row of the headings and the position of each column known, or None."""
    for number, row in enumerate(sheet.head(HEADING_ROWS).itertuples(index=False)):
        written = [re.sub(r"[\W_]+", "", str(cell)).lower() for cell in row]
        columns = {
            key: written.index(alias)
            for key, aliases in HEADINGS.items()
            for alias in reversed(aliases)
            if alias in written
        }
        if all(key in columns for key in REQUIRED):
            return number, columns
    return None


def _places(sheet: "DataFrame", heading: int, columns: Mapping[str, int]) -> Iterator[PlaceCandidate]:
    for number, row in enumerate(sheet.itertuples(index=False), start=1):
        if number <= heading + 1 or not any(str(cell).strip() for cell in row):
            continue
        cells = {key: str(row[position]).strip() for key, position in columns.items()}
        yield PlaceCandidate(
            where=f"row {number}",
            pcode=f"DTM-{cells['id'].removesuffix('.0')}" if cells["id"] else "",
            level=level_from_names(cells["name_en"], cells.get("name_ar", "")),
            name_en=cells["name_en"],
            name_ar=cells.get("name_ar", ""),
            longitude=_degrees(cells["longitude"]),
            latitude=_degrees(cells["latitude"]),
            legacy_pcode=cells.get("legacy", ""),
            area_names={key: cells.get(key, "") for key in ("governorate", "district", "subdistrict")},
        )


def _degrees(cell: str) -> float:
    """Return a number, or NaN for what is none: the merge rejects it with the row's number."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def level_from_names(name_en: str, name_ar: str) -> str:
    """Return the level that a place's name tells; a village where it tells none."""
    words = set(fold(f"{name_en} {name_ar}").split())
    return next((level for level, signs in LEVEL_WORDS if words & signs), "village")
