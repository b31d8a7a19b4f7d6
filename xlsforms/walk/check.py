"""A second look at a finished submission: the definition evaluated over the XML alone."""

import datetime as dt
import random
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.ElementTree import fromstring

from xlsforms.walk.definition import Control, Definition, Shape
from xlsforms.walk.instance import Instance
from xlsforms.walk.nodes import Node
from xlsforms.walk.values import to_number, to_text
from xlsforms.walk.xform import local_name

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

INSTANCE_ID = re.compile(r"uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
GEOPOINT = re.compile(r"(-?\d+(?:\.\d+)?) (-?\d+(?:\.\d+)?) -?\d+(?:\.\d+)? \d+(?:\.\d+)?")
INTEGER = re.compile(r"-?\d{1,9}")
EMPTY = re.compile(r"\s*")


def check_submission(definition: Definition, xml: bytes) -> list[str]:
    """Return what is wrong with a submission, one message a fault, none if the form could have produced it.

    Messages hold paths and the kind of fault, never an answer: they may be logged.
    """
    try:
        element = fromstring(xml)
    except ParseError:
        return ["the XML is not well-formed"]
    faults = list(_heading(definition, element))
    if faults:
        return faults
    reading = _Reading(definition, element)
    instance = Instance(definition, reading.root, moment=reading.moment(), rng=random.Random(0))  # noqa: S311
    return reading.faults + [
        fault for node in reading.root.walk() for fault in _faults(node, instance, reading.absent)
    ]


def _heading(definition: Definition, element: "Element") -> Iterator[str]:
    if local_name(element) != definition.shape.name:
        yield "the root is another one"
    if element.get("id") != definition.form_id:
        yield "the form id is another one"
    if element.get("version") != definition.version:
        yield "the form version is another one"


class _Reading:
    """The submission as nodes in the shape of the form; what the XML leaves out is there, marked absent."""

    def __init__(self, definition: Definition, element: "Element") -> None:
        self.definition = definition
        self.faults: list[str] = []
        self.absent: set[Node] = set()
        self.root = self._node(definition.shape, element, None)

    def moment(self) -> dt.datetime:
        """When the form was begun; the present where it does not say."""
        start = self.root.first("start")
        try:
            return dt.datetime.fromisoformat(start.text if start else "")
        except ValueError:
            return dt.datetime.now(tz=dt.UTC)

    def _node(self, shape: Shape, element: "Element | None", above: Node | None) -> Node:
        node = Node(shape.name, above, kind=self.definition.bind(shape.path).kind)
        if element is None:
            self.absent.add(node)
        elif not shape.children:
            node.text = element.text or ""
        elif not EMPTY.fullmatch(element.text or ""):
            self.faults.append(f"{shape.path}: text in a group")
        inner = list(element) if element is not None else []
        known = [child.name for child in shape.children]
        self.faults += [f"{shape.path}: unknown element" for child in inner if local_name(child) not in known]
        for child in shape.children:
            self._children(child, [found for found in inner if local_name(found) == child.name], node)
        return node

    def _children(self, shape: Shape, found: "list[Element]", node: Node) -> None:
        if not shape.repeats:
            if len(found) > 1:
                self.faults.append(f"{shape.path}: more than once")
            self._node(shape, found[0] if found else None, node)
        for element in found if shape.repeats else ():
            self._node(shape, element, node)


def _faults(node: Node, instance: Instance, absent: set[Node]) -> Iterator[str]:
    definition = instance.definition
    if not instance.is_relevant(node):
        if node not in absent:
            yield f"{node.place}: not relevant, but there"
        return
    if node in absent:
        yield f"{node.place}: relevant, but not there"
        return
    yield from _count_faults(node, instance)
    if node.children:
        return
    bind = definition.bind(node.path)
    control = definition.controls.get(node.path)
    if not node.text:
        if bind.preload or (instance.is_required(node) and not bind.readonly):
            yield f"{node.place}: required, but empty"
    elif bind.readonly and not bind.preload:
        yield f"{node.place}: a note cannot be answered"
    elif not _is_of_kind(node):
        yield f"{node.place}: no {node.kind}"
    elif not instance.satisfies(node):
        yield f"{node.place}: constraint not met"
    if control is not None and control.choices is not None:
        yield from _choice_faults(control, node, instance)
    if bind.calculate is not None and to_text(instance.evaluate(bind.calculate, node)) != node.text:
        yield f"{node.place}: not what the form calculates"


def _count_faults(node: Node, instance: Instance) -> Iterator[str]:
    shape = instance.definition.shapes[node.path]
    for child in shape.children:
        repeat = instance.definition.repeats.get(child.path)
        if repeat is not None and repeat.count is not None:
            wanted = to_number(instance.evaluate(repeat.count, node))
            if len(node.named(child.name)) != wanted:
                yield f"{node.place}/{child.name}: another number of times than the form asks for"


def _choice_faults(control: Control, node: Node, instance: Instance) -> Iterator[str]:
    codes = node.text.split(" ") if control.kind == "select" and node.text else [node.text] * bool(node.text)
    if not set(codes) <= set(instance.choices(control, node)):
        yield f"{node.place}: no such choice"
    if len(set(codes)) != len(codes):
        yield f"{node.place}: a choice twice"


def _is_of_kind(node: Node) -> bool:
    """Tell whether a value is written as the bind's type wants it."""
    if node.name == "instanceID":
        return INSTANCE_ID.fullmatch(node.text) is not None
    check = KINDS.get(node.kind)
    try:
        return check is None or check(node.text)
    except ValueError:
        return False


def _is_geopoint(text: str) -> bool:
    found = GEOPOINT.fullmatch(text)
    return found is not None and abs(float(found[1])) <= 90 and abs(float(found[2])) <= 180


def _is_date(text: str) -> bool:
    return dt.date.fromisoformat(text).isoformat() == text


def _is_moment(text: str) -> bool:
    return dt.datetime.fromisoformat(text).tzinfo is not None


KINDS: dict[str, Callable[[str], bool]] = {
    "int": lambda text: INTEGER.fullmatch(text) is not None,
    "geopoint": _is_geopoint,
    "date": _is_date,
    "dateTime": _is_moment,
}
"""Type of a bind -> whether a text is one; a ValueError means that it is not."""
