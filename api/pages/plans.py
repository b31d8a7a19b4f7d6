"""The plan of a case: its goals, and what its referrals brought."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api import plan_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.case_frame import open_notes, require_case
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.texts import text_of
from casework import outcomes, plans
from db import accounts
from db.case_events import is_referral_of_case
from db.cases import list_needs
from db.errors import DomainError
from db.letters import list_sent_referrals
from db.outcomes import list_outcomes
from db.plans import list_goals, list_plans
from referral_engine.sop import BRINGS_OUTCOMES

router = APIRouter(prefix="/cases/{code}")

Reader = Annotated[CurrentUser, Depends(Require(Permission.PLAN_READ))]
Writer = Annotated[CurrentUser, Depends(Require(Permission.PLAN_WRITE))]
Code = Annotated[str, Form(max_length=40)]
Note = Annotated[str, Form(max_length=2000)]


@router.get("/plan")
def plan_page(request: Request, session: Database, keys: Keys, user: Reader, code: str) -> Response:
    """Show the plan in force, its goals and the outcomes. The notes are personal data: the reading is audited."""
    case, language = require_case(request, session, user, code), language_of(request)
    sent = list_sent_referrals(session, case.id)
    versions, goals = list_plans(session, case.id), list_goals(session, case.id)
    accounts.record_audit(session, user.user_id, "plan.read", "case_file", [case.id])
    values = {
        "case": case,
        "versions": versions,
        "goals": goals,
        "plan_notes": open_notes(keys, "case_plan.note", [(one.id, one.note) for one in versions]),
        "goal_notes": open_notes(keys, "goal.note", [(one.id, one.note) for one in goals]),
        "goal_lists": plans.GOAL_LISTS,
        "dimensions": _words(plan_texts.DIMENSIONS, language),
        "goal_states": _words(plan_texts.GOAL_STATES, language),
        "needs": {need.id: need for need in list_needs(session, case.id)},
        "outcomes": list_outcomes(session, case.id),
        "referrals": [one for one in sent if one.state in BRINGS_OUTCOMES],
    }
    return render(request, "plan.html", values)


def _words(table: Mapping[str, str], language: str) -> dict[str, str]:
    return {code: text_of(table, code, language) for code in table}


@router.post("/plan")
def agree_plan(
    request: Request,
    session: Database,
    keys: Keys,
    user: Writer,
    code: str,
    agreement: Code = "",
    note: Note = "",
) -> Response:
    """Record that a plan was agreed; it is in force from now on."""
    case = require_case(request, session, user, code)
    plans.agree_plan(
        session, keys, case.id, user.actor, agreement=agreement, note=note.strip() or None, now=_now()
    )
    return see(f"/cases/{case.code}/plan", "plan_agreed")


def _now() -> datetime:
    return datetime.now(UTC)


@router.post("/goals")
def add_goal(
    request: Request,
    session: Database,
    keys: Keys,
    user: Writer,
    code: str,
    goal_type: Code = "",
    target_date: Annotated[date | None, Form()] = None,
    need_id: Annotated[int | None, Form()] = None,
    note: Note = "",
) -> Response:
    """Add a goal to the plan in force."""
    case = require_case(request, session, user, code)
    if target_date is None:
        raise DomainError("value_wrong", field="target_date")
    plans.add_goal(
        session,
        keys,
        case.id,
        user.actor,
        goal_type=goal_type,
        target_date=target_date,
        need_id=need_id,
        note=note.strip() or None,
        now=_now(),
    )
    return see(f"/cases/{case.code}/plan", "goal_added")


@router.post("/goals/met")
def meet_goal(
    request: Request,
    session: Database,
    keys: Keys,
    user: Writer,
    code: str,
    goal_id: Annotated[int, Form()] = 0,
) -> Response:
    """Record that a goal was reached."""
    case = require_case(request, session, user, code)
    plans.meet_goal(session, keys, case.id, goal_id, user.actor, now=_now())
    return see(f"/cases/{case.code}/plan", "goal_met")


@router.post("/goals/dropped")
def drop_goal(
    request: Request,
    session: Database,
    keys: Keys,
    user: Writer,
    code: str,
    goal_id: Annotated[int, Form()] = 0,
    reason: Code = "",
) -> Response:
    """Give a goal up, with a coded reason."""
    case = require_case(request, session, user, code)
    plans.drop_goal(session, keys, case.id, goal_id, user.actor, reason=reason, now=_now())
    return see(f"/cases/{case.code}/plan", "goal_dropped")


@router.post("/outcomes")
def add_outcome(
    request: Request,
    session: Database,
    keys: Keys,
    user: Writer,
    code: str,
    referral_id: Annotated[int, Form()] = 0,
    outcome_type: Code = "",
    quantity: Annotated[Decimal | None, Form()] = None,
    unit: Code = "",
    delivered_on: Annotated[date | None, Form()] = None,
) -> Response:
    """Record what a referral brought, as the returnee tells it."""
    case = require_case(request, session, user, code)
    if not is_referral_of_case(session, case.id, referral_id):
        raise DomainError("not_found", referral_id=referral_id)
    if quantity is None or delivered_on is None:
        raise DomainError("value_wrong", field="quantity")
    outcomes.record_outcome(
        session,
        keys,
        referral_id,
        outcome_type=outcome_type,
        quantity=quantity,
        unit=unit,
        delivered_on=delivered_on,
        actor=user.actor,
    )
    return see(f"/cases/{case.code}/plan", "outcome_added")
