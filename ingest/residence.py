"""Where a household lives: the cascade of places and the geopoint taken at the home.

Issue codes raised here: place_unknown, place_not_listed, place_inconsistent, point_unreadable,
point_not_at_home, point_outside_country, point_far_from_place.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from casework.assessment import Residence
from governorates import POPULATED_LEVELS, Governorate
from ingest.answers import Answers, western_digits

if TYPE_CHECKING:
    from geo.gazetteer import Gazetteer

PLACE_NOT_LISTED = "unknown"
"""The form's choice for a place that its list does not have; the officer then types the name."""

IRAQ = (38.79, 29.06, 48.58, 37.39)
"""West, south, east, north of Iraq in degrees (Natural Earth, admin 0, public domain), rounded outwards."""

_PLACE_CODE = re.compile(r"IQG\d{2}(Q\d{2}(N\d{2})?)?|(DTM|GN)-\d{1,8}")
"""What a place code looks like. Only such a one is quoted in an issue: anything else may be personal."""

_LEVELS = ("governorate", "district", "subdistrict", "place")


def read_residence(answers: Answers, governorate: Governorate) -> Residence:
    """Read the place of residence as far down as the answers are known, and the point at the home."""
    place = _most_exact_place(answers, governorate)
    chain = governorate.ancestors(place) if place else ()
    found = {_level(governorate, pcode): pcode for pcode in chain}
    text = answers.text("residence/place_text")
    point = _home_point(answers, governorate, place)
    return Residence(
        governorate=found.get("governorate"),
        district=found.get("district"),
        subdistrict=found.get("subdistrict"),
        place=found.get("place"),
        place_text=text,
        basis="home_point" if point else _basis(found),
        longitude=point.longitude if point else None,
        latitude=point.latitude if point else None,
        accuracy_m=point.accuracy_m if point else None,
    )


def _level(governorate: Governorate, pcode: str) -> str:
    level = governorate.level_of(pcode)
    return "place" if level in POPULATED_LEVELS else level


def _basis(found: dict[str, str]) -> str:
    return next((level for level in ("place", "subdistrict", "district") if level in found), "unknown")


def _most_exact_place(answers: Answers, governorate: Governorate) -> str | None:
    """Find the lowest known place; codes that do not exist become issues and the level above stands."""
    best: str | None = None
    for level in _LEVELS:
        path = f"residence/{level}"
        code = answers.text(path, mandatory=level == "governorate")
        if code is None:
            continue
        if code == PLACE_NOT_LISTED:
            answers.add("place_not_listed", path)
        elif code not in governorate.places or _level(governorate, code) != level:
            shown = {"value": code} if _PLACE_CODE.fullmatch(code) else {}
            answers.add("place_unknown", path, **shown)
        else:
            if best is not None and best not in governorate.ancestors(code):
                answers.add("place_inconsistent", path, value=code, above=best)
            best = code
    return best


@dataclass(frozen=True, slots=True)
class _Point:
    longitude: float
    latitude: float
    accuracy_m: int | None


def _home_point(answers: Answers, governorate: Governorate, place: str | None) -> _Point | None:
    """Read the geopoint; None where it may not be the home. The sealed submission keeps it in any case."""
    path = "residence/point"
    text = answers.text(path)
    at_home = answers.flag("residence/at_home")
    if text is None:
        return None
    point = _read_point(text)
    if point is None:
        answers.add("point_unreadable", path)
    elif not at_home:
        answers.add("point_not_at_home", path)
    elif not _in_country(point):
        answers.add("point_outside_country", path)
    elif place is not None and (far := _km_too_far(governorate, point, place)) is not None:
        answers.add("point_far_from_place", path, km=round(far), place=place)
    else:
        return point
    return None


def _read_point(text: str) -> _Point | None:
    parts = western_digits(text).split()
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
        accuracy = float(parts[3]) if len(parts) > 3 else 0.0
    except (ValueError, IndexError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # also false for nan
        return None
    known = 0 < accuracy < 1e6
    return _Point(longitude, latitude, max(1, round(accuracy)) if known else None)


def _in_country(point: _Point) -> bool:
    west, south, east, north = IRAQ
    return west <= point.longitude <= east and south <= point.latitude <= north


@lru_cache(maxsize=8)
def _gazetteer(governorate: Governorate) -> "Gazetteer":
    from geo.gazetteer import Gazetteer

    return Gazetteer(governorate)


def _km_too_far(governorate: Governorate, point: _Point, place: str) -> float | None:
    """How far outside the declared sub-district (or the level known) the point lies; None if it is not."""
    chain = governorate.ancestors(place)
    area = next((pcode for pcode in chain if _level(governorate, pcode) != "place"), place)
    return _gazetteer(governorate).is_far_outside(point.longitude, point.latitude, area)
