"""The history of scheduled jobs, and the outages that administrators were told of. Codes and figures only."""

import enum

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Details, Instant, Key


class JobOutcome(enum.StrEnum):
    """How a run ended. `busy`: the job was under way elsewhere. `stopped`: it was asked to, or its process died."""

    OK = "ok"
    FAILED = "failed"
    BUSY = "busy"
    STOPPED = "stopped"


class JobRun(Base):
    """One run of a job; without `finished_at` it is under way, or its process died and nobody has noticed yet.

    `error` is a code (`api.job_texts`), `figures` are numbers by name.
    """

    __tablename__ = "job_run"

    id: Mapped[Key]
    governorate: Mapped[str] = mapped_column(String(40))
    job: Mapped[str] = mapped_column(String(40))
    worker: Mapped[str] = mapped_column(String(80))
    started_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]
    outcome: Mapped[str | None] = mapped_column(String(10))
    error: Mapped[str | None] = mapped_column(String(60))
    figures: Mapped[Details]

    __table_args__ = (
        Index("ix_job_run_job", "governorate", "job", "id"),
        Index("ix_job_run_outcome", "governorate", "outcome", "id"),
        Index("ix_job_run_started", "started_at"),
    )


class JobTally(Base):
    """How often a job ended in one way, since ever: counters must not fall when the history is shortened."""

    __tablename__ = "job_tally"

    governorate: Mapped[str] = mapped_column(String(40), primary_key=True)
    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(10), primary_key=True)
    runs: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    last_at: Mapped[Instant]


class JobPlan(Base):
    """When the worker that leads, or led last, runs a job next."""

    __tablename__ = "job_plan"

    governorate: Mapped[str] = mapped_column(String(40), primary_key=True)
    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    worker: Mapped[str] = mapped_column(String(80))
    next_run_at: Mapped[Instant | None]


class Outage(Base):
    """A time in which some source was read too late; at most one is open in a governorate, and told once."""

    __tablename__ = "outage"

    id: Mapped[Key]
    governorate: Mapped[str] = mapped_column(String(40))
    began_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]

    __table_args__ = (
        Index("uq_outage_open", "governorate", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
