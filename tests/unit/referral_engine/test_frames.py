"""Frames are refused in the words of the caller, and come out canonical."""

import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point, box

from referral_engine.frames import (
    NEEDS_COLUMNS,
    OFFERS_COLUMNS,
    FrameError,
    check_needs,
    check_offers,
    from_geodataframe,
)
from tests.unit.referral_engine.worlds import need, needs_frame, offer, offers_frame


@pytest.mark.parametrize("column", sorted(NEEDS_COLUMNS))
def test_check_needs__names_the_column_that_is_not_there(column: str) -> None:
    with pytest.raises(FrameError, match="no such column") as caught:
        check_needs(needs_frame([need()]).drop(columns=column))
    assert (caught.value.frame, caught.value.column) == ("needs", column)


@pytest.mark.parametrize("column", sorted(OFFERS_COLUMNS))
def test_check_offers__names_the_column_that_is_not_there(column: str) -> None:
    with pytest.raises(FrameError) as caught:
        check_offers(offers_frame([offer()]).drop(columns=column))
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("case_id", 1.5),
        ("case_id", "7"),
        ("service_type", None),
        ("urgency", "asap"),
        ("waiting_since", pd.Timestamp("2026-11-01")),
        ("waiting_since", pd.NaT),
        ("longitude", 181.0),
        ("latitude", "36.3"),
        ("latitude", np.inf),
        ("radius_km", -1.0),
        ("age", True),
        ("sex", 3),
        ("female_headed", "yes"),
        ("exclusion_open", None),
        ("documents", "civil_id"),
        ("consent_kinds", None),
        ("consent_categories", (1,)),
        ("excluded_organizations", ("7",)),
        ("declined", (True,)),
    ],
)
def test_check_needs__refuses_a_wrong_value_by_column_and_row_without_showing_it(column, value) -> None:
    frame = needs_frame([need(), need(**{column: value})], first_id=501)
    with pytest.raises(FrameError) as caught:
        check_needs(frame)
    assert caught.value.column == column
    assert "dtype" in str(caught.value)
    assert "asap" not in str(caught.value)


def test_check_needs__gives_sorted_rows_and_canonical_cells_whatever_came_in() -> None:
    frame = needs_frame(
        [need(documents=["b", "a", "b"]), need(age=None, sex=np.nan, radius_km=None)], first_id=3
    )
    frame = frame.iloc[::-1].assign(extra=1)[["extra", *reversed(NEEDS_COLUMNS)]]
    checked = check_needs(frame)
    assert list(checked.columns) == list(NEEDS_COLUMNS)
    assert checked.index.tolist() == [3, 4]
    assert checked.loc[3, "documents"] == ("a", "b")
    assert checked.loc[4, "sex"] is None
    assert np.isnan(checked.loc[4, "age"])
    pd.testing.assert_frame_equal(check_needs(checked), checked)


def test_check_needs__reads_instants_in_any_zone_as_the_same_moment() -> None:
    here, there = pd.Timestamp("2026-11-01T11:00:00+03:00"), pd.Timestamp("2026-11-01T08:00:00Z")
    mixed = check_needs(needs_frame([need(waiting_since=here), need(waiting_since=there)]))
    assert mixed["waiting_since"].nunique() == 1


def test_check__accepts_frames_without_rows() -> None:
    assert check_needs(needs_frame([])).empty
    assert check_offers(offers_frame([])).empty


def test_check__refuses_repeated_or_textual_ids() -> None:
    twice = pd.concat([offers_frame([offer()])] * 2)
    with pytest.raises(FrameError, match="repeated ids"):
        check_offers(twice)
    with pytest.raises(FrameError, match="whole numbers as index"):
        check_offers(offers_frame([offer()]).rename(index=str))


def test_from_geodataframe__takes_points_as_longitude_and_latitude() -> None:
    gpd = pytest.importorskip("geopandas")
    plain = needs_frame([need(), need()]).drop(columns=["longitude", "latitude"])
    frame = gpd.GeoDataFrame(plain, geometry=[Point(43.2, 36.4), None], crs="EPSG:4326")
    checked = from_geodataframe(frame, "needs")
    assert checked.loc[1, ["longitude", "latitude"]].tolist() == [43.2, 36.4]
    assert np.isnan(checked.loc[2, "longitude"])


@pytest.mark.parametrize("crs", [None, "EPSG:32638"])
def test_from_geodataframe__refuses_another_crs(crs: str | None) -> None:
    gpd = pytest.importorskip("geopandas")
    frame = gpd.GeoDataFrame(offers_frame([offer()]), geometry=[Point(43.2, 36.4)], crs=crs)
    with pytest.raises(FrameError, match="EPSG:4326") as caught:
        from_geodataframe(frame, "offers")
    assert caught.value.column == "geometry"


def test_from_geodataframe__refuses_areas_missing_offers_and_plain_frames() -> None:
    gpd = pytest.importorskip("geopandas")
    area = gpd.GeoDataFrame(offers_frame([offer()]), geometry=[box(43, 36, 44, 37)], crs="EPSG:4326")
    with pytest.raises(FrameError, match="Point geometry, found Polygon"):
        from_geodataframe(area, "offers")
    nowhere = gpd.GeoDataFrame(offers_frame([offer()]), geometry=[None], crs="EPSG:4326")
    with pytest.raises(FrameError, match="longitude"):
        from_geodataframe(nowhere, "offers")
    with pytest.raises(FrameError, match="a GeoDataFrame"):
        from_geodataframe(offers_frame([offer()]), "offers")
