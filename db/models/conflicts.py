"""Edits to facts that were acted on already: each waits for a person, and what providers were told of it."""

import enum
import uuid

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Instant, Key


class ConflictState(enum.StrEnum):
    """Open until a person takes the new value or keeps the former, or a newer version speaks in its place."""

    OPEN = "open"
    TAKEN = "taken"
    KEPT = "kept"
    SUPERSEDED = "superseded"


class FactConflict(Base):
    """A version of a form says otherwise of a fact (`casework.facts`) than what was used.

    `case_id` is the registration's own case, also when that was merged into another. `former` is what was used,
    `edited` what this version says: JSON, sealed with the case's key. Once a version and fact; one open a fact.
    """

    __tablename__ = "fact_conflict"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    fact: Mapped[str] = mapped_column(String(20))
    former: Mapped[bytes] = mapped_column(Sealed)
    edited: Mapped[bytes] = mapped_column(Sealed)
    state: Mapped[str] = mapped_column(String(12), default=ConflictState.OPEN)
    opened_at: Mapped[Instant]
    settled_at: Mapped[Instant | None]
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    reason: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (
        UniqueConstraint("submission_id", "fact"),
        Index("ix_fact_conflict_case", "case_id", "fact", "id"),
        Index(
            "uq_fact_conflict_open", "case_id", "fact", unique=True, postgresql_where=text("state = 'open'")
        ),
        Index("ix_fact_conflict_list", "state", "opened_at", "id"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled_when_not_open"),
        CheckConstraint("state NOT IN ('taken', 'kept') OR reason IS NOT NULL", name="reason_when_settled"),
    )


class DisclosureAmendment(Base):
    """What a provider was told in the place of what had been sent; the disclosure itself stays as it was sent.

    `payload`: JSON of the fields with their new values (null: there is none any more), sealed as the disclosure.
    """

    __tablename__ = "disclosure_amendment"

    id: Mapped[Key]
    disclosure_id: Mapped[int] = mapped_column(ForeignKey("disclosure.id"))
    conflict_id: Mapped[int] = mapped_column(ForeignKey("fact_conflict.id"))
    data_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("data_key.id", ondelete="SET NULL"))
    fields: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    payload: Mapped[bytes] = mapped_column(Sealed)
    amended_at: Mapped[Instant]

    __table_args__ = (UniqueConstraint("disclosure_id", "conflict_id"),)
