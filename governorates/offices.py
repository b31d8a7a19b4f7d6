"""The offices that receive people, and the districts each serves."""

from collections.abc import Mapping
from pathlib import Path

from governorates.model import Office, Place
from governorates.tables import Row, read_toml, rows_of


def read_offices(path: Path, places: Mapping[str, Place]) -> tuple[Office, ...]:
    """Return the offices in the order of the file; no district is served by two."""
    offices: dict[str, Office] = {}
    served: set[str] = set()
    for row in rows_of(read_toml(path), "office"):
        code, districts = row.text("code"), _districts(row, places)
        if code in offices:
            raise row.error("occurs twice")
        if twice := served & set(districts):
            raise row.error(f"district {min(twice)} is served by another office already")
        served |= set(districts)
        offices[code] = Office(code, row.names(), districts)
    return tuple(offices.values())


def _districts(row: Row, places: Mapping[str, Place]) -> tuple[str, ...]:
    found = row.values.get("districts")
    if not isinstance(found, list) or not found:
        raise row.error("districts are missing")
    for pcode in found:
        if pcode not in places or places[pcode].level != "district":
            raise row.error(f"{pcode!r} is no district of places.csv")
    return tuple(found)
