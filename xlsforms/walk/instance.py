"""A form while it is filled: values, relevance, choices and calculations, kept as JavaRosa keeps them."""

import datetime as dt
import random
from collections.abc import Iterable

from xlsforms.walk.definition import Control, Definition, Shape
from xlsforms.walk.nodes import Context, Expression, Node, Scope, Value
from xlsforms.walk.values import to_flag, to_text


class Instance:
    """The primary instance of a form. Repeats begin empty; `begin` computes what needs no answer.

    `moment` is the time on the device; `rng` feeds the form's own random().
    """

    def __init__(
        self, definition: Definition, root: Node, *, moment: dt.datetime, rng: random.Random
    ) -> None:
        self.definition = definition
        self.root = root
        self.scope = Scope(root, definition.instances, moment, rng, definition.choice_name)
        self._nodes: dict[str, list[Node]] = {}
        for node in root.walk():
            self._nodes.setdefault(node.path, []).append(node)

    def nodes(self, path: str) -> list[Node]:
        """All nodes at a path, one an instance of the repeats above it."""
        return self._nodes.get(path, [])

    def value(self, path: str) -> str:
        """Text of the first node at a path, '' if there is none."""
        nodes = self.nodes(path)
        return nodes[0].text if nodes else ""

    def evaluate(self, expression: Expression, node: Node) -> Value:
        """Value of an expression bound to a node."""
        return expression.evaluate(Context(self.scope, node, node))

    def is_relevant(self, node: Node) -> bool:
        """Whether the node and everything above it is relevant now."""
        step: Node | None = node
        while step is not None:
            relevant = self.definition.bind(step.path).relevant
            if relevant is not None and not to_flag(self.evaluate(relevant, step)):
                return False
            step = step.parent
        return True

    def is_required(self, node: Node) -> bool:
        """Whether the question must be answered if it is relevant."""
        required = self.definition.bind(node.path).required
        return required is not None and to_flag(self.evaluate(required, node))

    def satisfies(self, node: Node) -> bool:
        """Whether the node's value keeps the constraint; an empty one always does."""
        constraint = self.definition.bind(node.path).constraint
        return not node.text or constraint is None or to_flag(self.evaluate(constraint, node))

    def choices(self, control: Control, node: Node) -> list[str]:
        """Codes that a select offers now, its choice filter applied."""
        if control.choices is None:
            return []
        items, name = self.evaluate(control.choices.options, node), control.choices.value_name
        found = [item.first(name) for item in items] if isinstance(items, list) else []
        return [code.text for code in found if code is not None]

    def begin(self) -> None:
        """Compute every calculation once, as opening the form does."""
        self._calculate(path for path, bind in self.definition.binds.items() if bind.calculate)

    def answer(self, node: Node, text: str) -> None:
        """Set a value and compute what depends on it."""
        if text != node.text:
            node.text = text
            self._calculate(self.definition.dependents.get(node.path, ()))

    def add_repeat(self, above: Node, shape: Shape) -> Node:
        """Append an empty instance of a repeat and compute its calculations."""
        added = grow(self.definition, shape, above)
        for node in added.walk():
            self._nodes.setdefault(node.path, []).append(node)
        self._calculate({node.path for node in added.walk() if self.definition.bind(node.path).calculate})
        return added

    def _calculate(self, paths: Iterable[str]) -> None:
        for path in paths:
            calculate = self.definition.bind(path).calculate
            for node in self.nodes(path):
                if calculate is not None:
                    relevant = self.is_relevant(node)
                    self.answer(node, to_text(self.evaluate(calculate, node)) if relevant else "")


def grow(definition: Definition, shape: Shape, above: Node | None = None) -> Node:
    """Make the nodes of a shape; repeats below it get no instance."""
    node = Node(shape.name, above, kind=definition.bind(shape.path).kind)
    for child in shape.children:
        if not child.repeats:
            grow(definition, child, node)
    return node
