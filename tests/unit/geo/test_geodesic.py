"""Travel over the Tigris: near on the map is not near on the ground."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.geodesic import GeodesicTravel
from geo.rivers import EAST, UNSURE, WEST, River
from geo.sphere import great_circle_km
from geo.travel import Points, TravelPairs, TravelTime
from governorates import Crossing, load

NINEVEH = load()
TRAVEL = GeodesicTravel(NINEVEH)
RIVER = River(NINEVEH.barriers[0], NINEVEH.crossings, tuple(NINEVEH.places.values()))

OLD_CITY = (43.1215, 36.3550)  # west bank, between the third and the fifth bridge
ACROSS = (43.1255, 36.3635)  # east bank, right across the water
SINJAR = (41.8766, 36.3209)
BASHIQA = (43.3519, 36.4516)
RABIA = (42.0972, 36.8025)


def travel_with_open(codes: Sequence[str]) -> GeodesicTravel:
    crossings = [replace(crossing, open=crossing.code in codes) for crossing in NINEVEH.crossings]
    return GeodesicTravel(NINEVEH, crossings=crossings)


def one(travel: GeodesicTravel, start: tuple[float, float], end: tuple[float, float]) -> TravelPairs:
    return travel.pairs(np.array([start]), np.array([end]))


def over(crossing: Crossing) -> float:
    """Kilometres from the old city to the quarter across over one bridge, by hand."""
    stops = np.array([OLD_CITY, crossing.west, crossing.east, ACROSS])
    return float(great_circle_km(stops[:-1], stops[1:]).sum()) * 1.35


def test_it_is_a_travel_time_model() -> None:
    model: TravelTime = TRAVEL
    assert model.minutes_per_km_floor == pytest.approx(1.35 * 60 / 45)


def test_great_circle_against_known_figures() -> None:
    degree = great_circle_km(np.array([[43.0, 0.0]]), np.array([[44.0, 0.0]]))
    assert degree[0] == pytest.approx(6371.0088 * np.pi / 180)
    mosul_baghdad = great_circle_km(np.array([43.13, 36.34]), np.array([44.36, 33.31]))
    assert mosul_baghdad == pytest.approx(355, abs=5)


def test_across_the_tigris_is_much_farther_than_the_straight_line() -> None:
    straight = great_circle_km(np.array([OLD_CITY]), np.array([ACROSS]))[0]
    assert straight == pytest.approx(1.0, abs=0.05)
    found = one(TRAVEL, OLD_CITY, ACROSS)
    assert found.km[0] > 2 * straight * 1.35
    assert found.km[0] == pytest.approx(min(over(crossing) for crossing in NINEVEH.crossings))
    assert found.minutes[0] == pytest.approx(found.km[0] / 45 * 60)
    assert found.river_considered[0]


def test_closing_bridges_one_by_one_takes_the_next_and_then_there_is_no_way() -> None:
    by_length = sorted(NINEVEH.crossings, key=over)
    before = 0.0
    for closed in range(len(by_length)):
        left = by_length[closed:]
        found = one(travel_with_open([crossing.code for crossing in left]), OLD_CITY, ACROSS)
        assert found.km[0] == pytest.approx(over(left[0]))
        assert found.km[0] > before
        before = found.km[0]
    found = one(travel_with_open([]), OLD_CITY, ACROSS)
    assert np.isinf(found.minutes[0])
    assert np.isinf(found.km[0])
    assert found.river_considered[0]


def test_one_bank_needs_no_bridge() -> None:
    within = one(travel_with_open([]), OLD_CITY, (43.0830, 36.3263))
    assert np.isfinite(within.minutes[0])
    assert within.river_considered[0]
    assert within.km[0] == pytest.approx(
        1.35 * great_circle_km(np.array(OLD_CITY), np.array([43.0830, 36.3263]))
    )


def test_from_the_old_city_to_the_plain_goes_over_a_bridge_too() -> None:
    found = one(TRAVEL, OLD_CITY, BASHIQA)
    straight = great_circle_km(np.array(OLD_CITY), np.array(BASHIQA))
    assert found.km[0] > straight * 1.35
    assert found.river_considered[0]
    closed = one(travel_with_open([]), OLD_CITY, BASHIQA)
    assert closed.km[0] == pytest.approx(straight * 1.35), "there may be a bridge beyond the listed ones"
    assert not closed.river_considered[0]


def test_where_crossings_are_not_listed_the_river_is_not_considered() -> None:
    found = one(TRAVEL, RABIA, BASHIQA)
    assert not found.river_considered[0]
    assert found.km[0] == pytest.approx(1.35 * great_circle_km(np.array(RABIA), np.array(BASHIQA)))
    assert one(TRAVEL, RABIA, SINJAR).river_considered[0], "both surely on the west bank"


def test_a_point_too_near_the_river_is_on_neither_bank_for_sure() -> None:
    river = np.array(NINEVEH.barriers[0].line)
    beside = river[river[:, 1] < 36.0][:3] + np.array([0.01, 0.0])
    assert (RIVER.banks(beside) == UNSURE).all()
    for end in (SINJAR, BASHIQA):
        found = TRAVEL.pairs(beside, np.broadcast_to(end, (3, 2)))
        assert not found.river_considered.any()


def test_banks_of_the_districts() -> None:
    west, east = ("IQG15Q02", "IQG15Q04", "IQG15Q07"), ("IQG15Q01", "IQG15Q06")
    for districts, bank in ((west, WEST), (east, EAST)):
        for pcode in districts:
            points = np.array([(p.longitude, p.latitude) for p in NINEVEH.populated(pcode)])
            assert (RIVER.banks(points) == bank).all(), pcode


def test_listed_banks_agree_with_the_line_wherever_the_line_tells() -> None:
    line_only = River(NINEVEH.barriers[0], NINEVEH.crossings, ())
    listed = [place for place in NINEVEH.places.values() if place.bank in ("west", "east")]
    points = np.array([(place.longitude, place.latitude) for place in listed])
    told = np.array([WEST if place.bank == "west" else EAST for place in listed])
    by_line = line_only.banks(points)
    assert (by_line[by_line != UNSURE] == told[by_line != UNSURE]).all()
    assert (by_line != UNSURE).mean() > 0.8
    assert (RIVER.banks(points) == told).all(), "a bank set by hand holds at its place"


def test_bridge_ends_are_on_their_banks() -> None:
    # The decks are 300 to 900 m long, so that an end may be within the line's doubt but never beyond it.
    line_only = River(NINEVEH.barriers[0], NINEVEH.crossings, ())
    assert EAST not in line_only.banks(np.array([crossing.west for crossing in NINEVEH.crossings]))
    assert WEST not in line_only.banks(np.array([crossing.east for crossing in NINEVEH.crossings]))


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_taking_points_in_chunks_changes_nothing(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(5).uniform([42.9, 36.2], [43.3, 36.5], (60, 2))
    expected = [RIVER.banks(point[None])[0] for point in points]
    monkeypatch.setattr("geo.rivers.CHUNK", chunk)
    assert RIVER.banks(points).tolist() == expected


coordinates = st.tuples(st.floats(41.3, 44.3), st.floats(35.3, 37.3))
mosul = st.tuples(st.floats(43.05, 43.25), st.floats(36.28, 36.41))
places = st.lists(st.one_of(coordinates, mosul), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(places, places, st.sets(st.sampled_from([crossing.code for crossing in NINEVEH.crossings])))
def test_journeys_are_symmetric_and_never_quicker_than_the_floor(
    starts: list[tuple[float, float]], ends: list[tuple[float, float]], codes: set[str]
) -> None:
    travel = travel_with_open(sorted(codes))
    count = min(len(starts), len(ends))
    origins, destinations = np.array(starts[:count]), np.array(ends[:count])
    there, back = travel.pairs(origins, destinations), travel.pairs(destinations, origins)
    np.testing.assert_allclose(there.minutes, back.minutes)
    np.testing.assert_array_equal(there.river_considered, back.river_considered)
    floor = great_circle_km(origins, destinations) * travel.minutes_per_km_floor
    assert (there.minutes >= floor * (1 - 1e-12)).all()


@settings(max_examples=30, deadline=None)
@given(places, mosul)
def test_many_rows_at_once_equal_one_row_at_a_time(
    starts: list[tuple[float, float]], end: tuple[float, float]
) -> None:
    together = TRAVEL.pairs(np.array(starts), np.broadcast_to(end, (len(starts), 2)))
    for row, start in enumerate(starts):
        alone = one(TRAVEL, start, end)
        np.testing.assert_allclose(alone.minutes[0], together.minutes[row])
        assert alone.river_considered[0] == together.river_considered[row]


def test_opening_a_bridge_never_makes_a_way_longer() -> None:
    rng = np.random.default_rng(11)
    origins: Points = rng.uniform([43.05, 36.28], [43.25, 36.41], (200, 2))
    destinations: Points = rng.uniform([43.05, 36.28], [43.25, 36.41], (200, 2))
    codes = [crossing.code for crossing in NINEVEH.crossings]
    for count in range(1, len(codes) + 1):
        fewer = travel_with_open(codes[: count - 1]).pairs(origins, destinations).minutes
        more = travel_with_open(codes[:count]).pairs(origins, destinations).minutes
        assert (more <= fewer).all()


def test_no_rows_and_points_abroad() -> None:
    nothing = TRAVEL.pairs(np.empty((0, 2)), np.empty((0, 2)))
    assert nothing.minutes.shape == nothing.river_considered.shape == (0,)
    berlin = one(TRAVEL, OLD_CITY, (13.4, 52.5))
    assert berlin.km[0] > 1.35 * 2800
    antipode = one(TRAVEL, OLD_CITY, (-136.9, -36.3))
    assert np.isfinite(antipode.km[0])


@pytest.mark.parametrize(
    ("origins", "destinations"),
    [
        (np.array([43.1, 36.3]), np.array([43.1, 36.3])),
        (np.array([[43.1, 36.3]]), np.array([[43.1, 36.3], [43.2, 36.3]])),
        (np.array([[np.nan, 36.3]]), np.array([[43.1, 36.3]])),
    ],
)
def test_wrong_shapes_and_missing_figures_are_refused(origins: Points, destinations: Points) -> None:
    with pytest.raises(ValueError, match=r"points|shape"):
        TRAVEL.pairs(origins, destinations)


def test_a_detour_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="detour"):
        GeodesicTravel(NINEVEH, detour=0.9)


def test_beside_an_uncharted_river_nothing_is_called_considered() -> None:
    """Nobody has entered the Euphrates yet, so no journey in Anbar may claim to know it."""
    anbar = load("anbar")
    assert not anbar.barriers
    assert anbar.uncharted
    ramadi, falluja = (43.30778, 33.42056), (43.78599, 33.34913)
    found = one(GeodesicTravel(anbar), ramadi, falluja)
    assert not found.river_considered[0]
    assert found.km[0] == pytest.approx(one(TRAVEL, ramadi, falluja).km[0])
    assert one(GeodesicTravel(replace(anbar, uncharted=())), ramadi, falluja).river_considered[0]
