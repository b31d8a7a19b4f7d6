"""CSV of a real Central and of invented assessments: the same tree as from its feed."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governorates import Governorate, load
from ingest.csv_rows import MAX_CELL, CsvShapeError, FormField, read_rows
from ingest.forms import published_forms
from ingest.parse import parse_assessment
from ingest.trees import from_odata
from tests.central.xforms import parse_form
from tests.unit.ingest.invented import assessment, to_odata

RECORDINGS = Path(__file__).parents[2] / "central" / "recordings"
FORM = "needs_assessment"
TAIL = (
    "KEY,SubmitterID,SubmitterName,AttachmentsPresent,AttachmentsExpected,"
    "Status,ReviewState,DeviceID,Edits,FormVersion"
)
POINT = ("Latitude", "Longitude", "Altitude", "Accuracy")


def lines(text: str) -> Iterator[str]:
    return iter(io.StringIO(text, newline="\n"))


def fields_of(*paths: str) -> list[FormField]:
    """`a/b` is a text, `a/b:geopoint` another type; groups are added."""
    fields: dict[tuple[str, ...], FormField] = {}
    for text in paths:
        path, _, kind = text.partition(":")
        names = tuple(path.split("/"))
        for end in range(1, len(names)):
            fields.setdefault(names[:end], FormField(names[:end], "structure"))
        fields[names] = FormField(names, kind or "string")
    return list(fields.values())


def one(header: str, cells: str, fields: list[FormField]) -> dict[str, Any]:
    """Read one row of answers out of a root table."""
    text = f"SubmissionDate,{header},{TAIL}\n2026-11-23T12:36:55.213Z,{cells},uuid:1,15,O,1,1,,,,0,1\n"
    (row,) = read_rows([lines(text)], fields)
    assert (row.root, row.status) == ("uuid:1", None)
    return row.answers


def recorded(*names: str) -> list[Iterator[str]]:
    return [lines((RECORDINGS / f"{name}.csv").read_text(encoding="utf-8")) for name in names]


NOTE = fields_of(
    "start",
    "case_code",
    "location:geopoint",
    "statement",
    "evidence:binary",
    "incident:repeat",
    "meta/instanceID",
)


def test_recorded_export_of_a_real_central() -> None:
    rows = read_rows(recorded("decrypted-confidential_note", "decrypted-confidential_note-incident"), NOTE)
    assert [row.answers["case_code"] for row in rows] == ["NIN-000003", "NIN-000002", "NIN-000001"]
    assert rows[2].answers == {
        "start": "2026-11-20T11:00:00.000+03:00",
        "case_code": "NIN-000001",
        "location": "36.34 43.13 220 5",
        "statement": "إفادة سرية رقم 1",
        "evidence": "ev.png",
        "meta": {"instanceID": "uuid:239582f0-90c8-44cd-ba50-b5fb9ae30ac9"},
        "incident": [{"incident_date": "2026-01-15"}],
    }
    assert "إفادة" not in repr(rows)


def test_recorded_export_without_a_passphrase() -> None:
    rows = read_rows(recorded("not-decrypted-confidential_note"), NOTE)
    assert {row.status for row in rows} == {"not decrypted"}
    assert all(row.answers == {} for row in rows)


def test_header_that_two_fields_could_have_written_goes_by_the_form() -> None:
    fields = fields_of("a/b-c", "a-b/c", "x-y", "d/e")
    assert one("a-b-c,a-b-c,x-y,d-e", "1,2,3,4", fields) == {
        "a": {"b-c": "1"},
        "a-b": {"c": "2"},
        "x-y": "3",
        "d": {"e": "4"},
    }


def test_columns_of_another_version_of_the_form_are_kept() -> None:
    fields = fields_of("person/name", "person/home-life/size")
    read = one("person-name,person-old-name,person-home-life-rooms,gone,p-Latitude,p-Longitude,p-Altitude,p-Accuracy",
               "N,O,3,g,36.1,43.2,,7", fields)  # fmt: skip
    assert read == {
        "person": {"name": "N", "old-name": "O", "home-life": {"rooms": "3"}},
        "gone": "g",
        "p": "36.1 43.2 0 7",
    }


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "-5", "+964 770", "a;b", "'x"])
def test_cell_that_a_spreadsheet_would_run_is_text(cell: str) -> None:
    assert one("notes", cell, fields_of("notes")) == {"notes": cell}


def test_line_ends_quotes_and_commas_in_cells() -> None:
    """Central quotes a cell with a line feed, and leaves one with a lone carriage return bare."""
    fields = fields_of("a", "b", "c", "d")
    read = one("a,b,c,d", '"x\r\ny, ""z"" ",one\rtwo,"\u2028\x85",كوردی', fields)
    assert read == {"a": 'x\ny, "z"', "b": "one two", "d": "كوردی"}


def test_long_cell_and_one_that_is_too_long() -> None:
    assert one("a", "x" * 500_000, fields_of("a")) == {"a": "x" * 500_000}
    with pytest.raises(CsvShapeError):
        one("a", "x" * (MAX_CELL + 1), fields_of("a"))


def test_questions_named_like_columns_of_central() -> None:
    assert one("KEY,Status,Edits", "k,s,e", fields_of("KEY", "Status", "Edits")) == {
        "KEY": "k",
        "Status": "s",
        "Edits": "e",
    }


def test_repeats_within_repeats_by_their_position_whatever_the_order_of_rows_and_tables() -> None:
    fields = fields_of(
        "g/out:repeat", "g/out/name", "g/out/h/in:repeat", "g/out/h/in/x-y", "g/out/p:geopoint"
    )
    root = f"SubmissionDate,{TAIL}\nd,u/1,1,O,0,0,,,,0,1\nd,u/1/g,1,O,0,0,,,,0,1\n"
    outer = (
        "name,p-Latitude,p-Longitude,p-Altitude,p-Accuracy,PARENT_KEY,KEY\n"
        "B,,,,,u/1,u/1/g/out[2]\nJ,,,,,u/1,u/1/g/out[10]\nA,1,2,3,4,u/1,u/1/g/out[1]\nZ,,,,,u/1/g,u/1/g/g/out[1]\n"
    )
    inner = "x-y,PARENT_KEY,KEY\n2,u/1/g/out[2],u/1/g/out[2]/h/in[2]\n1,u/1/g/out[2],u/1/g/out[2]/h/in[1]\n"
    rows = read_rows([lines(inner), lines(outer), lines(root)], fields)
    assert rows[0].answers == {
        "g": {
            "out": [
                {"name": "A", "p": "1 2 3 4"},
                {"name": "B", "h": {"in": [{"x-y": "1"}, {"x-y": "2"}]}},
                {"name": "J"},
            ]
        }
    }
    assert rows[1].answers == {"g": {"out": [{"name": "Z"}]}}


def test_byte_order_mark_and_other_tables() -> None:
    root = f"\ufeffSubmissionDate,a,{TAIL}\nd,1,u,1,O,0,0,,,,0,1\n"
    audit = "event,node,start\nform start,,1\n"
    assert read_rows([lines(audit), lines(root)], fields_of("a"))[0].answers == {"a": "1"}


@pytest.mark.parametrize(
    "tables",
    [
        [],
        [""],
        ["a,b\n1,2\n"],
        [f"SubmissionDate,{TAIL}\nd,u,1\n"],
        [f"SubmissionDate,{TAIL}\nd,,1,O,0,0,,,,0,1\n"],
        [f"SubmissionDate,{TAIL}\n"] * 2,
        [f"SubmissionDate,{TAIL}\nd,u,1,O,0,0,,,,0,1\n", "a,PARENT_KEY,KEY\n1,v,v/r[1]\n"],
        [f"SubmissionDate,{TAIL}\nd,u,1,O,0,0,,,,0,1\n", "a,PARENT_KEY,KEY\n1,u,u/r\n"],
        [f'SubmissionDate,{TAIL}\nd,"u,1,O,0,0,,,,0,1\n'],
    ],
    ids=["nothing", "empty", "strange", "short", "no-key", "two", "orphan", "no-position", "cut-in-a-cell"],
)
def test_what_is_no_export_is_refused(tables: list[str]) -> None:
    with pytest.raises(CsvShapeError):
        read_rows([lines(table) for table in tables], [])


# Any assessment, written as Central writes its CSV and its feed

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=25)
NUMBERS = st.sampled_from(["36.345", "43", "220", "5.5", "-1.25"])


def the_form() -> list[FormField]:
    definition = parse_form(published_forms("nineveh")[FORM].xml)
    assert definition is not None
    return [FormField(tuple(one.path[1:].split("/")), one.kind) for one in definition.fields]


@st.composite
def nodes(draw: st.DrawFn, fields: list[FormField], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Answers to any of the questions below a group or repeat; a point is a list of four texts."""
    node: dict[str, Any] = {}
    for field in fields:
        if field.path[:-1] != path:
            continue
        name = field.path[-1]
        if field.kind == "repeat":
            node[name] = draw(st.lists(nodes(fields, field.path), max_size=3))
        elif field.kind == "structure":
            node[name] = draw(nodes(fields, field.path))
        elif field.kind == "geopoint":
            node[name] = draw(st.none() | st.tuples(*[NUMBERS] * 4).map(list))
        else:
            node[name] = draw(st.none() | WORDS)
    return node


def central_csv(tree: dict[str, Any], fields: list[FormField]) -> list[str]:
    """Write as csv-stringify does: quoted only for a comma, a quote or a line feed."""
    tables: dict[tuple[str, ...], list[list[str]]] = {(): [["SubmissionDate"]]}
    for field in fields:
        if field.kind == "repeat":
            tables[field.path] = [[]]
    for field in fields:
        table = max((one for one in tables if field.path[: len(one)] == one and field.path != one), key=len)
        if field.kind not in {"structure", "repeat"}:
            name = "-".join(field.path[len(table) :])
            tables[table][0] += [f"{name}-{part}" for part in POINT] if field.kind == "geopoint" else [name]

    def fill(node: dict[str, Any], path: tuple[str, ...], row: list[str], key: str, parent: str) -> None:
        for field in fields:
            if field.path[:-1] != path:
                continue
            value, name = node[field.path[-1]], field.path[-1]
            if field.kind == "repeat":
                for number, item in enumerate(value, 1):
                    inner: list[str] = []
                    fill(item, field.path, inner, f"{key}/{name}[{number}]", f"{key}/{name}[{number}]")
                    tables[field.path].append([*inner, parent, f"{key}/{name}[{number}]"])
            elif field.kind == "structure":
                fill(value, field.path, row, f"{key}/{name}", parent)
            elif field.kind == "geopoint":
                row += value or [""] * 4
            else:
                row.append(value or "")

    row = ["2026-11-23T12:36:55.213Z"]
    fill(tree, (), row, "uuid:1", "uuid:1")
    tables[()].append([*row, "uuid:1", "15", "O", "1", "1", "", "", "", "0", "1"])
    tables[()][0] += TAIL.split(",")
    for path, rows in tables.items():
        rows[0] += ["PARENT_KEY", "KEY"] if path else []
    return ["".join(",".join(map(_quoted, cells)) + "\n" for cells in rows) for rows in tables.values()]


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\n') else cell


def feed(node: dict[str, Any]) -> dict[str, Any]:
    """Write as the feed does."""
    row: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(value, dict):
            row[name] = feed(value)
        elif isinstance(value, list) and value and isinstance(value[0], str):
            numbers = [int(part) if part.isdigit() else float(part) for part in value]
            row[name] = {
                "type": "Point",
                "coordinates": [numbers[1], numbers[0], numbers[2]],
                "properties": {"accuracy": numbers[3]},
            }
        elif isinstance(value, list):
            row[name] = [feed(item) | {"__id": "1f3b5aa6"} for item in value]
        else:
            row[name] = value
    return row


FIELDS = the_form()


@settings(max_examples=60, deadline=None)
@given(nodes(FIELDS))
def test_any_assessment_gives_the_same_tree_by_either_way(tree: dict[str, Any]) -> None:
    tree["meta"]["instanceID"] = "uuid:1"
    (row,) = read_rows([lines(text) for text in central_csv(tree, FIELDS)], FIELDS)
    by_feed = from_odata(feed(tree) | {"__id": "uuid:1"}, FORM)
    by_csv = from_odata(row.answers | {"__id": "uuid:1"}, FORM)
    assert by_csv == by_feed


@pytest.fixture(scope="module")
def nineveh() -> Governorate:
    return load("nineveh")


def test_complete_assessment_is_parsed_alike(nineveh: Governorate) -> None:
    point = "36.345 43.13 228.5 4.8"
    tree = assessment(nineveh, residence__point=point, residence__at_home="yes", notes="=x\nسطر")
    shape = filled(tree, FIELDS)
    shape["residence"]["point"] = point.split()
    shape["meta"]["instanceID"] = "uuid:1"
    (row,) = read_rows([lines(text) for text in central_csv(shape, FIELDS)], FIELDS)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    by_csv = parse_assessment(from_odata(row.answers, FORM).tree, nineveh, received=at)
    by_feed = parse_assessment(
        from_odata(to_odata(tree, instance_id="uuid:1"), FORM).tree, nineveh, received=at
    )
    assert by_csv == by_feed
    assert by_csv.needs and by_csv.persons


def filled(tree: dict[str, Any], fields: list[FormField], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Complete a tree with the questions that were not answered."""
    node: dict[str, Any] = {}
    for field in fields:
        if field.path[:-1] == path:
            name = field.path[-1]
            value = tree.get(name)
            if field.kind == "repeat":
                node[name] = [filled(item, fields, field.path) for item in value or []]
            elif field.kind == "structure":
                node[name] = filled(value or {}, fields, field.path)
            else:
                node[name] = value
    return node
