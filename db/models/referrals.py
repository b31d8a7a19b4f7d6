"""Matching runs, referrals and what happened to them."""

import uuid

from sqlalchemy import BigInteger, Computed, Double, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Details, Instant, Key, Stamp
from referral_engine.sop import HOLDS_SLOT, LIVE, ReferralState


def _in_states(states: frozenset[ReferralState]) -> str:
    return "state IN (" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


class MatchRun(Base):
    """One run of the engine, with what is needed to replay it.

    `digest` is that of the inputs, `digests` of their parts. `rest_digest` is that of what the run left over:
    while it stands unchanged, another run would find nothing.
    """

    __tablename__ = "match_run"

    id: Mapped[Key]
    governorate: Mapped[str] = mapped_column(String(40))
    engine_version: Mapped[str] = mapped_column(String(20))
    seed: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    digests: Mapped[Details]
    rest_digest: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[Stamp]
    finished_at: Mapped[Instant | None]
    needs: Mapped[int]
    proposed: Mapped[int]
    unmet: Mapped[Details]


class MatchCandidate(Base):
    """An option that a run looked at for a need, or an exclusion with its reasons.

    `minutes` is one way; null where no way is open. `eligibility`: 1 eligible, 0 unknown, -1 not.
    """

    __tablename__ = "match_candidate"

    match_run_id: Mapped[int] = mapped_column(ForeignKey("match_run.id"), primary_key=True)
    need_id: Mapped[int] = mapped_column(ForeignKey("need.id"), primary_key=True, index=True)
    service_at_location_id: Mapped[int] = mapped_column(
        ForeignKey("service_at_location.id"), primary_key=True
    )
    status: Mapped[str] = mapped_column(String(10))
    rank: Mapped[int]
    minutes: Mapped[float | None] = mapped_column(Double)
    km: Mapped[float | None] = mapped_column(Double)
    river_considered: Mapped[bool]
    eligibility: Mapped[int] = mapped_column(SmallInteger)
    reasons: Mapped[list[Details]] = mapped_column(JSONB)


class Referral(Base):
    """A need referred to a service at a location; its states and moves are `referral_engine.sop`.

    `submission_id` is the version of the form whose answers its match used.
    """

    __tablename__ = "referral"

    id: Mapped[Key]
    need_id: Mapped[int] = mapped_column(ForeignKey("need.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    service_at_location_id: Mapped[int] = mapped_column(ForeignKey("service_at_location.id"))
    capacity_id: Mapped[int] = mapped_column(ForeignKey("capacity.id"))
    match_run_id: Mapped[int | None] = mapped_column(ForeignKey("match_run.id"))
    submission_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(30))
    state_since: Mapped[Stamp]
    holds_slot: Mapped[bool] = mapped_column(Computed(_in_states(HOLDS_SLOT), persisted=True))
    held_reason: Mapped[str | None] = mapped_column(String(40))
    urgency: Mapped[str] = mapped_column(String(20))
    minutes: Mapped[float | None] = mapped_column(Double)
    km: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[Stamp]
    open_day_id: Mapped[int | None] = mapped_column(ForeignKey("open_day.id"))

    __table_args__ = (
        Index(
            "ix_referral_open_day",
            "open_day_id",
            postgresql_where=text("open_day_id IS NOT NULL"),
        ),
        Index(
            "uq_referral_live_need",
            "need_id",
            unique=True,
            postgresql_where=text(_in_states(LIVE)),
        ),
        Index("ix_referral_queue", "state", "urgency", "created_at"),
        Index("ix_referral_sal_state", "service_at_location_id", "state"),
        Index("ix_referral_capacity", "capacity_id", postgresql_where=text("holds_slot")),
    )


class ReferralEvent(Base):
    """One move of a referral; rows are never changed or removed (trigger)."""

    __tablename__ = "referral_event"

    id: Mapped[Key]
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), index=True)
    move: Mapped[str] = mapped_column(String(40))
    from_state: Mapped[str | None] = mapped_column(String(30))
    to_state: Mapped[str] = mapped_column(String(30))
    actor_role: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    at: Mapped[Stamp]


class Disclosure(Base):
    """Exactly what was sent to a provider, sealed as it was sent.

    `submission_id` is the version of the form whose answers were sent; null for what was sent before that was kept.
    """

    __tablename__ = "disclosure"

    id: Mapped[Key]
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), unique=True)
    consent_id: Mapped[int] = mapped_column(ForeignKey("consent.id"))
    data_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("data_key.id", ondelete="SET NULL"))
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submission.id"))
    fields: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    payload: Mapped[bytes] = mapped_column(Sealed)
    disclosed_at: Mapped[Stamp]
    withdrawn_at: Mapped[Instant | None]
