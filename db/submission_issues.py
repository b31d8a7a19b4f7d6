"""Queries on what is odd about submissions: finding one that waits for a person, and settling it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.models import SubmissionIssue


def lock_issue(session: Session, issue_id: int, code: str) -> SubmissionIssue | None:
    """An issue of this kind, held until the transaction ends."""
    return session.scalar(
        select(SubmissionIssue)
        .where(SubmissionIssue.id == issue_id, SubmissionIssue.code == code)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def settle_issues(
    session: Session, case_ids: Collection[int], codes: Collection[str], at: datetime, user_id: int | None
) -> None:
    """Settle every open issue of these kinds in these cases; `user_id` None where the system did it."""
    session.execute(
        update(SubmissionIssue)
        .where(
            SubmissionIssue.case_id.in_(case_ids),
            SubmissionIssue.code.in_(codes),
            SubmissionIssue.settled_at.is_(None),
        )
        .values(settled_at=at, settled_by=user_id)
        .execution_options(synchronize_session="fetch")
    )
