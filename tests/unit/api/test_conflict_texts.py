"""Every fact, field and state of a conflict has words, and no words are idle."""

from api import conflict_texts
from casework.assessment import Assessment, ConsentAnswers, PersonAnswers
from casework.facts import FACTS, RISK
from db.models import ConflictState
from governorates import choice_lists

NOBODY = Assessment(ConsentAnswers(True, "ar", "x", "self"), persons=(PersonAnswers("head", 0),))


def test_every_code_has_words() -> None:
    assert conflict_texts.FACTS.keys() == conflict_texts.MEANWHILE.keys() == FACTS.keys()
    assert conflict_texts.STATES.keys() == {str(state) for state in ConflictState}
    assert set(conflict_texts.EVENT_LISTS.values()) <= set(choice_lists())
    fields = {name for fact in FACTS.values() for name in fact.said(NOBODY, {})}
    assert conflict_texts.FIELDS.keys() == fields


def test_what_is_personal_is_a_field_of_its_fact() -> None:
    for fact in FACTS.values():
        if fact.code != RISK:
            assert fact.personal < set(fact.said(NOBODY, {})), fact.code
