"""Queries on announced closures of offices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from db.models import Office, OfficeClosure
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_closures


@dataclass(frozen=True, slots=True)
class ClosurePage(Paged):
    """One page of closures, the latest first; an office of None means all of the governorate."""

    rows: Sequence[tuple[OfficeClosure, dict[str, str] | None]]
    total: int
    page: int


def list_closures(session: Session, governorate: str, since: date) -> list[OfficeClosure]:
    """Closures of a governorate that had not ended on a day."""
    return list(
        session.scalars(
            select(OfficeClosure)
            .where(OfficeClosure.governorate == governorate, OfficeClosure.last_day >= since)
            .order_by(OfficeClosure.id)
        )
    )


def list_visible_closures(session: Session, viewer: Viewer, page: int = 1) -> ClosurePage:
    """A page of the closures that the viewer looks after; two statements."""
    base = visible_closures(viewer)
    total = session.scalar(base.with_only_columns(func.count(OfficeClosure.id))) or 0
    rows = session.execute(
        base.with_only_columns(OfficeClosure, Office.names)
        .order_by(OfficeClosure.first_day.desc(), OfficeClosure.id.desc())
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return ClosurePage([(row[0], row[1]) for row in rows], total, page)


def get_visible_closure(session: Session, viewer: Viewer, closure_id: int) -> OfficeClosure | None:
    """One closure that the viewer looks after."""
    return session.scalar(visible_closures(viewer).where(OfficeClosure.id == closure_id))


def has_same_closure(session: Session, closure: OfficeClosure) -> bool:
    """Whether the same days of the same office are closed already (a form sent twice)."""
    office = (
        OfficeClosure.office_id.is_(None)
        if closure.office_id is None
        else or_(OfficeClosure.office_id.is_(None), OfficeClosure.office_id == closure.office_id)
    )
    statement = select(OfficeClosure.id).where(
        OfficeClosure.governorate == closure.governorate,
        office,
        OfficeClosure.first_day <= closure.first_day,
        OfficeClosure.last_day >= closure.last_day,
    )
    return session.scalar(statement.limit(1)) is not None


def delete_closure(session: Session, closure_id: int) -> None:
    """Take an announced closure back."""
    session.execute(delete(OfficeClosure).where(OfficeClosure.id == closure_id))
