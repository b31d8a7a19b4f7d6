"""Parser of XForm expressions, by precedence climbing over XPath 1.0's operators."""

import re
from collections.abc import Iterator
from functools import lru_cache

from xlsforms.walk.expression import Call, Literal, Operation, Path, Step
from xlsforms.walk.functions import FUNCTIONS
from xlsforms.walk.nodes import Expression
from xlsforms.walk.values import ExpressionError

TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d+)?|\.\d+)
  | (?P<text>'[^']*'|"[^"]*")
  | (?P<sign><=|>=|!=|[=<>+*()\[\],-])
  | (?P<step>\.\.|\.|//|/|@)
  | (?P<name>[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)
    )""",
    re.VERBOSE,
)
PRECEDENCE = (("or",), ("and",), ("=", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "div", "mod"))


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Parse an expression.

    Raises:
        ExpressionError: it is no XPath, or uses an axis, attribute or function unknown to this walker.

    """
    parser = _Parser(text)
    expression = parser.level(0)
    if parser.word is not None:
        raise parser.error("something is left over")
    return expression


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    stripped = text.rstrip()
    while at < len(stripped):
        found = TOKEN.match(stripped, at)
        if found is None or found.lastgroup is None:
            raise ExpressionError(f"cannot read {text!r} from character {at}")
        at = found.end()
        yield found.lastgroup, found[found.lastgroup]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.at = 0

    @property
    def word(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    @property
    def kind(self) -> str | None:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def error(self, problem: str) -> ExpressionError:
        return ExpressionError(f"{problem} in {self.text!r}, token {self.at + 1}")

    def take(self) -> str:
        word = self.word
        if word is None:
            raise self.error("the end comes too early")
        self.at += 1
        return word

    def expect(self, sign: str) -> None:
        if self.take() != sign:
            raise self.error(f"{sign} is missing")

    def level(self, depth: int) -> Expression:
        if depth == len(PRECEDENCE):
            return self.unary()
        left = self.level(depth + 1)
        while self.kind in ("sign", "name") and self.word in PRECEDENCE[depth]:
            left = Operation(self.take(), left, self.level(depth + 1))
        return left

    def unary(self) -> Expression:
        if self.kind == "sign" and self.word == "-":
            self.take()
            return Operation("-", Literal(0.0), self.unary())
        return self.primary()

    def primary(self) -> Expression:
        if self.kind == "number":
            return Literal(float(self.take()))
        if self.kind == "text":
            return Literal(self.take()[1:-1])
        if self.kind == "sign" and self.word == "(":
            self.take()
            inner = self.level(0)
            self.expect(")")
            return inner
        if self.kind == "name" and self.tokens[self.at + 1 : self.at + 2] == [("sign", "(")]:
            call = self.call()
            return Path(False, call, self.steps()) if self.word == "/" else call
        return self.path()

    def call(self) -> Call:
        name = self.take()
        if name not in FUNCTIONS:
            raise self.error(f"unknown function {name}()")
        self.expect("(")
        arguments: list[Expression] = []
        while self.word != ")":
            arguments.append(self.level(0))
            if self.word != ")":
                self.expect(",")
        self.take()
        return Call(name, tuple(arguments))

    def path(self) -> Path:
        if self.word == "/":
            return Path(True, None, self.steps())
        first = self.step()
        return Path(False, None, (first, *self.steps()))

    def steps(self) -> tuple[Step, ...]:
        found = []
        while self.kind == "step" and self.word == "/":
            self.take()
            found.append(self.step())
        return tuple(found)

    def step(self) -> Step:
        if self.kind != "name" and self.word not in (".", ".."):
            raise self.error("a name is missing")
        name = self.take()
        predicates = []
        while self.word == "[":
            self.take()
            predicates.append(self.level(0))
            self.expect("]")
        return Step(name, tuple(predicates))
