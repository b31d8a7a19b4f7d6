"""What came from the field: every version of every submission, whole and sealed."""

import enum
import uuid

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Details, Instant, Key, Stamp


class SubmissionStatus(enum.StrEnum):
    """Where a submission stands. `refused` counts a person who said no; its content is erased."""

    RECEIVED = "received"
    TAKEN_IN = "taken_in"
    REFUSED = "refused"
    QUARANTINED = "quarantined"


class Submission(Base):
    """One version of one submission.

    `governorate` is the tablet's, or that of the installation that read it from Central.
    `root_instance_id` names the submission for ever (Central's `__id`); `instance_id` names this version.
    `fingerprint` is a keyed hash of the bytes, so that the same bytes are known again.
    """

    __tablename__ = "submission"

    id: Mapped[Key]
    governorate: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(80))
    form_id: Mapped[str] = mapped_column(String(80))
    form_version: Mapped[str | None] = mapped_column(String(80))
    root_instance_id: Mapped[str] = mapped_column(String(64))
    instance_id: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(20))
    payload: Mapped[bytes | None] = mapped_column(Sealed)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    data_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("data_key.id", ondelete="SET NULL"))
    tablet_id: Mapped[int | None] = mapped_column(ForeignKey("tablet.id"))
    status: Mapped[str] = mapped_column(String(20), default=SubmissionStatus.RECEIVED)
    reason: Mapped[str | None] = mapped_column(String(60))
    reason_details: Mapped[Details | None]
    review_state: Mapped[str | None] = mapped_column(String(20))
    submitted_at: Mapped[Instant | None]
    received_at: Mapped[Stamp]
    processed_at: Mapped[Instant | None]
    deleted_at: Mapped[Instant | None]
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"), index=True)

    __table_args__ = (
        UniqueConstraint(
            "source", "form_id", "root_instance_id", "instance_id", name="uq_submission_version"
        ),
        # A version's own id names one submission only: an edit is looked up by it.
        Index(
            "uq_submission_inbox_instance",
            "form_id",
            "instance_id",
            unique=True,
            postgresql_where=text("source = 'inbox'"),
        ),
        Index("ix_submission_waiting", "governorate", "id", postgresql_where=text("status = 'received'")),
        Index("ix_submission_status_received", "governorate", "status", "received_at"),
    )


class SubmissionAttachment(Base):
    """A file that a submission names; it may arrive in a later post.

    Its name may be what somebody typed, so it is sealed; `name_index` is a keyed hash of it.
    """

    __tablename__ = "submission_attachment"

    id: Mapped[Key]
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    name: Mapped[bytes] = mapped_column(Sealed)
    name_index: Mapped[bytes] = mapped_column(LargeBinary(32))
    content_type: Mapped[str | None] = mapped_column(String(80))
    payload: Mapped[bytes | None] = mapped_column(Sealed)
    received_at: Mapped[Instant | None]

    __table_args__ = (UniqueConstraint("submission_id", "name_index"),)


class SubmissionIssue(Base):
    """Something odd in a submission that a person should see: a code and details without personal data."""

    __tablename__ = "submission_issue"

    id: Mapped[Key]
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    code: Mapped[str] = mapped_column(String(60))
    field: Mapped[str | None] = mapped_column(String(120))
    details: Mapped[Details]
    created_at: Mapped[Stamp]
    settled_at: Mapped[Instant | None]
    settled_by: Mapped[int | None] = mapped_column(BigInteger)


class AttachmentCheck(Base):
    """A version of a submission of Central whose files have not all been fetched; gone once they have.

    `missing`: files that Central itself waits for; `too_large`: files that are not kept. `given_up_at`: nobody
    asks any more, until Central shows something new about the submission.
    """

    __tablename__ = "attachment_check"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    governorate: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(80))
    form_id: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[Stamp]
    next_at: Mapped[Stamp]
    tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    missing: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    too_large: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    given_up_at: Mapped[Instant | None]

    __table_args__ = (
        Index(
            "ix_attachment_check_due",
            "governorate",
            "source",
            "form_id",
            "next_at",
            postgresql_where=text("given_up_at IS NULL"),
        ),
    )


class SyncState(Base):
    """How far a source has been read; the page and this row are committed together.

    `since`: the server's time when the last complete reading began. `listed_at`: the server's time of the last
    complete list. `walk`: the link to the rest of a feed that is being read, `walk_started_at` when that began.
    `index` is what the previous release wrote; `sync_index` has taken its place.
    """

    __tablename__ = "sync_state"

    governorate: Mapped[str] = mapped_column(String(40), primary_key=True)
    source: Mapped[str] = mapped_column(String(80), primary_key=True)
    form_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    etag: Mapped[str | None] = mapped_column(String(200))
    index: Mapped[Details] = mapped_column(server_default=text("'{}'::jsonb"), deferred=True)
    version: Mapped[int] = mapped_column(default=0)
    since: Mapped[Instant | None]
    listed_at: Mapped[Instant | None]
    walk: Mapped[str | None] = mapped_column(Text)
    walk_started_at: Mapped[Instant | None]
    last_success_at: Mapped[Instant | None]
    last_error: Mapped[str | None] = mapped_column(String(60))


class SyncEntry(Base):
    """What was read of one submission of a source: other than what its list shows now, it is read again."""

    __tablename__ = "sync_index"

    governorate: Mapped[str] = mapped_column(String(40), primary_key=True)
    source: Mapped[str] = mapped_column(String(80), primary_key=True)
    form_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text)
    deleted: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
