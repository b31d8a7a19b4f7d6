"""Properties of the reintegration score: bounds, monotone, and silence never pays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.reintegration_scores import Scores, UnknownAnswerError, score
from governorates import SCORE_DIMENSIONS, score_questionnaire

QUESTIONNAIRE = score_questionnaire()
BEST = {one.code: next(iter(one.answers)) for one in QUESTIONNAIRE.indicators}
WORST = {one.code: list(one.answers)[-1] for one in QUESTIONNAIRE.indicators}
INDICATORS = st.sampled_from(QUESTIONNAIRE.indicators)


@st.composite
def answer_sets(draw: st.DrawFn) -> dict[str, str | None]:
    return {
        one.code: draw(
            st.one_of(st.none(), st.sampled_from(list(one.answers)), st.sampled_from(list(one.answers)))
        )
        for one in QUESTIONNAIRE.indicators
    }


def every(scores: Scores) -> list[float | None]:
    return [*scores.dimensions.values(), scores.composite, scores.composite_high]


def test_best_is_one_and_worst_is_nought() -> None:
    assert every(score(QUESTIONNAIRE, BEST)) == pytest.approx([1.0] * 5)
    assert every(score(QUESTIONNAIRE, WORST)) == pytest.approx([0.0] * 5)


def test_each_dimension_counts_its_own_questions() -> None:
    for dimension in SCORE_DIMENSIONS:
        answers = {
            one.code: (BEST if one.dimension == dimension else WORST)[one.code]
            for one in QUESTIONNAIRE.indicators
        }
        found = score(QUESTIONNAIRE, answers)
        assert {name for name, value in found.dimensions.items() if value == pytest.approx(1)} == {dimension}
        assert found.composite == pytest.approx(1 / 3)


@given(answer_sets())
def test_scores_lie_between_nought_and_one(answers: dict[str, str | None]) -> None:
    found = score(QUESTIONNAIRE, answers)
    assert all(value is None or -1e-9 <= value <= 1 + 1e-9 for value in every(found))
    assert found.answered == sum(answer is not None for answer in answers.values())
    if found.composite is not None and found.composite_high is not None:
        assert found.composite <= found.composite_high + 1e-9


@given(answer_sets(), INDICATORS, st.data())
def test_a_better_answer_never_lowers_a_score(
    answers: dict[str, str | None], indicator: object, data: st.DataObject
) -> None:
    one = indicator
    codes = list(one.answers)  # type: ignore[attr-defined]  best first
    worse = data.draw(st.sampled_from(codes))
    better = data.draw(st.sampled_from(codes[: codes.index(worse) + 1]))
    name = one.code  # type: ignore[attr-defined]
    low, high = score(QUESTIONNAIRE, answers | {name: worse}), score(QUESTIONNAIRE, answers | {name: better})
    for before, after in zip(every(low), every(high), strict=True):
        assert (before is None) == (after is None)
        assert before is None or after is None or after >= before - 1e-9


@given(answer_sets(), INDICATORS)
def test_leaving_a_question_out_never_raises_a_score(
    answers: dict[str, str | None], indicator: object
) -> None:
    whole = score(QUESTIONNAIRE, answers)
    without = score(QUESTIONNAIRE, answers | {indicator.code: None})  # type: ignore[attr-defined]
    for before, after in zip(
        [*whole.dimensions.values(), whole.composite],
        [*without.dimensions.values(), without.composite],
        strict=True,
    ):
        assert after is None or (before is not None and after <= before + 1e-9)


def test_too_few_answers_give_no_score() -> None:
    economic = [one.code for one in QUESTIONNAIRE.indicators if one.dimension == "economic"]
    three = BEST | dict.fromkeys(economic[:2])
    two = BEST | dict.fromkeys(economic[:3])
    assert score(QUESTIONNAIRE, three).dimensions["economic"] == pytest.approx(0.6)
    assert score(QUESTIONNAIRE, two).dimensions["economic"] is None
    assert score(QUESTIONNAIRE, two).composite is None
    assert score(QUESTIONNAIRE, two).dimensions["social"] == pytest.approx(1)
    assert score(QUESTIONNAIRE, {}).answered == 0


@pytest.mark.parametrize("answers", [{"weather": "good"}, {"housing": "splendid"}])
def test_unknown_codes_are_refused(answers: dict[str, str | None]) -> None:
    with pytest.raises(UnknownAnswerError):
        score(QUESTIONNAIRE, answers)
