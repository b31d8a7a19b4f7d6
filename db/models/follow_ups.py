"""Visits and calls to the returnee, and the reintegration sustainability score."""

from sqlalchemy import Double, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Instant, Key, Stamp


class FollowUp(Base):
    """One visit, call or meeting that is due, or was made.

    `source` says why: the start of a clock (`governorates.FOLLOW_UP_STARTS`), `score` (a round of the score),
    `again` (the one before did not reach the person), `planned` by an officer, or `answer` (the returnee was asked
    whether the service was delivered). `step` is the day of the clock, the month of the round or the number of the
    attempt; `started_at` is when the clock started, so that a service delivered twice is followed up twice.
    """

    __tablename__ = "follow_up"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(String(20))
    step: Mapped[int] = mapped_column(SmallInteger)
    started_at: Mapped[Instant]
    again_of_id: Mapped[int | None] = mapped_column(ForeignKey("follow_up.id"), unique=True)
    due_at: Mapped[Instant]
    done_at: Mapped[Instant | None]
    cancelled_at: Mapped[Instant | None]
    result: Mapped[str | None] = mapped_column(String(20))
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    created_at: Mapped[Stamp]

    __table_args__ = (
        Index(
            "uq_follow_up_clock",
            "case_id",
            text("coalesce(referral_id, 0)"),
            "source",
            "step",
            "started_at",
            unique=True,
            postgresql_where=text("source IN ('service_delivered', 'plan_agreed', 'score')"),
        ),
        Index(
            "ix_follow_up_due",
            "due_at",
            "id",
            postgresql_where=text("done_at IS NULL AND cancelled_at IS NULL"),
        ),
    )


class ReintegrationScore(Base):
    """One answered round of the questionnaire; the newest of a round counts, earlier ones stay.

    Scores are 0 to 1, null where too little was answered. `composite_high` is what the composite would be with
    the best answer in place of every answer that is not known.
    """

    __tablename__ = "reintegration_score"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    round: Mapped[str] = mapped_column(String(20))
    questionnaire: Mapped[str] = mapped_column(String(40))
    answers: Mapped[bytes] = mapped_column(Sealed)
    answered: Mapped[int] = mapped_column(SmallInteger)
    economic: Mapped[float | None] = mapped_column(Double)
    social: Mapped[float | None] = mapped_column(Double)
    psychosocial: Mapped[float | None] = mapped_column(Double)
    composite: Mapped[float | None] = mapped_column(Double)
    composite_high: Mapped[float | None] = mapped_column(Double)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    recorded_at: Mapped[Stamp]
