"""The reintegration sustainability score of one set of answers. Pure: no rows, no clock.

An answer that is not known earns nothing: the score is the lowest that the answers allow, and `composite_high`
the highest. So leaving a question out never raises a score, and nobody gains by not asking.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from governorates import SCORE_DIMENSIONS, Indicator, ScoreQuestionnaire


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores from 0 to 1. None where less than the questionnaire's share of a dimension's weight was answered."""

    dimensions: Mapping[str, float | None]
    composite: float | None
    composite_high: float | None
    answered: int


class UnknownAnswerError(ValueError):
    """A question or answer that the questionnaire does not have; the message is its code."""


def score(questionnaire: ScoreQuestionnaire, answers: Mapping[str, str | None]) -> Scores:
    """Weigh answers (indicator -> answer code, or None where it is not known).

    Raises `UnknownAnswerError` for a code that the questionnaire does not have.
    """
    known = {indicator.code for indicator in questionnaire.indicators}
    strange = sorted(set(answers) - known)
    if strange:
        raise UnknownAnswerError(strange[0])
    values = {one.code: _value(one, answers.get(one.code)) for one in questionnaire.indicators}
    low, high = {}, {}
    for dimension in SCORE_DIMENSIONS:
        of_dimension = [one for one in questionnaire.indicators if one.dimension == dimension]
        low[dimension], high[dimension] = _bounds(questionnaire, of_dimension, values)
    return Scores(
        dimensions=MappingProxyType(low),
        composite=_composite(questionnaire, low),
        composite_high=_composite(questionnaire, high),
        answered=sum(value is not None for value in values.values()),
    )


def _value(indicator: Indicator, answer: str | None) -> float | None:
    if answer is None:
        return None
    if answer not in indicator.answers:
        raise UnknownAnswerError(indicator.code)
    return indicator.answers[answer].value


def _bounds(
    questionnaire: ScoreQuestionnaire, indicators: list[Indicator], values: Mapping[str, float | None]
) -> tuple[float | None, float | None]:
    """Lowest and highest score of a dimension that the answers allow, or None twice."""
    whole = sum(one.weight for one in indicators)
    earned = sum(one.weight * (values[one.code] or 0.0) for one in indicators)
    answered = sum(one.weight for one in indicators if values[one.code] is not None)
    if answered < questionnaire.answered_share * whole:
        return None, None
    return earned / whole, (earned + whole - answered) / whole


def _composite(questionnaire: ScoreQuestionnaire, found: Mapping[str, float | None]) -> float | None:
    """Weighted mean of the dimensions; None where one of them has no score."""
    total = 0.0
    for dimension, weight in questionnaire.weights.items():
        value = found[dimension]
        if value is None:
            return None
        total += weight * value
    return total / sum(questionnaire.weights.values())
