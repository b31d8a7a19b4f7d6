"""Queries on case plans and their goals."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.case_events import household
from db.models import CasePlan, Goal


def list_plans(session: Session, case_id: int) -> Sequence[CasePlan]:
    """Every version of the household's plan; the first is in force."""
    statement = (
        select(CasePlan)
        .where(CasePlan.case_id.in_(household(case_id)))
        .order_by(CasePlan.version.desc(), CasePlan.agreed_at.desc(), CasePlan.id.desc())
    )
    return session.scalars(statement).all()


def get_newest_version(session: Session, case_id: int) -> int:
    """Number of the newest plan, 0 when there is none."""
    statement = select(func.max(CasePlan.version)).where(CasePlan.case_id.in_(household(case_id)))
    return session.scalar(statement) or 0


def list_goals(session: Session, case_id: int) -> Sequence[Goal]:
    """Goals of every version of the household's plan: open ones first, then by their date."""
    statement = (
        select(Goal)
        .join(CasePlan, CasePlan.id == Goal.plan_id)
        .where(CasePlan.case_id.in_(household(case_id)))
        .order_by(Goal.state != "open", Goal.target_date, Goal.id)
    )
    return session.scalars(statement).all()


def get_goal(session: Session, case_id: int, goal_id: int) -> Goal | None:
    """A goal of the household, locked."""
    statement = (
        select(Goal)
        .join(CasePlan, CasePlan.id == Goal.plan_id)
        .where(Goal.id == goal_id, CasePlan.case_id.in_(household(case_id)))
        .with_for_update(of=Goal)
        .execution_options(populate_existing=True)
    )
    return session.scalar(statement)
