"""A tablet that was shut out here may still have access to ODK Central: the row says when that was closed too."""

import sqlalchemy as sa
from alembic import op

revision = "0021_central_tablets"
down_revision = "0020_sync"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tablet", sa.Column("central_closed_at", sa.DateTime(timezone=True), nullable=True))
