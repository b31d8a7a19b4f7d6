"""Queries on the clocks of referrals: starting, closing, what is due, and who waits for how long."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import Case, Deadline, Need, Referral, Service, ServiceAtLocation
from db.queue import overdue, urgency_rank, with_deadline
from db.visibility import Viewer, visible_referrals
from referral_engine.sop import LIVE


def get_open_deadline(session: Session, referral_id: int, *, lock: bool = False) -> Deadline | None:
    """The clock that runs or is paused for this referral."""
    statement = select(Deadline).where(Deadline.referral_id == referral_id, Deadline.closed_at.is_(None))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalar(statement)


def create_deadlines(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert clocks in one statement; a referral that has an open one already keeps it. Returns how many."""
    if not rows:
        return 0
    statement = (
        insert(Deadline)
        .values([dict(row) for row in rows])
        .on_conflict_do_nothing(index_elements=["referral_id"], index_where=Deadline.closed_at.is_(None))
        .returning(Deadline.id)
    )
    return len(session.scalars(statement).all())


def close_deadline(session: Session, referral_id: int, at: datetime) -> None:
    """Stop the open clock of a referral; a pause ends with it, at the moment to which it was paused."""
    session.execute(
        update(Deadline)
        .where(Deadline.referral_id == referral_id, Deadline.closed_at.is_(None))
        .values(closed_at=at, act_at=None)
        .execution_options(synchronize_session="fetch")
    )


def close_stale(session: Session, governorate: str, at: datetime) -> int:
    """Close open clocks whose referral is no longer in their state; how many. No act of ours leaves one."""
    stale = (
        select(Deadline.id)
        .join(Referral, Referral.id == Deadline.referral_id)
        .join(Case, Case.id == Referral.case_id)
        .where(
            Case.governorate == governorate, Deadline.closed_at.is_(None), Deadline.state != Referral.state
        )
        .with_for_update(of=[Referral, Deadline], skip_locked=True)
    )
    ids = list(session.scalars(stale))
    if ids:
        session.execute(
            update(Deadline)
            .where(Deadline.id.in_(ids))
            .values(closed_at=at, act_at=None)
            .execution_options(synchronize_session=False)
        )
    return len(ids)


def list_without_deadline(session: Session, governorate: str, limit: int) -> Sequence[Any]:
    """Live referrals without an open clock, held: rows of id, state, urgency, held_reason, service type, office."""
    running = exists().where(Deadline.referral_id == Referral.id, Deadline.closed_at.is_(None))
    return session.execute(
        select(
            Referral.id,
            Referral.state,
            Referral.urgency,
            Referral.held_reason,
            Need.service_type,
            Case.office_id,
        )
        .join(Need, Need.id == Referral.need_id)
        .join(Case, Case.id == Referral.case_id)
        .where(Case.governorate == governorate, Referral.state.in_(LIVE), ~running)
        .order_by(Referral.id)
        .limit(limit)
        .with_for_update(of=Referral, key_share=True, skip_locked=True)
    ).all()


def _of_governorate(governorate: str) -> Select[int]:
    return (
        select(Deadline.referral_id)
        .join(Referral, Referral.id == Deadline.referral_id)
        .join(Case, Case.id == Referral.case_id)
        .where(Case.governorate == governorate, Deadline.closed_at.is_(None))
    )


def list_due_referral_ids(session: Session, governorate: str, now: datetime, limit: int) -> list[int]:
    """Referrals whose clock the job must act on now: the most urgent first, then the longest overdue."""
    statement = (
        _of_governorate(governorate)
        .where(Deadline.act_at <= now)
        .order_by(urgency_rank(), Deadline.act_at, Deadline.id)
        .limit(limit)
    )
    return list(session.scalars(statement))


def list_ended_pauses(session: Session, governorate: str, now: datetime, limit: int) -> list[int]:
    """Referrals whose pause has come to its end."""
    statement = (
        _of_governorate(governorate)
        .where(Deadline.paused_until <= now)
        .order_by(Deadline.paused_until, Deadline.id)
        .limit(limit)
    )
    return list(session.scalars(statement))


def hold_case_of(session: Session, referral_id: int) -> bool:
    """Hold the case of a referral, unless somebody is acting on it just now; waits for nobody."""
    case_id = select(Referral.case_id).where(Referral.id == referral_id).scalar_subquery()
    statement = select(Case.id).where(Case.id == case_id).with_for_update(key_share=True, skip_locked=True)
    return session.scalar(statement) is not None


def list_counting(
    session: Session, governorate: str, first: datetime, last: datetime, office_id: int | None
) -> Sequence[Any]:
    """Working clocks that run, have not run out, and count within a span: id and what their due time hangs on."""
    statement = (
        select(
            Deadline.id,
            Deadline.state,
            Deadline.counts_from,
            Deadline.remaining,
            Deadline.due_at,
            Case.office_id,
        )
        .join(Referral, Referral.id == Deadline.referral_id)
        .join(Case, Case.id == Referral.case_id)
        .where(
            Case.governorate == governorate,
            Deadline.closed_at.is_(None),
            Deadline.paused_at.is_(None),
            Deadline.breached_at.is_(None),
            Deadline.working,
            Deadline.due_at == Deadline.act_at,
            Deadline.counts_from < last,
            Deadline.due_at > first,
        )
        .order_by(Deadline.id)
    )
    if office_id is not None:
        statement = statement.where(Case.office_id == office_id)
    return session.execute(statement).all()


def set_due(session: Session, deadline_id: int, counts_from: datetime, due_at: datetime) -> bool:
    """Move the due time of a clock that still counts as it did when it was read."""
    changed = session.scalar(
        update(Deadline)
        .where(
            Deadline.id == deadline_id,
            Deadline.counts_from == counts_from,
            Deadline.closed_at.is_(None),
            Deadline.paused_at.is_(None),
            Deadline.breached_at.is_(None),
            Deadline.due_at == Deadline.act_at,
        )
        .values(due_at=due_at, act_at=due_at)
        .returning(Deadline.id)
        .execution_options(synchronize_session=False)
    )
    return changed is not None


def _failed(now: datetime) -> ColumnElement[bool]:
    """Overdue through somebody's delay: asking after a long service falls due, and nobody has failed."""
    return and_(overdue(now), Deadline.breach_action != "monitor")


def count_overdue(session: Session, viewer: Viewer, now: datetime) -> dict[str, int]:
    """Overdue referrals that the viewer sees, by state."""
    statement = (
        with_deadline(visible_referrals(viewer))
        .where(_failed(now))
        .with_only_columns(Referral.state, func.count(Referral.id))
        .group_by(Referral.state)
    )
    return {row[0]: int(row[1]) for row in session.execute(statement)}


def count_by_organization(
    session: Session, governorate: str, states: Iterable[str], now: datetime
) -> dict[int, dict[str, tuple[int, int]]]:
    """Referrals of each organization by state: how many there are, and how many of them are overdue."""
    statement = (
        with_deadline(select(Referral))
        .join(Case, Case.id == Referral.case_id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .where(Case.governorate == governorate, Referral.state.in_(sorted(states)))
        .with_only_columns(
            Service.organization_id, Referral.state, func.count(), func.count().filter(_failed(now))
        )
        .group_by(Service.organization_id, Referral.state)
    )
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for organization_id, state, number, late in session.execute(statement):
        found.setdefault(organization_id, {})[state] = int(number), int(late)
    return found


def list_of_governorate(session: Session, governorate: str, now: datetime, limit: int) -> Sequence[Any]:
    """Clocks that have run out, for an operator: referral, state, urgency, due, action; ids and codes only."""
    return session.execute(
        select(
            Deadline.referral_id, Deadline.state, Referral.urgency, Deadline.due_at, Deadline.breach_action
        )
        .join(Referral, Referral.id == Deadline.referral_id)
        .join(Case, Case.id == Referral.case_id)
        .where(Case.governorate == governorate, Deadline.closed_at.is_(None), Deadline.due_at <= now)
        .order_by(urgency_rank(), Deadline.due_at)
        .limit(limit)
    ).all()
