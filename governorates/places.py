"""The places file: codes, names and points of a country's areas and a governorate's places."""

from collections.abc import Mapping
from pathlib import Path

from governorates.errors import GovernorateDataError
from governorates.model import PLACE_LEVELS, POPULATED_LEVELS, Place
from governorates.tables import Row, read_csv

PLACE_COLUMNS = (
    "pcode",
    "level",
    "parent_pcode",
    "name_ar",
    "name_en",
    "name_ckb",
    "name_kmr",
    "latitude",
    "longitude",
    "bank",
    "source",
    "legacy_pcode",
)
BANKS = ("", "west", "east", "unknown")
PARENT_LEVEL = {"district": "governorate", "subdistrict": "district"} | dict.fromkeys(
    POPULATED_LEVELS, "subdistrict"
)


def read_places(path: Path) -> dict[str, Place]:
    """Read and check a places file; places by code, in the order of the file."""
    places: dict[str, Place] = {}
    for row in read_csv(path, PLACE_COLUMNS):
        place = _place(row)
        if place.pcode in places:
            raise row.error(f"pcode {place.pcode} occurs twice")
        places[place.pcode] = place
    for place in places.values():
        _check_parent(path.name, place, places)
    return places


def _place(row: Row) -> Place:
    if row.values["bank"] not in BANKS:
        raise row.error(f"bank {row.values['bank']!r} is none of west, east, unknown")
    return Place(
        pcode=row.text("pcode"),
        level=row.text("level", PLACE_LEVELS),
        parent_pcode=row.values["parent_pcode"] or None,
        names=row.column_names(required=("ar", "en")),
        latitude=row.number("latitude", -90, 90),
        longitude=row.number("longitude", -180, 180),
        bank=row.values["bank"],
        source=row.text("source"),
        legacy_pcode=row.values["legacy_pcode"],
    )


def _check_parent(file: str, place: Place, places: Mapping[str, Place]) -> None:
    """Raise unless the parent exists and is of the level above."""
    expected = PARENT_LEVEL.get(place.level)
    parent = places.get(place.parent_pcode) if place.parent_pcode else None
    if (parent.level if parent else None) != expected or (place.parent_pcode and parent is None):
        wanted = f"a {expected} of this file" if expected else "empty"
        raise GovernorateDataError(file, f"pcode {place.pcode}", f"parent_pcode must be {wanted}")


def group_by_parent(places: Mapping[str, Place]) -> dict[str, tuple[Place, ...]]:
    """Return the places directly inside each place that has any."""
    grouped: dict[str, list[Place]] = {}
    for place in places.values():
        if place.parent_pcode:
            grouped.setdefault(place.parent_pcode, []).append(place)
    return {parent: tuple(children) for parent, children in grouped.items()}
