"""Going through a form question by question, as an officer does, and answering what is relevant."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from xlsforms.walk.definition import Control, Section
from xlsforms.walk.expression import Operation, Path
from xlsforms.walk.instance import Instance
from xlsforms.walk.nodes import Expression, Node
from xlsforms.walk.values import ORDERINGS, to_number

MAX_ROUNDS = 4
"""How often the form is gone through again because a later answer opened an earlier question."""

MAX_PROPOSALS = 60


class FillError(RuntimeError):
    """No proposed answer is valid; the message names the question, never an answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A relevant question on the screen.

    `path` is without positions and without the root; `position` counts from 0 in the innermost repeat;
    `choices` are the codes offered now; `bounds` the least and greatest number (dates: days since 1970)
    that the constraint allows.
    """

    path: str
    kind: str
    position: int
    required: bool
    choices: tuple[str, ...]
    bounds: tuple[float, float]
    instance: Instance
    node: Node


class Answerer(Protocol):
    """Who answers: yields proposals, best first; '' leaves the question empty."""

    def propose(self, question: Question) -> Iterable[str]:
        """Answers in the form's notation: codes apart by blanks, ISO dates, "lat lon alt acc"."""
        ...


def answer_form(instance: Instance, answerer: Answerer) -> None:
    """Answer every relevant question; each kept answer satisfies the form's constraint and its choices.

    Raises:
        FillError: there is no valid answer to a required question, or answers open questions for ever.

    """
    instance.begin()
    asked: set[Node] = set()
    for _ in range(MAX_ROUNDS):
        before = len(asked)
        for item in instance.definition.body:
            _visit(item, instance.root, instance, answerer, asked)
        if len(asked) == before:
            return
    raise FillError(f"{instance.definition.form_id}: answers open new questions for ever")


def _visit(
    item: Control | Section, above: Node, instance: Instance, answerer: Answerer, asked: set[Node]
) -> None:
    if isinstance(item, Control):
        for node in _below(above, item.path):
            _ask(item, node, instance, answerer, asked)
    elif item.repeats and item.path:
        for node in _repeat_instances(item, above, instance):
            for inner in item.items:
                _visit(inner, node, instance, answerer, asked)
    else:
        for inner in item.items:
            _visit(inner, above, instance, answerer, asked)


def _below(above: Node, path: str) -> list[Node]:
    """Nodes at a path within the repeat instance (or root) in which the walk is."""
    nodes = [above]
    for name in path.removeprefix(above.path).strip("/").split("/"):
        nodes = [child for node in nodes for child in node.named(name)]
    return nodes


def _repeat_instances(item: Section, above: Node, instance: Instance) -> list[Node]:
    """Instances of a repeat, as many as its jr:count asks for."""
    path = item.path or ""
    parent_path, _, name = path.rpartition("/")
    parent = above if above.path == parent_path else _below(above, parent_path)[0]
    if item.count is None or not instance.is_relevant(parent):
        return []
    wanted = to_number(instance.evaluate(item.count, parent))
    while len(parent.named(name)) < wanted:
        instance.add_repeat(parent, instance.definition.shapes[path])
    return parent.named(name)


def _ask(control: Control, node: Node, instance: Instance, answerer: Answerer, asked: set[Node]) -> None:
    bind = instance.definition.bind(control.path)
    if node in asked or bind.readonly or bind.calculate is not None or not instance.is_relevant(node):
        return
    asked.add(node)
    question = _question(control, node, instance)
    for proposal in _limited(chain(answerer.propose(question), _fallbacks(question))):
        if _is_valid(proposal, question):
            return
    raise FillError(f"{instance.definition.form_id}: no valid answer to {node.place}")


def _question(control: Control, node: Node, instance: Instance) -> Question:
    bind = instance.definition.bind(control.path)
    above = node.parent
    position = above.parent.named(above.name).index(above) if above and above.parent else 0
    return Question(
        path=control.path.split("/", 2)[2],
        kind=control.kind if control.kind.startswith("select") else bind.kind,
        position=position,
        required=instance.is_required(node),
        choices=tuple(instance.choices(control, node)),
        bounds=_bounds(bind.constraint, instance, node),
        instance=instance,
        node=node,
    )


def _limited(proposals: Iterable[str]) -> Iterator[str]:
    for count, proposal in enumerate(proposals):
        if count == MAX_PROPOSALS:
            return
        yield proposal


def _is_valid(proposal: str, question: Question) -> bool:
    """Keep the proposal in the form if it is valid, else leave the question empty."""
    if not proposal:
        return not question.required
    codes = proposal.split() if question.kind == "select" else [proposal]
    if question.kind.startswith("select") and not set(codes) <= set(question.choices):
        return False
    question.node.text, before = proposal, question.node.text
    satisfied = question.instance.satisfies(question.node)
    question.node.text = before
    if satisfied:
        question.instance.answer(question.node, proposal)
    return satisfied


def _bounds(constraint: Expression | None, instance: Instance, node: Node) -> tuple[float, float]:
    low, high = float("-inf"), float("inf")
    for sign, limit in _limits(constraint, instance, node):
        if sign.startswith(">"):
            low = max(low, limit)
        else:
            high = min(high, limit)
    return low, high


def _limits(constraint: Expression | None, instance: Instance, node: Node) -> Iterator[tuple[str, float]]:
    """Comparisons of `.` with something, in a constraint whose parts all have to hold."""
    if not isinstance(constraint, Operation):
        return
    if constraint.sign == "and":
        for part in constraint.parts():
            yield from _limits(part, instance, node)
    elif constraint.sign in ORDERINGS and isinstance(constraint.left, Path) and constraint.left.is_self:
        yield constraint.sign, to_number(instance.evaluate(constraint.right, node))


def _fallbacks(question: Question) -> Iterator[str]:
    """Plain answers for a question that the answerer knows nothing about."""
    if not question.required:
        yield ""
    rng = question.instance.scope.rng
    if question.kind.startswith("select"):
        yield from rng.sample(question.choices, len(question.choices))
    elif question.kind == "int":
        low, high = (limit if abs(limit) < 1e9 else 0 for limit in question.bounds)
        yield from (str(rng.randint(int(low), max(int(low), int(high)))) for _ in range(MAX_PROPOSALS))
    elif question.kind == "date":
        yield question.instance.scope.moment.date().isoformat()
    elif question.kind == "geopoint":
        yield "36.34 43.13 0 10"
    else:
        yield from ("-", "1", "0000000")
