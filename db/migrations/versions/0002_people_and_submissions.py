"""People: cases, persons, needs; and what came from the field."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.crypto import Sealed

revision = "0002_people_and_submissions"
down_revision = "0001_access_and_directory"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master_key_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_data_key"),
    )
    op.create_index("ix_data_key_master_key_id", "data_key", ["master_key_id"], unique=False)
    op.create_table(
        "sync_state",
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("form_id", sa.String(length=80), nullable=False),
        sa.Column("etag", sa.String(length=200), nullable=True),
        sa.Column("index", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("source", "form_id", name="pk_sync_state"),
    )
    op.create_table(
        "case_file",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("printed_code", sa.String(length=16), nullable=False),
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("office_id", sa.BigInteger(), nullable=True),
        sa.Column("data_key_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("form_id", sa.String(length=80), nullable=False),
        sa.Column("root_instance_id", sa.String(length=64), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("displacement_status", sa.String(length=40), nullable=True),
        sa.Column("household_size", sa.Integer(), nullable=True),
        sa.Column("contact_language", sa.String(length=8), nullable=True),
        sa.Column("residence", sa.String(length=24), nullable=True),
        sa.Column("residence_governorate", sa.String(length=24), nullable=True),
        sa.Column("residence_district", sa.String(length=24), nullable=True),
        sa.Column("residence_subdistrict", sa.String(length=24), nullable=True),
        sa.Column("location_basis", sa.String(length=20), nullable=False),
        sa.Column("accuracy_m", sa.Integer(), nullable=True),
        sa.Column("place_text", Sealed(), nullable=True),
        sa.Column("point", Sealed(), nullable=True),
        sa.Column("facts", Sealed(), nullable=True),
        sa.Column("notes", Sealed(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["data_key_id"], ["data_key.id"], name="fk_case_file_data_key_id_data_key", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name="fk_case_file_office_id_office"),
        sa.PrimaryKeyConstraint("id", name="pk_case_file"),
        sa.UniqueConstraint("code", name="uq_case_file_code"),
    )
    op.create_index("ix_case_file_office_id", "case_file", ["office_id"], unique=False)
    op.create_index("ix_case_file_office_opened", "case_file", ["office_id", "opened_at"], unique=False)
    op.create_index("ix_case_file_printed_code", "case_file", ["printed_code"], unique=False)
    op.create_index("ix_case_file_residence_district", "case_file", ["residence_district"], unique=False)
    op.create_index(
        "uq_case_file_submission", "case_file", ["source", "form_id", "root_instance_id"], unique=True
    )
    op.create_table(
        "need",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("service_type", sa.String(length=60), nullable=False),
        sa.Column("category", sa.String(length=60), nullable=False),
        sa.Column("urgency", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("unmet_reason", sa.String(length=40), nullable=True),
        sa.Column("unmet_details", postgresql.JSONB(), nullable=True),
        sa.Column("unmet_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_need_case_id_case_file"),
        sa.PrimaryKeyConstraint("id", name="pk_need"),
    )
    op.create_index("ix_need_status_opened", "need", ["status", "opened_at"], unique=False)
    op.create_index("uq_need_case_service_type", "need", ["case_id", "service_type"], unique=True)
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("given_name", Sealed(), nullable=True),
        sa.Column("father_name", Sealed(), nullable=True),
        sa.Column("grandfather_name", Sealed(), nullable=True),
        sa.Column("phone", Sealed(), nullable=True),
        sa.Column("safe_contact", Sealed(), nullable=True),
        sa.Column("phone_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("name_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("sex", sa.String(length=10), nullable=True),
        sa.Column("age_years", sa.Integer(), nullable=True),
        sa.Column("age_estimated", sa.Boolean(), nullable=False),
        sa.Column("relation", sa.String(length=30), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_person_case_id_case_file"),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_index("ix_person_name_index", "person", ["name_index"], unique=False)
    op.create_index("ix_person_phone_index", "person", ["phone_index"], unique=False)
    op.create_index("uq_person_position", "person", ["case_id", "role", "position"], unique=True)
    op.create_table(
        "submission",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("form_id", sa.String(length=80), nullable=False),
        sa.Column("form_version", sa.String(length=80), nullable=True),
        sa.Column("root_instance_id", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=20), nullable=False),
        sa.Column("payload", Sealed(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=True),
        sa.Column("tablet_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("reason_details", postgresql.JSONB(), nullable=True),
        sa.Column("review_state", sa.String(length=20), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_submission_case_id_case_file"),
        sa.ForeignKeyConstraint(
            ["data_key_id"], ["data_key.id"], name="fk_submission_data_key_id_data_key", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["tablet_id"], ["tablet.id"], name="fk_submission_tablet_id_tablet"),
        sa.PrimaryKeyConstraint("id", name="pk_submission"),
        sa.UniqueConstraint(
            "source", "form_id", "root_instance_id", "instance_id", name="uq_submission_version"
        ),
    )
    op.create_index("ix_submission_case_id", "submission", ["case_id"], unique=False)
    op.create_index("ix_submission_status_received", "submission", ["status", "received_at"], unique=False)
    op.create_index(
        "uq_submission_inbox_instance",
        "submission",
        ["form_id", "instance_id"],
        unique=True,
        postgresql_where=sa.text("source = 'inbox'"),
    )
    op.create_index(
        "ix_submission_waiting",
        "submission",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'received'"),
    )
    op.create_table(
        "submission_attachment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("name", Sealed(), nullable=False),
        sa.Column("name_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content_type", sa.String(length=80), nullable=True),
        sa.Column("payload", Sealed(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_submission_attachment_submission_id_submission"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_submission_attachment"),
        sa.UniqueConstraint(
            "submission_id", "name_index", name="uq_submission_attachment_submission_id_name_index"
        ),
    )
    op.create_table(
        "submission_issue",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("field", sa.String(length=120), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_submission_issue_case_id_case_file"),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_submission_issue_submission_id_submission"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_submission_issue"),
    )
    op.create_index("ix_submission_issue_case_id", "submission_issue", ["case_id"], unique=False)
    op.create_index("ix_submission_issue_submission_id", "submission_issue", ["submission_id"], unique=False)
