"""Parsed XPath expressions: the part of XPath 1.0 that XForms use, with JavaRosa's contextual references."""

from collections.abc import Sequence
from dataclasses import dataclass

from xlsforms.walk.functions import FUNCTIONS
from xlsforms.walk.nodes import Context, Expression, Node, Value
from xlsforms.walk.values import ORDERINGS, ExpressionError, equal, ordered, to_flag, to_number, to_text


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a quoted text."""

    value: float | str

    def evaluate(self, context: Context) -> Value:
        """Return the value itself."""
        return self.value

    def parts(self) -> Sequence[Expression]:
        """Nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and a sign; `and` and `or` look at the right one only if they must."""

    sign: str
    left: Expression
    right: Expression

    def evaluate(self, context: Context) -> Value:
        """Boolean for comparisons and logic, number for arithmetic."""
        if self.sign == "and":
            return to_flag(self.left.evaluate(context)) and to_flag(self.right.evaluate(context))
        if self.sign == "or":
            return to_flag(self.left.evaluate(context)) or to_flag(self.right.evaluate(context))
        left, right = self.left.evaluate(context), self.right.evaluate(context)
        if self.sign == "=":
            return equal(left, right)
        if self.sign == "!=":
            return not equal(left, right)
        if self.sign in ORDERINGS:
            return ordered(self.sign, left, right)
        return _arithmetic(self.sign, to_number(left), to_number(right))

    def parts(self) -> Sequence[Expression]:
        """Both operands."""
        return (self.left, self.right)


def _arithmetic(sign: str, left: float, right: float) -> float:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if right == 0:
        return float("nan") if left == 0 or sign == "mod" else left * float("inf")
    if sign == "div":
        return left / right
    # XPath's remainder takes the sign of the dividend, Python's that of the divisor.
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    name: str
    arguments: tuple[Expression, ...]

    def evaluate(self, context: Context) -> Value:
        """Whatever the function gives."""
        return FUNCTIONS[self.name](context, self.arguments)

    def parts(self) -> Sequence[Expression]:
        """Return the arguments."""
        return self.arguments


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a name, `.` or `..`, and the conditions in square brackets behind it."""

    name: str
    predicates: tuple[Expression, ...] = ()

    def take(self, nodes: list[Node], context: Context, near: bool) -> list[Node]:
        """Nodes that this step reaches from `nodes`.

        `near` is set in an absolute path: of several repeats JavaRosa then takes the bound node's own.
        """
        if self.name == ".":
            found = nodes
        elif self.name == "..":
            found = [node.parent for node in nodes if node.parent is not None]
        else:
            found = [child for node in nodes for child in self._children(node, context)]
            if near and len(found) > 1:
                lineage = _lineage(context.current)
                found = [node for node in found if node in lineage] or found
        for predicate in self.predicates:
            found = [
                node
                for node in found
                if to_flag(predicate.evaluate(Context(context.scope, node, context.current)))
            ]
        return found

    def _children(self, node: Node, context: Context) -> list[Node]:
        """Children of that name; with a predicate on a secondary instance, only those the index offers."""
        if self.predicates and node.kind == LIST:
            offered = _offered(self.predicates[0], self.name, node, context)
            if offered is not None:
                return offered
        return node.named(self.name)


LIST = "list"
"""Kind of the node above the items of a secondary instance: it never changes, so it may be indexed."""


def _offered(condition: Expression, name: str, node: Node, context: Context) -> list[Node] | None:
    """Superset of the children that meet a condition, by look-up; None if only a scan can tell."""
    if not isinstance(condition, Operation) or condition.sign not in ("=", "and", "or"):
        return None
    if condition.sign == "=":
        return _looked_up(condition, name, node, context)
    sides = [_offered(part, name, node, context) for part in condition.parts()]
    known = [side for side in sides if side is not None]
    if condition.sign == "and":
        return min(known, key=len, default=None)
    if len(known) < len(sides):
        return None
    return sorted({child for side in known for child in side}, key=lambda child: child.order)


def _looked_up(condition: Operation, name: str, node: Node, context: Context) -> list[Node] | None:
    for key, other in ((condition.left, condition.right), (condition.right, condition.left)):
        if isinstance(key, Path) and key.is_child_name and _is_independent(other):
            return node.indexed(name, key.steps[0].name, to_text(other.evaluate(context)))
    return None


def _is_independent(expression: Expression) -> bool:
    return isinstance(expression, Literal) or (isinstance(expression, Path) and expression.is_anchored)


@dataclass(frozen=True, slots=True)
class Path:
    """A location path: absolute, relative, or beginning with `current()` or `instance('...')`."""

    absolute: bool
    start: Expression | None
    steps: tuple[Step, ...]

    def evaluate(self, context: Context) -> Value:
        """Return the nodes it reaches, in document order."""
        steps = self.steps
        if self.start is not None:
            begun = self.start.evaluate(context)
            if not isinstance(begun, list):
                raise ExpressionError("a path begins with something that is no node")
            nodes = begun
        elif self.absolute:
            if not steps or steps[0].name != context.scope.root.name:
                return []
            nodes, steps = [context.scope.root], steps[1:]
        else:
            nodes = [context.node]
        for step in steps:
            nodes = step.take(nodes, context, self.absolute)
        return nodes

    def parts(self) -> Sequence[Expression]:
        """Start and predicates."""
        predicates = tuple(predicate for step in self.steps for predicate in step.predicates)
        return predicates if self.start is None else (self.start, *predicates)

    @property
    def is_child_name(self) -> bool:
        """Whether it is a bare name such as `district`."""
        return (
            not self.absolute
            and self.start is None
            and len(self.steps) == 1
            and self.steps[0].name not in (".", "..")
            and not self.steps[0].predicates
        )

    @property
    def is_self(self) -> bool:
        """Whether it is a lone `.`, the bound value."""
        return self == Path(False, None, (Step("."),))

    @property
    def is_anchored(self) -> bool:
        """Whether its value is the same for every node that a predicate looks at."""
        return self.absolute or (isinstance(self.start, Call) and self.start.name == "current")

    def target(self, base: str) -> str | None:
        """Path without positions that this one means for a node at `base`; None if it leads into a list."""
        if self.start is not None and not self.is_anchored:
            return None
        names = [] if self.absolute else base.strip("/").split("/")
        for step in self.steps:
            if step.name == "..":
                names = names[:-1]
            elif step.name != ".":
                names.append(step.name)
        return "/" + "/".join(names)


def _lineage(node: Node) -> frozenset[Node]:
    found = []
    step: Node | None = node
    while step is not None:
        found.append(step)
        step = step.parent
    return frozenset(found)


def references(expression: Expression, base: str) -> frozenset[str]:
    """Paths of the primary instance on which an expression bound at `base` depends."""
    found = {target} if isinstance(expression, Path) and (target := expression.target(base)) else set()
    for part in expression.parts():
        found |= references(part, base)
    return frozenset(found)
