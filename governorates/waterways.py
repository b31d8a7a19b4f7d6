"""Barriers and the crossings over them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from governorates.model import Barrier, Crossing, UnchartedBarrier
from governorates.tables import Row, read_csv, read_toml, rows_of

CROSSING_COLUMNS = (
    "code",
    "barrier",
    "name_ar",
    "name_en",
    "name_ckb",
    "name_kmr",
    "longitude",
    "latitude",
    "west_longitude",
    "west_latitude",
    "east_longitude",
    "east_latitude",
    "open",
    "source",
)


def read_barriers(path: Path) -> dict[str, Barrier]:
    """Read and check barriers.toml; an empty list of barriers is written `barrier = []`."""
    barriers: dict[str, Barrier] = {}
    for row in rows_of(read_toml(path), "barrier"):
        barrier = _barrier(row)
        if barrier.code in barriers:
            raise row.error("occurs twice")
        barriers[barrier.code] = barrier
    return barriers


def read_uncharted(path: Path) -> tuple[UnchartedBarrier, ...]:
    """Read the [[uncharted]] tables of barriers.toml, of which there may be none.

    While one is listed no journey is said to have taken the rivers into account (`geo.geodesic`).
    """
    table = read_toml(path)
    if "uncharted" not in table.values:
        return ()
    return tuple(
        UnchartedBarrier(row.text("code"), row.names(), row.text("source"))
        for row in rows_of(table, "uncharted")
    )


def _barrier(row: Row) -> Barrier:
    line = tuple(_point(row, point) for point in _numbers(row, "line"))
    first, last = _pair(row, "exact")
    if not 0 <= first < last < len(line):
        raise row.error("exact must be two vertex numbers of the line, in order")
    return Barrier(
        code=row.text("code"),
        names=row.names(),
        line=line,
        complete_bbox=_bbox(row),
        uncertainty_km=row.number("uncertainty_km", 0, 50),
        exact=(int(first), int(last)),
        exact_uncertainty_km=row.number("exact_uncertainty_km", 0, 50),
        source=row.text("source"),
    )


def _numbers(row: Row, key: str) -> list[Any]:
    found = row.values.get(key)
    if not isinstance(found, list) or len(found) < 2:
        raise row.error(f"{key} must be a list of at least two")
    return found


def _pair(row: Row, key: str) -> tuple[int, int]:
    found = _numbers(row, key)
    if len(found) != 2 or not all(isinstance(number, int) for number in found):
        raise row.error(f"{key} must be two whole numbers")
    return found[0], found[1]


def _point(row: Row, point: Any) -> tuple[float, float]:
    if not isinstance(point, list) or len(point) != 2:
        raise row.error(f"{point} is not [longitude, latitude]")
    here = Row(row.file, row.where, {"longitude": point[0], "latitude": point[1]})
    return here.number("longitude", -180, 180), here.number("latitude", -90, 90)


def _bbox(row: Row) -> tuple[float, float, float, float]:
    found = _numbers(row, "crossings_complete_bbox")
    if len(found) != 4 or not all(isinstance(number, int | float) for number in found):
        raise row.error("crossings_complete_bbox must be [west, south, east, north]")
    west, south, east, north = (float(number) for number in found)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise row.error("crossings_complete_bbox must be [west, south, east, north] in order")
    return west, south, east, north


def read_crossings(path: Path, barriers: Mapping[str, Barrier]) -> tuple[Crossing, ...]:
    """Read and check crossings.csv."""
    crossings: dict[str, Crossing] = {}
    for row in read_csv(path, CROSSING_COLUMNS):
        code = row.text("code")
        if code in crossings:
            raise row.error(f"code {code} occurs twice")
        crossings[code] = Crossing(
            code=code,
            barrier=row.text("barrier", tuple(barriers)),
            names=row.column_names(),
            midpoint=_end(row, ""),
            west=_end(row, "west_"),
            east=_end(row, "east_"),
            open=row.flag("open"),
            source=row.text("source"),
        )
    return tuple(crossings.values())


def _end(row: Row, prefix: str) -> tuple[float, float]:
    return row.number(f"{prefix}longitude", -180, 180), row.number(f"{prefix}latitude", -90, 90)
