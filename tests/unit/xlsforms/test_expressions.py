"""The XPath evaluator: JavaRosa's rules by example, and XPath 1.0 against lxml as a second opinion."""

import datetime as dt
import math
import random

import pytest
from lxml import etree

from xlsforms.walk.expression import LIST, references
from xlsforms.walk.nodes import Context, Node, Scope, Value
from xlsforms.walk.parser import parse
from xlsforms.walk.values import ExpressionError

MOMENT = dt.datetime(2026, 11, 15, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=3)))
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def _form() -> Node:
    data = Node("data")
    Node("size", data, "4", "int")
    Node("empty", data)
    Node("types", data, "rent cash health")
    Node("returned", data, "2026-11-15", "date")
    for name in ("زينب", "Omar"):
        member = Node("member", data)
        Node("name", member, name)
        Node("age", member, str(len(name)), "int")
    return data


def _places(count: int = 400) -> Node:
    instance = Node("instance")
    root = Node("root", instance, kind=LIST)
    for number in range(count):
        item = Node("item", root)
        Node("name", item, f"p{number}")
        Node("district", item, f"d{number % 7}")
    Node("name", Node("item", root), "unknown")
    return instance


def evaluate(text: str, at: str = "", *, rng: random.Random | None = None) -> Value:
    data = _form()
    node = data
    for name in at.split("/") if at else ():
        step, _, position = name.partition("#")
        node = node.named(step)[int(position or 1) - 1]
    scope = Scope(
        data, {"place": _places()}, MOMENT, rng or random.Random(1), lambda path, code: f"{path}={code}"
    )
    return parse(text).evaluate(Context(scope, node, node))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/size > 3", True),
        ("/data/size - 1", 3.0),
        ("/data/empty > 3", False),
        ("/data/empty < 3", False),
        ("/data/empty = ''", True),
        ("/data/empty != 'self'", True),
        ("/data/missing = ''", True),
        ("/data/returned <= today()", True),
        ("/data/returned < today()", False),
        ("/data/returned >= date('1980-01-01')", True),
        ("/data/returned = '2026-11-15'", True),
        ("today() - date('2026-11-14')", 1.0),
        ("selected(/data/types, 'cash')", True),
        ("selected(/data/types, 'cas')", False),
        ("selected-at(/data/types, 2)", "health"),
        ("selected-at(/data/types, 3)", ""),
        ("count-selected(/data/types)", 3.0),
        ("count-selected(/data/empty)", 0.0),
        ("coalesce(/data/empty, 'x')", "x"),
        ("if(/data/size > 1, /data/size - 1, 0)", 3.0),
        ("substr('abcdef', 2, 4)", "cd"),
        ("substr('abcdef', 4)", "ef"),
        ("string-length('a🏠')", 3.0),
        ("regex('07701', '[0-9]{5}')", True),
        ("regex('07701x', '[0-9]{5}')", False),
        ("int(3.9)", 3.0),
        ("int(-3.9)", -3.0),
        ("7 mod 31", 7.0),
        ("-7 mod 3", -1.0),
        ("1 + 2 * 3 = 7 and not(false())", True),
        ("count(/data/member)", 2.0),
        ("sum(/data/member/age)", 8.0),
        ("max(/data/member/age, 1)", 4.0),
        ("count(instance('place')/root/item[district = 'd3'])", 57.0),
        ("count(instance('place')/root/item[district = 'd3' or name = 'unknown'])", 58.0),
        ("count(instance('place')/root/item[district = 'd3' and name != 'p3'])", 56.0),
        ("jr:choice-name('cash', ' /data/types ')", "/data/types=cash"),
        ("concat('a', 1, true(), 2.5)", "a1true2.5"),
    ],
)
def test_evaluates_as_javarosa_does(text: str, expected: Value) -> None:
    assert evaluate(text) == expected


def test_absolute_path_in_a_repeat_means_the_same_repeat() -> None:
    assert evaluate("concat(/data/member/name, '')", "member#2/age") == "Omar"


def test_relative_path_and_position_in_a_repeat() -> None:
    assert evaluate("concat(../name, position(..))", "member#2/age") == "Omar2"


def test_current_in_a_predicate_is_the_bound_node() -> None:
    found = evaluate(
        "instance('place')/root/item[name = concat('p', current()/../age)]/name", "member#1/name"
    )
    assert isinstance(found, list)
    assert [node.text for node in found] == ["p4"]


def test_once_keeps_what_is_there_and_draws_otherwise() -> None:
    drawn = evaluate("once(random())", "empty")
    assert isinstance(drawn, float)
    assert 0 <= drawn < 1
    assert evaluate("once(random())", "size") == "4"


def test_several_nodes_are_no_value() -> None:
    with pytest.raises(ExpressionError, match="2 nodes"):
        evaluate("/data/member/name = 'x'")


@pytest.mark.parametrize("text", ["1 +", "frobnicate(1)", "a/@b", "child::a", "(1", "a b", "//a", "'open"])
def test_what_it_does_not_know_is_refused_when_parsed(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_references_are_resolved_against_the_bound_node() -> None:
    expression = parse(
        "selected-at(/data/needs/types, position(..) - 1) = ../x or instance('p')/root/item[y=../z]"
    )
    assert references(expression, "/data/needs/need/urgency") == {
        "/data/needs/types",
        "/data/needs/need",
        "/data/needs/need/x",
    } | {"/data/needs/need/urgency/y", "/data/needs/need/z"}


def test_agrees_with_lxml_on_plain_xpath() -> None:
    """Random expressions of XPath 1.0's own operators and functions, on the same tree."""
    rng = random.Random(7)
    tree = etree.fromstring(b"<data><size>4</size><empty/><types>rent cash health</types></data>")
    for _ in range(400):
        text = _random_expression(rng, 3)
        expected = tree.xpath(text)
        found = evaluate(text)
        if isinstance(expected, float) and math.isnan(expected):
            assert isinstance(found, float), text
            assert math.isnan(found), text
        else:
            assert found == expected, text


def _random_expression(rng: random.Random, depth: int) -> str:
    """Make an expression; text is compared with text only, as the forms of this project do."""
    if depth == 0:
        return rng.choice(("1", "2.5", "7", "number(/data/size)", "string-length(/data/types)"))
    left, right = _random_expression(rng, depth - 1), _random_expression(rng, depth - 1)
    return rng.choice(
        (
            f"number({left}) {rng.choice(('+', '-', '*', 'mod', 'div'))} number({right})",
            f"boolean({left}) {rng.choice(('and', 'or'))} not({right})",
            f"number({left}) {rng.choice(('=', '!=', '<', '<=', '>', '>='))} number({right})",
            f"string-length(substring-before('{ALPHABET}', '{rng.choice(ALPHABET)}')) + number({left})",
            f"string-length(concat(substring-after(/data/types, ' '), 'x')) - number({right})",
            f"contains(/data/types, '{rng.choice(('cash', 'x'))}') and boolean({left})",
        )
    )
