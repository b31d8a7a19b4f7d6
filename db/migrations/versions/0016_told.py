"""Whom a clock has told: of complaints past theirs, and of offers that nobody answers."""

import sqlalchemy as sa
from alembic import op

revision = "0016_told"
down_revision = "0015_transfers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("complaint", sa.Column("told_due_at", sa.DateTime(timezone=True), nullable=True))
    for table in ("case_transfer", "hand_over"):
        _let_offers_be_told(table)
    op.drop_index("uq_escalation_need", "escalation")
    op.create_index(
        "uq_escalation_need",
        "escalation",
        ["need_id"],
        unique=True,
        postgresql_where=sa.text("about = 'high_risk'"),
    )


def _let_offers_be_told(table: str) -> None:
    op.add_column(table, sa.Column("act_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(table, sa.Column("reminders", sa.Integer(), server_default="0", nullable=False))
    op.add_column(table, sa.Column("escalation_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        f"fk_{table}_escalation_id_escalation", table, "escalation", ["escalation_id"], ["id"]
    )
    op.create_index(f"ix_{table}_act", table, ["act_at"], postgresql_where=sa.text("state = 'offered'"))
    op.execute(f"UPDATE {table} SET act_at = due_at WHERE state = 'offered'")  # noqa: S608  a name of ours
