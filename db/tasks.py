"""Tasks: opening, ending and listing them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from db.models import Case, Need, Organization, Referral, Service, ServiceAtLocation, Task, TaskState
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_tasks


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task as its lists show it; `organization` is the provider whose answer led to it."""

    task_id: int
    case_id: int
    case_code: str
    kind: str
    role: str
    urgency: str
    due_at: datetime
    service_type: str | None
    referral_id: int | None
    organization: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class TaskPage(Paged):
    """One page of tasks and how many there are."""

    rows: Sequence[TaskRow]
    total: int
    page: int


_COLUMNS = (
    Task.id,
    func.coalesce(Case.merged_into_id, Case.id),
    Case.printed_code,
    Task.kind,
    Task.role,
    Task.urgency,
    Task.due_at,
    Need.service_type,
    Task.referral_id,
    Organization.names,
)


def _open_tasks(viewer: Viewer) -> Any:
    return (
        visible_tasks(viewer)
        .outerjoin(Referral, Referral.id == Task.referral_id)
        .outerjoin(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .outerjoin(Service, Service.id == ServiceAtLocation.service_id)
        .outerjoin(Organization, Organization.id == Service.organization_id)
        .where(Task.state == TaskState.OPEN)
        .order_by(Task.due_at, Task.id)
    )


def list_tasks(session: Session, viewer: Viewer, page: int = 1) -> TaskPage:
    """Open tasks that are the viewer's to do, the first due first; two statements."""
    own = visible_tasks(viewer).where(Task.state == TaskState.OPEN, Task.role == viewer.role)
    total = session.scalar(own.with_only_columns(func.count(Task.id))) or 0
    statement = _open_tasks(viewer).where(Task.role == viewer.role).with_only_columns(*_COLUMNS)
    rows: Iterable[Any] = session.execute(statement.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE))
    return TaskPage([TaskRow(*row) for row in rows], total, page)


def list_case_tasks(session: Session, viewer: Viewer, case_ids: Sequence[int]) -> list[TaskRow]:
    """Open tasks of these cases, and of those merged into them, that the viewer may see."""
    standing = func.coalesce(Case.merged_into_id, Case.id)
    statement = _open_tasks(viewer).where(standing.in_(case_ids)).with_only_columns(*_COLUMNS)
    rows: Iterable[Any] = session.execute(statement)
    return [TaskRow(*row) for row in rows]


def get_visible_task(session: Session, viewer: Viewer, task_id: int) -> Task | None:
    """A task that the viewer may see; None when it does not exist for them."""
    return session.scalar(visible_tasks(viewer).where(Task.id == task_id))


def lock_task(session: Session, task_id: int) -> Task:
    """Hold a task until the transaction ends, its case first."""
    case_id = select(Task.case_id).where(Task.id == task_id).scalar_subquery()
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))
    return session.scalars(
        select(Task).where(Task.id == task_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def get_open_task(
    session: Session, case_id: int, kind: str, need_id: int | None, referral_id: int | None
) -> Task | None:
    """The open task of this kind about the same, if there is one."""
    return session.scalar(
        select(Task).where(
            Task.case_id == case_id,
            Task.state == TaskState.OPEN,
            Task.kind == kind,
            Task.need_id.is_not_distinct_from(need_id),
            Task.referral_id.is_not_distinct_from(referral_id),
        )
    )


def list_open_of_need(session: Session, need_id: int, kind: str) -> list[Task]:
    """Open tasks of a kind about a need or about one that it stands for, held until the transaction ends."""
    stood_for = select(Need.id).where(func.coalesce(Need.same_as_id, Need.id) == need_id)
    statement = (
        select(Task)
        .where(
            or_(Task.need_id == need_id, Task.need_id.in_(stood_for)),
            Task.kind == kind,
            Task.state == TaskState.OPEN,
        )
        .order_by(Task.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def close_tasks(
    session: Session,
    state: TaskState,
    now: datetime,
    *,
    case_id: int | None = None,
    need_id: int | None = None,
    referral_id: int | None = None,
    kind: str | None = None,
    result: str | None = None,
    by: int | None = None,
) -> None:
    """End the open tasks about a case, a need or a referral, in one statement; what is not said does not matter."""
    limits = {
        Task.case_id: case_id,
        Task.need_id: need_id,
        Task.referral_id: referral_id,
        Task.kind: kind,
    }
    session.execute(
        update(Task)
        .where(Task.state == TaskState.OPEN, *(name == value for name, value in limits.items() if value))
        .values(state=state, done_at=now, done_by=by, result=result)
        .execution_options(synchronize_session="fetch")
    )


def get_standing_need(session: Session, need_id: int) -> Need:
    """The need itself, or the one of the household that stands for it, held until the transaction ends."""
    standing = select(func.coalesce(Need.same_as_id, Need.id)).where(Need.id == need_id).scalar_subquery()
    return session.scalars(
        select(Need)
        .where(Need.id == standing)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
