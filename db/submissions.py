"""Queries on what came from the field: raw versions, their files, the waiting line and the quarantine."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Text, any_, delete, exists, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import AttachmentCheck, Submission, SubmissionAttachment, SubmissionIssue, SubmissionStatus


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """The little of a stored version that says whether another one is the same."""

    id: int
    root_instance_id: str
    instance_id: str
    fingerprint: bytes
    data_key_id: uuid.UUID | None
    status: str
    submitted_at: datetime | None


_VERSION = (
    Submission.id,
    Submission.root_instance_id,
    Submission.instance_id,
    Submission.fingerprint,
    Submission.data_key_id,
    Submission.status,
    Submission.submitted_at,
)


def get_version(
    session: Session, governorate: str, source: str, form_id: str, root_instance_id: str, instance_id: str
) -> StoredVersion | None:
    """Find one version of a governorate by its whole key."""
    row = session.execute(
        select(*_VERSION).where(
            Submission.governorate == governorate,
            Submission.source == source,
            Submission.form_id == form_id,
            Submission.root_instance_id == root_instance_id,
            Submission.instance_id == instance_id,
        )
    ).one_or_none()
    return None if row is None else StoredVersion(*row)


def get_version_of_any_root(
    session: Session, governorate: str, source: str, form_id: str, instance_id: str
) -> StoredVersion | None:
    """Find a version of a governorate by its own id alone, whichever submission it belongs to."""
    row = session.execute(
        select(*_VERSION)
        .where(
            Submission.governorate == governorate,
            Submission.source == source,
            Submission.form_id == form_id,
            Submission.instance_id == instance_id,
        )
        .order_by(Submission.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else StoredVersion(*row)


def get_current_version(
    session: Session, source: str, form_id: str, root_instance_id: str
) -> StoredVersion | None:
    """Find the newest version of a submission."""
    row = session.execute(
        select(*_VERSION)
        .where(
            Submission.source == source,
            Submission.form_id == form_id,
            Submission.root_instance_id == root_instance_id,
        )
        .order_by(Submission.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else StoredVersion(*row)


def get_data_key_id(session: Session, submission_id: int) -> uuid.UUID | None:
    """The key that a version is sealed with now; None where it was refused or erased."""
    return session.scalar(select(Submission.data_key_id).where(Submission.id == submission_id))


def list_older_unsettled(session: Session, submission: Submission) -> Sequence[Submission]:
    """List earlier versions of the same submission that still wait or stand in quarantine, locked."""
    return session.scalars(
        select(Submission)
        .where(
            Submission.source == submission.source,
            Submission.form_id == submission.form_id,
            Submission.root_instance_id == submission.root_instance_id,
            Submission.id < submission.id,
            Submission.status.in_([SubmissionStatus.RECEIVED, SubmissionStatus.QUARANTINED]),
        )
        .order_by(Submission.id)
        .with_for_update(key_share=True)
    ).all()


def lock_submission_root(session: Session, source: str, form_id: str, root_instance_id: str) -> None:
    """Make edits of one submission follow one another until the end of the transaction."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"{source}\n{form_id}\n{root_instance_id}"},
    )


def list_versions(
    session: Session, source: str, form_id: str, root_instance_ids: Collection[str]
) -> dict[str, list[StoredVersion]]:
    """Map submissions to their stored versions, oldest first, in one query."""
    rows = session.execute(
        select(*_VERSION)
        .where(
            Submission.source == source,
            Submission.form_id == form_id,
            Submission.root_instance_id.in_(root_instance_ids),
        )
        .order_by(Submission.id)
    )
    versions: dict[str, list[StoredVersion]] = {}
    for row in rows:
        versions.setdefault(row.root_instance_id, []).append(StoredVersion(*row))
    return versions


def set_review_states(session: Session, review_states: Mapping[int, str | None]) -> None:
    """Write the review state that the source shows now; no change where it is the same."""
    for row_id, state in review_states.items():
        session.execute(
            update(Submission)
            .where(Submission.id == row_id, Submission.review_state.is_distinct_from(state))
            .values(review_state=state)
            .execution_options(synchronize_session=False)
        )


def set_deleted(
    session: Session,
    source: str,
    form_id: str,
    root_instance_ids: Collection[str],
    deleted_at: datetime | None,
) -> int:
    """Mark all versions of submissions as deleted in their source, or (None) as there again; returns rows."""
    result = session.execute(
        update(Submission)
        .where(
            Submission.source == source,
            Submission.form_id == form_id,
            Submission.root_instance_id == any_(literal(list(root_instance_ids), ARRAY(Text))),
            Submission.deleted_at.is_(None) if deleted_at else Submission.deleted_at.is_not(None),
        )
        .values(deleted_at=deleted_at)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    return len(result.all())


def upsert_attachment(
    session: Session,
    submission_id: int,
    name_index: bytes,
    *,
    name: bytes,
    content_type: str | None,
    payload: bytes,
    now: datetime,
) -> bool:
    """Store a file that a submission names; False where the file is there already (the first one stays)."""
    content = {"name": name, "content_type": content_type, "payload": payload, "received_at": now}
    statement = insert(SubmissionAttachment).values(
        submission_id=submission_id, name_index=name_index, **content
    )
    stored = session.scalar(
        statement.on_conflict_do_update(
            index_elements=[SubmissionAttachment.submission_id, SubmissionAttachment.name_index],
            set_=content,
            where=SubmissionAttachment.payload.is_(None),
        ).returning(SubmissionAttachment.id)
    )
    return stored is not None


def list_attachment_indexes(session: Session, submission_id: int) -> set[bytes]:
    """Keyed hashes of the names of a submission's files that have arrived."""
    return set(
        session.scalars(
            select(SubmissionAttachment.name_index).where(
                SubmissionAttachment.submission_id == submission_id,
                SubmissionAttachment.payload.is_not(None),
            )
        )
    )


def list_attachments(session: Session, submission_id: int) -> Sequence[SubmissionAttachment]:
    """Files of a submission, sealed as they are."""
    return session.scalars(
        select(SubmissionAttachment)
        .where(SubmissionAttachment.submission_id == submission_id)
        .order_by(SubmissionAttachment.id)
    ).all()


def delete_attachments(session: Session, submission_id: int) -> None:
    """Remove the files of a submission whose key was deleted: nobody could read them again, or should."""
    session.execute(
        delete(AttachmentCheck)
        .where(AttachmentCheck.submission_id == submission_id)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(SubmissionAttachment)
        .where(SubmissionAttachment.submission_id == submission_id)
        .execution_options(synchronize_session=False)
    )


def claim_waiting(session: Session, governorate: str, after_id: int, limit: int) -> Sequence[Submission]:
    """Lock the next page of the governorate's waiting submissions, oldest first, past rows that others are working on.

    Ones deleted in their source wait, in case they are restored. The lock leaves room for a post that
    brings a late file.
    """
    return session.scalars(
        select(Submission)
        .where(
            Submission.governorate == governorate,
            Submission.status == SubmissionStatus.RECEIVED,
            Submission.deleted_at.is_(None),
            Submission.id > after_id,
        )
        .order_by(Submission.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()


def count_waiting(session: Session, governorate: str) -> int:
    """How many submissions of a governorate wait to be taken in."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Submission)
            .where(
                Submission.governorate == governorate,
                Submission.status == SubmissionStatus.RECEIVED,
                Submission.deleted_at.is_(None),
            )
        )
        or 0
    )


def count_by_status(session: Session, governorate: str) -> dict[str, int]:
    """How many versions of a governorate stand in each status; statuses without any are left out."""
    rows = session.execute(
        select(Submission.status, func.count())
        .where(Submission.governorate == governorate)
        .group_by(Submission.status)
    )
    return dict(rows.all())


def count_refusals_with_content(session: Session) -> int:
    """How many refusals, without a case that came before, still have content, a key or files: none should."""
    files = exists().where(SubmissionAttachment.submission_id == Submission.id)
    kept = or_(Submission.payload.is_not(None), Submission.data_key_id.is_not(None), files)
    return (
        session.scalar(
            select(func.count())
            .select_from(Submission)
            .where(Submission.status == SubmissionStatus.REFUSED, Submission.case_id.is_(None), kept)
        )
        or 0
    )


def set_quarantined(
    session: Session, submission_id: int, reason: str, details: Mapping[str, Any], now: datetime
) -> None:
    """Set a submission aside, whole, with the reason (a code)."""
    session.execute(
        update(Submission)
        .where(Submission.id == submission_id)
        .values(
            status=SubmissionStatus.QUARANTINED,
            reason=reason,
            reason_details=dict(details),
            processed_at=now,
        )
    )


def release_quarantined(session: Session, governorate: str) -> int:
    """Put a governorate's quarantine back into the waiting line; returns how many."""
    released = session.execute(
        update(Submission)
        .where(
            Submission.governorate == governorate,
            Submission.status == SubmissionStatus.QUARANTINED,
            Submission.payload.is_not(None),
        )
        .values(status=SubmissionStatus.RECEIVED, processed_at=None)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    return len(released.all())


def list_issues(session: Session, submission_id: int) -> Sequence[SubmissionIssue]:
    """List what was odd in a submission, in the order in which it was found."""
    return session.scalars(
        select(SubmissionIssue)
        .where(SubmissionIssue.submission_id == submission_id)
        .order_by(SubmissionIssue.id)
    ).all()
