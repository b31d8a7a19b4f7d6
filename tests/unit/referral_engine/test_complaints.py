"""The table of a complaint's states and moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governorates import choice_lists
from governorates.model import COMPLAINT_CLOCK_STATES
from referral_engine.complaints import (
    FINAL,
    LAPSING,
    MOVES,
    OWED,
    SEXUAL_EXPLOITATION,
    ComplaintActor,
    ComplaintLine,
    ComplaintState,
    line_of,
    moves_from,
    next_state,
)
from referral_engine.sop import IllegalMove

STATES = st.sampled_from(sorted(ComplaintState))


@given(STATES, st.one_of(st.sampled_from(sorted(MOVES)), st.text(max_size=12)))
def test_no_move_passes_that_the_table_does_not_list(state: ComplaintState, move: str) -> None:
    if move in MOVES and state in MOVES[move].sources:
        assert next_state(state, move) is (MOVES[move].target or state)
        return
    with pytest.raises(IllegalMove) as caught:
        next_state(state, move)
    assert (caught.value.state, caught.value.move) == (state.value, move)


def test_every_state_is_final_or_has_a_clock_that_somebody_must_meet_or_that_ends_it() -> None:
    assert set(COMPLAINT_CLOCK_STATES) == set(ComplaintState) - FINAL
    assert set(ComplaintState) == OWED | LAPSING | FINAL
    assert not OWED & LAPSING
    for state in ComplaintState:
        assert bool(moves_from(state)) == (state not in FINAL), state
    assert {state for state in ComplaintState if moves_from(state, ComplaintActor.SYSTEM)} == LAPSING


def test_every_state_is_reached_from_the_first_and_leads_to_the_end() -> None:
    reached, grown = {ComplaintState.RECEIVED}, True
    while grown:
        after = reached | {next_state(state, move.name) for state in reached for move in moves_from(state)}
        grown, reached = after != reached, after
    assert reached == set(ComplaintState)


@given(st.data())
def test_no_path_answers_an_appeal_without_another_person_or_closes_before_an_answer(
    data: st.DataObject,
) -> None:
    state, path = ComplaintState.RECEIVED, list[str]()
    for _ in range(data.draw(st.integers(0, 20))):
        choices = moves_from(state)
        if not choices:
            break
        move = data.draw(st.sampled_from(choices))
        path.append(move.name)
        if move.name == "close":
            assert state in LAPSING
            assert "answer" in path
        if move.target is ComplaintState.APPEAL_ANSWERED:
            assert move.another_person
        state = next_state(state, move.name)


def test_answers_need_words_and_an_outcome_and_the_lists_exist() -> None:
    for name in ("answer", "answer_appeal"):
        assert MOVES[name].needs_text
        assert MOVES[name].reason_list == "complaint_outcome"
    assert {move.reason_list for move in MOVES.values() if move.reason_list} <= set(choice_lists())


def test_nobody_but_the_clock_closes_and_no_office_ever_handles() -> None:
    assert MOVES["close"].actors == {ComplaintActor.SYSTEM}
    handling = [move for move in MOVES.values() if move.name != "receive"]
    for move in handling:
        assert not move.actors & {ComplaintActor.OFFICER, ComplaintActor.COORDINATOR, ComplaintActor.PROVIDER}


def test_sexual_exploitation_goes_outside_the_line_and_never_back() -> None:
    assert line_of(SEXUAL_EXPLOITATION) is ComplaintLine.PSEA
    assert line_of("fee_asked") is ComplaintLine.SUPERVISOR
    assert ComplaintActor.PSEA_FOCAL_POINT not in MOVES["pass_on"].actors
