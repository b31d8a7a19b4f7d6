"""Compiling: the same bytes every time, a version that follows the content, lists from the governorate."""

import hashlib
import io
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import openpyxl
import pytest

from governorates import POPULATED_LEVELS, choices, load
from xlsforms import compile as compiling
from xlsforms.choice_lists import LANGUAGE_TITLES, choice_rows
from xlsforms.compile import (
    CompiledForm,
    FormError,
    compile_form,
    list_forms,
    read_source,
    source_digest,
    source_version,
    write_form,
)
from xlsforms.walk.xform import read_definition

VERSIONS = Path(compiling.__file__).with_name("versions.toml")


def _sheet(compiled: CompiledForm, name: str) -> list[dict[str, str]]:
    rows = list(openpyxl.load_workbook(io.BytesIO(compiled.xlsx))[name].iter_rows(values_only=True))
    return [dict(zip(map(str, rows[0]), map(str, row), strict=True)) for row in rows[1:] if any(row)]


def test_names_the_form(compiled: CompiledForm) -> None:
    assert list_forms() == ("needs_assessment",)
    assert compiled.form_id == "needs_assessment"
    assert compiled.title.startswith("تقييم")
    assert f'id="needs_assessment" version="{compiled.version}"' in compiled.xml
    assert "<data " in compiled.xml


def test_compiles_once_a_process(compiled: CompiledForm) -> None:
    assert compile_form("needs_assessment") is compiled
    assert compile_form("needs_assessment", "nineveh") is compiled
    assert compile_form(name="needs_assessment", governorate_code="nineveh") is compiled


def test_another_process_gives_the_same_bytes(compiled: CompiledForm) -> None:
    program = (
        "from hashlib import sha256; from xlsforms.compile import compile_form;"
        "form = compile_form('needs_assessment');"
        "print(sha256(form.xlsx).hexdigest(), sha256(form.xml.encode()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=VERSIONS.parents[1]
    )
    assert other.stdout.split() == [
        hashlib.sha256(compiled.xlsx).hexdigest(),
        hashlib.sha256(compiled.xml.encode()).hexdigest(),
    ]


def test_workbook_holds_no_date_of_today(compiled: CompiledForm) -> None:
    with zipfile.ZipFile(io.BytesIO(compiled.xlsx)) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert b"1980-01-01T00:00:00Z" in archive.read("docProps/core.xml")


@pytest.mark.parametrize("name", list_forms())
def test_a_changed_questionnaire_has_a_new_version(name: str) -> None:
    recorded = tomllib.loads(VERSIONS.read_text(encoding="utf-8"))[name]
    assert recorded.get(source_version(name)) == source_digest(name), (
        f"{name}.yaml changed: raise its version and record "
        f'"{source_version(name)}" = "{source_digest(name)}" in versions.toml'
    )


def test_version_follows_the_data_of_the_governorate(monkeypatch: pytest.MonkeyPatch) -> None:
    governorate = load()
    before = compiling._complete("needs_assessment", governorate)["settings"][0]["version"]
    rows = choice_rows("country", governorate)
    monkeypatch.setattr(
        compiling,
        "choice_rows",
        lambda name, where: rows[1:] if name == "country" else choice_rows(name, where),
    )
    after = compiling._complete("needs_assessment", governorate)["settings"][0]["version"]
    assert before != after
    assert before.partition("-")[0] == after.partition("-")[0] == source_version("needs_assessment")


def test_lists_are_the_governorates(compiled: CompiledForm) -> None:
    governorate = load()
    codes: dict[str, list[str]] = {}
    for row in _sheet(compiled, "choices"):
        codes.setdefault(row["list_name"], []).append(row["name"])
    assert codes["service_type"] == list(governorate.service_types)
    assert codes["category"] == list(governorate.categories)
    assert codes["country"] == [choice.code for choice in choices("country")]
    assert "moi_office" not in codes["organization_kind"]
    assert len(codes["governorate"]) == 18
    assert codes["document"][-1] == "none"
    assert codes["place"][-1] == "unknown"
    populated = {place.pcode for place in governorate.places.values() if place.level in POPULATED_LEVELS}
    assert set(codes["place"]) == populated | {"unknown"}


def test_the_yaml_repeats_no_list_of_the_governorate() -> None:
    own = {(row["list_name"], row["name"]) for row in read_source("needs_assessment")["choices"]}
    assert own == {("place", "unknown"), ("document", "none")}


@pytest.mark.parametrize("title", LANGUAGE_TITLES.values())
def test_no_two_choices_on_one_screen_read_the_same(compiled: CompiledForm, title: str) -> None:
    seen = [
        (row["list_name"], row["governorate"], row["district"], row["subdistrict"], row[f"label::{title}"])
        for row in _sheet(compiled, "choices")
    ]
    assert len(set(seen)) == len(seen)


def test_a_place_without_a_kurdish_name_shows_the_arabic_one(compiled: CompiledForm) -> None:
    place = next(
        place for place in load().places.values() if "kmr" not in place.names or not place.names["kmr"]
    )
    row = next(row for row in _sheet(compiled, "choices") if row["name"] == place.pcode)
    assert row["label::Badini (kmr)"].startswith(place.names["ar"])


def test_writes_every_file(compiled: CompiledForm, tmp_path: Path) -> None:
    written = write_form("needs_assessment", tmp_path / "forms")
    assert [path.name for path in written] == ["needs_assessment.xlsx", "needs_assessment.xml"]
    assert written[1].read_text(encoding="utf-8") == compiled.xml


def test_unknown_form_is_named() -> None:
    with pytest.raises(FormError, match="no form 'nowhere'"):
        compile_form("nowhere")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"type": "select_one planets", "name": "q"}, "no list 'planets'"),
        ({"type": "calculate", "name": "q", "calculation": "{{nonsense}}"}, "no formula or name 'nonsense'"),
    ],
)
def test_what_a_questionnaire_lacks_is_named(
    row: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = read_source("needs_assessment")
    monkeypatch.setattr(compiling, "read_source", lambda name: source | {"survey": [*source["survey"], row]})
    with pytest.raises(FormError, match=message):
        compiling._complete("needs_assessment", load())


def test_representation_is_short(compiled: CompiledForm) -> None:
    assert len(repr(compiled)) < 300
    assert read_definition(compiled.xml).version == compiled.version
