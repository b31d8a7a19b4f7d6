"""Duplicates: blocks, pairs, merges; needs that two registrations of one household both asked for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_duplicates"
down_revision = "0004_walls"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_file", sa.Column("merged_into_id", sa.BigInteger(), nullable=True))
    op.add_column("case_file", sa.Column("searched_submission_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        "fk_case_file_merged_into_id_case_file", "case_file", "case_file", ["merged_into_id"], ["id"]
    )
    op.create_index(
        "ix_case_file_merged_into",
        "case_file",
        ["merged_into_id"],
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )
    op.create_index(
        "ix_case_file_unsearched",
        "case_file",
        ["id"],
        postgresql_where=sa.text("searched_submission_id IS DISTINCT FROM submission_id"),
    )
    op.add_column("need", sa.Column("same_as_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key("fk_need_same_as_id_need", "need", "need", ["same_as_id"], ["id"])
    op.create_index(
        "ix_need_same_as", "need", ["same_as_id"], postgresql_where=sa.text("same_as_id IS NOT NULL")
    )
    op.drop_index("uq_need_case_service_type", "need")
    op.create_index(
        "uq_need_case_service_type",
        "need",
        ["case_id", "service_type"],
        unique=True,
        postgresql_where=sa.text("same_as_id IS NULL"),
    )
    # The previous release still writes this hash and nothing reads it; the column itself goes later.
    op.drop_index("ix_person_name_index", "person")
    op.execute("UPDATE person SET name_index = NULL WHERE name_index IS NOT NULL")
    op.create_table(
        "blocking_key",
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("birth_year", sa.SmallInteger(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_blocking_key_case_id_case_file"),
        sa.PrimaryKeyConstraint("case_id", "kind", "key", name="pk_blocking_key"),
    )
    op.create_index("ix_blocking_key_block", "blocking_key", ["kind", "key"])
    op.create_table(
        "duplicate_pair",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("first_case_id", sa.BigInteger(), nullable=False),
        sa.Column("second_case_id", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("parts", postgresql.JSONB(), nullable=False),
        sa.Column("weights", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("first_case_id < second_case_id", name="ck_duplicate_pair_cases_ordered"),
        sa.ForeignKeyConstraint(
            ["first_case_id"], ["case_file.id"], name="fk_duplicate_pair_first_case_id_case_file"
        ),
        sa.ForeignKeyConstraint(
            ["second_case_id"], ["case_file.id"], name="fk_duplicate_pair_second_case_id_case_file"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["user_account.id"], name="fk_duplicate_pair_decided_by_user_account"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_duplicate_pair"),
    )
    op.create_index(
        "uq_duplicate_pair_cases", "duplicate_pair", ["first_case_id", "second_case_id"], unique=True
    )
    op.create_index("ix_duplicate_pair_second_case_id", "duplicate_pair", ["second_case_id"])
    op.create_index("ix_duplicate_pair_list", "duplicate_pair", ["governorate", "state", "score"])
    op.create_table(
        "case_merge",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("pair_id", sa.BigInteger(), nullable=False),
        sa.Column("surviving_case_id", sa.BigInteger(), nullable=False),
        sa.Column("merged_case_id", sa.BigInteger(), nullable=False),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column("merged_by", sa.BigInteger(), nullable=True),
        sa.Column("merged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("undone_by", sa.BigInteger(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["duplicate_pair.id"], name="fk_case_merge_pair_id_duplicate_pair"
        ),
        sa.ForeignKeyConstraint(
            ["surviving_case_id"], ["case_file.id"], name="fk_case_merge_surviving_case_id_case_file"
        ),
        sa.ForeignKeyConstraint(
            ["merged_case_id"], ["case_file.id"], name="fk_case_merge_merged_case_id_case_file"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_case_merge"),
    )
    op.create_index("ix_case_merge_pair_id", "case_merge", ["pair_id"])
    op.create_index("ix_case_merge_surviving_case_id", "case_merge", ["surviving_case_id"])
    op.create_index(
        "uq_case_merge_standing",
        "case_merge",
        ["merged_case_id"],
        unique=True,
        postgresql_where=sa.text("undone_at IS NULL"),
    )
