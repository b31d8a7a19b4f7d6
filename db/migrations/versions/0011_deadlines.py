"""Clocks of referrals, escalations and announced closures.

Clocks of the referrals that are live already are started by the job, which repairs what is missing
(`casework.deadlines.start_missing_clocks`): only code knows the calendar.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_deadlines"
down_revision = "0010_consents"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_deadline()
    _create_escalation()
    op.create_table(
        "office_closure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("office_id", sa.BigInteger(), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("first_day <= last_day", name="ck_office_closure_days_ordered"),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name="fk_office_closure_office_id_office"),
        sa.PrimaryKeyConstraint("id", name="pk_office_closure"),
    )
    op.create_index("ix_office_closure_governorate_last_day", "office_closure", ["governorate", "last_day"])


def _create_deadline() -> None:
    op.create_table(
        "deadline",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("breach_action", sa.String(length=20), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("counts_from", _INSTANT, nullable=False),
        sa.Column("remaining", sa.Interval(), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=True),
        sa.Column("act_at", _INSTANT, nullable=True),
        sa.Column("paused_at", _INSTANT, nullable=True),
        sa.Column("paused_until", _INSTANT, nullable=True),
        sa.Column("paused_reason", sa.String(length=40), nullable=True),
        sa.Column("paused_total", sa.Interval(), server_default=sa.text("'0'"), nullable=False),
        sa.Column("reminders", sa.Integer(), server_default="0", nullable=False),
        sa.Column("breached_at", _INSTANT, nullable=True),
        sa.Column("closed_at", _INSTANT, nullable=True),
        sa.CheckConstraint(
            "(paused_at IS NULL) = (due_at IS NOT NULL)", name="ck_deadline_due_unless_paused"
        ),
        sa.CheckConstraint(
            "(paused_at IS NULL) = (paused_until IS NULL) AND (paused_at IS NULL) = (paused_reason IS NULL)",
            name="ck_deadline_pause_complete",
        ),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name="fk_deadline_referral_id_referral"),
        sa.PrimaryKeyConstraint("id", name="pk_deadline"),
    )
    open_only = sa.text("closed_at IS NULL")
    op.create_index("uq_deadline_open", "deadline", ["referral_id"], unique=True, postgresql_where=open_only)
    op.create_index("ix_deadline_referral", "deadline", ["referral_id"])
    op.create_index("ix_deadline_act", "deadline", ["act_at"], postgresql_where=open_only)
    op.create_index("ix_deadline_paused", "deadline", ["paused_until"], postgresql_where=open_only)


def _create_escalation() -> None:
    op.create_table(
        "escalation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("need_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("to_role", sa.String(length=20), nullable=False),
        sa.Column("about", sa.String(length=30), nullable=False),
        sa.Column("at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", _INSTANT, nullable=True),
        sa.Column("settled_how", sa.String(length=20), nullable=True),
        sa.Column("settled_by", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_escalation_need_id_need"),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name="fk_escalation_referral_id_referral"),
        sa.PrimaryKeyConstraint("id", name="pk_escalation"),
    )
    op.create_index("ix_escalation_need_id", "escalation", ["need_id"])
    op.create_index(
        "uq_escalation_open_referral",
        "escalation",
        ["referral_id"],
        unique=True,
        postgresql_where=sa.text("settled_at IS NULL AND referral_id IS NOT NULL"),
    )
    op.create_index(
        "uq_escalation_need",
        "escalation",
        ["need_id"],
        unique=True,
        postgresql_where=sa.text("referral_id IS NULL"),
    )
    op.create_index(
        "ix_escalation_open", "escalation", ["to_role", "at"], postgresql_where=sa.text("settled_at IS NULL")
    )
