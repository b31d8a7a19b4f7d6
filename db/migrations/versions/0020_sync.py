"""What was read of each submission of Central gets a table of its own, and late files are waited for.

The index was one JSON value a form, written anew with every page. The column stays for the previous release, which
reads and writes it; what that adds after this migration is read once more, which changes nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020_sync"
down_revision = "0019_open_deletions"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)

_COPY = """
INSERT INTO sync_index (governorate, source, form_id, instance_id, fingerprint, deleted)
SELECT governorate, source, form_id, entry.key, entry.value, entry.value = 'deleted'
FROM sync_state, jsonb_each_text(sync_state.index) AS entry
"""


def upgrade() -> None:
    op.create_table(
        "sync_index",
        sa.Column("governorate", sa.String(40), nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("form_id", sa.String(80), nullable=False),
        sa.Column("instance_id", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("governorate", "source", "form_id", "instance_id", name="pk_sync_index"),
    )
    op.execute(_COPY)
    op.alter_column("sync_state", "index", server_default=sa.text("'{}'::jsonb"))
    op.add_column("sync_state", sa.Column("since", _INSTANT, nullable=True))
    op.add_column("sync_state", sa.Column("listed_at", _INSTANT, nullable=True))
    op.add_column("sync_state", sa.Column("walk", sa.Text(), nullable=True))
    op.add_column("sync_state", sa.Column("walk_started_at", _INSTANT, nullable=True))
    op.create_table(
        "attachment_check",
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("governorate", sa.String(40), nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("form_id", sa.String(80), nullable=False),
        sa.Column("created_at", _INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("next_at", _INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("missing", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("too_large", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("given_up_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_attachment_check_submission_id_submission"
        ),
        sa.PrimaryKeyConstraint("submission_id", name="pk_attachment_check"),
    )
    op.create_index(
        "ix_attachment_check_due",
        "attachment_check",
        ["governorate", "source", "form_id", "next_at"],
        postgresql_where=sa.text("given_up_at IS NULL"),
    )
