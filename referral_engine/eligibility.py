"""Three-valued eligibility: rules as data, compiled to one vector a condition and combined a service.

A rule reads one attribute of the need. Its verdict is 1 (met), -1 (not met) or 0 (unknown: the attribute
was not answered, and the rule says which question or document would settle it). A service's verdict is the
least of its rules' verdicts, so one failed rule decides and one unknown holds back. A service without rules
is open to all.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Verdicts = NDArray[np.int8]

ELIGIBLE, UNKNOWN, NOT_ELIGIBLE = 1, 0, -1


class Operator(StrEnum):
    """How a rule compares the attribute with its values."""

    BETWEEN = "between"  # values (low, high), both ends included, None leaves an end open
    IN = "in"
    NOT_IN = "not_in"
    HAS_ALL = "has_all"
    HAS_ANY = "has_any"
    IS_TRUE = "is_true"
    IS_FALSE = "is_false"


Kind = Literal["number", "choice", "codes", "flag"]

_OPERATORS: Mapping[str, frozenset[Operator]] = {
    "number": frozenset({Operator.BETWEEN}),
    "choice": frozenset({Operator.IN, Operator.NOT_IN}),
    "codes": frozenset({Operator.HAS_ALL, Operator.HAS_ANY}),
    "flag": frozenset({Operator.IS_TRUE, Operator.IS_FALSE}),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a rule may ask. ``settle``: field of the assessment whose answer would decide an unknown."""

    kind: Kind
    settle: str


ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType(
    {
        "age": Attribute("number", "person/age_years"),
        "sex": Attribute("choice", "person/sex"),
        "displacement_status": Attribute("choice", "displacement/status"),
        "months_since_return": Attribute("number", "displacement/return_date"),
        "governorate": Attribute("choice", "residence/governorate"),
        "district": Attribute("choice", "residence/district"),
        "subdistrict": Attribute("choice", "residence/subdistrict"),
        "household_size": Attribute("number", "household/size"),
        "female_headed": Attribute("flag", "household/female_headed"),
        "disability": Attribute("flag", "profile/disability"),
        "documents": Attribute("codes", "profile/documents"),
        "housing_damage": Attribute("choice", "profile/housing_damage"),
        "tenure": Attribute("choice", "profile/tenure"),
        "education_level": Attribute("choice", "profile/education_level"),
        "work_status": Attribute("choice", "profile/work_status"),
        "languages": Attribute("codes", "contact/language"),
    }
)
"""What a rule may read: each name is a column of the needs frame. What is not listed is not allowed."""

FORBIDDEN_WORDS = frozenset(
    {
        "affiliation",
        "clan",
        "ethnic",
        "ethnicity",
        "ideology",
        "loyalty",
        "political",
        "politics",
        "religion",
        "religious",
        "sect",
        "sectarian",
        "security",
        "tribal",
        "tribe",
    }
)
"""Words that no attribute of a rule may carry: perceived affiliation, ethnicity, religion, tribe and security
status decide nothing here (protection principle of the project)."""


class RuleError(ValueError):
    """A rule cannot be used.

    ``code``: forbidden_attribute, unknown_attribute, wrong_operator or wrong_values.
    """

    def __init__(self, code: str, rule_id: int, message: str) -> None:
        super().__init__(f"rule {rule_id}: {message}")
        self.code = code
        self.rule_id = rule_id


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition of one service; checked when it is made. Raises `RuleError`."""

    rule_id: int
    service_id: int
    attribute: str
    operator: str
    values: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        words = self.attribute.lower().replace("-", "_").replace(" ", "_").split("_")
        if FORBIDDEN_WORDS & set(words):
            raise RuleError(
                "forbidden_attribute", self.rule_id, f"{self.attribute!r} may never decide who is served"
            )
        attribute = ATTRIBUTES.get(self.attribute)
        if attribute is None:
            raise RuleError("unknown_attribute", self.rule_id, f"there is no attribute {self.attribute!r}")
        if self.operator not in _OPERATORS[attribute.kind]:
            allowed = ", ".join(sorted(_OPERATORS[attribute.kind]))
            raise RuleError(
                "wrong_operator", self.rule_id, f"{self.attribute} takes {allowed}, not {self.operator!r}"
            )
        if not _values_fit(attribute.kind, self.values):
            raise RuleError(
                "wrong_values", self.rule_id, f"the values do not fit {self.attribute} {self.operator}"
            )

    @property
    def settle(self) -> str:
        """The field of the assessment that would settle an unknown verdict."""
        return ATTRIBUTES[self.attribute].settle


def _values_fit(kind: Kind, values: tuple[Any, ...]) -> bool:
    if kind == "flag":
        return values == ()
    if kind == "number":
        ends = [end for end in values if end is not None]
        numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
        return len(values) == 2 and bool(ends) and numbers and ends == sorted(ends)
    return bool(values) and all(isinstance(value, str) for value in values)


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """Rules evaluated for every need: ``conditions`` int8 (distinct conditions, needs), rows by service."""

    conditions: Verdicts
    by_service: Mapping[int, tuple[tuple[Rule, int], ...]]

    def verdicts(self, service_ids: NDArray[np.int64], needs: NDArray[np.intp]) -> Verdicts:
        """Give int8 (len(needs), len(service_ids)) for the needs at these positions of the compiled frame."""
        out = np.full((len(needs), len(service_ids)), ELIGIBLE, dtype=np.int8)
        for service_id in np.unique(service_ids):
            rules = self.by_service.get(int(service_id), ())
            if rules:
                rows = np.array([row for _, row in rules], dtype=np.intp)
                out[:, service_ids == service_id] = self.conditions[np.ix_(rows, needs)].min(axis=0)[:, None]
        return out

    def outcomes(self, service_id: int, need: int) -> list[tuple[Rule, int]]:
        """List the rules of one service with their verdict for the need at one position, by rule id."""
        return [(rule, int(self.conditions[row, need])) for rule, row in self.by_service.get(service_id, ())]


def compile_rules(rules: Iterable[Rule], needs: pd.DataFrame) -> CompiledRules:
    """Evaluate each distinct condition once over the checked needs frame, however many services use it."""
    rows: dict[tuple[str, str, tuple[Any, ...]], int] = {}
    vectors: list[Verdicts] = []
    by_service: dict[int, list[tuple[Rule, int]]] = {}
    for rule in sorted(rules, key=lambda rule: rule.rule_id):
        condition = (rule.attribute, rule.operator, rule.values)
        if condition not in rows:
            rows[condition] = len(vectors)
            vectors.append(_CONDITIONS[ATTRIBUTES[rule.attribute].kind](needs[rule.attribute], rule))
        by_service.setdefault(rule.service_id, []).append((rule, rows[condition]))
    stacked = np.vstack(vectors) if vectors else np.empty((0, len(needs)), dtype=np.int8)
    return CompiledRules(stacked, {service: tuple(pairs) for service, pairs in by_service.items()})


def evaluate(rules: Iterable[Rule], needs: pd.DataFrame, offers: pd.DataFrame) -> Verdicts:
    """Give int8 (needs, offers) for two checked frames: 1 eligible, 0 unknown, -1 not."""
    compiled = compile_rules(rules, needs)
    return compiled.verdicts(offers["service_id"].to_numpy(dtype=np.int64), np.arange(len(needs)))


def _three_valued(met: NDArray[np.bool_], known: NDArray[np.bool_]) -> Verdicts:
    return np.where(known, np.where(met, ELIGIBLE, NOT_ELIGIBLE), UNKNOWN).astype(np.int8)


def _number(column: "pd.Series[Any]", rule: Rule) -> Verdicts:
    numbers = column.to_numpy(dtype=np.float64)
    low, high = (
        end if end is not None else sign * np.inf for end, sign in zip(rule.values, (-1, 1), strict=True)
    )
    return _three_valued((numbers >= low) & (numbers <= high), ~np.isnan(numbers))


def _choice(column: "pd.Series[Any]", rule: Rule) -> Verdicts:
    within = column.isin(rule.values).to_numpy(dtype=bool)
    return _three_valued(within == (rule.operator == Operator.IN), column.notna().to_numpy(dtype=bool))


def _codes(column: "pd.Series[Any]", rule: Rule) -> Verdicts:
    wanted = frozenset(rule.values)
    if rule.operator == Operator.HAS_ALL:
        met = [codes is not None and wanted.issubset(codes) for codes in column]
    else:
        met = [codes is not None and not wanted.isdisjoint(codes) for codes in column]
    return _three_valued(np.array(met, dtype=bool), column.notna().to_numpy(dtype=bool))


def _flag(column: "pd.Series[Any]", rule: Rule) -> Verdicts:
    wanted = rule.operator == Operator.IS_TRUE
    met = [flag is not None and flag == wanted for flag in column]
    return _three_valued(np.array(met, dtype=bool), column.notna().to_numpy(dtype=bool))


_CONDITIONS: Mapping[str, Callable[["pd.Series[Any]", Rule], Verdicts]] = {
    "number": _number,
    "choice": _choice,
    "codes": _codes,
    "flag": _flag,
}
