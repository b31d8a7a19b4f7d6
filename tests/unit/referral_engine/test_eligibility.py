"""Rules: three values, masks against one pair at a time, and what may never be asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_engine.eligibility import ATTRIBUTES, FORBIDDEN_WORDS, Rule, RuleError, compile_rules, evaluate
from referral_engine.frames import NEEDS_COLUMNS, check_needs, check_offers
from tests.unit.referral_engine.oracle import rule_verdict, verdict
from tests.unit.referral_engine.worlds import need, needs_frame, offer, offers_frame, random_world

MISSING = {"age": None, "documents": None, "disability": None, "tenure": None}


@pytest.mark.parametrize(
    ("attribute", "operator", "values", "met", "unmet"),
    [
        ("age", "between", (15, 60), 15.0, 61.0),
        ("age", "between", (None, 17), 17.0, 18.0),
        ("age", "between", (60, None), 99.0, 59.9),
        ("tenure", "in", ("owner", "tenant"), "owner", "camp"),
        ("tenure", "not_in", ("camp",), "owner", "camp"),
        ("documents", "has_all", ("civil_id", "property_deed"), ("property_deed", "civil_id"), ("civil_id",)),
        ("documents", "has_any", ("civil_id", "unified_card"), ("civil_id",), ()),
        ("disability", "is_true", (), True, False),
        ("disability", "is_false", (), False, True),
    ],
)
def test_each_operator_says_met_not_met_and_unknown(attribute, operator, values, met, unmet) -> None:
    rule = Rule(1, 1, attribute, operator, values)
    rows = [need(**{attribute: value}) for value in (met, unmet, MISSING[attribute])]
    verdicts = evaluate([rule], check_needs(needs_frame(rows)), check_offers(offers_frame([offer()])))
    assert verdicts.dtype == np.int8
    assert verdicts[:, 0].tolist() == [1, -1, 0]


def test_one_failed_rule_outweighs_an_unknown_and_an_unknown_outweighs_a_met_one() -> None:
    met = Rule(1, 1, "sex", "in", ("female",))
    unknown = Rule(2, 1, "disability", "is_true")
    failed = Rule(3, 1, "age", "between", (0, 17))
    needs, offers = check_needs(needs_frame([need()])), check_offers(offers_frame([offer()]))
    assert evaluate([met], needs, offers)[0, 0] == 1
    assert evaluate([met, unknown], needs, offers)[0, 0] == 0
    assert evaluate([met, unknown, failed], needs, offers)[0, 0] == -1


def test_a_service_without_rules_is_open_and_rules_of_others_do_not_reach_it() -> None:
    rule = Rule(1, 2, "age", "between", (0, 5))
    offers = check_offers(offers_frame([offer(service_id=1), offer(service_id=2)]))
    assert evaluate([rule], check_needs(needs_frame([need()])), offers).tolist() == [[1, -1]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_masks_equal_the_rules_said_one_pair_at_a_time(seed: int) -> None:
    world = random_world(seed, needs=12, offers=6)
    needs, offers = check_needs(world.needs), check_offers(world.offers)
    expected = [[verdict(world, n, o) for _, o in offers.iterrows()] for _, n in needs.iterrows()]
    assert evaluate(world.rules, needs, offers).tolist() == expected


def test_outcomes_name_each_rule_and_what_would_settle_it() -> None:
    rules = [Rule(8, 1, "documents", "has_all", ("property_deed",)), Rule(7, 1, "age", "between", (18, None))]
    needs = check_needs(needs_frame([need(documents=None)]))
    outcomes = compile_rules(rules, needs).outcomes(1, 0)
    assert [(rule.rule_id, met, rule.settle) for rule, met in outcomes] == [
        (7, 1, "person/age_years"),
        (8, 0, "profile/documents"),
    ]
    assert all(met == rule_verdict(rule, needs.iloc[0]) for rule, met in outcomes)


def test_conditions_shared_by_many_services_are_evaluated_once() -> None:
    rules = [Rule(number, number, "age", "between", (18, 60)) for number in range(50)]
    assert compile_rules(rules, check_needs(needs_frame([need()]))).conditions.shape == (1, 1)


@pytest.mark.parametrize(
    "attribute",
    [
        "ethnicity",
        "religion",
        "security_status",
        "perceived_affiliation",
        "tribe",
        "Family-Affiliation",
        "political party",
        "SECT",
    ],
)
def test_forbidden_attributes_are_refused_by_name(attribute: str) -> None:
    with pytest.raises(RuleError, match=r"rule 5: .*may never decide") as caught:
        Rule(5, 1, attribute, "in", ("x",))
    assert caught.value.code == "forbidden_attribute"


def test_no_allowed_attribute_carries_a_forbidden_word_and_each_is_a_column() -> None:
    for attribute in ATTRIBUTES:
        assert not FORBIDDEN_WORDS & set(attribute.split("_"))
        assert attribute in NEEDS_COLUMNS


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ((1, 1, "shoe_size", "in", ("44",)), "unknown_attribute"),
        ((1, 1, "age", "in", ("44",)), "wrong_operator"),
        ((1, 1, "age", "between", (60, 15)), "wrong_values"),
        ((1, 1, "age", "between", (None, None)), "wrong_values"),
        ((1, 1, "age", "between", ("15", "60")), "wrong_values"),
        ((1, 1, "tenure", "in", ()), "wrong_values"),
        ((1, 1, "documents", "has_all", (1,)), "wrong_values"),
        ((1, 1, "disability", "is_true", ("yes",)), "wrong_values"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_when_it_is_made(rule, code) -> None:
    with pytest.raises(RuleError) as caught:
        Rule(*rule)
    assert (caught.value.code, caught.value.rule_id) == (code, 1)
