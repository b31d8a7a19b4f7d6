"""Edits to facts that were acted on become conflicts for a person to settle; a disclosure names its version.

The database keeps "no provider in my own sub-district" for both places while a residence is in conflict.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.crypto import Sealed

revision = "0023_conflicts"
down_revision = "0022_jobs"
branch_labels = None
depends_on = None

# States in which somebody outside already knows, and those in which another recipient may still be chosen, as in 0010.
_DISCLOSED = (
    "'sent', 'acknowledged', 'info_requested', 'waitlisted', 'accepted', 'service_started', "
    "'service_delivered', 'confirmed', 'disputed'"
)
_UNDECIDED = "'draft', 'proposed'"

# As in 0018; while an edit that nobody has settled names another sub-district, both are the person's own. One that
# names none could mean any.
_REQUIRE_CONSENT = f"""
CREATE OR REPLACE FUNCTION require_consent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    recipient record;
    word consent%ROWTYPE;
    bounds consent%ROWTYPE;
    at timestamptz := GREATEST(clock_timestamp(), NEW.state_since);
    is_sending boolean := TG_OP = 'INSERT' OR OLD.state NOT IN ({_DISCLOSED});
BEGIN
    IF NEW.state IN ({_DISCLOSED}) THEN
        SELECT organization.id, organization.kind, need.category,
               NEW.urgency = 'emergency' AND need.urgency = 'emergency' AS is_emergency,
               location.subdistrict = case_file.residence_subdistrict AS is_own_subdistrict,
               CASE WHEN case_file.contested_subdistrict IS NULL THEN false
                    WHEN case_file.contested_subdistrict = 'unknown' THEN NULL
                    ELSE location.subdistrict = case_file.contested_subdistrict END AS is_contested_subdistrict
        INTO recipient
        FROM service_at_location
        JOIN service ON service.id = service_at_location.service_id
        JOIN organization ON organization.id = service.organization_id
        JOIN location ON location.id = service_at_location.location_id
        JOIN need ON need.id = NEW.need_id
        JOIN case_file ON case_file.id = NEW.case_id
        WHERE service_at_location.id = NEW.service_at_location_id;

        SELECT consent.* INTO word FROM consent
        WHERE consent.referral_id = NEW.id
          AND is_named_consent(consent, NEW.id, NEW.case_id, recipient.id, recipient.is_emergency, at)
          AND (NOT is_sending OR consent.expires_at > at)
        ORDER BY consent.given DESC, consent.id DESC LIMIT 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'referral % has no consent in force for its recipient', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_before_sending';
        END IF;

        IF is_sending OR NEW.state <> OLD.state THEN
            SELECT consent.* INTO bounds FROM consent
            WHERE consent.case_id = NEW.case_id AND consent.kind = 'assessment'
            ORDER BY consent.id DESC LIMIT 1;
            IF NOT FOUND OR NOT bounds.given OR bounds.withdrawn_at IS NOT NULL
               OR NOT recipient.category = ANY (bounds.categories)
               OR NOT recipient.kind = ANY (bounds.recipients)
               OR recipient.id = ANY (bounds.excluded_organizations)
               OR 'own_subdistrict' = ANY (bounds.exclusions)
                  AND (COALESCE(recipient.is_own_subdistrict, is_sending)
                       OR COALESCE(recipient.is_contested_subdistrict, is_sending))
               OR is_sending AND (
                   'named_organization' = ANY (bounds.exclusions) AND bounds.exclusion_settled_at IS NULL
                   OR word.basis = 'consent' AND NOT COALESCE(bounds.expires_at > at, false)
               ) THEN
                RAISE EXCEPTION 'the consent of case % does not cover referral %', NEW.case_id, NEW.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_before_sending';
            END IF;
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state NOT IN ({_UNDECIDED})
       AND (NEW.need_id, NEW.service_at_location_id)
           IS DISTINCT FROM (OLD.need_id, OLD.service_at_location_id) THEN
        RAISE EXCEPTION 'referral % was approved for its recipient', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_before_sending';
    END IF;
    RETURN NEW;
END $$;
"""  # noqa: S608  constants of this file


def upgrade() -> None:
    op.add_column("case_file", sa.Column("contested_subdistrict", sa.String(24), nullable=True))
    op.add_column("disclosure", sa.Column("submission_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        "fk_disclosure_submission_id_submission", "disclosure", "submission", ["submission_id"], ["id"]
    )
    _create_conflicts()
    _create_amendments()
    op.execute(_REQUIRE_CONSENT)


def _create_conflicts() -> None:
    op.create_table(
        "fact_conflict",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("fact", sa.String(length=20), nullable=False),
        sa.Column("former", Sealed(), nullable=False),
        sa.Column("edited", Sealed(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (settled_at IS NULL)", name="ck_fact_conflict_settled_when_not_open"
        ),
        sa.CheckConstraint(
            "state NOT IN ('taken', 'kept') OR reason IS NOT NULL",
            name="ck_fact_conflict_reason_when_settled",
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_fact_conflict_case_id_case_file"),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_fact_conflict_submission_id_submission"
        ),
        sa.ForeignKeyConstraint(
            ["settled_by"], ["user_account.id"], name="fk_fact_conflict_settled_by_user_account"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_fact_conflict"),
        sa.UniqueConstraint("submission_id", "fact", name="uq_fact_conflict_submission_id_fact"),
    )
    op.create_index("ix_fact_conflict_case", "fact_conflict", ["case_id", "fact", "id"])
    op.create_index(
        "uq_fact_conflict_open",
        "fact_conflict",
        ["case_id", "fact"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_fact_conflict_list", "fact_conflict", ["state", "opened_at", "id"])


def _create_amendments() -> None:
    op.create_table(
        "disclosure_amendment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("disclosure_id", sa.BigInteger(), nullable=False),
        sa.Column("conflict_id", sa.BigInteger(), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("payload", Sealed(), nullable=False),
        sa.Column("amended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["disclosure_id"], ["disclosure.id"], name="fk_disclosure_amendment_disclosure_id_disclosure"
        ),
        sa.ForeignKeyConstraint(
            ["conflict_id"], ["fact_conflict.id"], name="fk_disclosure_amendment_conflict_id_fact_conflict"
        ),
        sa.ForeignKeyConstraint(
            ["data_key_id"],
            ["data_key.id"],
            name="fk_disclosure_amendment_data_key_id_data_key",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_disclosure_amendment"),
        sa.UniqueConstraint(
            "disclosure_id", "conflict_id", name="uq_disclosure_amendment_disclosure_id_conflict_id"
        ),
    )
