"""The table of states and moves."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governorates.model import CLOCK_STATES
from referral_engine.sop import (
    FINAL,
    HOLDS_SLOT,
    INITIAL,
    LIVE,
    MOVES,
    NEED_AFTER,
    NEEDS_NO_TEXT,
    NEXT_ACTOR,
    Actor,
    IllegalMove,
    ReferralState,
    SlotEffect,
    moves_from,
    next_state,
)

STATES = st.sampled_from(sorted(ReferralState))
REASON_LISTS = {
    "override_vital_reason",
    "close_reason",
    "close_unheard_reason",
    "decline_reason",
    "dispute_reason",
    "expire_reason",
    "hold_reason",
    "info_reason",
    "not_completed_reason",
    "override_reason",
    "pause_reason",
    "recall_reason",
    "waitlist_reason",
    "withdraw_reason",
}


@given(STATES, st.one_of(st.sampled_from(sorted(MOVES)), st.text(max_size=12)))
def test_no_move_passes_that_the_table_does_not_list(state: ReferralState, move: str) -> None:
    listed = move in MOVES and state in MOVES[move].sources
    if listed:
        assert next_state(state, move) is (MOVES[move].target or state)
        return
    with pytest.raises(IllegalMove) as caught:
        next_state(state, move)
    assert (caught.value.code, caught.value.state, caught.value.move) == ("illegal_move", state.value, move)


@given(st.data())
def test_along_every_path_a_slot_is_held_exactly_in_the_states_that_hold_one(data: st.DataObject) -> None:
    state, held = INITIAL, 0
    for _ in range(data.draw(st.integers(0, 20))):
        choices = moves_from(state)
        if not choices:
            break
        move = data.draw(st.sampled_from(choices))
        held += {SlotEffect.TAKES: 1, SlotEffect.FREES: -1}.get(move.slot_effect(state), 0)
        state = next_state(state, move.name)
        assert held == (state in HOLDS_SLOT), f"{move.name} leads to {state} with {held} slots"


def test_final_states_have_no_way_out_and_live_ones_used_by_a_move_have_one() -> None:
    reached = {move.target for move in MOVES.values() if move.target} | {INITIAL}
    for state in reached:
        assert bool(moves_from(state)) == (state in LIVE), state
    assert not FINAL & LIVE
    assert set(ReferralState) == FINAL | LIVE


def test_every_source_can_be_reached() -> None:
    reached, grown = {INITIAL}, True
    while grown:
        after = reached | {next_state(state, move.name) for state in reached for move in moves_from(state)}
        grown, reached = after != reached, after
    assert {source for move in MOVES.values() for source in move.sources} <= reached


def test_refusals_and_recalls_need_a_reason_and_reason_lists_exist() -> None:
    named = {move.reason_list for move in MOVES.values() if move.reason_list}
    assert named == REASON_LISTS
    gives_up = {move for move in MOVES.values() if move.target in FINAL}
    assert all(move.reason_list for move in gives_up)


def test_rejected_cancelled_on_hold_and_failed_carry_words_too() -> None:
    """Gravity's rule for Task.statusReason, hardened; nobody explains why consent is taken back."""
    worded = {move.name for move in MOVES.values() if move.needs_text}
    assert worded >= {"decline", "recall", "request_info", "waitlist", "not_complete", "dispute"}
    assert frozenset({"consent_withdrawn"}) == NEEDS_NO_TEXT


def test_every_live_state_has_a_clock_and_somebody_who_owes_the_next_step() -> None:
    assert set(CLOCK_STATES) == {str(state) for state in LIVE}
    assert NEXT_ACTOR.keys() == LIVE
    for state, actor in NEXT_ACTOR.items():
        assert moves_from(state, actor), f"{actor} owes a step from {state} and has none"


def test_every_final_state_says_what_becomes_of_the_need() -> None:
    assert NEED_AFTER.keys() == FINAL


def test_a_provider_is_offered_only_its_own_moves() -> None:
    assert {move.name for move in moves_from("sent", Actor.PROVIDER)} == {
        "accept",
        "acknowledge",
        "decline",
        "pause_clock",
        "request_info",
        "resume_clock",
        "waitlist",
    }
    # Whose clock it may stop is a matter of who owes the step (`casework.pauses.may_pause`).
    assert {move.name for move in moves_from("proposed", "provider")} == {"pause_clock", "resume_clock"}


def test_nothing_is_sent_without_the_consent_guard() -> None:
    into_sent = [move for move in MOVES.values() if move.target is ReferralState.SENT]
    guards = {move.name: move.guard for move in into_sent}
    assert guards == {"send": "consent_to_recipient", "override": "vital_interest"}


def test_states_and_reasons_load_without_numerical_libraries() -> None:
    program = (
        "import sys, referral_engine, referral_engine.sop, referral_engine.reasons;"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'pandas', 'scipy', 'geopandas')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_engine_loads_without_geopandas() -> None:
    program = "import sys; from referral_engine import match; sys.exit('geopandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
