"""Clocks of referrals, what their breaches told whom, and the days on which offices are closed."""

from datetime import date, timedelta

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Interval, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Instant, Key, Stamp

NO_TIME = timedelta(0)


class Deadline(Base):
    """The clock of a referral in one state; a live referral has exactly one that is open.

    `remaining` is how much of the clock was left at `counts_from`, in working time where `working`; less than nothing
    for one that was paused after it had run out. `due_at` is
    None while the clock is paused. `act_at` is when the job looks at it next; after a breach that is later than
    `due_at`. `breach_action` is what the clock's row said of a breach when it started.
    """

    __tablename__ = "deadline"

    id: Mapped[Key]
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"))
    state: Mapped[str] = mapped_column(String(30))
    breach_action: Mapped[str] = mapped_column(String(20))
    working: Mapped[bool]
    started_at: Mapped[Instant]
    counts_from: Mapped[Instant]
    remaining: Mapped[timedelta] = mapped_column(Interval)
    due_at: Mapped[Instant | None]
    act_at: Mapped[Instant | None]
    paused_at: Mapped[Instant | None]
    paused_until: Mapped[Instant | None]
    paused_reason: Mapped[str | None] = mapped_column(String(40))
    paused_total: Mapped[timedelta] = mapped_column(Interval, default=NO_TIME, server_default=text("'0'"))
    reminders: Mapped[int] = mapped_column(default=0, server_default="0")
    breached_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("(paused_at IS NULL) = (due_at IS NOT NULL)", name="due_unless_paused"),
        CheckConstraint(
            "(paused_at IS NULL) = (paused_until IS NULL) AND (paused_at IS NULL) = (paused_reason IS NULL)",
            name="pause_complete",
        ),
        Index("uq_deadline_open", "referral_id", unique=True, postgresql_where=text("closed_at IS NULL")),
        Index("ix_deadline_referral", "referral_id"),
        Index("ix_deadline_act", "act_at", postgresql_where=text("closed_at IS NULL")),
        Index("ix_deadline_paused", "paused_until", postgresql_where=text("closed_at IS NULL")),
    )


class Escalation(Base):
    """Something that a role must hear of.

    A clock that ran out (`about` is the state), a need of high risk, or an offer that nobody answers (its kind).
    Whose of that role it is, is decided by the need's mandate and the case's office (`db.visibility`), as for
    every other row. Settled when the referral moves on, when its need ends, or when somebody has seen to it.
    """

    __tablename__ = "escalation"

    id: Mapped[Key]
    need_id: Mapped[int] = mapped_column(ForeignKey("need.id"), index=True)
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"))
    to_role: Mapped[str] = mapped_column(String(20))
    about: Mapped[str] = mapped_column(String(30))
    at: Mapped[Stamp]
    settled_at: Mapped[Instant | None]
    settled_how: Mapped[str | None] = mapped_column(String(20))
    settled_by: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[bytes | None] = mapped_column(Sealed)

    __table_args__ = (
        Index(
            "uq_escalation_open_referral",
            "referral_id",
            unique=True,
            postgresql_where=text("settled_at IS NULL AND referral_id IS NOT NULL"),
        ),
        Index("uq_escalation_need", "need_id", unique=True, postgresql_where=text("about = 'high_risk'")),
        Index("ix_escalation_open", "to_role", "at", postgresql_where=text("settled_at IS NULL")),
    )


class OfficeClosure(Base):
    """Days off that were announced: of one office, or of all of the governorate. `reason` is of a choice list."""

    __tablename__ = "office_closure"

    id: Mapped[Key]
    governorate: Mapped[str] = mapped_column(String(40))
    office_id: Mapped[int | None] = mapped_column(ForeignKey("office.id"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    reason: Mapped[str] = mapped_column(String(40))
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[Stamp]

    __table_args__ = (
        CheckConstraint("first_day <= last_day", name="days_ordered"),
        Index("ix_office_closure_governorate_last_day", "governorate", "last_day"),
    )
