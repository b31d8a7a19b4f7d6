"""An index for the list of deletions that providers have not confirmed, and for the day's reminder of them."""

import sqlalchemy as sa
from alembic import op

revision = "0019_open_deletions"
down_revision = "0018_own_subdistrict"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index what is open by its day."""
    op.create_index(
        "ix_deletion_request_open",
        "deletion_request",
        ["due_at"],
        postgresql_where=sa.text("confirmed_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_deletion_request_open", "deletion_request")
