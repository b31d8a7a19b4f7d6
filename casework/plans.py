"""The case plan: what the person and the officer agree to work towards, in three dimensions.

Protection has no goals here: what a specialist plans stays in the specialist's compartment.
"""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy.orm import Session

from casework.case_events import add_case_event, hold_case, key_of
from casework.consent_gate import require_consent
from casework.follow_ups import schedule_after_plan
from casework.moves import Actor, require_choice
from db import case_events
from db import plans as query
from db.errors import DomainError
from db.models import CaseEventKind, CasePlan, Goal, GoalState
from db.vault import Vault
from governorates import SCORE_DIMENSIONS, choice_codes, load, local_day

GOAL_LISTS: Mapping[str, str] = MappingProxyType({name: f"goal_{name}" for name in SCORE_DIMENSIONS})
"""Dimension -> choice list of its goals. A goal's type says its dimension, so the two never disagree."""

FURTHEST_YEARS = 5


def dimension_of(goal_type: str) -> str:
    """The dimension of a goal type. Raises DomainError `reason_unknown`."""
    for dimension, list_name in GOAL_LISTS.items():
        if goal_type in choice_codes(list_name):
            return dimension
    raise DomainError("reason_unknown", reason_list="goal")


def agree_plan(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    *,
    agreement: str,
    now: datetime,
    note: str | None = None,
) -> CasePlan:
    """Record that a plan was agreed, and how (`plan_agreement`); it is in force from now on.

    The version before stays as it was; goals that are open go on. The plan's reviews are scheduled anew.
    Raises what `hold_case` and `require_consent` raise, `reason_required`, `reason_unknown` or `case_erased`.
    """
    case = hold_case(session, case_id, actor)
    require_consent(session, case.id, now)
    plan = CasePlan(
        case_id=case.id,
        version=query.get_newest_version(session, case.id) + 1,
        agreement=require_choice("plan_agreement", agreement),
        note=vault.seal(key_of(case), "case_plan.note", note),
        agreed_by=actor.user_id,
        agreed_at=now,
    )
    session.add(plan)
    session.flush()
    schedule_after_plan(session, case, now)
    add_case_event(
        session, vault, case, actor, CaseEventKind.PLAN_AGREED, now, object_id=plan.id, reason=agreement
    )
    return plan


def add_goal(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    *,
    goal_type: str,
    target_date: date,
    now: datetime,
    need_id: int | None = None,
    note: str | None = None,
) -> Goal:
    """Add a goal to the plan in force.

    Raises what `hold_case` raises, `plan_required`, `reason_unknown` (goal type), `not_found` (a need of another
    case) or `value_wrong` (the date is past or more than five years ahead).
    """
    case = hold_case(session, case_id, actor)
    plans = query.list_plans(session, case.id)
    if not plans:
        raise DomainError("plan_required", case_id=case_id)
    today = local_day(load(case.governorate), now)
    if not today <= target_date <= today.replace(year=today.year + FURTHEST_YEARS, day=min(today.day, 28)):
        raise DomainError("value_wrong", field="target_date")
    if need_id is not None and not case_events.is_need_of_case(session, case.id, need_id):
        raise DomainError("not_found", need_id=need_id)
    goal = Goal(
        plan_id=plans[0].id,
        dimension=dimension_of(goal_type),
        goal_type=goal_type,
        need_id=need_id,
        note=vault.seal(key_of(case), "goal.note", note),
        target_date=target_date,
        state=GoalState.OPEN,
        state_since=now,
        added_at=now,
    )
    session.add(goal)
    session.flush()
    add_case_event(session, vault, case, actor, CaseEventKind.GOAL_ADDED, now, object_id=goal.id)
    return goal


def meet_goal(
    session: Session, vault: Vault, case_id: int, goal_id: int, actor: Actor, *, now: datetime
) -> None:
    """Record that an open goal was reached. Raises what `hold_case` raises, or `changed_meanwhile`."""
    _end_goal(session, vault, case_id, goal_id, actor, GoalState.MET, None, now)


def drop_goal(
    session: Session, vault: Vault, case_id: int, goal_id: int, actor: Actor, *, reason: str, now: datetime
) -> None:
    """Give an open goal up, with a coded reason. Raises as `meet_goal`, `reason_required`, `reason_unknown`."""
    require_choice("goal_drop_reason", reason)
    _end_goal(session, vault, case_id, goal_id, actor, GoalState.DROPPED, reason, now)


def _end_goal(
    session: Session,
    vault: Vault,
    case_id: int,
    goal_id: int,
    actor: Actor,
    state: GoalState,
    reason: str | None,
    now: datetime,
) -> None:
    case = hold_case(session, case_id, actor)
    goal = query.get_goal(session, case.id, goal_id)
    if goal is None:
        raise DomainError("not_found", goal_id=goal_id)
    if goal.state != GoalState.OPEN:
        raise DomainError("changed_meanwhile", goal_id=goal_id)
    goal.state, goal.state_since, goal.drop_reason = state, now, reason
    kind = CaseEventKind.GOAL_MET if state is GoalState.MET else CaseEventKind.GOAL_DROPPED
    add_case_event(session, vault, case, actor, kind, now, object_id=goal.id, reason=reason)
