"""Conversions and comparisons of XPath 1.0 as JavaRosa does them: dates are numbers of days, empty is ''."""

import datetime as dt
import math
import operator
from collections.abc import Callable

from xlsforms.walk.nodes import Node, Value

EPOCH = dt.date(1970, 1, 1)
Atom = float | str | bool | dt.date | dt.datetime

ORDERINGS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class ExpressionError(ValueError):
    """An expression cannot be parsed or evaluated; the message holds the expression, never an answer."""


def unpack(value: Value) -> Atom:
    """Single value of a node set: the typed text of its only node, '' if there is none.

    Raises:
        ExpressionError: more than one node; JavaRosa refuses that too.

    """
    if not isinstance(value, list):
        return value
    if not value:
        return ""
    if len(value) > 1:
        raise ExpressionError(f"{len(value)} nodes where one value is expected: {value[0].path}")
    return typed(value[0])


def typed(node: Node) -> Atom:
    """Text of a node as its bind's type says."""
    if node.text and node.kind == "date":
        return as_date(node.text)
    if node.text and node.kind == "dateTime":
        return dt.datetime.fromisoformat(node.text)
    return node.text


def as_date(text: str) -> dt.date | str:
    """Return a date where the text begins with one in ISO form, else the text."""
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        return text


def to_text(value: Value) -> str:
    """XPath's string(): whole numbers without a point, booleans as words, dates in ISO form."""
    atom = unpack(value)
    if isinstance(atom, bool):
        return "true" if atom else "false"
    if isinstance(atom, float):
        return str(int(atom)) if atom.is_integer() else repr(atom).replace("nan", "NaN")
    if isinstance(atom, dt.datetime):
        return atom.isoformat(timespec="milliseconds")
    return atom.isoformat() if isinstance(atom, dt.date) else atom


def to_number(value: Value) -> float:
    """XPath's number(): NaN for what is no number; dates count days since 1970."""
    atom = unpack(value)
    if isinstance(atom, dt.datetime):
        return atom.timestamp() / 86400
    if isinstance(atom, dt.date):
        return float((atom - EPOCH).days)
    if isinstance(atom, str):
        try:
            return float(atom) if atom.strip() else math.nan
        except ValueError:
            return math.nan
    return float(atom)


def to_flag(value: Value) -> bool:
    """XPath's boolean(); a node set is true if it has a node with a value."""
    atom = unpack(value)
    if isinstance(atom, float):
        return bool(atom) and not math.isnan(atom)
    return bool(atom)


def equal(left: Value, right: Value) -> bool:
    """XPath's `=`: as booleans if one is a boolean, as numbers if one is a number or date, else as text."""
    a, b = unpack(left), unpack(right)
    if isinstance(a, bool) or isinstance(b, bool):
        return to_flag(a) == to_flag(b)
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    return _measure(a, b) == _measure(b, a)


def ordered(sign: str, left: Value, right: Value) -> bool:
    """One of < <= > >=; false whenever a side is no number, hence for unanswered questions."""
    a, b = unpack(left), unpack(right)
    return ORDERINGS[sign](_measure(a, b), _measure(b, a))


def _measure(value: Atom, other: Atom) -> float:
    if isinstance(value, str) and isinstance(other, dt.date):
        return to_number(as_date(value))
    return to_number(value)
