"""Where invented people live: every district of the governorate, and most of them in city quarters."""

import random
from functools import cache

from governorates import POPULATED_LEVELS, Governorate, Place

QUARTER_WEIGHT = 2.0
"""A quarter of a city holds more people than a village; the places file has no figures of population."""

DISTRICT_FLOOR = 40.0
"""Added to each district's weight, so that the emptiest one turns up in a batch too."""

DEGREES_PER_KM = 1 / 111.0


@cache
def _weights(governorate: Governorate) -> dict[str, float]:
    weights: dict[str, float] = {}
    for place in governorate.places.values():
        if place.level in POPULATED_LEVELS:
            weight = QUARTER_WEIGHT if place.level == "neighbourhood" else 1.0
            for pcode in governorate.ancestors(place.pcode):
                weights[pcode] = weights.get(pcode, 0.0) + weight
    return weights


def draw_place(rng: random.Random, governorate: Governorate) -> Place:
    """Draw a town, quarter, camp or village of the governorate, by district, sub-district and place."""
    weights = _weights(governorate)
    pcode = governorate.pcode
    while governorate.places[pcode].level not in POPULATED_LEVELS:
        floor = DISTRICT_FLOOR if governorate.places[pcode].level == "governorate" else 0.0
        children = [child.pcode for child in governorate.children(pcode) if child.pcode in weights]
        pcode = rng.choices(children, [weights[child] + floor for child in children])[0]
    return governorate.places[pcode]


def draw_point(rng: random.Random, place: Place, spread_km: float = 0.3) -> str:
    """Draw what GPS gives near a place: "latitude longitude altitude accuracy", in degrees and metres."""
    latitude = place.latitude + rng.gauss(0, spread_km) * DEGREES_PER_KM
    # At 36 degrees north a degree of longitude is shorter by 1 / 1.24.
    longitude = place.longitude + rng.gauss(0, spread_km) * DEGREES_PER_KM * 1.24
    # Java writes no trailing zeros, so neither does a tablet.
    values = (
        round(latitude, 7),
        round(longitude, 7),
        round(rng.uniform(190, 620), 1),
        round(rng.uniform(3, 20), 1),
    )
    return " ".join(map(str, values))
