"""Kinds of tasks, who does them, and what each result means for the need: one table.

Words are the choice lists `task` and `task_result`; how long each may take is data of the governorate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Effect(StrEnum):
    """What the result of a task does to the need it is about."""

    NOTHING = "nothing"
    MATCH = "match"  # the provider whose answer led to the task may be proposed again
    MATCH_WITHOUT = "match_without"  # that provider is left out for this need
    SERVED = "served"
    END = "end"  # nobody is looked for any more


@dataclass(frozen=True, slots=True)
class TaskKind:
    """One row: ``holds_need`` keeps the need from being matched until the task is done or cancelled."""

    code: str
    role: str
    holds_need: bool
    results: Mapping[str, Effect]


OFFICER, COORDINATOR = "officer", "coordinator"


def _kind(code: str, role: str, holds_need: bool, **results: Effect) -> TaskKind:
    return TaskKind(code, role, holds_need, MappingProxyType(results))


_ROWS = (
    _kind(
        "obtain_document", OFFICER, True,
        obtained=Effect.MATCH, not_obtainable=Effect.MATCH_WITHOUT, no_longer_wanted=Effect.END,
    ),
    _kind("tracing", OFFICER, True, reached=Effect.MATCH, not_found=Effect.END),
    _kind(
        "talk_with_person", OFFICER, True,
        wants_it=Effect.MATCH, wants_another=Effect.MATCH_WITHOUT, no_longer_wanted=Effect.END,
    ),
    _kind(
        "confirm_served", OFFICER, True,
        was_served=Effect.SERVED, was_not_served=Effect.MATCH_WITHOUT,
    ),
    _kind(
        "check_duplicate", COORDINATOR, True,
        is_duplicate=Effect.END, is_no_duplicate=Effect.MATCH_WITHOUT,
    ),
    _kind(
        "check_rule", COORDINATOR, False,
        rule_holds=Effect.NOTHING, rule_wrong=Effect.NOTHING,
    ),
    _kind("safety_concern", COORDINATOR, False, dealt_with=Effect.NOTHING),
    _kind("provider_assessment", OFFICER, False, dealt_with=Effect.NOTHING),
    _kind("new_answers", OFFICER, False, dealt_with=Effect.NOTHING),
    _kind("fact_conflict", OFFICER, False, dealt_with=Effect.NOTHING),
    _kind("changed_facts", COORDINATOR, False, dealt_with=Effect.NOTHING),
)  # fmt: skip

TASK_KINDS: Mapping[str, TaskKind] = MappingProxyType({kind.code: kind for kind in _ROWS})
