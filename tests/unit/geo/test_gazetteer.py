"""Looking places up, and what a declared place says about a home."""

import numpy as np
import pytest

from geo.gazetteer import BASIS_AREA, BASIS_LABEL, BASIS_PLACE, Gazetteer
from geo.sphere import great_circle_km
from governorates import POPULATED_LEVELS, load

NINEVEH = load()
GAZETTEER = Gazetteer(NINEVEH)
MOSUL_SUBDISTRICT = "IQG15Q05N04"
MIDAN = "DTM-18315"


def test_find_by_either_code() -> None:
    assert GAZETTEER.find("IQG15") is NINEVEH.places["IQG15"]
    old = next(place for place in NINEVEH.places.values() if place.legacy_pcode)
    assert GAZETTEER.find(old.legacy_pcode) is old
    assert GAZETTEER.find("IQG99") is None
    assert GAZETTEER.find("") is None


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("الميدان", "ar", MIDAN),
        ("ميدان", "ar", MIDAN),
        ("al midan", "en", MIDAN),
        ("MIDAN", "en", MIDAN),
        ("سنجار", "ar", "IQG15Q07"),
        ("شنگال", "kmr", "IQG15Q07"),
        ("شەنگال", "ckb", "IQG15Q07"),
        ("ئاكري", "ckb", "IQG15Q01"),
        ("نينوي", "ar", "IQG15"),
        ("١٧ تموز", "ar", "DTM-18247"),
    ],
)
def test_search_finds_the_usual_spellings_first(text: str, language: str, expected: str) -> None:
    assert GAZETTEER.search(text, language)[0].pcode == expected


def test_search_ranks_whole_names_before_beginnings_and_keeps_the_limit() -> None:
    found = GAZETTEER.search("الموصل", "ar", limit=50)
    assert {place.pcode for place in found[:2]} == {"IQG15Q05", "GN-99072"}
    assert len(GAZETTEER.search("حي", limit=7)) == 7
    assert GAZETTEER.search("  ") == ()
    assert GAZETTEER.search("xyzzy") == ()


def test_a_quarter_is_where_it_is() -> None:
    home = GAZETTEER.residence_point(MIDAN)
    quarter = NINEVEH.places[MIDAN]
    assert (home.longitude, home.latitude) == (quarter.longitude, quarter.latitude)
    assert home.basis == BASIS_PLACE
    assert home.radius_km < 1


@pytest.mark.parametrize("level", ["subdistrict", "district"])
def test_an_area_is_never_taken_at_its_label_while_places_in_it_are_known(level: str) -> None:
    for place in NINEVEH.places.values():
        if place.level == level and place.pcode.startswith("IQG15"):
            home = GAZETTEER.residence_point(place.pcode)
            inside = np.array([(p.longitude, p.latitude) for p in NINEVEH.populated(place.pcode)])
            assert home.basis == BASIS_AREA
            assert home.radius_km >= 5
            middle = np.array([home.longitude, home.latitude])
            within = great_circle_km(inside, middle) <= home.radius_km + 1e-9
            assert within.mean() >= 0.8, place.pcode


def test_mosuls_subdistrict_lies_in_the_city_and_not_at_its_centroid() -> None:
    home = GAZETTEER.residence_point(MOSUL_SUBDISTRICT)
    city = NINEVEH.places["GN-99072"]
    middle = np.array([home.longitude, home.latitude])
    assert great_circle_km(middle, np.array([city.longitude, city.latitude])) < 4


def test_a_city_with_quarters_has_their_radius_and_a_small_town_its_own() -> None:
    assert 5 < GAZETTEER.residence_point("GN-99072").radius_km < 12
    assert GAZETTEER.residence_point("DTM-17134").radius_km == 2


def test_of_other_governorates_only_the_label_is_known() -> None:
    for pcode in ("IQG01", "IQG01Q04", "IQG09"):
        home = GAZETTEER.residence_point(pcode)
        assert home.basis == BASIS_LABEL
        assert home.radius_km > 30


def test_unknown_codes_are_key_errors() -> None:
    with pytest.raises(KeyError):
        GAZETTEER.residence_point("IQG99")
    with pytest.raises(KeyError):
        GAZETTEER.is_far_outside(43.1, 36.3, "IQG99")


def test_nearest_place() -> None:
    quarter = NINEVEH.places[MIDAN]
    place, away = GAZETTEER.nearest_place(quarter.longitude, quarter.latitude)
    assert place is quarter
    assert away == 0


def test_a_point_in_another_country_is_far_outside() -> None:
    beyond = GAZETTEER.is_far_outside(13.4, 52.5, MIDAN)
    assert beyond is not None
    assert beyond == pytest.approx(2890, abs=30)
    assert GAZETTEER.is_far_outside(36.34, 43.13, MIDAN) is not None, "longitude and latitude swapped"
    assert GAZETTEER.is_far_outside(0.0, 0.0, MIDAN) is not None


def test_a_point_in_another_subdistrict_is_far_outside() -> None:
    sinjar = NINEVEH.places["GN-448149"]
    beyond = GAZETTEER.is_far_outside(sinjar.longitude, sinjar.latitude, MOSUL_SUBDISTRICT)
    assert beyond is not None
    assert beyond > 20


def test_every_place_is_inside_its_own_areas() -> None:
    for place in NINEVEH.places.values():
        if place.level in POPULATED_LEVELS:
            for pcode in NINEVEH.ancestors(place.pcode):
                assert GAZETTEER.is_far_outside(place.longitude, place.latitude, pcode) is None


def test_a_home_a_little_outside_the_last_houses_is_no_issue() -> None:
    quarter = NINEVEH.places[MIDAN]
    assert GAZETTEER.is_far_outside(quarter.longitude, quarter.latitude + 0.02, MIDAN) is None


def test_other_governorates_allow_their_whole_area() -> None:
    zakho = (42.68, 37.14)
    assert GAZETTEER.is_far_outside(*zakho, "IQG09Q04") is None
    assert GAZETTEER.is_far_outside(*zakho, "IQG02") is not None
