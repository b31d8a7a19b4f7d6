"""Matching runs, referrals with their events, consent and disclosure."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.crypto import Sealed

revision = "0003_referrals_and_consent"
down_revision = "0002_people_and_submissions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "match_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("governorate", sa.String(length=40), nullable=False),
        sa.Column("engine_version", sa.String(length=20), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("digests", postgresql.JSONB(), nullable=False),
        sa.Column("rest_digest", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("needs", sa.Integer(), nullable=False),
        sa.Column("proposed", sa.Integer(), nullable=False),
        sa.Column("unmet", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_match_run"),
    )
    op.create_table(
        "match_candidate",
        sa.Column("match_run_id", sa.BigInteger(), nullable=False),
        sa.Column("need_id", sa.BigInteger(), nullable=False),
        sa.Column("service_at_location_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Double(), nullable=True),
        sa.Column("km", sa.Double(), nullable=True),
        sa.Column("river_considered", sa.Boolean(), nullable=False),
        sa.Column("eligibility", sa.SmallInteger(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["match_run_id"], ["match_run.id"], name="fk_match_candidate_match_run_id_match_run"
        ),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_match_candidate_need_id_need"),
        sa.ForeignKeyConstraint(
            ["service_at_location_id"],
            ["service_at_location.id"],
            name="fk_match_candidate_service_at_location_id_service_at_location",
        ),
        sa.PrimaryKeyConstraint(
            "match_run_id", "need_id", "service_at_location_id", name="pk_match_candidate"
        ),
    )
    op.create_index("ix_match_candidate_need_id", "match_candidate", ["need_id"], unique=False)
    op.create_table(
        "referral",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("need_id", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("service_at_location_id", sa.BigInteger(), nullable=False),
        sa.Column("capacity_id", sa.BigInteger(), nullable=False),
        sa.Column("match_run_id", sa.BigInteger(), nullable=True),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "holds_slot",
            sa.Boolean(),
            sa.Computed(
                "state IN ('accepted', 'acknowledged', 'approved', 'awaiting_consent', 'closed', 'confirmed', 'disputed', 'info_requested', 'proposed', 'sent', 'service_delivered', 'service_started')",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column("held_reason", sa.String(length=40), nullable=True),
        sa.Column("urgency", sa.String(length=20), nullable=False),
        sa.Column("minutes", sa.Double(), nullable=True),
        sa.Column("km", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["capacity_id"], ["capacity.id"], name="fk_referral_capacity_id_capacity"),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_referral_case_id_case_file"),
        sa.ForeignKeyConstraint(
            ["match_run_id"], ["match_run.id"], name="fk_referral_match_run_id_match_run"
        ),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_referral_need_id_need"),
        sa.ForeignKeyConstraint(
            ["service_at_location_id"],
            ["service_at_location.id"],
            name="fk_referral_service_at_location_id_service_at_location",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_referral"),
    )
    op.create_index(
        "ix_referral_capacity",
        "referral",
        ["capacity_id"],
        unique=False,
        postgresql_where=sa.text("holds_slot"),
    )
    op.create_index("ix_referral_case_id", "referral", ["case_id"], unique=False)
    op.create_index("ix_referral_queue", "referral", ["state", "urgency", "created_at"], unique=False)
    op.create_index("ix_referral_sal_state", "referral", ["service_at_location_id", "state"], unique=False)
    op.create_index(
        "uq_referral_live_need",
        "referral",
        ["need_id"],
        unique=True,
        postgresql_where=sa.text(
            "state IN ('accepted', 'acknowledged', 'approved', 'awaiting_consent', 'confirmed', 'disputed', 'draft', 'info_requested', 'proposed', 'sent', 'service_delivered', 'service_started', 'waitlisted')"
        ),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=True),
        sa.Column("submission_id", sa.BigInteger(), nullable=True),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("respondent", sa.String(length=20), nullable=False),
        sa.Column("proxy_relation", sa.String(length=30), nullable=True),
        sa.Column("proxy_reason", Sealed(), nullable=True),
        sa.Column("interpreter", Sealed(), nullable=True),
        sa.Column("child_assent", sa.Boolean(), nullable=True),
        sa.Column("categories", postgresql.ARRAY(sa.String(length=60)), nullable=False),
        sa.Column("recipients", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("exclusions", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("exclusion_note", Sealed(), nullable=True),
        sa.Column("excluded_organizations", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("exclusion_settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("statistics", sa.Boolean(), nullable=False),
        sa.Column("contact", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_consent_case_id_case_file"),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["user_account.id"], name="fk_consent_recorded_by_user_account"
        ),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name="fk_consent_referral_id_referral"),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_consent_submission_id_submission"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_case_id", "consent", ["case_id"], unique=False)
    op.create_index("ix_consent_referral_id", "consent", ["referral_id"], unique=False)
    op.create_table(
        "referral_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("move", sa.String(length=40), nullable=False),
        sa.Column("from_state", sa.String(length=30), nullable=True),
        sa.Column("to_state", sa.String(length=30), nullable=False),
        sa.Column("actor_role", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("note", Sealed(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name="fk_referral_event_referral_id_referral"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_referral_event"),
    )
    op.create_index("ix_referral_event_referral_id", "referral_event", ["referral_id"], unique=False)
    op.create_table(
        "disclosure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("consent_id", sa.BigInteger(), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("payload", Sealed(), nullable=False),
        sa.Column(
            "disclosed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name="fk_disclosure_consent_id_consent"),
        sa.ForeignKeyConstraint(
            ["data_key_id"], ["data_key.id"], name="fk_disclosure_data_key_id_data_key", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name="fk_disclosure_referral_id_referral"),
        sa.PrimaryKeyConstraint("id", name="pk_disclosure"),
        sa.UniqueConstraint("referral_id", name="uq_disclosure_referral_id"),
    )
