"""Scheduled jobs: their runs, how often each ended how, when each is due, and outages that were told."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022_jobs"
down_revision = "0021_central_tablets"
branch_labels = None
depends_on = None


def _instant(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _code(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "job_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _code("governorate", 40),
        _code("job", 40),
        _code("worker", 80),
        _instant("started_at"),
        _instant("finished_at", nullable=True),
        _code("outcome", 10, nullable=True),
        _code("error", 60, nullable=True),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_run"),
    )
    op.create_index("ix_job_run_job", "job_run", ["governorate", "job", "id"])
    op.create_index("ix_job_run_outcome", "job_run", ["governorate", "outcome", "id"])
    op.create_index("ix_job_run_started", "job_run", ["started_at"])
    op.create_table(
        "job_tally",
        _code("governorate", 40),
        _code("job", 40),
        _code("outcome", 10),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        _instant("last_at"),
        sa.PrimaryKeyConstraint("governorate", "job", "outcome", name="pk_job_tally"),
    )
    op.create_table(
        "job_plan",
        _code("governorate", 40),
        _code("job", 40),
        _code("worker", 80),
        _instant("next_run_at", nullable=True),
        sa.PrimaryKeyConstraint("governorate", "job", name="pk_job_plan"),
    )
    op.create_table(
        "outage",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _code("governorate", 40),
        _instant("began_at"),
        _instant("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outage"),
    )
    op.create_index(
        "uq_outage_open",
        "outage",
        ["governorate"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
