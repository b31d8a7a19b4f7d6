"""The reader says which file and which row is wrong."""

import re
import shutil
from pathlib import Path

import pytest

from governorates import GovernorateDataError, choice_name, choices, load, name_in, read_governorate
from governorates.reader import HOME


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "nineveh"
    copy.mkdir()
    for path in (HOME / "nineveh").iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    return copy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_copied_folder_reads_like_the_original(folder: Path) -> None:
    assert dict(read_governorate(folder).places) == dict(load("nineveh").places)


WRONG = [
    ("places.csv", "DTM-18315,neighbourhood,IQG15Q05N04", "DTM-18315,neighbourhood,IQG15Q05N99", "DTM-18315"),
    ("places.csv", "DTM-18315,neighbourhood,IQG15Q05N04", "DTM-18315,neighbourhood,IQG15Q05", "subdistrict"),
    ("places.csv", "IQG02,governorate,", "IQG01,governorate,", "twice"),
    ("places.csv", "IQG02,governorate,,البصرة", "IQG02,governorate,,", "line 3: the name in ar is missing"),
    ("places.csv", "governorate,,البصرة", "province,,البصرة", "line 3: level 'province'"),
    ("places.csv", "30.372039", "300", "line 3: latitude 300.0 is not between"),
    ("places.csv", "30.372039", "x", "line 3: latitude is not a number"),
    ("places.csv", "30.372039,", "", "line 3: has not as many fields"),
    ("places.csv", "pcode,level", "code,level", "columns missing: pcode"),
    ("governorate.toml", "IQG15", "IQG99", "no governorate of places.csv"),
    ("governorate.toml", '"momd"', '"un"', "operator 'un' is none of momd, moi"),
    ("governorate.toml", '"momd"', '"moi"', "operator 'moi' cannot be the ministry that is asked for apart"),
    ("mandates.toml", "asked_apart = true", "asked_apart = false", "exactly one [[ministry]]"),
    ("mandates.toml", 'code = "momd"', 'code = "momd"\nasked_apart = true', "exactly one [[ministry]]"),
    ("mandates.toml", 'code = "moi"', 'code = "momd"', "[[ministry]] momd: occurs twice"),
    ("barriers.toml", "[[barrier]]", 'uncharted = [{ code = "x" }]\n[[barrier]]', "[[uncharted]] x: names"),
    ("sop.toml", "[calendar]", 'like = "atlantis"\n[calendar]', "'atlantis' is no governorate"),
    ("languages.toml", '"kmr", "en"]', '"en"]', "must list exactly"),
    ("mandates.toml", 'category = "housing"', 'category = "houses"', "[[category]] housing: no ministry"),
    ("mandates.toml", 'ministry = "momd"', 'ministry = "mol"', "'mol' is none of momd, moi"),
    ("taxonomy.toml", 'category = "hlp"', 'category = "land"', "[[service_type]] hlp_legal_aid: category"),
    ("taxonomy.toml", "max_minutes = 120", "max_minutes = 0", "max_minutes 0.0 is not between"),
    ("taxonomy.toml", 'dimension = "social"', 'dimension = "spiritual"', "[[category]] housing: dimension"),
    ("taxonomy.toml", 'ckb = "خانوو و پەناگە", ', "", "[[category]] housing: the name in ckb is missing"),
    ("sop.toml", 'state = "proposed"', 'state = "approved"', "approved, emergency has two clocks"),
    ("sop.toml", '"friday"', '"freeday"', "weekend must be"),
    ("sop.toml", 'date = "01-06"', 'date = "02-31"', "[[holiday]] 2: date: day is out of range"),
    ("sop.toml", 'date = "01-06"', 'date = "6 January"', "[[holiday]] 2: date must be"),
    ("sop.toml", '"23456789', '"13456789', "look-alikes: 1"),
    ("sop.toml", '"23456789', '"33456789', "31 different symbols"),
    ("sop.toml", "stale_days = 14", "stale_days = 42", "[capacity]: confirm_days, stale_days and hide_days"),
    ("sop.toml", "confirm_days = 7", "confirm_days = 0", "[capacity]: confirm_days 0.0 is not between"),
    ("sop.toml", "[capacity]", "[capacities]", "[capacity] is missing"),
    ("sop.toml", 'kind = "tracing"', 'kind = "check_rule"', "check_rule has two rows"),
    ("sop.toml", 'kind = "tracing"', 'kind = "chasing"', "kind 'chasing' is none of"),
    ("sop.toml", "urgent = { hours = 48 }", "urgent = { hours = 0 }", "tracing, urgent: hours 0.0"),
    ("sop.toml", "morning = [8, 12]", "dawn = [8, 12]", "[hours]: must have exactly morning"),
    ("sop.toml", "morning = [8, 12]", "morning = [12, 8]", "morning must be two hours of one day"),
    ("sop.toml", "morning = [8, 12]", 'morning = ["8", 12]', "morning must be two full hours"),
    ("sop.toml", 'phone_prefix = "+964"', 'phone_prefix = "00964"', "[contact]: phone_prefix must be"),
    ("sop.toml", "digest_hour = 8", "digest_hour = 24", "[contact]: digest_hour 24.0 is not between"),
    ("crossings.csv", "old_bridge,tigris", "old_bridge,euphrates", "line 4: barrier 'euphrates'"),
    ("crossings.csv", ",yes,", ",perhaps,", "line 2: open is neither yes nor no"),
    ("barriers.toml", "[43.0, 36.27,", "[43.3, 36.27,", "[[barrier]] tigris: crossings_complete_bbox"),
    ("barriers.toml", "exact = [", "exact = [900, ", "[[barrier]] tigris: exact must be two"),
    ("barriers.toml", "[[barrier]]", "[[barrier", "barriers.toml, file"),
]


@pytest.mark.parametrize(("file", "old", "new", "complaint"), WRONG, ids=lambda value: str(value)[:24])
def test_a_wrong_file_is_named_with_its_row(
    folder: Path, file: str, old: str, new: str, complaint: str
) -> None:
    edit(folder / file, old, new)
    with pytest.raises(GovernorateDataError, match=re.escape(complaint)) as caught:
        read_governorate(folder)
    assert caught.value.file in {file, "taxonomy.toml"}, "a mandate is missed where its category stands"
    assert caught.value.where in str(caught.value)


@pytest.mark.parametrize(
    "file", ["places.csv", "sop.toml", "barriers.toml", "crossings.csv", "taxonomy.toml"]
)
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(GovernorateDataError, match=f"{file}, file: is missing"):
        read_governorate(folder)


def test_unknown_governorate_and_path_tricks_are_refused() -> None:
    for code in ("atlantis", "../nineveh", ""):
        with pytest.raises(GovernorateDataError, match="has no folder"):
            load(code)


def test_ancestors_children_and_levels() -> None:
    nineveh = load()
    assert nineveh.ancestors("DTM-18315") == ("DTM-18315", "IQG15Q05N04", "IQG15Q05", "IQG15")
    assert nineveh.ancestor_at("DTM-18315", "district") == "IQG15Q05"
    assert nineveh.ancestor_at("IQG15", "district") is None
    assert {place.pcode for place in nineveh.children("IQG15")} == {f"IQG15Q0{n}" for n in range(1, 10)}
    assert nineveh.children("DTM-18315") == ()
    with pytest.raises(KeyError):
        nineveh.ancestors("IQG99")


def test_counts_of_the_official_units() -> None:
    nineveh = load()
    levels = [place.level for place in nineveh.places.values()]
    assert levels.count("governorate") == 18
    assert levels.count("district") == 101
    assert levels.count("subdistrict") == 28


def test_ministry_of_interior_owns_only_its_three_categories() -> None:
    moi = {category.code for category in load().categories.values() if category.ministry == "moi"}
    assert moi == {"hlp", "womens_legal_counselling", "family_protection"}


def test_a_missing_name_falls_back_to_arabic() -> None:
    quarter = load().places["DTM-18315"]
    assert name_in(quarter.names, "kmr") == "الميدان"
    assert name_in(quarter.names, "en") == "AL-midan"
    assert choice_name("sex", "female", "ar") == "أنثى"
    assert [choice.code for choice in choices("urgency")] == ["emergency", "urgent", "normal"]
    with pytest.raises(KeyError):
        choices("colour")


def test_records_cannot_be_changed() -> None:
    nineveh = load()
    with pytest.raises(TypeError):
        nineveh.places["X"] = nineveh.places["IQG15"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        nineveh.places["IQG15"].level = "town"  # type: ignore[misc]


def test_a_file_like_another_ones_states_only_what_differs(tmp_path: Path) -> None:
    for code in ("anbar", "nineveh"):
        shutil.copytree(load(code).folder, tmp_path / code)
    (tmp_path / "anbar" / "sop.toml").write_text(
        'like = "nineveh"\n[calendar]\nutc_offset_hours = 4\nweekend = ["friday"]\n', encoding="utf-8"
    )
    read = read_governorate(tmp_path / "anbar")
    assert (read.utc_offset_hours, read.weekend) == (4.0, ("friday",))
    assert (read.clocks, read.holidays) == (load().clocks, load().holidays)


def test_nobody_is_like_one_that_is_like_another(tmp_path: Path) -> None:
    for code in ("anbar", "nineveh", "erbil"):
        shutil.copytree(load(code).folder, tmp_path / code)
    (tmp_path / "erbil" / "sop.toml").write_text('like = "anbar"\n', encoding="utf-8")
    with pytest.raises(GovernorateDataError, match="'anbar' itself is like another one"):
        read_governorate(tmp_path / "erbil")


def test_erbil_differs_where_the_region_does() -> None:
    erbil = load("erbil")
    assert (erbil.default_language, erbil.operator.code, erbil.asked_apart.code) == ("ckb", "jcc", "moi_krg")
    assert set(erbil.categories_of("moi_krg")) == {"womens_legal_counselling", "family_protection"}
    days = {(day.month, day.day) for day in erbil.holidays}
    assert {(3, 5), (3, 20), (3, 21), (3, 22), (3, 23), (12, 17)} <= days
    assert erbil.clocks == load().clocks
