"""Complaints, what happened to them, and who tried how often on the public pages."""

import uuid

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Instant, Key, Stamp


class Complaint(Base):
    """A complaint; states and moves are `referral_engine.complaints`, answers are the notes of its events.

    `phrase_index` is a keyed hash of the follow-up phrase by which the person looks at it again. `ministry` is
    whose supervisor answers while the line is the supervisor's. The clock of the state runs from `clock_since`;
    `told_due_at` is the due time whose breach those who handle it were told of.
    """

    __tablename__ = "complaint"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(String(16), unique=True)
    phrase_index: Mapped[bytes] = mapped_column(LargeBinary(32))
    governorate: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(30))
    line: Mapped[str] = mapped_column(String(20))
    ministry: Mapped[str] = mapped_column(String(20))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    office_id: Mapped[int | None] = mapped_column(ForeignKey("office.id"))
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"))
    anonymous: Mapped[bool]
    language: Mapped[str] = mapped_column(String(8))
    channel: Mapped[str] = mapped_column(String(10))
    data_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("data_key.id", ondelete="SET NULL"))
    statement: Mapped[bytes] = mapped_column(Sealed)
    reply_address: Mapped[bytes | None] = mapped_column(Sealed)
    state: Mapped[str] = mapped_column(String(20))
    clock_since: Mapped[Instant]
    due_at: Mapped[Instant | None]
    told_due_at: Mapped[Instant | None]
    received_at: Mapped[Instant]
    answered_at: Mapped[Instant | None]
    answered_by: Mapped[int | None] = mapped_column(BigInteger)
    closed_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("(kind = 'sexual_exploitation') = (line = 'psea')", name="outside_the_line"),
        CheckConstraint("(due_at IS NULL) = (state = 'closed')", name="final_or_clocked"),
        Index("ix_complaint_list", "governorate", "line", "ministry", "due_at"),
        Index("ix_complaint_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )


class ComplaintEvent(Base):
    """One move of a complaint; rows are never changed or removed (trigger). `note` is an answer or an appeal."""

    __tablename__ = "complaint_event"

    id: Mapped[Key]
    complaint_id: Mapped[int] = mapped_column(ForeignKey("complaint.id"), index=True)
    move: Mapped[str] = mapped_column(String(20))
    from_state: Mapped[str | None] = mapped_column(String(20))
    to_state: Mapped[str] = mapped_column(String(20))
    actor_role: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    at: Mapped[Stamp]


class ComplaintAttempt(Base):
    """A use of the public pages, so that one address cannot flood them; kept for an hour.

    `source_index` is a keyed hash. Nothing leads from here to a complaint.
    """

    __tablename__ = "complaint_attempt"

    id: Mapped[Key]
    source_index: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[Instant] = mapped_column(index=True)

    __table_args__ = (Index("ix_complaint_attempt_source", "source_index", "at"),)
