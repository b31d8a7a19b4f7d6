"""The reintegration sustainability score: what is asked, when, and what each answer weighs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from governorates.languages import Names
from governorates.model import DIMENSIONS
from governorates.reader import HOME
from governorates.tables import Row, read_toml, rows_of

SCORE_FILE = "reintegration_score.toml"
SCORE_DIMENSIONS = DIMENSIONS[:3]
"""Economic, social, psychosocial: protection is not scored."""

INDICATORS = 15  # IOM's survey has as many; a questionnaire with more or fewer is another instrument
ROUNDS = ("baseline", "six_months", "twelve_months")


@dataclass(frozen=True, slots=True)
class ScaleAnswer:
    """One answer of a scale; `value` is 1 for the best and 0 for the worst."""

    code: str
    value: float
    names: Names


@dataclass(frozen=True, slots=True)
class Indicator:
    """One question, with its weight within its dimension."""

    code: str
    dimension: str
    weight: float
    answers: Mapping[str, ScaleAnswer]
    names: Names


@dataclass(frozen=True, slots=True)
class ScoreRound:
    """When the questions are asked: `months` after the case was opened, at most `within_days` later."""

    code: str
    months: int
    within_days: int
    names: Names


@dataclass(frozen=True, slots=True)
class ScoreQuestionnaire:
    """What reintegration_score.toml says. `version` names the file's content: its own word and a digest."""

    version: str
    answered_share: float
    weights: Mapping[str, float]
    indicators: tuple[Indicator, ...]
    rounds: Mapping[str, ScoreRound]


@cache
def score_questionnaire() -> ScoreQuestionnaire:
    """Return the questionnaire that every governorate shares; raises `GovernorateDataError` where it is wrong."""
    return read_score_questionnaire(read_toml(HOME / SCORE_FILE))


def read_score_questionnaire(table: Row) -> ScoreQuestionnaire:
    """Check the table of reintegration_score.toml."""
    table.text("source")
    scales = {name: _scale(table, name) for name in _tables(table, "scale")}
    digest = hashlib.sha256(json.dumps(table.values, sort_keys=True).encode()).hexdigest()[:8]
    return ScoreQuestionnaire(
        version=f"{table.text('version')}.{digest}",
        answered_share=table.number("answered_share", 0.01, 1),
        weights=_weights(table),
        indicators=_indicators(table, scales),
        rounds=_rounds(table),
    )


def _tables(table: Row, key: str) -> Mapping[str, object]:
    found = table.values.get(key)
    if not isinstance(found, dict) or not found:
        raise table.error(f"[{key}] is missing")
    return found


def _weights(table: Row) -> Mapping[str, float]:
    row = Row(table.file, "[weights]", _tables(table, "weights"))
    if set(row.values) != set(SCORE_DIMENSIONS):
        raise row.error(f"must have exactly {', '.join(SCORE_DIMENSIONS)}")
    return MappingProxyType({name: row.number(name, 0.01, 100) for name in SCORE_DIMENSIONS})


def _scale(table: Row, name: str) -> Mapping[str, ScaleAnswer]:
    label = f"[scale.{name}]"
    answers = {}
    for code, values in _tables(Row(table.file, label, _tables(table, "scale")), name).items():
        row = Row(table.file, f"{label} {code}", values if isinstance(values, dict) else {})
        answers[code] = ScaleAnswer(code, row.number("value", 0, 1), row.names())
    found = [answer.value for answer in answers.values()]
    if found != sorted(set(found), reverse=True) or (found[0], found[-1]) != (1, 0):
        raise Row(table.file, label, {}).error("values must fall from 1 to 0")
    return MappingProxyType(answers)


def _indicators(table: Row, scales: Mapping[str, Mapping[str, ScaleAnswer]]) -> tuple[Indicator, ...]:
    found: dict[str, Indicator] = {}
    for row in rows_of(table, "indicator"):
        code = row.text("code")
        if code in found:
            raise row.error("stands here twice")
        found[code] = Indicator(
            code=code,
            dimension=row.text("dimension", SCORE_DIMENSIONS),
            weight=row.number("weight", 0.01, 100),
            answers=scales[row.text("scale", tuple(scales))],
            names=row.names(),
        )
    if len(found) != INDICATORS:
        raise table.error(f"must have {INDICATORS} indicators, not {len(found)}")
    for dimension in SCORE_DIMENSIONS:
        if dimension not in {indicator.dimension for indicator in found.values()}:
            raise table.error(f"no indicator of dimension {dimension}")
    return tuple(sorted(found.values(), key=lambda one: SCORE_DIMENSIONS.index(one.dimension)))


def _rounds(table: Row) -> Mapping[str, ScoreRound]:
    found = {
        row.text("code", ROUNDS): ScoreRound(
            row.text("code"),
            int(row.number("months", 0, 60)),
            int(row.number("within_days", 0, 60)),
            row.names(),
        )
        for row in rows_of(table, "round")
    }
    months = [one.months for one in found.values()]
    if tuple(found) != ROUNDS or months != sorted(set(months)):
        raise table.error(f"[[round]] must be {', '.join(ROUNDS)}, each later than the one before")
    return MappingProxyType(found)
