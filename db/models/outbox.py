"""Messages that wait to be sent, the addresses of work accounts, and the days whose digests are written."""

import datetime as dt
import enum
import uuid

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Details, Instant, Key, Stamp


class Channel(enum.StrEnum):
    """The way a message takes."""

    EMAIL = "email"
    SMS = "sms"


class MessageState(enum.StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ContactPoint(Base):
    """Where a user or an organization is reached for work: one e-mail and one phone each.

    The address is sealed with a key of its own, so that replacing it erases the former one. `language` is that
    of an organization's messages; a user's are in the language of the account.
    """

    __tablename__ = "contact_point"

    id: Mapped[Key]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    channel: Mapped[str] = mapped_column(String(10))
    language: Mapped[str | None] = mapped_column(String(8))
    address: Mapped[bytes] = mapped_column(Sealed)
    data_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("data_key.id", ondelete="SET NULL"))
    set_at: Mapped[Stamp]

    __table_args__ = (
        CheckConstraint("num_nonnulls(user_id, organization_id) = 1", name="one_owner"),
        UniqueConstraint("user_id", "channel"),
        UniqueConstraint("organization_id", "channel"),
    )


class OutboxMessage(Base):
    """A message, written in the transaction of the act that causes it and sent by the worker.

    It names its recipient by one of three ids; the address is looked up when it is sent. `params` holds ids,
    codes and counts. `delivery_key` is its Message-ID or idempotency key and stays the same at every attempt.
    `dedupe_key` says what the message is about, so that an act that runs twice writes it once.
    """

    __tablename__ = "outbox_message"

    id: Mapped[Key]
    delivery_key: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4)
    dedupe_key: Mapped[str] = mapped_column(String(160), unique=True)
    governorate: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(10))
    template: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(8))
    params: Mapped[Details]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"))
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"))
    state: Mapped[str] = mapped_column(String(10), default=MessageState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[Instant]
    last_error: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[Instant]
    sent_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("num_nonnulls(user_id, organization_id, case_id) = 1", name="one_recipient"),
        Index(
            "ix_outbox_message_due",
            "channel",
            "next_attempt_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_outbox_message_list", "governorate", "state", "created_at"),
    )


class DigestRun(Base):
    """A local day whose digests were written; the row and the messages are one transaction."""

    __tablename__ = "digest_run"

    governorate: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    written_at: Mapped[Instant]
