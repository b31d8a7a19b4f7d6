"""The frames that enter the engine: what each column holds, and refusal in the user's terms when it does not.

Errors name the frame, the column, the dtype found and the id of a row, never a value: values may be personal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from referral_engine.capacity_states import CAPACITY_STATES, FRESHNESS

if TYPE_CHECKING:
    import geopandas

URGENCIES = ("emergency", "urgent", "normal")
"""Tiers in the order in which they are served (inter-agency referral form)."""


class FrameError(ValueError):
    """A frame cannot be used: which frame, which column, what was expected and what was found."""

    code = "bad_frame"

    def __init__(self, frame: str, column: str, expected: str, found: str) -> None:
        super().__init__(f"{frame}, column {column!r}: expected {expected}, found {found}")
        self.frame = frame
        self.column = column
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Column:
    """What one column holds; ``within`` limits a text to a list of codes, ``low`` and ``high`` a number."""

    kind: Literal["integer", "number", "text", "flag", "codes", "ids", "instant"]
    optional: bool = False
    within: frozenset[str] = field(default_factory=frozenset)
    low: float = -np.inf
    high: float = np.inf

    @property
    def expected(self) -> str:
        """The description used in errors."""
        within = f" of {sorted(self.within)}" if self.within else ""
        limits = f" from {self.low:g} to {self.high:g}" if np.isfinite(self.low) else ""
        return _EXPECTED[self.kind] + within + limits + (" or missing" if self.optional else "")


_EXPECTED = {
    "integer": "whole numbers",
    "number": "numbers",
    "text": "text",
    "flag": "True or False",
    "codes": "a tuple of text codes in each row",
    "ids": "a tuple of whole numbers in each row",
    "instant": "datetimes with a time zone",
}

NEEDS_COLUMNS: dict[str, Column] = {
    "case_id": Column("integer"),
    "service_type": Column("text"),
    "category": Column("text"),
    "urgency": Column("text", within=frozenset(URGENCIES)),
    "waiting_since": Column("instant"),
    "longitude": Column("number", optional=True, low=-180, high=180),
    "latitude": Column("number", optional=True, low=-90, high=90),
    "radius_km": Column("number", optional=True, low=0),
    "governorate": Column("text", optional=True),
    "district": Column("text", optional=True),
    "subdistrict": Column("text", optional=True),
    "other_subdistrict": Column("text", optional=True),
    "age": Column("number", optional=True),
    "sex": Column("text", optional=True),
    "displacement_status": Column("text", optional=True),
    "months_since_return": Column("number", optional=True),
    "household_size": Column("number", optional=True),
    "female_headed": Column("flag", optional=True),
    "disability": Column("flag", optional=True),
    "housing_damage": Column("text", optional=True),
    "tenure": Column("text", optional=True),
    "education_level": Column("text", optional=True),
    "work_status": Column("text", optional=True),
    "documents": Column("codes", optional=True),
    "languages": Column("codes", optional=True),
    "consent_categories": Column("codes"),
    "consent_kinds": Column("codes"),
    "excluded_organizations": Column("ids"),
    "exclude_own_subdistrict": Column("flag"),
    "exclusion_open": Column("flag"),
    "declined": Column("ids"),
}
"""One row a need, index need_id. Degrees WGS84; a missing radius_km means exact; age in years; waiting_since
in any time zone. A missing answer is "unknown" to the rules; ``documents`` = () says that there are none.
``other_subdistrict``: one that may be the own as well (`UNSURE`: it could be any), kept away from like the own."""

UNSURE = "unknown"
"""An ``other_subdistrict`` that nobody knows."""

OFFERS_COLUMNS: dict[str, Column] = {
    "service_id": Column("integer"),
    "organization_id": Column("integer"),
    "organization_kind": Column("text"),
    "category": Column("text"),
    "service_type": Column("text"),
    "longitude": Column("number", low=-180, high=180),
    "latitude": Column("number", low=-90, high=90),
    "subdistrict": Column("text", optional=True),
    "area": Column("codes"),
    "free_slots": Column("integer"),
    "capacity_status": Column("text", within=frozenset(CAPACITY_STATES)),
    "freshness": Column("text", within=frozenset(FRESHNESS)),
    "max_minutes": Column("number", low=0),
    "languages": Column("codes", optional=True),
}
"""One row a service at a location, index service_at_location_id. ``area``: P-codes of the governorates,
districts or sub-districts served; empty means that the provider set no limit. ``max_minutes``: longest way."""


def check_needs(needs: pd.DataFrame) -> pd.DataFrame:
    """Give a canonical copy (columns of `NEEDS_COLUMNS`, sorted by need_id) or raise `FrameError`."""
    return _canonical(needs, "needs", "need_id", NEEDS_COLUMNS)


def check_offers(offers: pd.DataFrame) -> pd.DataFrame:
    """Give a canonical copy (columns of `OFFERS_COLUMNS`, sorted by its id) or raise `FrameError`."""
    return _canonical(offers, "offers", "service_at_location_id", OFFERS_COLUMNS)


def from_geodataframe(frame: "geopandas.GeoDataFrame", kind: Literal["needs", "offers"]) -> pd.DataFrame:
    """Turn a GeoDataFrame of points into a checked frame for `referral_engine.match`.

    ``frame`` has the columns of `NEEDS_COLUMNS` or `OFFERS_COLUMNS` without longitude and latitude, which
    come from its geometry: Points in EPSG:4326, missing ones allowed for needs. Nothing is reprojected here
    (that is the work of `geo.crs`). Raises `FrameError` naming the column.
    """
    import geopandas as gpd
    from pyproj import CRS

    if not isinstance(frame, gpd.GeoDataFrame):
        raise FrameError(kind, "geometry", "a GeoDataFrame", type(frame).__name__)
    if frame.crs is None or CRS.from_user_input(frame.crs) != CRS.from_epsg(4326):
        found = "no CRS" if frame.crs is None else str(frame.crs.to_string())
        raise FrameError(kind, frame.geometry.name, "CRS EPSG:4326", found)
    points = frame.geometry
    here = points.notna() & ~points.is_empty
    shapes = sorted(set(points[here].geom_type) - {"Point"})
    if shapes:
        raise FrameError(kind, points.name, "Point geometry", ", ".join(shapes))
    plain = pd.DataFrame(frame.drop(columns=points.name))
    plain["longitude"] = points.where(here).x
    plain["latitude"] = points.where(here).y
    return check_needs(plain) if kind == "needs" else check_offers(plain)


def _canonical(frame: pd.DataFrame, name: str, index: str, columns: dict[str, Column]) -> pd.DataFrame:
    if not frame.index.is_unique:
        raise FrameError(name, index, "unique ids as index", "repeated ids")
    if len(frame) and not pd.api.types.is_integer_dtype(frame.index.dtype):
        raise FrameError(name, index, "whole numbers as index", str(frame.index.dtype))
    read: dict[str, pd.Series[Any]] = {}
    for column, spec in columns.items():
        if column not in frame.columns:
            raise FrameError(name, column, spec.expected, "no such column")
        try:
            read[column] = _READERS[spec.kind](frame[column], spec)
        except _BadRowError as bad:
            raise FrameError(name, column, spec.expected, bad.found) from None
    canonical = pd.DataFrame(read, index=frame.index)
    canonical.index = pd.Index(canonical.index.to_numpy(dtype=np.int64), name=index)
    return canonical.sort_index()


class _BadRowError(Exception):
    """What was found instead; `_canonical` adds frame and column."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


def _refuse(series: "pd.Series[Any]", wrong: "pd.Series[bool] | np.ndarray[Any, Any]") -> None:
    rows = np.flatnonzero(np.asarray(wrong))
    if rows.size:
        raise _BadRowError(
            f"dtype {series.dtype}, first wrong row {series.index[rows[0]]}, {rows.size} in all"
        )


def _missing(series: "pd.Series[Any]", spec: Column) -> "pd.Series[bool]":
    missing = series.isna()
    if not spec.optional:
        _refuse(series, missing)
    return missing


def _integer(series: "pd.Series[Any]", spec: Column) -> "pd.Series[Any]":
    _missing(series, spec)
    if len(series) and not pd.api.types.is_integer_dtype(series.dtype):
        raise _BadRowError(f"dtype {series.dtype}")
    return series.astype(np.int64)


def _number(series: "pd.Series[Any]", spec: Column) -> "pd.Series[Any]":
    missing = _missing(series, spec)
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        is_number = series.map(
            lambda value: isinstance(value, int | float | np.number) and not isinstance(value, bool)
        )
        _refuse(series, ~is_number.astype(bool) & ~missing)
    numbers = series.astype(object).where(~missing, np.nan).astype(np.float64)
    _refuse(series, ~missing & ~numbers.between(spec.low, spec.high))
    return numbers


def _objects(series: "pd.Series[Any]", values: list[Any]) -> "pd.Series[Any]":
    return pd.Series(values, index=series.index, dtype=object)


def _text(series: "pd.Series[Any]", spec: Column) -> "pd.Series[Any]":
    missing = _missing(series, spec)
    values = list(zip(series.tolist(), missing.tolist(), strict=True))
    wrong = [
        not gone and (not isinstance(value, str) or bool(spec.within and value not in spec.within))
        for value, gone in values
    ]
    _refuse(series, np.array(wrong, dtype=bool))
    return _objects(series, [None if gone else str(value) for value, gone in values])


def _flag(series: "pd.Series[Any]", spec: Column) -> "pd.Series[Any]":
    missing = _missing(series, spec)
    values = list(zip(series.tolist(), missing.tolist(), strict=True))
    wrong = [not gone and not isinstance(value, bool | np.bool_) for value, gone in values]
    _refuse(series, np.array(wrong, dtype=bool))
    if not spec.optional:
        return series.astype(bool)
    return _objects(series, [None if gone else bool(value) for value, gone in values])


def _tuples(series: "pd.Series[Any]", spec: Column, inside: Any) -> "pd.Series[Any]":
    rows: list[Any] = []
    wrong = np.zeros(len(series), dtype=bool)
    for position, value in enumerate(series.tolist()):
        if isinstance(value, tuple | list | set | frozenset):
            wrong[position] = not all(
                isinstance(part, inside) and not isinstance(part, bool) for part in value
            )
            rows.append(() if wrong[position] else tuple(sorted(set(value))))
        else:
            wrong[position] = not (spec.optional and pd.api.types.is_scalar(value) and pd.isna(value))
            rows.append(None)
    _refuse(series, wrong)
    return _objects(series, rows)


def _codes(series: "pd.Series[Any]", spec: Column) -> "pd.Series[Any]":
    return _tuples(series, spec, str)


def _ids(series: "pd.Series[Any]", spec: Column) -> "pd.Series[Any]":
    whole = _tuples(series, spec, (int, np.integer))
    return _objects(series, [tuple(int(part) for part in value) for value in whole])


def _instant(series: "pd.Series[Any]", spec: Column) -> "pd.Series[Any]":
    _missing(series, spec)
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        _refuse(series, np.array([getattr(value, "tzinfo", None) is None for value in series], dtype=bool))
    return pd.to_datetime(series, utc=True).astype("datetime64[ns, UTC]")


_READERS: dict[str, Callable[["pd.Series[Any]", Column], "pd.Series[Any]"]] = {
    "integer": _integer,
    "number": _number,
    "text": _text,
    "flag": _flag,
    "codes": _codes,
    "ids": _ids,
    "instant": _instant,
}
