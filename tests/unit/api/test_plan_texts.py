"""Every code of plans, follow-ups, scores and letters has a text, and no text is idle."""

from string import Formatter

from api import plan_texts
from api.letters_pdf import WORDS
from casework.plans import GOAL_LISTS
from db import follow_ups
from db.models import CaseEventKind, GoalState
from governorates import (
    FOLLOW_UP_STARTS,
    LETTER_LANGUAGES,
    SCORE_DIMENSIONS,
    choice_codes,
    choice_lists,
    letter_texts,
)


def test_every_code_has_a_text() -> None:
    assert tuple(plan_texts.DIMENSIONS) == SCORE_DIMENSIONS
    assert plan_texts.GOAL_STATES.keys() == {str(state) for state in GoalState}
    assert plan_texts.CASE_EVENTS.keys() == {str(kind) for kind in CaseEventKind}
    assert plan_texts.FOLLOW_UP_SOURCES.keys() == {
        *FOLLOW_UP_STARTS,
        follow_ups.SCORE,
        follow_ups.AGAIN,
        follow_ups.ANSWER,
        "planned",
    }
    assert set(plan_texts.EVENT_LISTS.values()) <= set(choice_lists())
    assert plan_texts.EVENT_LISTS.keys() <= plan_texts.CASE_EVENTS.keys()


def test_a_goal_type_has_one_dimension() -> None:
    codes = [code for name in GOAL_LISTS.values() for code in choice_codes(name)]
    assert len(codes) == len(set(codes))


def test_a_letter_has_the_same_words_in_both_languages() -> None:
    assert tuple(WORDS) == LETTER_LANGUAGES
    assert WORDS["ar"].keys() == WORDS["en"].keys()
    for kind in letter_texts().kinds.values():
        places = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in kind.body.values()]
        assert places[0] == places[1]
