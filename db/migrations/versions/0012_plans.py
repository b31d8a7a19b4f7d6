"""Case plans, follow-ups, the reintegration sustainability score, outcomes, letters, history of a case."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012_plans"
down_revision = "0011_deadlines"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def _key() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _moment(name: str, *, stamp: bool = False, nullable: bool = False) -> sa.Column[Any]:
    default = _NOW if stamp else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _points_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def upgrade() -> None:
    op.create_table(
        "case_plan",
        _key(),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("agreement", sa.String(length=20), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("agreed_by", sa.BigInteger(), nullable=True),
        _moment("agreed_at", stamp=True),
        _points_to("case_plan", "case_id", "case_file"),
        _points_to("case_plan", "agreed_by", "user_account"),
        sa.PrimaryKeyConstraint("id", name="pk_case_plan"),
    )
    op.create_index("uq_case_plan_version", "case_plan", ["case_id", "version"], unique=True)
    op.create_table(
        "goal",
        _key(),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("dimension", sa.String(length=20), nullable=False),
        sa.Column("goal_type", sa.String(length=40), nullable=False),
        sa.Column("need_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("target_date", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        _moment("state_since", stamp=True),
        sa.Column("drop_reason", sa.String(length=40), nullable=True),
        _moment("added_at", stamp=True),
        sa.CheckConstraint(
            "(state = 'dropped') = (drop_reason IS NOT NULL)", name="ck_goal_dropped_with_reason"
        ),
        _points_to("goal", "plan_id", "case_plan"),
        _points_to("goal", "need_id", "need"),
        sa.PrimaryKeyConstraint("id", name="pk_goal"),
    )
    op.create_index("ix_goal_plan_id", "goal", ["plan_id"])
    op.create_table(
        "follow_up",
        _key(),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        _moment("started_at"),
        sa.Column("again_of_id", sa.BigInteger(), nullable=True),
        _moment("due_at"),
        _moment("done_at", nullable=True),
        _moment("cancelled_at", nullable=True),
        sa.Column("result", sa.String(length=20), nullable=True),
        sa.Column("recorded_by", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        _moment("created_at", stamp=True),
        _points_to("follow_up", "case_id", "case_file"),
        _points_to("follow_up", "referral_id", "referral"),
        _points_to("follow_up", "again_of_id", "follow_up"),
        _points_to("follow_up", "recorded_by", "user_account"),
        sa.PrimaryKeyConstraint("id", name="pk_follow_up"),
        sa.UniqueConstraint("again_of_id", name="uq_follow_up_again_of_id"),
    )
    op.create_index("ix_follow_up_case_id", "follow_up", ["case_id"])
    op.create_index("ix_follow_up_referral_id", "follow_up", ["referral_id"])
    op.create_index(
        "uq_follow_up_clock",
        "follow_up",
        ["case_id", sa.text("coalesce(referral_id, 0)"), "source", "step", "started_at"],
        unique=True,
        postgresql_where=sa.text("source IN ('service_delivered', 'plan_agreed', 'score')"),
    )
    op.create_index(
        "ix_follow_up_due",
        "follow_up",
        ["due_at", "id"],
        postgresql_where=sa.text("done_at IS NULL AND cancelled_at IS NULL"),
    )
    op.create_table(
        "reintegration_score",
        _key(),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.String(length=20), nullable=False),
        sa.Column("questionnaire", sa.String(length=40), nullable=False),
        sa.Column("answers", sa.LargeBinary(), nullable=False),
        sa.Column("answered", sa.SmallInteger(), nullable=False),
        *(
            sa.Column(name, sa.Double(), nullable=True)
            for name in ("economic", "social", "psychosocial", "composite", "composite_high")
        ),
        sa.Column("recorded_by", sa.BigInteger(), nullable=True),
        _moment("recorded_at", stamp=True),
        _points_to("reintegration_score", "case_id", "case_file"),
        _points_to("reintegration_score", "recorded_by", "user_account"),
        sa.PrimaryKeyConstraint("id", name="pk_reintegration_score"),
    )
    op.create_index("ix_reintegration_score_case_id", "reintegration_score", ["case_id"])
    op.create_table(
        "outcome",
        _key(),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome_type", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("delivered_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=True),
        sa.Column("recorded_role", sa.String(length=20), nullable=False),
        _moment("recorded_at", stamp=True),
        sa.CheckConstraint("quantity > 0", name="ck_outcome_quantity_positive"),
        _points_to("outcome", "referral_id", "referral"),
        _points_to("outcome", "recorded_by", "user_account"),
        sa.PrimaryKeyConstraint("id", name="pk_outcome"),
    )
    op.create_index("ix_outcome_referral_id", "outcome", ["referral_id"])
    op.create_table(
        "letter",
        _key(),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("consent_id", sa.BigInteger(), nullable=False),
        sa.Column("office_id", sa.BigInteger(), nullable=False),
        sa.Column("languages", postgresql.ARRAY(sa.String(length=8)), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("requested_by_person", sa.Boolean(), nullable=False),
        sa.Column("issued_by", sa.BigInteger(), nullable=True),
        _moment("issued_at", stamp=True),
        sa.CheckConstraint("requested_by_person", name="ck_letter_requested_by_person"),
        _points_to("letter", "case_id", "case_file"),
        _points_to("letter", "referral_id", "referral"),
        _points_to("letter", "consent_id", "consent"),
        _points_to("letter", "office_id", "office"),
        _points_to("letter", "issued_by", "user_account"),
        sa.PrimaryKeyConstraint("id", name="pk_letter"),
    )
    op.create_index("ix_letter_case_id", "letter", ["case_id"])
    op.create_table(
        "case_event",
        _key(),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("actor_role", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        _moment("at"),
        _points_to("case_event", "case_id", "case_file"),
        sa.PrimaryKeyConstraint("id", name="pk_case_event"),
    )
    op.create_index("ix_case_event_case_id", "case_event", ["case_id"])
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON case_event"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )
