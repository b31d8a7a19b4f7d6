"""The outbox: messages that wait, addresses of work accounts, days whose digests are written."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_outbox"
down_revision = "0005_duplicates"
branch_labels = None
depends_on = None


def _refers_to(table: str, column: str, other: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_{other}"
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete=ondelete)


def upgrade() -> None:
    _create_contact_point()
    _create_outbox_message()
    op.create_table(
        "digest_run",
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("governorate", "day", name="pk_digest_run"),
    )


def _create_contact_point() -> None:
    op.create_table(
        "contact_point",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=True),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(user_id, organization_id) = 1", name=op.f("ck_contact_point_one_owner")
        ),
        _refers_to("contact_point", "user_id", "user_account"),
        _refers_to("contact_point", "organization_id", "organization"),
        _refers_to("contact_point", "data_key_id", "data_key", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_contact_point"),
        sa.UniqueConstraint("user_id", "channel", name="uq_contact_point_user_id_channel"),
        sa.UniqueConstraint("organization_id", "channel", name="uq_contact_point_organization_id_channel"),
    )


def _create_outbox_message() -> None:
    op.create_table(
        "outbox_message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("delivery_key", sa.Uuid(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=160), nullable=False),
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("params", postgresql.JSONB(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(user_id, organization_id, case_id) = 1",
            name=op.f("ck_outbox_message_one_recipient"),
        ),
        _refers_to("outbox_message", "user_id", "user_account"),
        _refers_to("outbox_message", "organization_id", "organization"),
        _refers_to("outbox_message", "case_id", "case_file"),
        _refers_to("outbox_message", "referral_id", "referral"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_message"),
        sa.UniqueConstraint("dedupe_key", name="uq_outbox_message_dedupe_key"),
    )
    op.create_index(
        "ix_outbox_message_due",
        "outbox_message",
        ["channel", "next_attempt_at", "id"],
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_outbox_message_list", "outbox_message", ["governorate", "state", "created_at"])
