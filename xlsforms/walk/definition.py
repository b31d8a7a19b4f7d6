"""A compiled XForm, read into what a walker needs: instance, binds, body, secondary instances, texts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xlsforms.walk.expression import Path
from xlsforms.walk.nodes import Expression, Node
from xlsforms.walk.values import ExpressionError

Texts = Mapping[str, Mapping[str, str]]
"""Language title -> text id -> text."""


@dataclass(frozen=True, slots=True)
class Bind:
    """What the form says about the value at `path`; an expression that is absent is None."""

    path: str
    kind: str
    relevant: Expression | None
    constraint: Expression | None
    required: Expression | None
    calculate: Expression | None
    readonly: bool
    preload: str


@dataclass(frozen=True, slots=True)
class Control:
    """A question: `kind` is the element's name, `choices` None where it has no list."""

    path: str
    kind: str
    choices: "ChoiceList | None"


@dataclass(frozen=True, slots=True)
class ChoiceList:
    """Choices of a question: `options` selects those offered now out of the secondary instance `instance`.

    `value_name` and `label_name` are the elements of an item that hold its code and the id of its text.
    """

    options: Path
    instance: str
    value_name: str
    label_name: str


@dataclass(frozen=True, slots=True)
class Section:
    """A group, or with `count` or `repeats` a repeat, and what is in it."""

    path: str | None
    repeats: bool
    count: Expression | None
    items: tuple["Control | Section", ...]


@dataclass(slots=True)
class Shape:
    """An element of the primary instance, before anybody answers."""

    name: str
    path: str
    repeats: bool
    children: list["Shape"] = field(default_factory=list)

    def walk(self) -> Iterator["Shape"]:
        """Yield the element and everything below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Definition:
    """A form's definition.

    `shape` is the primary instance; `shapes`, `binds`, `controls` and `repeats` are keyed by path;
    `dependents` tells which calculations to do again when the value at a path changes.
    """

    form_id: str
    version: str
    shape: Shape
    shapes: Mapping[str, Shape]
    binds: Mapping[str, Bind]
    dependents: Mapping[str, tuple[str, ...]]
    body: tuple[Control | Section, ...]
    controls: Mapping[str, Control]
    repeats: Mapping[str, Section]
    instances: Mapping[str, Node]
    texts: Texts
    default_language: str

    def bind(self, path: str) -> Bind:
        """Bind of a path, an empty one where the form has none."""
        return self.binds.get(path) or Bind(path, "string", None, None, None, None, False, "")

    def choice_name(self, path: str, value: str) -> str:
        """Return a choice's label in the default language, whatever the filter; '' if there is none."""
        control = self.controls.get(path)
        if control is None or control.choices is None:
            raise ExpressionError(f"{path} is no question with a choice list")
        choices = control.choices
        for item in self.instances[choices.instance].children[0].children:
            code, text_id = item.first(choices.value_name), item.first(choices.label_name)
            if code is not None and text_id is not None and code.text == value:
                return self.texts[self.default_language].get(text_id.text, "")
        return ""
