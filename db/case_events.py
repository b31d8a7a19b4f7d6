"""A case as its own office works on it, its household, and its history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.models import Case, CaseEvent, CaseEventKind, Need, Referral, SubmissionIssue
from db.visibility import Viewer, visible_cases, visible_needs


def household(case_id: int) -> Select[Any]:
    """Ids of a case and of every case merged into it: what was written to one of them belongs to all."""
    return select(Case.id).where(or_(Case.id == case_id, Case.merged_into_id == case_id))


def get_visible_case(session: Session, viewer: Viewer, code: str) -> Case | None:
    """The one case with this code of its own; the code of a merged case leads to the case it went into."""
    held = aliased(Case)
    standing = select(func.coalesce(held.merged_into_id, held.id)).where(held.code == code).scalar_subquery()
    return session.scalar(visible_cases(viewer).where(Case.id == standing))


def get_visible_case_locked(session: Session, viewer: Viewer, case_id: int) -> Case | None:
    """A case that the viewer may see, held until the transaction ends."""
    statement = (
        visible_cases(viewer)
        .where(Case.id == case_id)
        .with_for_update(of=Case, key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.scalar(statement)


def is_case_visible(session: Session, viewer: Viewer, case_id: int) -> bool:
    """Whether the viewer may see the case."""
    statement = visible_cases(viewer).where(Case.id == case_id).with_only_columns(Case.id)
    return session.scalar(statement) is not None


def get_visible_need(session: Session, viewer: Viewer, need_id: int) -> Need | None:
    """A need that the viewer may see; its case is held first, as every act on it does."""
    case_id = select(Need.case_id).where(Need.id == need_id).scalar_subquery()
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))
    statement = visible_needs(viewer).where(Need.id == need_id).execution_options(populate_existing=True)
    return session.scalar(statement)


def is_referral_of_case(session: Session, case_id: int, referral_id: int) -> bool:
    """Whether a referral belongs to the household."""
    statement = select(Referral.id).where(
        Referral.id == referral_id, Referral.case_id.in_(household(case_id))
    )
    return session.scalar(statement) is not None


def is_need_of_case(session: Session, case_id: int, need_id: int) -> bool:
    """Whether a need belongs to the household."""
    statement = select(Need.id).where(Need.id == need_id, Need.case_id.in_(household(case_id)))
    return session.scalar(statement) is not None


def list_urgencies(session: Session, case_id: int) -> list[str]:
    """Urgencies of the needs of a case that are still wanted."""
    statement = select(Need.urgency).where(Need.case_id == case_id, Need.status != "withdrawn").distinct()
    return list(session.scalars(statement))


def list_case_events(session: Session, case_id: int) -> Sequence[CaseEvent]:
    """The history of the household, newest first."""
    statement = (
        select(CaseEvent)
        .where(CaseEvent.case_id.in_(household(case_id)))
        .order_by(CaseEvent.at.desc(), CaseEvent.id.desc())
    )
    return session.scalars(statement).all()


def get_newest_closing(session: Session, case_id: int) -> CaseEvent | None:
    """The event by which a case was closed last."""
    return session.scalar(_newest(case_id, CaseEventKind.CASE_CLOSED))


def get_newest_edit(session: Session, case_id: int, closing: CaseEvent) -> CaseEvent | None:
    """The newest edit of the form since a case was closed."""
    since = CaseEvent.id > closing.id
    return session.scalar(_newest(case_id, CaseEventKind.EDITED_AFTER_CLOSING).where(since))


def _newest(case_id: int, kind: CaseEventKind) -> Select[CaseEvent]:
    return (
        select(CaseEvent)
        .where(CaseEvent.case_id == case_id, CaseEvent.kind == kind)
        .order_by(CaseEvent.id.desc())
        .limit(1)
    )


def settle_issues(session: Session, case_id: int, code: str, user_id: int | None, now: datetime) -> None:
    """Say of the household's issues with this code that somebody has looked at them."""
    session.execute(
        update(SubmissionIssue)
        .where(
            SubmissionIssue.case_id.in_(household(case_id)),
            SubmissionIssue.code == code,
            SubmissionIssue.settled_at.is_(None),
        )
        .values(settled_at=now, settled_by=user_id)
        .execution_options(synchronize_session="fetch")
    )
