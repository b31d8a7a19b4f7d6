"""Central's CSV export -> the shape of its feed: groups as objects, repeats as lists, every answer as text.

The only way to the content of encrypted submissions. Pure: lines in, rows out. Central writes one table for the form
and one for each repeat. A header is the path with `-` for `/`, relative to its table, and a name may hold `-` itself,
so the form's own fields tell what a header means. A geopoint has four columns. `KEY` of a repeat's row is its place
(`uuid:…/household/member[2]`), `PARENT_KEY` that of the row it belongs to.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_CELL = 8_000_000
"""Characters of one answer; Python's own limit of 131,072 is less than a long note."""

FIRST, KEY, PARENT_KEY, LAST, STATUS = "SubmissionDate", "KEY", "PARENT_KEY", "FormVersion", "Status"
POINT = ("Latitude", "Longitude", "Altitude", "Accuracy")
POSITION = re.compile(r"(.+)\[([1-9]\d{0,8})\]")

Path = tuple[str, ...]
Group = dict[str, Any]

csv.field_size_limit(MAX_CELL)  # of the whole process: nothing else here reads CSV from outside


class CsvShapeError(ValueError):
    """The tables are not an export of Central. Never quotes a cell."""


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: its path without the root, and its type in Central's words."""

    path: Path
    kind: str


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One submission. `status` is None where it could be read, else Central's reason, such as `not decrypted`."""

    root: str
    status: str | None
    answers: Group = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Column:
    """Where the answer of a column goes; `count` columns from `start` on."""

    path: Path
    start: int
    count: int


def read_rows(tables: Iterable[Iterable[str]], fields: Sequence[FormField]) -> list[CsvRow]:
    """Read the tables of an export, each as its lines. Tables that are neither root nor repeat are passed over.

    Raises CsvShapeError.
    """
    roots: list[CsvRow] | None = None
    nested: list[tuple[str, str, Sequence[str], list[str]]] = []
    for table in tables:
        rows = _read_table(table)
        header = next(rows, [])
        if header[-2:] == [PARENT_KEY, KEY]:
            nested += [(row[-1], row[-2], row, header) for row in rows]
        elif header[:1] == [FIRST] and header[-1:] == [LAST] and KEY in header:
            if roots is not None:
                raise CsvShapeError("two root tables")
            roots = list(_read_roots(header, rows, fields))
    if roots is None:
        raise CsvShapeError("no root table")
    _place(nested, {row.root: row.answers for row in roots}, fields)
    return roots


def to_paths(header: Sequence[str], table: Path, fields: Sequence[FormField]) -> list[_Column]:
    """Find the path of every column of a table; `table` is the path of its repeat, or empty.

    A header that two fields could have written belongs to the one that comes first in the form. What no field
    wrote, as of a version of the form that is not the newest, is placed in the longest group that fits.
    """
    expected = _expected(table, fields)
    groups = _groups(table, fields)
    columns, at = [], 0
    while at < len(header):
        candidates = expected.get(header[at], [])
        known = candidates.pop(0) if len(candidates) > 1 else candidates[0] if candidates else None
        point = known[1] if known else _is_point(header, at)
        if known:
            path = known[0]
        else:
            name = header[at].removesuffix(f"-{POINT[0]}") if point else header[at]
            path = _guess(name, groups)
        count = 4 if point else 1
        columns.append(_Column(path, at, count))
        at += count
    return columns


def _read_table(lines: Iterable[str]) -> Iterator[list[str]]:
    """Read rows; those of another length than the header make no table."""
    width = None
    try:
        for row in csv.reader(_plain_lines(lines), strict=True):
            if width is None:
                width = len(row)
                row[:1] = [name.removeprefix("\ufeff") for name in row[:1]]
            if len(row) != width:
                raise CsvShapeError("ragged")
            yield row
    except csv.Error:
        raise CsvShapeError("no csv") from None


def _plain_lines(lines: Iterable[str]) -> Iterator[str]:
    """Undo what Central leaves unquoted: a lone carriage return, which would end a row here."""
    for line in lines:
        yield line.replace("\r\n", "\n").replace("\r", " ") if "\r" in line else line


def _read_roots(
    header: list[str], rows: Iterator[list[str]], fields: Sequence[FormField]
) -> Iterator[CsvRow]:
    # A form may have questions called KEY or Status: Central's own columns are the last ones.
    end = len(header) - 1 - header[::-1].index(KEY)
    if STATUS not in header[end:]:
        raise CsvShapeError("no status")
    status = len(header) - 1 - header[::-1].index(STATUS)
    columns = to_paths(header[1:end], (), fields)
    seen = set()
    for row in rows:
        if not row[end] or row[end] in seen:
            raise CsvShapeError("no key" if not row[end] else "key twice")
        seen.add(row[end])
        yield CsvRow(row[end], row[status] or None, _answers(row[1:end], columns))


def _place(
    nested: list[tuple[str, str, Sequence[str], list[str]]],
    places: Mapping[str, Group],
    fields: Sequence[FormField],
) -> None:
    """Hang the rows of repeats into the rows that they belong to, outer ones first, each list in its order."""
    known = dict(places)
    layouts: dict[tuple[int, Path], list[_Column]] = {}
    paths: dict[str, Path] = dict.fromkeys(places, ())
    hung: dict[tuple[str, Path], list[tuple[int, Group]]] = {}
    # A row's key begins with that of its parent.
    for key, parent, row, header in sorted(nested, key=lambda one: len(one[0])):
        if parent not in known or not key.startswith(f"{parent}/") or key in known:
            raise CsvShapeError("no parent")
        *names, last = key[len(parent) + 1 :].split("/")
        position = POSITION.fullmatch(last)
        if position is None:
            raise CsvShapeError("no position")
        within = (*names, position[1])
        path = paths[parent] + within
        layout = (id(header), path)
        if layout not in layouts:
            layouts[layout] = to_paths(header[:-2], path, fields)
        answers = _answers(row[:-2], layouts[layout])
        known[key], paths[key] = answers, path
        hung.setdefault((parent, within), []).append((int(position[2]), answers))
    for (parent, within), rows in hung.items():
        _put(known[parent], within, [answers for _, answers in sorted(rows, key=lambda one: one[0])])


def _answers(row: Sequence[str], columns: Iterable[_Column]) -> Group:
    answers: Group = {}
    for column in columns:
        cells = [cell.strip() for cell in row[column.start : column.start + column.count]]
        if any(cells):
            text = cells[0] if column.count == 1 else _point(cells)
            _put(answers, column.path, text)
    return answers


def _point(cells: list[str]) -> str:
    """Write a geopoint as ODK does. What is missing is 0; without a place it stays visible as no point."""
    latitude, longitude, altitude, accuracy = cells
    if latitude and longitude:
        return f"{latitude} {longitude} {altitude or 0} {accuracy or 0}"
    return " ".join(cell for cell in cells if cell)


def _put(group: Group, path: Path, value: Any) -> None:
    """Set an answer, making its groups; one whose group is an answer elsewhere keeps its whole path as name."""
    node = group
    for name in path[:-1]:
        inner = node.setdefault(name, {})
        if not isinstance(inner, dict):
            group.setdefault("-".join(path), value)
            return
        node = inner
    node.setdefault(path[-1], value)


def _expected(table: Path, fields: Sequence[FormField]) -> dict[str, list[tuple[Path, bool]]]:
    """Map the headers that the form's fields write in one table to (path, whether it is a geopoint)."""
    depth = len(table)
    inner = [one.path for one in fields if one.kind == "repeat" and len(one.path) > depth]
    expected: dict[str, list[tuple[Path, bool]]] = {}
    for one in fields:
        path = one.path
        if one.kind in {"structure", "repeat"} or path[:depth] != table or len(path) == depth:
            continue
        if any(path[: len(repeat)] == repeat for repeat in inner):
            continue
        is_point = one.kind == "geopoint"
        name = "-".join(path[depth:])
        expected.setdefault(f"{name}-{POINT[0]}" if is_point else name, []).append((path[depth:], is_point))
    return expected


def _groups(table: Path, fields: Sequence[FormField]) -> list[Path]:
    """List the groups of a table, the longest first."""
    depth = len(table)
    groups = {one.path[depth:end] for one in fields if one.path[:depth] == table for end in _ends(one, depth)}
    return sorted(groups, key=lambda group: len("-".join(group)), reverse=True)


def _ends(one: FormField, depth: int) -> range:
    is_group = one.kind == "structure"
    return range(depth + 1, len(one.path) + is_group)


def _guess(name: str, groups: Iterable[Path]) -> Path:
    for group in groups:
        prefix = "-".join(group) + "-"
        if name.startswith(prefix) and len(name) > len(prefix):
            return (*group, name[len(prefix) :])
    return (name,)


def _is_point(header: Sequence[str], at: int) -> bool:
    name = header[at].removesuffix(f"-{POINT[0]}")
    return list(header[at : at + 4]) == [f"{name}-{part}" for part in POINT]
