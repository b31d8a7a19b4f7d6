"""States of a complaint and the moves between them: one table that code, pages, documents and tests read.

Clock lengths are data of the governorate (`sop.toml`). Every state is final or has a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from referral_engine.sop import IllegalMove


class ComplaintState(StrEnum):
    """Where a complaint stands."""

    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    UNDER_REVIEW = "under_review"
    ANSWERED = "answered"
    APPEALED = "appealed"
    APPEAL_ANSWERED = "appeal_answered"
    CLOSED = "closed"


class ComplaintLine(StrEnum):
    """Who handles a complaint. Coordinators and offices never do: it is their own work that is complained of."""

    SUPERVISOR = "supervisor"
    DATA_PROTECTION = "data_protection"
    PSEA = "psea"


class ComplaintActor(StrEnum):
    """Who may make a move: the person who complains, a role, or the system when a clock has run out."""

    COMPLAINANT = "complainant"
    OFFICER = "officer"
    COORDINATOR = "coordinator"
    PROVIDER = "provider"
    SUPERVISOR = "supervisor"
    DATA_PROTECTION = "data_protection"
    PSEA_FOCAL_POINT = "psea_focal_point"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class ComplaintMove:
    """One row of the table.

    ``target`` is None for what leaves the state as it is. ``reason_list`` names the choice list of which one
    code must accompany the move, ``needs_text`` that words must. ``restarts_clock``: the clock of the new state
    runs from this move on, not from the last such move. ``another_person``: not by whoever answered before.
    ``message``: template of what those who then handle the complaint are told. The event that records a move
    has the move's name.
    """

    name: str
    sources: frozenset[ComplaintState]
    target: ComplaintState | None
    actors: frozenset[ComplaintActor]
    reason_list: str | None = None
    needs_text: bool = False
    restarts_clock: bool = False
    another_person: bool = False
    message: str | None = None


SEXUAL_EXPLOITATION = "sexual_exploitation"
"""The kind of complaint that goes outside the line, whomever it is about."""

_S, _A = ComplaintState, ComplaintActor
_CLERKS = frozenset({_A.COMPLAINANT, _A.OFFICER, _A.COORDINATOR, _A.PROVIDER})
_LINE = frozenset({_A.SUPERVISOR, _A.DATA_PROTECTION})
_ANSWERERS = _LINE | {_A.PSEA_FOCAL_POINT}

HANDLED_BY: Mapping[ComplaintLine, ComplaintActor] = MappingProxyType(
    {
        ComplaintLine.SUPERVISOR: _A.SUPERVISOR,
        ComplaintLine.DATA_PROTECTION: _A.DATA_PROTECTION,
        ComplaintLine.PSEA: _A.PSEA_FOCAL_POINT,
    }
)
"""The one role that handles, and is told of, what goes by each line."""

FINAL = frozenset({_S.CLOSED})
"""States that no move leaves."""

OWED = frozenset({_S.RECEIVED, _S.ACKNOWLEDGED, _S.UNDER_REVIEW, _S.APPEALED})
"""States in which whoever handles the complaint owes the next step: past their clock they are overdue."""

LAPSING = frozenset({_S.ANSWERED, _S.APPEAL_ANSWERED})
"""States that the clock itself ends: when it has run out the complaint is closed."""


def _states(*states: ComplaintState) -> frozenset[ComplaintState]:
    return frozenset(states)


_ROWS = (
    ComplaintMove(
        "receive", _states(), _S.RECEIVED, _CLERKS, restarts_clock=True, message="complaint_received"
    ),
    ComplaintMove("acknowledge", _states(_S.RECEIVED), _S.ACKNOWLEDGED, _ANSWERERS),
    ComplaintMove("review", _states(_S.ACKNOWLEDGED), _S.UNDER_REVIEW, _ANSWERERS),
    ComplaintMove(
        "answer",
        _states(_S.ACKNOWLEDGED, _S.UNDER_REVIEW),
        _S.ANSWERED,
        _ANSWERERS,
        reason_list="complaint_outcome",
        needs_text=True,
        restarts_clock=True,
    ),
    ComplaintMove(
        "appeal",
        _states(_S.ANSWERED),
        _S.APPEALED,
        _ANSWERERS | {_A.COMPLAINANT},
        needs_text=True,
        restarts_clock=True,
        message="complaint_appealed",
    ),
    ComplaintMove(
        "answer_appeal",
        _states(_S.APPEALED),
        _S.APPEAL_ANSWERED,
        _ANSWERERS,
        reason_list="complaint_outcome",
        needs_text=True,
        restarts_clock=True,
        another_person=True,
    ),
    # Only the clock closes: nobody can cut short the time to appeal.
    ComplaintMove("close", LAPSING, _S.CLOSED, frozenset({_A.SYSTEM})),
    # Whoever of the line reads of sexual exploitation under another kind passes it out of the line.
    ComplaintMove(
        "pass_on",
        frozenset(_S) - FINAL,
        _S.RECEIVED,
        _LINE,
        restarts_clock=True,
        message="complaint_received",
    ),
    ComplaintMove("read", frozenset(_S), None, frozenset({_A.PSEA_FOCAL_POINT})),
)

MOVES: Mapping[str, ComplaintMove] = MappingProxyType({move.name: move for move in _ROWS})


def next_state(state: ComplaintState | str, move: str) -> ComplaintState:
    """Give the state after ``move``; raise `IllegalMove` when the table has no such move from there."""
    row = MOVES.get(move)
    if row is None or state not in row.sources:
        raise IllegalMove(str(state), move)
    return ComplaintState(state) if row.target is None else row.target


def moves_from(
    state: ComplaintState | str, actor: ComplaintActor | str | None = None
) -> tuple[ComplaintMove, ...]:
    """List the moves that leave ``state``, of one actor when given: what a page may offer as buttons."""
    return tuple(
        move
        for move in _ROWS
        if state in move.sources and move.target is not None and (actor is None or actor in move.actors)
    )


def line_of(kind: str) -> ComplaintLine:
    """Who handles a complaint of this kind first."""
    return ComplaintLine.PSEA if kind == SEXUAL_EXPLOITATION else ComplaintLine.SUPERVISOR
