"""Queries on versions of submissions whose files have not all been fetched from Central."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import AttachmentCheck, Submission
from db.sync_index import IndexKey


@dataclass(frozen=True, slots=True)
class DueCheck:
    """A version to ask about: which it is, and what was found before."""

    submission_id: int
    root_instance_id: str
    instance_id: str
    media_type: str
    data_key_id: uuid.UUID | None
    created_at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class FileFigures:
    """How many versions of a form wait for files, and for how many nobody asks any more."""

    form_id: str
    waiting: int
    given_up: int


def upsert_checks(session: Session, key: IndexKey, submission_ids: Collection[int], now: datetime) -> None:
    """Ask about the files of versions from now on, also of those that were given up."""
    if not submission_ids:
        return
    versions = select(
        Submission.id,
        literal(key.governorate),
        literal(key.source),
        literal(key.form_id),
        literal(now),
        literal(now),
    ).where(Submission.id.in_(submission_ids), Submission.data_key_id.is_not(None))
    columns = ["submission_id", "governorate", "source", "form_id", "created_at", "next_at"]
    statement = insert(AttachmentCheck).from_select(columns, versions)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[AttachmentCheck.submission_id],
            set_={"next_at": now, "created_at": now, "given_up_at": None, "tries": 0},
        )
    )


def list_due_checks(
    session: Session, key: IndexKey, now: datetime, limit: int, but: Collection[int] = ()
) -> Sequence[DueCheck]:
    """List versions that are to be asked about now, the longest due first; not those deleted in Central."""
    rows = session.execute(
        select(
            AttachmentCheck.submission_id,
            Submission.root_instance_id,
            Submission.instance_id,
            Submission.media_type,
            Submission.data_key_id,
            AttachmentCheck.created_at,
            AttachmentCheck.tries,
        )
        .join(Submission, Submission.id == AttachmentCheck.submission_id)
        .where(
            AttachmentCheck.governorate == key.governorate,
            AttachmentCheck.source == key.source,
            AttachmentCheck.form_id == key.form_id,
            AttachmentCheck.given_up_at.is_(None),
            AttachmentCheck.next_at <= now,
            AttachmentCheck.submission_id.not_in(but),
            Submission.deleted_at.is_(None),
        )
        .order_by(AttachmentCheck.next_at, AttachmentCheck.submission_id)
        .limit(limit)
    )
    return [DueCheck(*row) for row in rows]


def put_off_check(
    session: Session,
    submission_id: int,
    *,
    missing: int,
    too_large: int,
    next_at: datetime,
    given_up_at: datetime | None,
) -> None:
    """Note what was found, and when to ask again."""
    session.execute(
        update(AttachmentCheck)
        .where(AttachmentCheck.submission_id == submission_id)
        .values(
            missing=missing,
            too_large=too_large,
            next_at=next_at,
            given_up_at=given_up_at,
            tries=AttachmentCheck.tries + 1,
        )
        .execution_options(synchronize_session=False)
    )


def delete_check(session: Session, submission_id: int) -> None:
    """Ask no more about a version: all its files are here, or it was erased."""
    session.execute(
        delete(AttachmentCheck)
        .where(AttachmentCheck.submission_id == submission_id)
        .execution_options(synchronize_session=False)
    )


def count_files(session: Session, governorate: str) -> list[FileFigures]:
    """Count, by form, the versions that wait for files and those given up."""
    given_up = func.count(AttachmentCheck.given_up_at)
    rows = session.execute(
        select(AttachmentCheck.form_id, func.count() - given_up, given_up)
        .where(AttachmentCheck.governorate == governorate)
        .group_by(AttachmentCheck.form_id)
        .order_by(AttachmentCheck.form_id)
    )
    return [FileFigures(*row) for row in rows]
