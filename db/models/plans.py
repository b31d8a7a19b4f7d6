"""Case plans and their goals, outcomes of referrals, letters, and the history of a case."""

import enum
from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, SmallInteger, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Details, Instant, Key, Stamp


class GoalState(enum.StrEnum):
    """Where a goal stands."""

    OPEN = "open"
    MET = "met"
    DROPPED = "dropped"


class CaseEventKind(enum.StrEnum):
    """What happened to a case besides its referrals' moves."""

    PLAN_AGREED = "plan_agreed"
    GOAL_ADDED = "goal_added"
    GOAL_MET = "goal_met"
    GOAL_DROPPED = "goal_dropped"
    FOLLOW_UP_RECORDED = "follow_up_recorded"
    SCORE_RECORDED = "score_recorded"
    OUTCOME_RECORDED = "outcome_recorded"
    LETTER_ISSUED = "letter_issued"
    NEED_REOPENED = "need_reopened"
    CASE_CLOSED = "case_closed"
    CASE_REOPENED = "case_reopened"
    TRANSFER_OFFERED = "transfer_offered"
    TRANSFER_ACCEPTED = "transfer_accepted"
    TRANSFER_DECLINED = "transfer_declined"
    TRANSFER_WITHDRAWN = "transfer_withdrawn"
    HAND_OVER_OFFERED = "hand_over_offered"
    HAND_OVER_ACCEPTED = "hand_over_accepted"
    HAND_OVER_DECLINED = "hand_over_declined"
    HAND_OVER_WITHDRAWN = "hand_over_withdrawn"
    INFORMATION_GIVEN = "information_given"
    EDITED_AFTER_CLOSING = "edited_after_closing"
    CONFLICT_OPENED = "conflict_opened"
    CONFLICT_TAKEN = "conflict_taken"
    CONFLICT_KEPT = "conflict_kept"


class CasePlan(Base):
    """What the person and the officer agreed to work towards. The newest version is in force; old ones stay."""

    __tablename__ = "case_plan"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    version: Mapped[int] = mapped_column(SmallInteger)
    agreement: Mapped[str] = mapped_column(String(20))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    agreed_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    agreed_at: Mapped[Stamp]

    __table_args__ = (Index("uq_case_plan_version", "case_id", "version", unique=True),)


class Goal(Base):
    """One goal of the plan in which it was agreed; it stays open across versions until it is met or dropped."""

    __tablename__ = "goal"

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(ForeignKey("case_plan.id"), index=True)
    dimension: Mapped[str] = mapped_column(String(20))
    goal_type: Mapped[str] = mapped_column(String(40))
    need_id: Mapped[int | None] = mapped_column(ForeignKey("need.id"))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    target_date: Mapped[date]
    state: Mapped[str] = mapped_column(String(10), default=GoalState.OPEN)
    state_since: Mapped[Stamp]
    drop_reason: Mapped[str | None] = mapped_column(String(40))
    added_at: Mapped[Stamp]

    __table_args__ = (
        CheckConstraint("(state = 'dropped') = (drop_reason IS NOT NULL)", name="dropped_with_reason"),
    )


class Outcome(Base):
    """What a referral brought: type, quantity with its unit, and the day. Rows are only added."""

    __tablename__ = "outcome"

    id: Mapped[Key]
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), index=True)
    outcome_type: Mapped[str] = mapped_column(String(40))
    quantity: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    unit: Mapped[str] = mapped_column(String(20))
    delivered_on: Mapped[date]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    recorded_role: Mapped[str] = mapped_column(String(20))
    recorded_at: Mapped[Stamp]

    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)


class Letter(Base):
    """That a support letter was issued, for what and with which fields; its text is never stored."""

    __tablename__ = "letter"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"), index=True)
    consent_id: Mapped[int] = mapped_column(ForeignKey("consent.id"))
    office_id: Mapped[int] = mapped_column(ForeignKey("office.id"))
    languages: Mapped[list[str]] = mapped_column(ARRAY(String(8)))
    fields: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    requested_by_person: Mapped[bool]
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    issued_at: Mapped[Stamp]

    __table_args__ = (CheckConstraint("requested_by_person", name="requested_by_person"),)

    @property
    def number(self) -> str:
        """The number on the letter: year of issue and a running number."""
        return f"{self.issued_at.year}-{self.id:06d}"


class CaseEvent(Base):
    """One step in the history of a case; rows are never changed or removed (trigger).

    `object_id` is the plan, goal, follow-up, score, outcome, letter, need or offer that it is about.
    """

    __tablename__ = "case_event"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(String(40))
    details: Mapped[Details | None]
    note: Mapped[bytes | None] = mapped_column(Sealed)
    actor_role: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[Instant]
