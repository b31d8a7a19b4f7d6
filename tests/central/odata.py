"""The filter language of Central's OData feeds, and the parts that both of its feeds share."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from tests.central.problems import CentralProblemError

TOKENS = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<moment>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[\w$][\w$/.]*|_[\w$/]*)|(?P<mark>[(),]))"
)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
}
PARTS = ("year", "month", "day", "hour", "minute", "second")

Reading = Callable[[Any], Any]


class Filter:
    """A parsed filter. `fields`: how to read each field from an item; `names`: which fields it names.

    Raises CentralProblemError 400.18 (cannot be read) and 501.5 (a field that cannot be filtered on).
    """

    def __init__(self, text: str, fields: Mapping[str, Reading]) -> None:
        self._text, self._fields = text, fields
        self.names: set[str] = set()
        self._tokens = self._split()
        self._at = 0
        self.matches: Callable[[Any], bool] = self._either()
        if self._at < len(self._tokens):
            raise _unreadable(self._tokens[self._at][2])

    def _split(self) -> list[tuple[str, str, int]]:
        tokens, at = [], 0
        end = len(self._text.rstrip())
        while at < end:
            found = TOKENS.match(self._text, at)
            if found is None:
                raise _unreadable(at + len(self._text[at:]) - len(self._text[at:].lstrip()))
            kind = str(found.lastgroup)
            tokens.append((kind, found[kind], found.start(kind)))
            at = found.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, str, int]:
        if self._at >= len(self._tokens):
            raise _unreadable(len(self._text))
        self._at += 1
        return self._tokens[self._at - 1]

    def _either(self) -> Callable[[Any], bool]:
        found = [self._both()]
        while self._peek() == "or":
            self._take()
            found.append(self._both())
        return found[0] if len(found) == 1 else lambda item: any(one(item) for one in found)

    def _both(self) -> Callable[[Any], bool]:
        found = [self._one()]
        while self._peek() == "and":
            self._take()
            found.append(self._one())
        return found[0] if len(found) == 1 else lambda item: all(one(item) for one in found)

    def _one(self) -> Callable[[Any], bool]:
        if self._peek() == "not":
            self._take()
            inner = self._one()
            return lambda item: not inner(item)
        if self._peek() == "(":
            self._take()
            inner = self._either()
            self._close()
            return inner
        left = self._value()
        _, operator, at = self._take()
        if operator not in COMPARISONS:
            raise _unreadable(at)
        right = self._value()
        compare = COMPARISONS[operator]

        def matches(item: Any) -> bool:
            a, b = left(item), right(item)
            if a is None or b is None:  # SQL: comparisons skip nulls, but eq and ne know the word null
                return operator in {"eq", "ne"} and (compare(a, b) if operator == "eq" else a is not b)
            return compare(a, b)

        return matches

    def _close(self) -> None:
        _, mark, at = self._take()
        if mark != ")":
            raise _unreadable(at)

    def _value(self) -> Reading:
        kind, text, at = self._take()
        if kind == "string":
            value: Any = text[1:-1].replace("''", "'")
        elif kind == "moment":
            value = _moment(text)
        elif kind == "number":
            value = float(text)
        elif kind == "name" and text == "null":
            value = None
        elif kind == "name" and self._peek() == "(":
            return self._call(text, at)
        elif kind == "name":
            if text not in self._fields:
                raise CentralProblemError(
                    501.5,
                    "The given OData filter expression references fields not supported by this server: "
                    f"{text} at {at}",
                    {"at": at, "text": text},
                )
            self.names.add(text)
            return self._fields[text]
        else:
            raise _unreadable(at)
        return lambda _: value

    def _call(self, name: str, at: int) -> Reading:
        self._take()
        if name == "now":
            self._close()
            return lambda _: datetime.now(UTC)
        if name not in PARTS:
            raise _unreadable(at)
        inner = self._value()
        self._close()
        return lambda item: None if inner(item) is None else getattr(inner(item), name)


def _unreadable(at: int) -> CentralProblemError:
    reason = f"Unexpected character at {at}"
    message = f"The OData filter expression you provided could not be parsed: {reason}"
    return CentralProblemError(400.18, message, {"reason": reason})


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def skip_token(key: str, value: str) -> str:
    return "01" + base64.b64encode(json.dumps({key: value}, separators=(",", ":")).encode()).decode()


def from_skip_token(token: str, key: str) -> str:
    """Read a token. Raises CentralProblemError 400.35."""
    try:
        if token.startswith("01"):
            return str(json.loads(base64.b64decode(token[2:], validate=True))[key])
    except (ValueError, KeyError, TypeError, binascii.Error):
        pass
    raise CentralProblemError(400.35, "Invalid $skiptoken")


def next_link(context: str, table: str, asked: Mapping[str, str], token: str) -> str:
    """Make the link to the next page, with the names of parameters encoded as Central does."""
    parts = [f"{quote_plus(name)}={quote_plus(value, safe='*:')}" for name, value in asked.items()]
    return f"{context}/{table}?{'&'.join([*parts, f'%24skiptoken={quote_plus(token)}'])}".replace("%3A", ":")


def page_of(
    items: list[Any], asked: Mapping[str, str], key: str, name: Callable[[Any], str], limit: int | None = None
) -> tuple[list[Any], str | None]:
    """Cut the page out of what matches; returns it and the token of the next one."""
    if "$skiptoken" in asked:
        last = from_skip_token(asked["$skiptoken"], key)
        at = next((number for number, item in enumerate(items) if name(item) == last), len(items))
        items = items[at + 1 :]
    items = items[int(asked.get("$skip", 0)) :]
    top = int(asked["$top"]) if "$top" in asked else (limit or len(items))
    page = items[:top]
    more = page and len(items) > top
    return page, skip_token(key, name(page[-1])) if more else None
