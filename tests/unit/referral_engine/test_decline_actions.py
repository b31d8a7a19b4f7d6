"""The tables of decline reasons and tasks cover the choice lists, and nothing falls between them."""

import pytest

from governorates import choice_codes
from referral_engine.capacity_states import CAPACITY_STATES
from referral_engine.decline_actions import DECLINE_ACTIONS, PASSING_REASONS, STANDING_RESULTS, LeaveOut
from referral_engine.frames import URGENCIES
from referral_engine.task_kinds import TASK_KINDS, Effect


def test_every_decline_reason_has_a_row() -> None:
    assert tuple(DECLINE_ACTIONS) == choice_codes("decline_reason")


def test_every_task_and_result_has_words_and_no_words_are_idle() -> None:
    assert tuple(TASK_KINDS) == choice_codes("task")
    assert {r for kind in TASK_KINDS.values() for r in kind.results} == set(choice_codes("task_result"))


def test_capacity_states_are_those_of_the_choice_list() -> None:
    assert choice_codes("capacity_status") == CAPACITY_STATES


@pytest.mark.parametrize("action", DECLINE_ACTIONS.values(), ids=lambda action: action.reason)
def test_no_need_is_lost_or_sent_back_at_once_to_who_declined_it(action) -> None:
    """Who may be proposed again has no places, or the need waits until what stood in the way is gone."""
    assert action.task is None or action.task in TASK_KINDS
    assert action.urgency in {None, *URGENCIES}
    if action.leave_out is LeaveOut.NOBODY:
        assert action.no_capacity or not action.match_at_once


@pytest.mark.parametrize("kind", TASK_KINDS.values(), ids=lambda kind: kind.code)
def test_a_task_that_holds_a_need_says_what_becomes_of_it(kind) -> None:
    effects = set(kind.results.values())
    assert kind.role in {"officer", "coordinator"}
    if kind.holds_need:
        assert Effect.NOTHING not in effects
        assert effects & {Effect.MATCH, Effect.MATCH_WITHOUT}, "a way back to the matching"
    else:
        assert effects == {Effect.NOTHING}


def test_standing_and_passing_are_told_apart() -> None:
    assert {
        "no_capacity", "no_funds", "document_missing", "cannot_reach", "person_declined",
    } == PASSING_REASONS  # fmt: skip
    assert {"not_obtainable", "wants_another"} <= STANDING_RESULTS
    assert not STANDING_RESULTS & {"obtained", "reached", "wants_it"}
