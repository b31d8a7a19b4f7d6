"""Reading TOML and CSV so that every complaint names its file and its row or key."""

import csv
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from governorates.errors import GovernorateDataError
from governorates.languages import FALLBACK_LANGUAGE, LANGUAGES, Names

LIKE = "like"


class Row:
    """One table of a file, with typed look-ups that raise `GovernorateDataError`."""

    def __init__(self, file: str, where: str, values: Mapping[str, Any]) -> None:
        self.file = file
        self.where = where
        self.values = values

    def error(self, problem: str) -> GovernorateDataError:
        """Return the error to raise about this row."""
        return GovernorateDataError(self.file, self.where, problem)

    def text(self, key: str, allowed: Sequence[str] | None = None) -> str:
        """Return a non-empty text, one of `allowed` where given."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key} is missing")
        if allowed is not None and value not in allowed:
            raise self.error(f"{key} {value!r} is none of {', '.join(allowed)}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """Return a number between `low` and `high`, both included."""
        try:
            value = float(self.values[key])
        except (KeyError, TypeError, ValueError):
            raise self.error(f"{key} is not a number") from None
        if not low <= value <= high:
            raise self.error(f"{key} {value} is not between {low} and {high}")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return a TOML boolean or a CSV yes or no."""
        value = self.values.get(key, default)
        if isinstance(value, bool):
            return value
        if value not in ("yes", "no"):
            raise self.error(f"{key} is neither yes nor no")
        return bool(value == "yes")

    def names(self) -> Names:
        """Return the names in every language; none may be missing."""
        found = self.values.get("names")
        if not isinstance(found, dict):
            raise self.error("names are missing")
        return self.checked_names(found, required=LANGUAGES)

    def column_names(self, required: Sequence[str] = LANGUAGES) -> Names:
        """Return the names of a CSV row, from the columns name_ar, name_ckb and so on."""
        found = {code: self.values.get(f"name_{code}") or "" for code in LANGUAGES}
        return self.checked_names(found, required)

    def checked_names(self, found: Mapping[str, Any], required: Sequence[str]) -> Names:
        """Return `found` without empty names, in the order of LANGUAGES."""
        for code in found:
            if code not in LANGUAGES:
                raise self.error(f"{code!r} is no language of ours")
        for code in (FALLBACK_LANGUAGE, *required):
            if not isinstance(found.get(code), str) or not found[code].strip():
                raise self.error(f"the name in {code} is missing")
        return {code: found[code].strip() for code in LANGUAGES if found.get(code)}


def read_toml(path: Path) -> Row:
    """Read a TOML file as one row.

    `like = "nineveh"` takes every top-level key that the file does not state from the file of the same name in
    that governorate's folder beside it, so that what two governorates share is stated once.
    """
    values = _parse(path)
    other = values.pop(LIKE, None)
    if other is None:
        return Row(path.name, "top level", values)
    base = path.parent.parent / str(other) / path.name
    if not isinstance(other, str) or base == path or not base.is_file():
        raise GovernorateDataError(path.name, LIKE, f"{other!r} is no governorate with such a file")
    shared = _parse(base)
    if LIKE in shared:
        raise GovernorateDataError(path.name, LIKE, f"{other!r} itself is like another one")
    return Row(path.name, "top level", shared | values)


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise GovernorateDataError(path.name, "file", "is missing") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise GovernorateDataError(path.name, "file", str(fault)) from None


def rows_of(table: Row, key: str) -> Iterator[Row]:
    """Yield the tables of a TOML array of tables; it may not be absent."""
    found = table.values.get(key)
    if not isinstance(found, list):
        raise table.error(f"[[{key}]] is missing")
    for number, values in enumerate(found, start=1):
        label = values.get("code") or number
        yield Row(table.file, f"[[{key}]] {label}", values)


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file that has at least `columns`; a row is named by its line number."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise GovernorateDataError(path.name, "line 1", f"columns missing: {', '.join(missing)}")
            for values in reader:
                row = Row(path.name, f"line {reader.line_num}", values)
                if None in values or None in values.values():
                    raise row.error("has not as many fields as the heading")
                yield row
    except FileNotFoundError:
        raise GovernorateDataError(path.name, "file", "is missing") from None
    except UnicodeDecodeError as fault:
        raise GovernorateDataError(path.name, "file", f"is not UTF-8: {fault.reason}") from None
