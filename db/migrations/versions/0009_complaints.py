"""Complaints with their history, and the brake on the public pages."""

import sqlalchemy as sa
from alembic import op

revision = "0009_complaints"
down_revision = "0008_open_days"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "complaint",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("phrase_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("line", sa.String(length=20), nullable=False),
        sa.Column("ministry", sa.String(length=20), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("office_id", sa.BigInteger(), nullable=True),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=True),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("reply_address", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("clock_since", _INSTANT, nullable=False),
        sa.Column("due_at", _INSTANT, nullable=True),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("answered_at", _INSTANT, nullable=True),
        sa.Column("answered_by", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", _INSTANT, nullable=True),
        sa.CheckConstraint(
            "(kind = 'sexual_exploitation') = (line = 'psea')", name="ck_complaint_outside_the_line"
        ),
        sa.CheckConstraint("(due_at IS NULL) = (state = 'closed')", name="ck_complaint_final_or_clocked"),
        sa.ForeignKeyConstraint(
            ["data_key_id"], ["data_key.id"], name="fk_complaint_data_key_id_data_key", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name="fk_complaint_office_id_office"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_complaint_organization_id_organization"
        ),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name="fk_complaint_referral_id_referral"),
        sa.PrimaryKeyConstraint("id", name="pk_complaint"),
        sa.UniqueConstraint("code", name="uq_complaint_code"),
    )
    op.create_index("ix_complaint_list", "complaint", ["governorate", "line", "ministry", "due_at"])
    op.create_index(
        "ix_complaint_due", "complaint", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.create_table(
        "complaint_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("complaint_id", sa.BigInteger(), nullable=False),
        sa.Column("move", sa.String(length=20), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=True),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("actor_role", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaint.id"], name="fk_complaint_event_complaint_id_complaint"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_complaint_event"),
    )
    op.create_index("ix_complaint_event_complaint_id", "complaint_event", ["complaint_id"])
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON complaint_event"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )
    op.create_table(
        "complaint_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_complaint_attempt"),
    )
    op.create_index("ix_complaint_attempt_at", "complaint_attempt", ["at"])
    op.create_index("ix_complaint_attempt_source", "complaint_attempt", ["source_index", "at"])
