"""What a provider's no leads to, by its reason: one table that acts, matching and tests read.

A decline always frees the slot. Words of the reasons are the choice list `decline_reason` (Sociants, IRIS and
Boston CAS, brought together).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from referral_engine.task_kinds import TASK_KINDS, Effect


class LeaveOut(StrEnum):
    """Who is not proposed again after the decline."""

    NOBODY = "nobody"  # what stood in the way may pass: the same provider may be proposed again
    FOR_NEED = "for_need"  # the organization, for this need
    FOR_CASE = "for_case"  # the organization, for every need of this household


@dataclass(frozen=True, slots=True)
class DeclineAction:
    """One row. ``task`` is a kind of `referral_engine.task_kinds`, which says whether the need waits for it.

    ``no_capacity``: the service says from this moment that it has no places.
    """

    reason: str
    leave_out: LeaveOut
    no_capacity: bool = False
    task: str | None = None
    urgency: str | None = None  # of the task, when it is not that of the referral

    @property
    def match_at_once(self) -> bool:
        """True when the need is matched again without waiting for anybody."""
        return self.task is None or not TASK_KINDS[self.task].holds_need


_ROWS = (
    DeclineAction("no_capacity", LeaveOut.NOBODY, no_capacity=True),
    DeclineAction("no_funds", LeaveOut.NOBODY, no_capacity=True),
    DeclineAction("outside_area", LeaveOut.FOR_NEED),
    DeclineAction("not_eligible", LeaveOut.FOR_NEED, task="check_rule"),
    DeclineAction("document_missing", LeaveOut.NOBODY, task="obtain_document"),
    DeclineAction("wrong_service", LeaveOut.FOR_NEED),
    DeclineAction("already_served", LeaveOut.FOR_NEED, task="confirm_served"),
    DeclineAction("duplicate", LeaveOut.FOR_NEED, task="check_duplicate"),
    DeclineAction("cannot_reach", LeaveOut.NOBODY, task="tracing"),
    DeclineAction("person_declined", LeaveOut.NOBODY, task="talk_with_person"),
    DeclineAction("safety_concern", LeaveOut.FOR_CASE, task="safety_concern", urgency="emergency"),
    DeclineAction("conflict_of_interest", LeaveOut.FOR_CASE),
)

DECLINE_ACTIONS: Mapping[str, DeclineAction] = MappingProxyType({row.reason: row for row in _ROWS})

NOT_COMPLETED_TASKS: Mapping[str, str] = MappingProxyType({"returnee_refused": "talk_with_person"})
"""What the person wants by a provider's word (`not_completed_reason`) -> the task of hearing it from the person.

As after the decline `person_declined`: the need stays open and waits for the task, and its result says whether this
provider may be proposed again.
"""

PASSING_REASONS = frozenset(row.reason for row in _ROWS if row.leave_out is LeaveOut.NOBODY)
"""After these the provider may be proposed again, unless its task ended with one of `STANDING_RESULTS`."""

STANDING_RESULTS = frozenset(
    result
    for kind in TASK_KINDS.values()
    for result, effect in kind.results.items()
    if effect is Effect.MATCH_WITHOUT
)
