"""Rows of several governorates in one database: submissions and cursors say whose they are, codes are each one's own."""

import sqlalchemy as sa
from alembic import op

revision = "0014_governorates"
down_revision = "0013_capacity"
branch_labels = None
depends_on = None

# Where neither case nor tablet tells (Central), it is the one governorate that this installation has served.
_ONLY_ONE = """COALESCE(
    (SELECT governorate FROM office ORDER BY id LIMIT 1),
    (SELECT governorate FROM user_account ORDER BY id LIMIT 1),
    'nineveh')"""

_TELL_SUBMISSIONS = f"""
UPDATE submission SET governorate = COALESCE(
    (SELECT case_file.governorate FROM case_file WHERE case_file.id = submission.case_id),
    (SELECT office.governorate FROM tablet JOIN office ON office.id = tablet.office_id
     WHERE tablet.id = submission.tablet_id),
    {_ONLY_ONE})
"""  # noqa: S608  constants of this file


def upgrade() -> None:
    _submissions()
    _cursors()
    _owners()


def _submissions() -> None:
    op.add_column("submission", sa.Column("governorate", sa.String(length=40), nullable=True))
    op.execute(_TELL_SUBMISSIONS)
    op.alter_column("submission", "governorate", nullable=False)
    op.drop_index("ix_submission_waiting", "submission")
    op.create_index(
        "ix_submission_waiting",
        "submission",
        ["governorate", "id"],
        postgresql_where=sa.text("status = 'received'"),
    )
    op.drop_index("ix_submission_status_received", "submission")
    op.create_index("ix_submission_status_received", "submission", ["governorate", "status", "received_at"])


def _cursors() -> None:
    op.add_column("sync_state", sa.Column("governorate", sa.String(length=40), nullable=True))
    op.execute(f"UPDATE sync_state SET governorate = {_ONLY_ONE}")  # noqa: S608  constants of this file
    op.alter_column("sync_state", "governorate", nullable=False)
    op.drop_constraint("pk_sync_state", "sync_state", type_="primary")
    op.create_primary_key("pk_sync_state", "sync_state", ["governorate", "source", "form_id"])


def _owners() -> None:
    """A user, and a case of an office, belong to the governorate of their office or organization."""
    op.drop_constraint("uq_office_code", "office", type_="unique")
    op.create_unique_constraint("uq_office_governorate_code", "office", ["governorate", "code"])
    op.create_unique_constraint("uq_office_id_governorate", "office", ["id", "governorate"])
    op.create_unique_constraint("uq_organization_id_governorate", "organization", ["id", "governorate"])
    for table, column, owner in (
        ("user_account", "office_id", "office"),
        ("user_account", "organization_id", "organization"),
        ("case_file", "office_id", "office"),
    ):
        op.drop_constraint(f"fk_{table}_{column}_{owner}", table, type_="foreignkey")
        op.create_foreign_key(
            f"fk_{table}_{column}_{owner}",
            table,
            owner,
            [column, "governorate"],
            ["id", "governorate"],
        )
