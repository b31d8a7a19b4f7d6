"""Capacity that providers speak for, tasks, and the register of unmet needs with its walls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.crypto import Sealed

revision = "0013_capacity"
down_revision = "0012_plans"
branch_labels = None
depends_on = None

_KEEP_PERIODS = """
CREATE FUNCTION keep_unmet_periods() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND (
        OLD.until IS NOT NULL OR NEW.until IS NULL
        OR (NEW.id, NEW.need_id, NEW.governorate, NEW.district, NEW.subdistrict, NEW.service_type, NEW.reason,
            NEW.rule_id, NEW.rule, NEW.since)
           IS DISTINCT FROM
           (OLD.id, OLD.need_id, OLD.governorate, OLD.district, OLD.subdistrict, OLD.service_type, OLD.reason,
            OLD.rule_id, OLD.rule, OLD.since)
    ) THEN
        RAISE EXCEPTION 'unmet_period is append-only: a period may only be closed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'append_only';
    END IF;
    IF TG_OP = 'INSERT' AND EXISTS (
        SELECT 1 FROM unmet_period AS other
        WHERE other.need_id = NEW.need_id AND other.since < coalesce(NEW.until, 'infinity')
          AND coalesce(other.until, 'infinity') > NEW.since
    ) THEN
        RAISE EXCEPTION 'need % has an unmet period at that time', NEW.need_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'periods_apart';
    END IF;
    RETURN NEW;
END $$;
"""

# Whatever takes a need out of the state open, and wherever it was written, the register knows of it.
_CLOSE_PERIOD = """
CREATE FUNCTION close_unmet_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE unmet_period SET until = greatest(now(), since) WHERE need_id = NEW.id AND until IS NULL;
    RETURN NULL;
END $$;
"""

_RULE_ID = """(jsonb_path_query_first(need.unmet_details, '$.reasons[*] ? (@.code == "rule_blocks").rule_id'))::bigint"""

_FIRST_PERIODS = f"""
INSERT INTO unmet_period
    (need_id, governorate, district, subdistrict, service_type, reason, rule_id, rule, since)
SELECT need.id, case_file.governorate, case_file.residence_district, case_file.residence_subdistrict,
       need.service_type, need.unmet_reason, {_RULE_ID}, eligibility_rule.names, coalesce(need.unmet_since, now())
FROM need
JOIN case_file ON case_file.id = need.case_id
LEFT JOIN eligibility_rule ON eligibility_rule.id = {_RULE_ID}
WHERE need.status = 'open' AND need.unmet_reason IS NOT NULL
"""  # noqa: S608  constants of this file


def upgrade() -> None:
    op.add_column(
        "capacity", sa.Column("status", sa.String(length=20), server_default="has_capacity", nullable=False)
    )
    op.create_check_constraint(
        "ck_capacity_status_known",
        "capacity",
        "status IN ('has_capacity', 'no_capacity', 'waitlist', 'assessment_required')",
    )
    _create_capacity_event()
    _create_task()
    _create_unmet_period()


def _create_capacity_event() -> None:
    op.create_table(
        "capacity_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("capacity_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("actor_role", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["capacity_id"], ["capacity.id"], name="fk_capacity_event_capacity_id_capacity"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_capacity_event"),
    )
    op.create_index("ix_capacity_event_capacity_id", "capacity_event", ["capacity_id"])
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON capacity_event"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )


def _create_task() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("need_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("holds_need", sa.Boolean(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("ministry", sa.String(length=20), nullable=True),
        sa.Column("urgency", sa.String(length=20), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.String(length=40), nullable=True),
        sa.Column("note", Sealed(), nullable=True),
        sa.CheckConstraint("(state = 'open') = (done_at IS NULL)", name="ck_task_done_when_not_open"),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_task_case_id_case_file"),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name="fk_task_referral_id_referral"),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_task_need_id_need"),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
    )
    op.create_index("ix_task_case_id", "task", ["case_id"])
    op.create_index("ix_task_referral_id", "task", ["referral_id"])
    op.create_index("ix_task_open", "task", ["role", "due_at"], postgresql_where=sa.text("state = 'open'"))
    op.create_index(
        "ix_task_holding", "task", ["need_id"], postgresql_where=sa.text("state = 'open' AND holds_need")
    )


def _create_unmet_period() -> None:
    op.create_table(
        "unmet_period",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("need_id", sa.BigInteger(), nullable=False),
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("district", sa.String(length=24), nullable=True),
        sa.Column("subdistrict", sa.String(length=24), nullable=True),
        sa.Column("service_type", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("rule", postgresql.JSONB(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("until >= since", name="ck_unmet_period_in_order"),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_unmet_period_need_id_need"),
        sa.PrimaryKeyConstraint("id", name="pk_unmet_period"),
    )
    op.create_index(
        "uq_unmet_period_open",
        "unmet_period",
        ["need_id"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index("ix_unmet_period_need", "unmet_period", ["need_id", "since"])
    op.create_index("ix_unmet_period_place", "unmet_period", ["governorate", "since"])
    op.execute(_FIRST_PERIODS)
    op.execute(_KEEP_PERIODS)
    op.execute(
        "CREATE TRIGGER keep_periods BEFORE INSERT OR UPDATE OR DELETE ON unmet_period"
        " FOR EACH ROW EXECUTE FUNCTION keep_unmet_periods()"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE TRUNCATE ON unmet_period"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )
    op.execute(_CLOSE_PERIOD)
    op.execute(
        "CREATE TRIGGER close_unmet_period AFTER UPDATE OF status, unmet_reason ON need FOR EACH ROW"
        " WHEN (NEW.status <> 'open' OR NEW.unmet_reason IS NULL) EXECUTE FUNCTION close_unmet_period()"
    )
