"""Official files are merged once, whole, and safely twice."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from geo.candidates import ImportFileError
from geo.imports import import_places
from geo.master_lists import level_from_names
from governorates import GovernorateDataError, load
from governorates.places import read_places

NINEVEH = load()
COLUMNS = [
    "Place id",
    "Governorate",
    "District",
    "Sub-district",
    "Location name in English",
    "Location name in Arabic",
    "Latitude",
    "Longitude",
]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "places.csv"


def square(west: float, south: float, size: float = 0.2) -> dict[str, Any]:
    east, north = west + size, south + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def boundaries(path: Path, features: list[tuple[dict[str, Any], Any]]) -> Path:
    written = [{"type": "Feature", "properties": names, "geometry": area} for names, area in features]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": written}), encoding="utf-8")
    return path


def subdistrict(pcode: str, english: str, arabic: str, parent: str) -> dict[str, Any]:
    return {"ADM3_PCODE": pcode, "ADM3_EN": english, "ADM3_AR": arabic, "ADM2_PCODE": parent}


def row_of(target: Path, pcode: str) -> dict[str, str]:
    with target.open(encoding="utf-8", newline="") as stream:
        return next(row for row in csv.DictReader(stream) if row["pcode"] == pcode)


def test_boundaries_add_change_and_reject(tmp_path: Path, target: Path) -> None:
    path = boundaries(
        tmp_path / "adm3.geojson",
        [
            (subdistrict("IQG15Q07N09", "Invented", "الناحية المخترعة", "IQG15Q07"), square(41.8, 36.2)),
            (subdistrict("IQG15Q07N02", "Sinuni", "سنوني", "IQG15Q07"), square(41.6, 36.4)),
            (subdistrict("IQG15Q99N01", "Orphan", "يتيمة", "IQG15Q99"), square(41.6, 36.4)),
            (subdistrict("IQG15Q07N08", "Nowhere", "لا مكان", "IQG15Q07"), None),
            (subdistrict("IQG15Q07N07", "Nameless", "", "IQG15Q07"), square(41.6, 36.4)),
            (subdistrict("IQG09Q01N01", "Elsewhere", "مكان آخر", "IQG09Q01"), square(43.4, 37.0)),
        ],
    )
    report = import_places(path, "cod-ab", NINEVEH, target)
    assert report.added == ["IQG15Q07N09"]
    assert report.changed == ["IQG15Q07N02"]
    assert report.elsewhere == 1
    assert [(r.where, r.reason) for r in report.rejected] == [
        ("feature 3", "the area it lies in is not known here"),
        ("feature 4", "no point in Iraq"),
        ("feature 5", "no Arabic name"),
    ]
    places = read_places(target)
    assert len(places) == len(NINEVEH.places) + 1
    assert places["IQG15Q07N09"].longitude == pytest.approx(41.9)
    sinuni = places["IQG15Q07N02"]
    assert sinuni.names["ar"] == "سنوني"
    assert sinuni.names["ckb"] == NINEVEH.places["IQG15Q07N02"].names["ckb"], "Kurdish names are kept"
    assert "kmr: own, to be reviewed" in sinuni.source
    assert sinuni.source.startswith("OCHA COD-AB (adm3.geojson)")


def test_a_second_import_changes_no_byte(tmp_path: Path, target: Path) -> None:
    path = boundaries(
        tmp_path / "adm3.geojson",
        [(subdistrict("IQG15Q07N09", "Invented", "الناحية المخترعة", "IQG15Q07"), square(41.8, 36.2))],
    )
    import_places(path, "cod-ab", NINEVEH, target)
    first = target.read_bytes()
    report = import_places(path, "cod-ab", NINEVEH, target)
    assert target.read_bytes() == first
    assert (report.added, report.changed, report.unchanged) == ([], [], 1)


def test_a_file_that_says_nothing_new_leaves_every_row_and_its_source(tmp_path: Path, target: Path) -> None:
    known = NINEVEH.places["IQG15Q07N02"]
    names = subdistrict(known.pcode, known.names["en"], known.names["ar"], str(known.parent_pcode))
    moved_by_rounding = square(known.longitude - 0.1 + 4e-6, known.latitude - 0.1)
    path = boundaries(tmp_path / "adm3.geojson", [(names, moved_by_rounding)])
    report = import_places(path, "cod-ab", NINEVEH, target)
    assert (report.added, report.changed, report.unchanged) == ([], [], 1)
    assert read_places(target) == dict(NINEVEH.places)


def test_a_label_point_is_inside_a_bent_area(tmp_path: Path, target: Path) -> None:
    bent = {
        "type": "Polygon",
        "coordinates": [
            [[41.0, 36.0], [42.0, 36.0], [42.0, 36.1], [41.1, 36.1], [41.1, 36.9], [41.0, 36.9], [41.0, 36.0]]
        ],
    }
    path = boundaries(tmp_path / "a.geojson", [(subdistrict("IQG15Q07N09", "L", "ناحية", "IQG15Q07"), bent)])
    import_places(path, "cod-ab", NINEVEH, target)
    place = read_places(target)["IQG15Q07N09"]
    assert place.latitude <= 36.1 or place.longitude <= 41.1


def test_boundaries_in_metres_are_read_in_degrees(tmp_path: Path, target: Path) -> None:
    import geopandas
    from shapely.geometry import box

    frame = geopandas.GeoDataFrame(
        [subdistrict("IQG15Q07N09", "Invented", "ناحية", "IQG15Q07")],
        geometry=[box(200_000, 4_020_000, 210_000, 4_030_000)],
        crs="EPSG:32638",
    )
    path = tmp_path / "adm3.shp"
    frame.to_file(path, encoding="utf-8")
    import_places(path, "cod-ab", NINEVEH, target)
    place = read_places(target)["IQG15Q07N09"]
    assert place.longitude == pytest.approx(41.7, abs=0.1)
    assert place.latitude == pytest.approx(36.3, abs=0.1)


def dtm_row(**changes: str) -> dict[str, str]:
    row = dict(
        zip(
            COLUMNS,
            ["90001", "Ninewa", "Sinjar", "Markaz Sinjar", "Invented", "قرية مخترعة", "36.3", "41.9"],
            strict=True,
        )
    )
    return row | changes


def master_list(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a list as DTM does: a title above the headings."""
    table = [["Master list", *[""] * 7], COLUMNS, *[[row[name] for name in COLUMNS] for row in rows]]
    frame = pd.DataFrame(table)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False, header=False, encoding="utf-8-sig")
    else:
        with pd.ExcelWriter(path) as book:
            pd.DataFrame([["About this list"]]).to_excel(book, sheet_name="About", index=False, header=False)
            frame.to_excel(book, sheet_name="List", index=False, header=False)
    return path


@pytest.mark.parametrize("name", ["list.csv", "list.xlsx"])
def test_a_master_list_adds_places_under_their_named_subdistrict(
    name: str, tmp_path: Path, target: Path
) -> None:
    rows = [
        dtm_row(),
        dtm_row(**{"Place id": "90002", "Sub-district": "", "Location name in Arabic": "مخيم مخترع"}),
        dtm_row(**{"Place id": "90003", "Governorate": "Duhok"}),
        dtm_row(**{"Place id": "90004", "Latitude": "", "Longitude": ""}),
        dtm_row(**{"Place id": "90005", "Latitude": "41.9", "Longitude": "36.3"}),
        dtm_row(**{"Place id": "90006", "District": "Atlantis", "Sub-district": "Atlantis"}),
        dtm_row(**{"Place id": "", "Location name in English": "No code"}),
        dtm_row(**{"Place id": "90007", "Location name in Arabic": ""}),
        dtm_row(**{"Place id": "18315", "Latitude": "36.3500", "Longitude": "43.1339"}),
    ]
    path = master_list(tmp_path / name, rows)
    report = import_places(path, "dtm", NINEVEH, target)
    assert report.added == ["DTM-90001", "DTM-90002"]
    assert report.changed == ["DTM-18315"]
    assert report.elsewhere == 1
    assert [r.where for r in report.rejected] == ["row 6", "row 7", "row 8", "row 9", "row 10"]
    places = read_places(target)
    assert places["DTM-90001"].parent_pcode == "IQG15Q07N03"
    assert places["DTM-90001"].level == "village"
    assert places["DTM-90002"].parent_pcode == "IQG15Q07N03", "from the nearest listed place"
    assert places["DTM-90002"].level == "camp"
    midan = row_of(target, "DTM-18315")
    assert (midan["latitude"], midan["bank"], midan["level"]) == ("36.350000", "west", "neighbourhood")
    first = target.read_bytes()
    again = import_places(path, "dtm", NINEVEH, target)
    assert (again.added, again.changed, again.unchanged) == ([], [], 3)
    assert target.read_bytes() == first


def test_a_place_never_takes_the_code_of_an_area(tmp_path: Path, target: Path) -> None:
    path = boundaries(
        tmp_path / "a.geojson",
        [(subdistrict("DTM-18315", "Midan", "الميدان", "IQG15Q05"), square(43.1, 36.3))],
    )
    report = import_places(path, "cod-ab", NINEVEH, target)
    assert report.elsewhere == 1 or report.rejected
    assert read_places(target)["DTM-18315"] == NINEVEH.places["DTM-18315"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.geojson", b"{}"), ("x.geojson", b"\xff\x00"), ("x.csv", b"a,b\n1,2\n"), ("x.xlsx", b"PK")],
)
def test_a_file_of_the_wrong_kind_is_refused_whole(
    name: str, content: bytes, tmp_path: Path, target: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImportFileError, match=f"^{name}"):
        import_places(path, "cod-ab" if name.endswith("json") else "dtm", NINEVEH, target)
    assert not target.exists()


def test_boundaries_without_the_parents_column_are_refused(tmp_path: Path, target: Path) -> None:
    names = {"ADM3_PCODE": "IQG15Q07N09", "ADM3_EN": "x", "ADM3_AR": "س"}
    path = boundaries(tmp_path / "x.geojson", [(names, square(41.8, 36.2))])
    with pytest.raises(ImportFileError, match="adm2_pcode"):
        import_places(path, "cod-ab", NINEVEH, target)


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cod-ab, dtm"):
        import_places(tmp_path / "x", "guess", NINEVEH, tmp_path / "y.csv")


def test_a_result_that_would_not_read_leaves_the_old_file(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = boundaries(
        tmp_path / "good.geojson",
        [(subdistrict("IQG15Q07N09", "Good", "ناحية", "IQG15Q07"), square(41.8, 36.2))],
    )
    import_places(good, "cod-ab", NINEVEH, target)
    before = target.read_bytes()
    read = read_places

    def refuse_drafts(path: Path) -> Any:
        if path != target:
            raise GovernorateDataError(path.name, "line 2", "is wrong")
        return read(path)

    monkeypatch.setattr("geo.imports.read_places", refuse_drafts)
    worse = boundaries(
        tmp_path / "worse.geojson",
        [(subdistrict("IQG15Q07N09", "Worse", "ناحية", "IQG15Q07"), square(41.8, 36.2))],
    )
    with pytest.raises(GovernorateDataError):
        import_places(worse, "cod-ab", NINEVEH, target)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.geojson", "places.csv", "worse.geojson"]


@pytest.mark.parametrize(
    ("english", "arabic", "level"),
    [
        ("Essian Camp", "مخيم ايسيان", "camp"),
        ("Hay Al Nasir", "حي النصر", "neighbourhood"),
        ("Bashiqa center", "مركز بعشيقة", "town"),
        ("Haji Ali", "الحاج علي", "village"),
        ("Campania", "كمبانيا", "village"),
    ],
)
def test_level_from_names(english: str, arabic: str, level: str) -> None:
    assert level_from_names(english, arabic) == level
