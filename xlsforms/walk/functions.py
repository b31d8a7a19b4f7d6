"""Functions of ODK XForms, evaluated on expressions so that `if`, `once` and `coalesce` stay lazy."""

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from xlsforms.walk.nodes import Context, Expression, Node, Value
from xlsforms.walk.values import ExpressionError, as_date, to_flag, to_number, to_text, unpack

Arguments = Sequence[Expression]
Function = Callable[[Context, Arguments], Value]


def _texts(context: Context, arguments: Arguments) -> list[str]:
    return [to_text(argument.evaluate(context)) for argument in arguments]


def _numbers(context: Context, arguments: Arguments) -> list[float]:
    """Numbers of all arguments; a node set gives one a node."""
    found: list[float] = []
    for argument in arguments:
        value = argument.evaluate(context)
        found += [to_number([node]) for node in value] if isinstance(value, list) else [to_number(value)]
    return found


def _nodes(context: Context, argument: Expression) -> list[Node]:
    value = argument.evaluate(context)
    if not isinstance(value, list):
        raise ExpressionError("a node set is expected")
    return value


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _regex(context: Context, arguments: Arguments) -> bool:
    # Java's matches() wants the whole text.
    text, pattern = _texts(context, arguments)
    return _pattern(pattern).fullmatch(text) is not None


def _once(context: Context, arguments: Arguments) -> Value:
    return context.current.text or arguments[0].evaluate(context)


def _if(context: Context, arguments: Arguments) -> Value:
    chosen = arguments[1] if to_flag(arguments[0].evaluate(context)) else arguments[2]
    return unpack(chosen.evaluate(context))


def _coalesce(context: Context, arguments: Arguments) -> str:
    return next((text for text in _texts(context, arguments) if text), "")


def _position(context: Context, arguments: Arguments) -> float:
    if not arguments:
        raise ExpressionError("position() without an argument is not supported")
    node = _nodes(context, arguments[0])[0]
    siblings = node.parent.named(node.name) if node.parent else [node]
    return float(siblings.index(node) + 1)


def _substr(context: Context, arguments: Arguments) -> str:
    text = to_text(arguments[0].evaluate(context))
    start, *end = (int(to_number(argument.evaluate(context))) for argument in arguments[1:])
    return text[start:] if not end else text[start : end[0]]


def _substring_before(context: Context, arguments: Arguments) -> str:
    text, mark = _texts(context, arguments)
    return text[: text.index(mark)] if mark in text else ""


def _substring_after(context: Context, arguments: Arguments) -> str:
    text, mark = _texts(context, arguments)
    return text[text.index(mark) + len(mark) :] if mark in text else ""


def _string_length(context: Context, arguments: Arguments) -> float:
    # Java counts UTF-16 units, so an emoji is two.
    return len(_texts(context, arguments)[0].encode("utf-16-le", "surrogatepass")) / 2


def _selected(context: Context, arguments: Arguments) -> bool:
    chosen, code = _texts(context, arguments)
    return code.strip() in chosen.split()


def _selected_at(context: Context, arguments: Arguments) -> str:
    chosen = to_text(arguments[0].evaluate(context)).split()
    index = to_number(arguments[1].evaluate(context))
    return chosen[int(index)] if 0 <= index < len(chosen) else ""


def _count_selected(context: Context, arguments: Arguments) -> float:
    return float(len(to_text(arguments[0].evaluate(context)).split()))


def _integer(context: Context, arguments: Arguments) -> float:
    number = to_number(arguments[0].evaluate(context))
    return float(math.trunc(number)) if math.isfinite(number) else number


def _round(context: Context, arguments: Arguments) -> float:
    number, *places = (to_number(argument.evaluate(context)) for argument in arguments)
    scale = 10 ** int(places[0]) if places else 1
    return math.floor(number * scale + 0.5) / scale if math.isfinite(number) else number


def _date(context: Context, arguments: Arguments) -> Value:
    value = unpack(arguments[0].evaluate(context))
    return as_date(value) if isinstance(value, str) else value


def _today(context: Context, arguments: Arguments) -> dt.date:
    return context.scope.moment.date()


def _instance(context: Context, arguments: Arguments) -> list[Node]:
    (name,) = _texts(context, arguments)
    if name not in context.scope.instances:
        raise ExpressionError(f"there is no instance {name!r}")
    return [context.scope.instances[name]]


def _choice_name(context: Context, arguments: Arguments) -> str:
    value, path = _texts(context, arguments)
    return context.scope.choice_name(path.strip(), value) if value else ""


FUNCTIONS: dict[str, Function] = {
    "boolean": lambda context, arguments: to_flag(arguments[0].evaluate(context)),
    "coalesce": _coalesce,
    "concat": lambda context, arguments: "".join(_texts(context, arguments)),
    "contains": lambda context, arguments: _texts(context, arguments)[1] in _texts(context, arguments)[0],
    "count": lambda context, arguments: float(len(_nodes(context, arguments[0]))),
    "count-selected": _count_selected,
    "current": lambda context, arguments: [context.current],
    "date": _date,
    "false": lambda context, arguments: False,
    "if": _if,
    "instance": _instance,
    "int": _integer,
    "jr:choice-name": _choice_name,
    "max": lambda context, arguments: max(_numbers(context, arguments), default=math.nan),
    "min": lambda context, arguments: min(_numbers(context, arguments), default=math.nan),
    "normalize-space": lambda context, arguments: " ".join(_texts(context, arguments)[0].split()),
    "not": lambda context, arguments: not to_flag(arguments[0].evaluate(context)),
    "now": lambda context, arguments: context.scope.moment,
    "number": lambda context, arguments: to_number(arguments[0].evaluate(context)),
    "once": _once,
    "position": _position,
    "random": lambda context, arguments: context.scope.rng.random(),
    "regex": _regex,
    "round": _round,
    "selected": _selected,
    "selected-at": _selected_at,
    "starts-with": lambda context, arguments: _texts(context, arguments)[0].startswith(
        _texts(context, arguments)[1]
    ),
    "string": lambda context, arguments: to_text(arguments[0].evaluate(context)),
    "string-length": _string_length,
    "substr": _substr,
    "substring-after": _substring_after,
    "substring-before": _substring_before,
    "sum": lambda context, arguments: float(sum(_numbers(context, arguments))),
    "today": _today,
    "true": lambda context, arguments: True,
}
"""Name -> function. An expression with any other name is refused when it is parsed."""
