"""What came in from the field and needs a person: quarantined submissions, open issues, tablets and sources."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db.models import Case, Office, Submission, SubmissionIssue, SubmissionStatus, Tablet
from db.visibility import Viewer, visible_issues, visible_submissions, visible_tablets

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A submission that could not be taken in, whole and sealed, with the reason's code."""

    submission_id: int
    form_id: str
    form_version: str | None
    source: str
    tablet: str | None
    reason: str | None
    details: dict[str, Any] | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class IssueRow:
    """Something odd in a case's submission."""

    issue_id: int
    case_code: str
    code: str
    field: str | None
    details: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TabletRow:
    """A tablet, its office and when it was last heard of."""

    tablet_id: int
    label: str
    office: dict[str, str]
    created_at: datetime
    last_seen_at: datetime | None
    revoked_at: datetime | None
    central_closed_at: datetime | None


def list_quarantined(session: Session, viewer: Viewer) -> list[QuarantinedRow]:
    """The newest submissions in quarantine that the viewer may look after."""
    statement = (
        visible_submissions(viewer)
        .where(Submission.status == SubmissionStatus.QUARANTINED)
        .with_only_columns(
            Submission.id,
            Submission.form_id,
            Submission.form_version,
            Submission.source,
            Tablet.label,
            Submission.reason,
            Submission.reason_details,
            Submission.received_at,
        )
        .order_by(Submission.received_at.desc(), Submission.id.desc())
        .limit(PAGE_SIZE)
    )
    rows: Iterable[Any] = session.execute(statement)
    return [QuarantinedRow(*row) for row in rows]


def list_open_issues(session: Session, viewer: Viewer) -> list[IssueRow]:
    """The newest issues of the viewer's cases that nobody has settled."""
    statement = (
        visible_issues(viewer)
        .where(SubmissionIssue.settled_at.is_(None))
        .with_only_columns(
            SubmissionIssue.id,
            Case.printed_code,
            SubmissionIssue.code,
            SubmissionIssue.field,
            SubmissionIssue.details,
            SubmissionIssue.created_at,
        )
        .order_by(SubmissionIssue.created_at.desc(), SubmissionIssue.id.desc())
        .limit(PAGE_SIZE)
    )
    return [IssueRow(*row) for row in session.execute(statement)]


def list_visible_tablets(session: Session, viewer: Viewer) -> list[TabletRow]:
    """The viewer's tablets, those in use first."""
    statement = (
        visible_tablets(viewer)
        .with_only_columns(
            Tablet.id,
            Tablet.label,
            Office.names,
            Tablet.created_at,
            Tablet.last_seen_at,
            Tablet.revoked_at,
            Tablet.central_closed_at,
        )
        .order_by(Tablet.revoked_at.is_not(None), Tablet.label)
    )
    return [TabletRow(*row) for row in session.execute(statement)]


def revoke_visible_tablet(session: Session, viewer: Viewer, tablet_id: int, now: datetime) -> str | None:
    """Stop a tablet's token from now on; returns its label, None when the viewer has no such tablet. Twice is once."""
    tablet = session.scalar(visible_tablets(viewer).where(Tablet.id == tablet_id))
    if tablet is None:
        return None
    tablet.revoked_at = tablet.revoked_at or now
    session.flush()
    return tablet.label
