"""What the map of a referral shows: places, river, crossings, options. Vectors only; it works offline.

The home is never more exact than the place it was declared in, with the radius of doubt drawn.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from db.models import Case
from db.options import Option
from geo.gazetteer import Gazetteer
from governorates import Governorate, name_in


@cache
def _gazetteer(governorate: Governorate) -> Gazetteer:
    return Gazetteer(governorate)


def _home(governorate: Governorate, case: Case, language: str) -> dict[str, Any] | None:
    place = governorate.places.get(case.residence or "")
    if place is None:
        return None
    point = _gazetteer(governorate).residence_point(place.pcode)
    return {
        "at": [point.latitude, point.longitude],
        "radius": round(point.radius_km * 1000),
        "name": name_in(place.names, language),
    }


def referral_map(
    governorate: Governorate,
    case: Case,
    options: Sequence[Option],
    chosen_id: int,
    language: str,
    tile_url: str | None,
) -> dict[str, Any]:
    """Points as [latitude, longitude]. Confidential locations and excluded options are left out."""
    return {
        "tiles": tile_url,
        "home": _home(governorate, case, language),
        "districts": [
            {"at": [place.latitude, place.longitude], "name": name_in(place.names, language)}
            for place in governorate.children(governorate.pcode)
        ],
        "rivers": [
            {
                "name": name_in(barrier.names, language),
                "line": [[latitude, longitude] for longitude, latitude in barrier.line],
            }
            for barrier in governorate.barriers
        ],
        "crossings": [
            {
                "at": [crossing.midpoint[1], crossing.midpoint[0]],
                "name": name_in(crossing.names, language),
                "open": crossing.open,
            }
            for crossing in governorate.crossings
        ],
        "options": [
            {
                "at": [option.latitude, option.longitude],
                "name": name_in(option.organization, language),
                "rank": option.rank,
                "chosen": option.service_at_location_id == chosen_id,
            }
            for option in options
            if option.status == "option" and not option.confidential
        ],
    }
