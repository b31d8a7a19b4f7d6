"""Who may come in: offices, users, their sessions, and the officers' tablets."""

import enum

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Instant, Key, Names, Stamp


class Role(enum.StrEnum):
    """What kind of work a user does; the permissions of each role stand in `api/permissions.py`."""

    OFFICER = "officer"
    COORDINATOR = "coordinator"
    PROVIDER = "provider"
    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    DATA_PROTECTION = "data_protection"
    PSEA_FOCAL_POINT = "psea_focal_point"


class Office(Base):
    """An office where people are received, with the districts (P-codes) it serves."""

    __tablename__ = "office"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(String(40))
    governorate: Mapped[str] = mapped_column(String(40))
    names: Mapped[Names]
    districts: Mapped[list[str]] = mapped_column(ARRAY(String(24)))

    # The second is there to be referred to: a user or case of an office belongs to the office's governorate.
    __table_args__ = (UniqueConstraint("governorate", "code"), UniqueConstraint("id", "governorate"))


class User(Base):
    """An account. A login is a code, never a person's name."""

    __tablename__ = "user_account"

    id: Mapped[Key]
    login: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(20))
    governorate: Mapped[str] = mapped_column(String(40))
    office_id: Mapped[int | None] = mapped_column(BigInteger)
    ministry: Mapped[str | None] = mapped_column(String(20))
    organization_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    language: Mapped[str] = mapped_column(String(8))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[Stamp]

    __table_args__ = (
        ForeignKeyConstraint(["office_id", "governorate"], ["office.id", "office.governorate"]),
        ForeignKeyConstraint(
            ["organization_id", "governorate"], ["organization.id", "organization.governorate"]
        ),
    )


class UserSession(Base):
    """A signed-in browser. Only the hash of its token is kept."""

    __tablename__ = "user_session"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[Stamp]
    expires_at: Mapped[Instant] = mapped_column(index=True)


class Tablet(Base):
    """A tablet with ODK Collect. Whoever holds its token is that tablet, so only the token's hash is kept.

    `central_closed_at`: when its app user in ODK Central was found shut out, or absent, after the tablet was revoked.
    """

    __tablename__ = "tablet"

    id: Mapped[Key]
    label: Mapped[str] = mapped_column(String(60), unique=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("office.id"), index=True)
    created_at: Mapped[Stamp]
    last_seen_at: Mapped[Instant | None]
    revoked_at: Mapped[Instant | None]
    central_closed_at: Mapped[Instant | None]


class LoginFailure(Base):
    """A failed sign-in, so that guessing slows down; the login typed is kept only as a keyed hash."""

    __tablename__ = "login_failure"

    id: Mapped[Key]
    login_index: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[Stamp]

    __table_args__ = (Index("ix_login_failure_login_index_at", "login_index", "at"),)


class AuditEvent(Base):
    """Who did or read what, with ids and codes only; rows are never changed (trigger)."""

    __tablename__ = "audit_event"

    id: Mapped[Key]
    at: Mapped[Stamp] = mapped_column(index=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(String(60))
    object_type: Mapped[str] = mapped_column(String(40))
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    purpose: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (Index("ix_audit_event_object", "object_type", "object_id"),)
