"""Official COD-AB boundary files (GeoJSON or shapefile): codes, names and a label point of each area."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geo.candidates import ImportFileError, PlaceCandidate
from geo.crs import frame_to_geographic

LEVEL_OF_NUMBER = {1: "governorate", 2: "district", 3: "subdistrict"}


def read_boundaries(path: Path) -> Iterator[PlaceCandidate]:
    """Yield the areas of a COD-AB file of administrative level 1, 2 or 3.

    Columns are ADMn_PCODE, ADMn_EN and ADMn_AR in either case, and ADM(n-1)_PCODE below level 1.
    Raises `ImportFileError` if the file cannot be read or has no such columns.
    """
    import geopandas

    try:
        frame = geopandas.read_file(path)
    except Exception as fault:  # pyogrio has no common base class for what a broken file raises
        raise ImportFileError(f"{path.name} is no boundary file: {type(fault).__name__}") from fault
    frame = frame.rename(columns={name: str(name).lower() for name in frame.columns if name != "geometry"})
    number = max((n for n in LEVEL_OF_NUMBER if f"adm{n}_pcode" in frame.columns), default=0)
    needed = [f"adm{number}_pcode", f"adm{number}_en", f"adm{number}_ar"]
    needed += [f"adm{number - 1}_pcode"] if number > 1 else []
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ImportFileError(f"{path.name} lacks columns: {', '.join(missing)}")
    frame = frame_to_geographic(frame)
    for position, area in enumerate(frame.to_dict("records"), start=1):
        yield _candidate(position, number, area)


def _candidate(position: int, number: int, area: dict[str, Any]) -> PlaceCandidate:
    longitude, latitude = _label_point(area["geometry"])
    return PlaceCandidate(
        where=f"feature {position}",
        pcode=_text(area[f"adm{number}_pcode"]),
        level=LEVEL_OF_NUMBER[number],
        name_en=_text(area[f"adm{number}_en"]),
        name_ar=_text(area[f"adm{number}_ar"]),
        longitude=longitude,
        latitude=latitude,
        parent_pcode=_text(area[f"adm{number - 1}_pcode"]) if number > 1 else "",
    )


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _label_point(area: Any) -> tuple[float, float]:
    """Return the centroid, or a point within where the centroid falls outside; NaN for no geometry."""
    if area is None or area.is_empty:
        return float("nan"), float("nan")
    point = area.centroid
    if not area.covers(point):
        point = area.representative_point()
    return float(point.x), float(point.y)
