"""The table of states and moves."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral_engine.sop import (
    FINAL,
    HOLDS_SLOT,
    INITIAL,
    LIVE,
    MOVES,
    Actor,
    IllegalMove,
    ReferralState,
    SlotEffect,
    moves_from,
    next_state,
)

STATES = st.sampled_from(sorted(ReferralState))
REASON_LISTS = {"decline_reason", "override_reason", "hold_reason", "recall_reason", "close_reason"}


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
        state = next_state(state, move.name)
        held += {SlotEffect.TAKES: 1, SlotEffect.FREES: -1}.get(move.slot, 0)
        assert held == (state in HOLDS_SLOT), f"{move.name} leads to {state} with {held} slots"
        assert move.frees_slot == (move.slot is SlotEffect.FREES)


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
    assert all(move.reason_list for move in MOVES.values() if move.frees_slot)


def test_a_provider_is_offered_only_its_own_moves() -> None:
    assert {move.name for move in moves_from("sent", Actor.PROVIDER)} == {"accept", "decline"}
    assert moves_from("proposed", "provider") == ()


def test_nothing_is_sent_without_the_consent_guard() -> None:
    into_sent = [move for move in MOVES.values() if move.target is ReferralState.SENT]
    assert into_sent
    assert all(move.guard == "consent_to_recipient" for move in into_sent)


def test_states_and_reasons_load_without_numerical_libraries() -> None:
    program = (
        "import sys, referral_engine, referral_engine.sop, referral_engine.reasons;"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'pandas', 'scipy', 'geopandas')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_engine_loads_without_geopandas() -> None:
    program = "import sys; from referral_engine import match; sys.exit('geopandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
