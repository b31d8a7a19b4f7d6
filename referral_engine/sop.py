"""States of a referral and the moves between them: one table that pages, documents and tests read.

The vocabulary is that of the inter-agency reports, Primero and FHIR Task brought together (IASC 2017;
Inter-Agency Case Management SOP). Clock lengths are data of the governorate, not of this table. A state may
stand here before a move leads to it; a move stands here only when the system can really do it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ReferralState(StrEnum):
    """Where a referral stands."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    AWAITING_CONSENT = "awaiting_consent"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    INFO_REQUESTED = "info_requested"
    WAITLISTED = "waitlisted"
    ACCEPTED = "accepted"
    SERVICE_STARTED = "service_started"
    SERVICE_DELIVERED = "service_delivered"
    CONFIRMED = "confirmed"
    DISPUTED = "disputed"
    DECLINED = "declined"
    NOT_COMPLETED = "not_completed"
    RECALLED = "recalled"
    EXPIRED = "expired"
    CLOSED = "closed"


class Actor(StrEnum):
    """Who may make a move: a role of a person, or the matching run itself."""

    ENGINE = "engine"
    OFFICER = "officer"
    COORDINATOR = "coordinator"
    PROVIDER = "provider"


class SlotEffect(StrEnum):
    """What a move does to the slot that the referral holds at its service."""

    KEEPS = "keeps"
    TAKES = "takes"
    FREES = "frees"
    SWAPS = "swaps"  # gives its slot back and takes one at another service, in the same transaction


class Guard(StrEnum):
    """A condition that the caller proves before the move; the engine only names it."""

    SLOT_RESERVED = "slot_reserved"
    NOT_HELD = "not_held"
    HELD = "held"
    CONSENT_TO_RECIPIENT = "consent_to_recipient"  # the named recipient and the exact fields were read out


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table.

    ``target`` is None for a move that sets a flag and leaves the state as it is. ``reason_list`` names the
    choice list of which one code must accompany the move. The event that records a move has the move's name.
    """

    name: str
    sources: frozenset[ReferralState]
    target: ReferralState | None
    actors: frozenset[Actor]
    reason_list: str | None = None
    slot: SlotEffect = SlotEffect.KEEPS
    guard: Guard | None = None

    @property
    def frees_slot(self) -> bool:
        """True when the slot goes back to the service for somebody else."""
        return self.slot is SlotEffect.FREES

    @property
    def takes_slot(self) -> bool:
        """True when a slot must be reserved in the same transaction."""
        return self.slot in {SlotEffect.TAKES, SlotEffect.SWAPS}


class IllegalMove(Exception):  # noqa: N818 - the domain's word; `code` is what callers branch on
    """The table has no such move from that state."""

    code = "illegal_move"

    def __init__(self, state: str, move: str) -> None:
        super().__init__(f"a referral that is {state} cannot {move}")
        self.state = state
        self.move = move


_S = ReferralState
_OFFICE = frozenset({Actor.OFFICER, Actor.COORDINATOR})
_COORDINATOR = frozenset({Actor.COORDINATOR})
_PROVIDER = frozenset({Actor.PROVIDER})


def _states(*states: ReferralState) -> frozenset[ReferralState]:
    return frozenset(states)


_ROWS = (
    Move(
        "propose",
        _states(_S.DRAFT),
        _S.PROPOSED,
        frozenset({Actor.ENGINE}),
        slot=SlotEffect.TAKES,
        guard=Guard.SLOT_RESERVED,
    ),
    Move(
        "change",
        _states(_S.PROPOSED),
        _S.PROPOSED,
        _COORDINATOR,
        reason_list="override_reason",
        slot=SlotEffect.SWAPS,
        guard=Guard.SLOT_RESERVED,
    ),
    Move("hold", _states(_S.PROPOSED, _S.APPROVED), None, _COORDINATOR, "hold_reason", guard=Guard.NOT_HELD),
    Move("unhold", _states(_S.PROPOSED, _S.APPROVED), None, _COORDINATOR, guard=Guard.HELD),
    Move("approve", _states(_S.PROPOSED), _S.APPROVED, _COORDINATOR, guard=Guard.NOT_HELD),
    Move("ask_consent", _states(_S.APPROVED), _S.AWAITING_CONSENT, _OFFICE, guard=Guard.NOT_HELD),
    Move("send", _states(_S.AWAITING_CONSENT), _S.SENT, _OFFICE, guard=Guard.CONSENT_TO_RECIPIENT),
    Move("accept", _states(_S.SENT), _S.ACCEPTED, _PROVIDER),
    Move(
        "decline",
        _states(_S.SENT, _S.ACCEPTED),
        _S.DECLINED,
        _PROVIDER,
        reason_list="decline_reason",
        slot=SlotEffect.FREES,
    ),
    Move("start", _states(_S.ACCEPTED), _S.SERVICE_STARTED, _PROVIDER),
    Move("deliver", _states(_S.SERVICE_STARTED), _S.SERVICE_DELIVERED, _PROVIDER),
    Move("close", _states(_S.SERVICE_DELIVERED), _S.CLOSED, _OFFICE, reason_list="close_reason"),
    Move(
        "recall",
        _states(_S.PROPOSED, _S.APPROVED, _S.AWAITING_CONSENT, _S.SENT, _S.ACCEPTED),
        _S.RECALLED,
        _OFFICE,
        reason_list="recall_reason",
        slot=SlotEffect.FREES,
    ),
)

MOVES: Mapping[str, Move] = MappingProxyType({move.name: move for move in _ROWS})

INITIAL = ReferralState.DRAFT
"""The state before the first move; a run of the engine makes `propose` at once."""

HOLDS_SLOT = frozenset(
    {
        _S.PROPOSED,
        _S.APPROVED,
        _S.AWAITING_CONSENT,
        _S.SENT,
        _S.ACKNOWLEDGED,
        _S.INFO_REQUESTED,
        _S.ACCEPTED,
        _S.SERVICE_STARTED,
        _S.SERVICE_DELIVERED,
        _S.CONFIRMED,
        _S.DISPUTED,
        _S.CLOSED,
    }
)
"""States whose referral counts against the slots of its intake period. A slot that was served is used up, so
`closed` counts too: the reserved figure of a period always equals its referrals in these states."""

FINAL = frozenset({_S.CLOSED, _S.DECLINED, _S.NOT_COMPLETED, _S.RECALLED, _S.EXPIRED})
"""States that no move leaves. The need behind a referral that ended unserved is matched again."""

LIVE = frozenset(ReferralState) - FINAL
"""States in which somebody still has something to do; a need has at most one live referral."""


def next_state(state: ReferralState | str, move: str) -> ReferralState:
    """Give the state after ``move``; raise `IllegalMove` when the table has no such move from there."""
    row = MOVES.get(move)
    if row is None or state not in row.sources:
        raise IllegalMove(str(state), move)
    return ReferralState(state) if row.target is None else row.target


def moves_from(state: ReferralState | str, actor: Actor | str | None = None) -> tuple[Move, ...]:
    """List the moves that leave ``state``, of one actor when given: what a page may offer as buttons."""
    return tuple(move for move in _ROWS if state in move.sources and (actor is None or actor in move.actors))
