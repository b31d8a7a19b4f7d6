"""States of a referral and the moves between them: one table that casework, pages, handbook and tests read.

The vocabulary is that of the inter-agency reports, Primero and FHIR Task brought together (IASC 2017;
Inter-Agency Case Management SOP). Clock lengths are data of the governorate, not of this table.
"""

from collections.abc import Iterable, Mapping
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
    """Who may make a move: a role of a person, or the system itself (matching, clocks, a lost consent)."""

    SYSTEM = "system"
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
    """A condition that the caller proves before the move; this table only names it."""

    SLOT_RESERVED = "slot_reserved"
    NOT_HELD = "not_held"
    HELD = "held"
    CONSENT_TO_RECIPIENT = "consent_to_recipient"  # the named recipient and the exact fields were read out
    VITAL_INTEREST = "vital_interest"  # a life is in danger, nobody can be asked; a second person confirms
    CONSENT_TO_ANSWER = "consent_to_answer"  # the person agreed to what the answer tells the provider
    FOLLOW_UPS_TRIED = "follow_ups_tried"  # the person could not be reached, often enough, on different days
    CLOCK_RAN_OUT = "clock_ran_out"
    CLOCK_PAUSED = "clock_paused"
    OWN_CLOCK = "own_clock"  # a provider stops only its own clock, and only after it has accepted
    CLOCK_MONITORS = "clock_monitors"  # a long service, which is asked after again and again
    CONSENT_LOST = "consent_lost"  # consent was withdrawn or does not cover the recipient any more


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table.

    ``target`` is None for a move that sets a flag and leaves the state as it is. ``reason_list`` names the
    choice list of which one code must accompany the move; ``needs_text`` asks for words besides, as Gravity's
    rule for rejected, cancelled, on-hold and failed tasks does. ``swaps`` marks the move that exchanges its slot.
    The event that records a move has the move's name, and ``messages`` are the templates of the outbox that
    tell an audience of it.
    """

    name: str
    sources: frozenset[ReferralState]
    target: ReferralState | None
    actors: frozenset[Actor]
    reason_list: str | None = None
    needs_text: bool = False
    swaps: bool = False
    guard: Guard | None = None
    messages: tuple[tuple[str, str], ...] = ()

    def slot_effect(self, source: ReferralState | str) -> SlotEffect:
        """What the move does to the slot: nothing but what `HOLDS_SLOT` says of the two states."""
        if self.swaps:
            return SlotEffect.SWAPS
        held = source in HOLDS_SLOT
        holds = held if self.target is None else self.target in HOLDS_SLOT
        if held == holds:
            return SlotEffect.KEEPS
        return SlotEffect.TAKES if holds else SlotEffect.FREES


class IllegalMove(Exception):  # noqa: N818 - the domain's word; `code` is what callers branch on
    """The table has no such move from that state."""

    code = "illegal_move"

    def __init__(self, state: str, move: str) -> None:
        super().__init__(f"a referral that is {state} cannot {move}")
        self.state = state
        self.move = move


_S = ReferralState
_SYSTEM = frozenset({Actor.SYSTEM})
_OFFICE = frozenset({Actor.OFFICER, Actor.COORDINATOR})
_COORDINATOR = frozenset({Actor.COORDINATOR})
_PROVIDER = frozenset({Actor.PROVIDER})


def _states(*states: ReferralState) -> frozenset[ReferralState]:
    return frozenset(states)


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
`closed` counts too: the reserved figure of a period always equals its referrals in these states. Who waits on a
provider's own list (`waitlisted`) holds none: accepting from the list takes one."""

FINAL = frozenset({_S.CLOSED, _S.DECLINED, _S.NOT_COMPLETED, _S.RECALLED, _S.EXPIRED})
"""States that no move leaves. The need behind a referral that ended unserved is matched again."""

LIVE = frozenset(ReferralState) - FINAL
"""States in which somebody still has something to do; each has a clock. A need has at most one live referral."""

DISCLOSED = _states(
    _S.SENT,
    _S.ACKNOWLEDGED,
    _S.INFO_REQUESTED,
    _S.WAITLISTED,
    _S.ACCEPTED,
    _S.SERVICE_STARTED,
    _S.SERVICE_DELIVERED,
    _S.CONFIRMED,
    _S.DISPUTED,
)
"""States in which the provider knows of the person: consent to this recipient must be in force."""

BEFORE_SERVICE = _states(
    _S.DRAFT,
    _S.PROPOSED,
    _S.APPROVED,
    _S.AWAITING_CONSENT,
    _S.SENT,
    _S.ACKNOWLEDGED,
    _S.INFO_REQUESTED,
    _S.WAITLISTED,
    _S.ACCEPTED,
    _S.SERVICE_STARTED,
)
AFTER_SERVICE = _states(_S.SERVICE_DELIVERED, _S.DISPUTED, _S.CONFIRMED)
_RECEIVED = _states(_S.SENT, _S.ACKNOWLEDGED, _S.INFO_REQUESTED)

_ROWS = (
    # Opens a referral by hand: no state leads to it.
    Move("draft", frozenset(), _S.DRAFT, _OFFICE, "override_reason"),
    Move(
        "propose",
        _states(_S.DRAFT),
        _S.PROPOSED,
        _SYSTEM | _OFFICE,
        guard=Guard.SLOT_RESERVED,
    ),
    Move(
        "change",
        _states(_S.PROPOSED),
        _S.PROPOSED,
        _COORDINATOR,
        reason_list="override_reason",
        swaps=True,
        guard=Guard.SLOT_RESERVED,
    ),
    Move("hold", _states(_S.PROPOSED, _S.APPROVED), None, _COORDINATOR, "hold_reason", guard=Guard.NOT_HELD),
    Move("unhold", _states(_S.PROPOSED, _S.APPROVED), None, _COORDINATOR, guard=Guard.HELD),
    Move("approve", _states(_S.PROPOSED), _S.APPROVED, _COORDINATOR, guard=Guard.NOT_HELD),
    Move("ask_consent", _states(_S.APPROVED), _S.AWAITING_CONSENT, _OFFICE, guard=Guard.NOT_HELD),
    Move(
        "send",
        _states(_S.AWAITING_CONSENT),
        _S.SENT,
        _OFFICE,
        guard=Guard.CONSENT_TO_RECIPIENT,
        messages=(("referral_sent", "provider"),),
    ),
    Move(
        "override",
        _states(_S.AWAITING_CONSENT),
        _S.SENT,
        _OFFICE,
        "override_vital_reason",
        needs_text=True,
        guard=Guard.VITAL_INTEREST,
        messages=(("referral_sent", "provider"), ("override_made", "supervisor")),
    ),
    Move("acknowledge", _states(_S.SENT), _S.ACKNOWLEDGED, _PROVIDER),
    Move(
        "request_info",
        _states(_S.SENT, _S.ACKNOWLEDGED),
        _S.INFO_REQUESTED,
        _PROVIDER,
        "info_reason",
        needs_text=True,
        messages=(("info_requested", "office"), ("info_requested", "coordinator")),
    ),
    Move(
        "answer_info",
        _states(_S.INFO_REQUESTED),
        _S.ACKNOWLEDGED,
        _OFFICE,
        needs_text=True,
        guard=Guard.CONSENT_TO_ANSWER,
        messages=(("info_answered", "provider"),),
    ),
    Move("waitlist", _RECEIVED, _S.WAITLISTED, _PROVIDER, "waitlist_reason", needs_text=True),
    Move(
        "accept",
        _RECEIVED | {_S.WAITLISTED},
        _S.ACCEPTED,
        _PROVIDER,
        guard=Guard.SLOT_RESERVED,
        messages=(("referral_accepted", "returnee"),),
    ),
    Move(
        "decline",
        _RECEIVED | {_S.WAITLISTED, _S.ACCEPTED},
        _S.DECLINED,
        _PROVIDER,
        "decline_reason",
        needs_text=True,
        messages=(("referral_declined", "coordinator"),),
    ),
    Move("start", _states(_S.ACCEPTED), _S.SERVICE_STARTED, _PROVIDER),
    Move("deliver", _states(_S.ACCEPTED, _S.SERVICE_STARTED), _S.SERVICE_DELIVERED, _PROVIDER),
    Move("confirm", _states(_S.SERVICE_DELIVERED, _S.DISPUTED), _S.CONFIRMED, _OFFICE),
    Move(
        "dispute",
        _states(_S.SERVICE_DELIVERED),
        _S.DISPUTED,
        _OFFICE,
        "dispute_reason",
        needs_text=True,
        messages=(("referral_disputed", "coordinator"),),
    ),
    Move("resume", _states(_S.DISPUTED), _S.SERVICE_STARTED, _COORDINATOR),
    Move(
        "not_complete",
        _states(_S.ACKNOWLEDGED, _S.WAITLISTED, _S.ACCEPTED, _S.SERVICE_STARTED, _S.DISPUTED),
        _S.NOT_COMPLETED,
        _PROVIDER | _OFFICE,
        "not_completed_reason",
        needs_text=True,
        messages=(("referral_not_completed", "coordinator"),),
    ),
    Move("close", _states(_S.CONFIRMED), _S.CLOSED, _OFFICE, "close_reason"),
    Move(
        "close_unheard",
        _states(_S.SERVICE_DELIVERED),
        _S.CLOSED,
        _COORDINATOR,
        "close_unheard_reason",
        needs_text=True,
        guard=Guard.FOLLOW_UPS_TRIED,
    ),
    Move(
        "recall",
        BEFORE_SERVICE,
        _S.RECALLED,
        _OFFICE | _SYSTEM,
        "recall_reason",
        needs_text=True,
        messages=(("referral_recalled", "provider"),),
    ),
    Move(
        "withdraw",
        AFTER_SERVICE,
        _S.CLOSED,
        _OFFICE | _SYSTEM,
        "withdraw_reason",
        guard=Guard.CONSENT_LOST,
        messages=(("referral_recalled", "provider"),),
    ),
    Move(
        "expire",
        _states(_S.DRAFT, _S.AWAITING_CONSENT, _S.SENT, _S.ACKNOWLEDGED, _S.INFO_REQUESTED, _S.WAITLISTED),
        _S.EXPIRED,
        _SYSTEM,
        "expire_reason",
        guard=Guard.CLOCK_RAN_OUT,
        messages=(("referral_expired", "coordinator"), ("referral_recalled", "provider")),
    ),
    # The clock stands still while somebody waits for a document or the person; the state stays as it is.
    Move("pause_clock", LIVE, None, _OFFICE | _PROVIDER, "pause_reason", guard=Guard.OWN_CLOCK),
    Move("resume_clock", LIVE, None, _OFFICE | _PROVIDER | _SYSTEM, guard=Guard.CLOCK_PAUSED),
    Move(
        "report_progress",
        _states(_S.SERVICE_STARTED),
        None,
        _OFFICE | _PROVIDER,
        needs_text=True,
        guard=Guard.CLOCK_MONITORS,
    ),
)

MOVES: Mapping[str, Move] = MappingProxyType({move.name: move for move in _ROWS})

INITIAL = ReferralState.DRAFT
"""The state before the first move; a run of the engine makes `propose` at once."""

BRINGS_OUTCOMES = _states(_S.SERVICE_STARTED, _S.SERVICE_DELIVERED, _S.CONFIRMED, _S.DISPUTED, _S.CLOSED)
"""States in which a service has given something, were it a part of it: what it was may be written down."""

NEXT_ACTOR: Mapping[ReferralState, Actor] = MappingProxyType(
    {
        _S.DRAFT: Actor.OFFICER,
        _S.PROPOSED: Actor.COORDINATOR,
        _S.APPROVED: Actor.OFFICER,
        _S.AWAITING_CONSENT: Actor.OFFICER,
        _S.SENT: Actor.PROVIDER,
        _S.ACKNOWLEDGED: Actor.PROVIDER,
        _S.INFO_REQUESTED: Actor.OFFICER,
        _S.WAITLISTED: Actor.PROVIDER,
        _S.ACCEPTED: Actor.PROVIDER,
        _S.SERVICE_STARTED: Actor.PROVIDER,
        _S.SERVICE_DELIVERED: Actor.OFFICER,
        _S.CONFIRMED: Actor.OFFICER,
        _S.DISPUTED: Actor.COORDINATOR,
    }
)
"""Who owes the next step of each live state; the clock of that state runs for them."""

PAUSED_BY_PROVIDER = _states(_S.ACCEPTED, _S.SERVICE_STARTED)
"""States whose clock the provider itself may stop. Its answer to a referral is due whatever it waits for."""

TAKES_DISCLOSURE_BACK = frozenset({"recall", "withdraw", "expire"})
"""Moves after which the provider may not know any more what was sent to it: it is told to delete."""

NEEDS_NO_TEXT = frozenset({"consent_withdrawn"})
"""Reasons that stand without words: nobody has to say why they take their consent back."""

ENDS_THE_NEED = frozenset({"moved_away", "deceased", "returnee_refused"})
"""Reasons after which looking on would be wrong, by the office's word; a provider's is asked of the person first."""

NEED_AFTER: Mapping[ReferralState, str] = MappingProxyType(
    {
        _S.CLOSED: "served",
        _S.DECLINED: "open",
        _S.NOT_COMPLETED: "open",
        _S.RECALLED: "open",
        _S.EXPIRED: "open",
    }
)
"""What becomes of the need behind a referral that reached a final state (unless the reason ends the need)."""


def reason_to_expire(state: ReferralState | str) -> str:
    """The code of `expire_reason` for a clock that ran out in this state: that of the state itself."""
    return str(state)


def next_state(state: ReferralState | str, move: str) -> ReferralState:
    """Give the state after ``move``; raise `IllegalMove` when the table has no such move from there."""
    row = MOVES.get(move)
    if row is None or state not in row.sources:
        raise IllegalMove(str(state), move)
    return ReferralState(state) if row.target is None else row.target


def moves_from(state: ReferralState | str, actor: Actor | str | None = None) -> tuple[Move, ...]:
    """List the moves that leave ``state``, of one actor when given: what a page may offer as buttons."""
    return tuple(move for move in _ROWS if state in move.sources and (actor is None or actor in move.actors))


def sorted_states(states: Iterable[ReferralState]) -> list[ReferralState]:
    """States in the order of the table, which is that of a referral's life."""
    return [state for state in ReferralState if state in states]
