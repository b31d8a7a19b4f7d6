"""Nodes of an XForm instance, primary or secondary, and the scope in which expressions see them."""

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Value = float | str | bool | dt.date | dt.datetime | list["Node"]
"""What an expression can give; a list is a node set in document order."""


class Node:
    """An element with text or children.

    `kind` is the bind's type; `order` the place among its siblings; `path` is without positions, such as
    `/data/household/member/sex`.
    """

    __slots__ = ("_index", "children", "kind", "name", "order", "parent", "path", "text")

    def __init__(self, name: str, parent: "Node | None" = None, text: str = "", kind: str = "string") -> None:
        self.name = name
        self.text = text
        self.kind = kind
        self.parent = parent
        self.children: list[Node] = []
        self.order = 0
        self.path: str = f"/{name}" if parent is None else f"{parent.path}/{name}"
        self._index: dict[tuple[str, str], dict[str, list[Node]]] = {}
        if parent is not None:
            self.order = len(parent.children)
            parent.children.append(self)

    def named(self, name: str) -> list["Node"]:
        """Children of that name."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> "Node | None":
        """First child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def indexed(self, name: str, key: str, value: str) -> list["Node"]:
        """Children `name` whose own child `key` has this text. For lists that no longer change only.

        A cascade of places asks this of a list of a thousand for every form, hence the index.
        """
        index = self._index.get((name, key))
        if index is None:
            index = self._index[name, key] = {}
            for child in self.named(name):
                found = child.first(key)
                index.setdefault("" if found is None else found.text, []).append(child)
        return index.get(value, [])

    def walk(self) -> Iterator["Node"]:
        """Yield the node and everything below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def place(self) -> str:
        """Path with positions where a name repeats, for messages: `/data/household/member[2]/sex`."""
        names = []
        step: Node | None = self
        while step is not None:
            siblings = step.parent.named(step.name) if step.parent else [step]
            names.append(step.name if len(siblings) == 1 else f"{step.name}[{siblings.index(step) + 1}]")
            step = step.parent
        return "/" + "/".join(reversed(names))


@dataclass(slots=True)
class Scope:
    """What expressions may look at beside their own node.

    `choice_name(path, value)` gives the default-language label of a choice of the select at `path`.
    """

    root: Node
    instances: Mapping[str, Node]
    moment: dt.datetime
    rng: random.Random
    choice_name: Callable[[str, str], str]


@dataclass(slots=True)
class Context:
    """Where an expression is evaluated: `current` is the bound node, `node` moves along in predicates."""

    scope: Scope
    node: Node
    current: Node


class Expression(Protocol):
    """A parsed expression."""

    def evaluate(self, context: Context) -> Value:
        """Value of the expression in this context."""
        ...

    def parts(self) -> Sequence["Expression"]:
        """Expressions directly inside this one."""
        ...
