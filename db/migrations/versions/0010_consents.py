"""Consent: kinds apart, expiry, overrides, withdrawals; and a gate that looks at all of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.crypto import Sealed

revision = "0010_consents"
down_revision = "0009_complaints"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)

# States in which somebody outside already knows (referral_engine.sop at the time of this migration).
_DISCLOSED = (
    "'sent', 'acknowledged', 'info_requested', 'waitlisted', 'accepted', 'service_started', "
    "'service_delivered', 'confirmed', 'disputed'"
)

# States in which a coordinator may still choose another recipient; consent is asked for the one approved.
_UNDECIDED = "'draft', 'proposed'"

# Whether a consent row is the word on one referral to one organization. An override is good only for an emergency,
# until a second person should have confirmed it.
_NAMED_CONSENT = """
CREATE FUNCTION is_named_consent(
    word consent, referral_id bigint, case_id bigint, organization_id bigint, is_emergency boolean, at timestamptz
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT word.kind = 'referral' AND word.referral_id = $2 AND word.case_id = $3 AND word.organization_id = $4
       AND word.withdrawn_at IS NULL
       AND CASE word.basis
           WHEN 'consent' THEN word.given
           WHEN 'vital_interest' THEN NOT word.given AND $5 AND EXISTS (
               SELECT 1 FROM consent_override
               WHERE consent_override.consent_id = word.id AND consent_override.referral_id = $2
                 AND consent_override.lapsed_at IS NULL
                 AND (consent_override.confirmed_at IS NOT NULL OR consent_override.due_at > $6)
           )
           ELSE false END
$$;
"""

# Age counts when something is sent. What a provider already has is not taken away by age (it is due for renewal),
# but a withdrawal, a narrower word or a newly excluded organization lets no further step through.
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
               NEW.urgency = 'emergency' AND need.urgency = 'emergency' AS is_emergency
        INTO recipient
        FROM service_at_location
        JOIN service ON service.id = service_at_location.service_id
        JOIN organization ON organization.id = service.organization_id
        JOIN need ON need.id = NEW.need_id
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

_REQUIRE_CONSENT_TO_DISCLOSE = """
CREATE FUNCTION require_consent_to_disclose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at
           OR (NEW.referral_id, NEW.consent_id, NEW.fields, NEW.payload, NEW.disclosed_at)
              IS DISTINCT FROM (OLD.referral_id, OLD.consent_id, OLD.fields, OLD.payload, OLD.disclosed_at) THEN
            RAISE EXCEPTION 'disclosure % stands as it was sent, and what was taken back stays so', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_before_disclosing';
        END IF;
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM referral
        JOIN need ON need.id = referral.need_id
        JOIN service_at_location ON service_at_location.id = referral.service_at_location_id
        JOIN service ON service.id = service_at_location.service_id
        JOIN consent ON consent.id = NEW.consent_id AND consent.expires_at > clock_timestamp()
        WHERE referral.id = NEW.referral_id
          AND is_named_consent(
              consent, referral.id, referral.case_id, service.organization_id,
              referral.urgency = 'emergency' AND need.urgency = 'emergency', clock_timestamp()
          )
    ) THEN
        RAISE EXCEPTION 'nothing may be disclosed of referral % without consent', NEW.referral_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_before_disclosing';
    END IF;
    RETURN NEW;
END $$;
"""

# The joint bounds of a merged household were given by nobody and go when the merge is undone; everything else stays.
_KEEP_CONSENT = """
CREATE FUNCTION keep_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.channel = 'merge' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'consent % is kept', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_is_kept';
    END IF;
    IF OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at
       OR OLD.exclusion_settled_at IS NOT NULL AND NEW.exclusion_settled_at IS NULL
       OR NOT NEW.excluded_organizations @> OLD.excluded_organizations
       OR NEW.case_id <> OLD.case_id AND OLD.kind <> 'referral'
       OR (NEW.kind, NEW.basis, NEW.referral_id, NEW.organization_id, NEW.given, NEW.given_at, NEW.expires_at,
           NEW.text_version, NEW.language, NEW.channel, NEW.respondent, NEW.categories, NEW.recipients,
           NEW.exclusions, NEW.fields)
          IS DISTINCT FROM
          (OLD.kind, OLD.basis, OLD.referral_id, OLD.organization_id, OLD.given, OLD.given_at, OLD.expires_at,
           OLD.text_version, OLD.language, OLD.channel, OLD.respondent, OLD.categories, OLD.recipients,
           OLD.exclusions, OLD.fields) THEN
        RAISE EXCEPTION 'consent % stands as it was said, and what was withdrawn stays so', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_is_kept';
    END IF;
    RETURN NEW;
END $$;
"""

_KEEP_OVERRIDE = """
CREATE FUNCTION keep_override() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.referral_id, NEW.consent_id, NEW.reason, NEW.made_by, NEW.made_at, NEW.due_at)
          IS DISTINCT FROM (OLD.referral_id, OLD.consent_id, OLD.reason, OLD.made_by, OLD.made_at, OLD.due_at)
       OR OLD.confirmed_at IS NOT NULL AND (NEW.confirmed_at, NEW.confirmed_by)
          IS DISTINCT FROM (OLD.confirmed_at, OLD.confirmed_by)
       OR OLD.lapsed_at IS NOT NULL AND (NEW.lapsed_at, NEW.confirmed_at)
          IS DISTINCT FROM (OLD.lapsed_at, OLD.confirmed_at)
       OR OLD.confirmed_by IS NULL AND NEW.confirmed_by IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM user_account
           WHERE user_account.id = NEW.confirmed_by AND user_account.role IN ('coordinator', 'supervisor')
       ) THEN
        RAISE EXCEPTION 'override % is kept, and only a second person confirms it', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'override_is_kept';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    _add_columns()
    _separate_kinds()
    _create_tables()
    for function in (
        _NAMED_CONSENT,
        _REQUIRE_CONSENT,
        _REQUIRE_CONSENT_TO_DISCLOSE,
        _KEEP_CONSENT,
        _KEEP_OVERRIDE,
    ):
        op.execute(function)
    for table, trigger, function, events in (
        ("disclosure", "consent_before_disclosing", "require_consent_to_disclose", "INSERT OR UPDATE"),
        ("consent", "consent_is_kept", "keep_consent", "UPDATE OR DELETE"),
        ("consent_override", "override_is_kept", "keep_override", "UPDATE OR DELETE"),
    ):
        op.execute(
            f"CREATE TRIGGER {trigger} BEFORE {events} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    op.execute(
        "CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON disclosure"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )


def _add_columns() -> None:
    op.add_column("consent", sa.Column("basis", sa.String(20), server_default="consent", nullable=False))
    op.add_column("consent", sa.Column("organization_id", sa.BigInteger()))
    op.create_foreign_key(
        "fk_consent_organization_id_organization", "consent", "organization", ["organization_id"], ["id"]
    )
    op.add_column("consent", sa.Column("given_at", _INSTANT, server_default=sa.text("now()"), nullable=False))
    op.add_column("consent", sa.Column("expires_at", _INSTANT))
    op.add_column("consent", sa.Column("proxy_evidence", sa.String(40)))
    op.add_column("consent", sa.Column("assent_reason", sa.String(40)))
    op.add_column("consent", sa.Column("signature", sa.String(20)))
    op.add_column("consent", sa.Column("witness", Sealed()))
    op.execute("UPDATE consent SET given_at = recorded_at")
    op.execute(
        "UPDATE consent SET expires_at = recorded_at + interval '12 months' WHERE kind IN ('assessment', 'referral')"
    )
    op.execute(
        "UPDATE consent SET organization_id = service.organization_id FROM referral, service_at_location, service"
        " WHERE consent.kind = 'referral' AND referral.id = consent.referral_id"
        " AND service_at_location.id = referral.service_at_location_id"
        " AND service.id = service_at_location.service_id"
    )
    op.create_check_constraint(
        "ck_consent_recipient",
        "consent",
        "kind <> 'referral' OR (referral_id IS NOT NULL AND organization_id IS NOT NULL)",
    )
    op.create_check_constraint(
        "ck_consent_expires",
        "consent",
        "kind NOT IN ('assessment', 'referral') OR NOT given OR (expires_at IS NOT NULL AND expires_at > given_at)",
    )
    op.create_check_constraint(
        "ck_consent_basis",
        "consent",
        "basis = 'consent' OR (basis = 'vital_interest' AND kind = 'referral' AND NOT given)",
    )
    op.create_index(
        "ix_consent_expires",
        "consent",
        ["expires_at"],
        postgresql_where=sa.text("given AND withdrawn_at IS NULL AND expires_at IS NOT NULL"),
    )


def _separate_kinds() -> None:
    """Answers that stood as flags on the assessment's row become rows, each with its own withdrawal."""
    for column in ("statistics", "contact"):
        op.alter_column("consent", column, nullable=True)
    for kind, answer in (("registration", "given"), ("statistics", "statistics"), ("contact", "contact")):
        op.execute(
            f"""
            INSERT INTO consent (
                case_id, kind, submission_id, given, given_at, text_version, language, channel, respondent,
                proxy_relation, categories, recipients, exclusions, excluded_organizations, fields, recorded_at,
                withdrawn_at
            )
            SELECT case_id, '{kind}', submission_id, {answer}, given_at, text_version, language, channel, respondent,
                proxy_relation, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', recorded_at, withdrawn_at
            FROM consent WHERE kind = 'assessment' AND channel <> 'merge' ORDER BY id
            """  # noqa: S608  names of this file
        )
    op.drop_column("consent", "statistics")
    op.drop_column("consent", "contact")


def _create_tables() -> None:
    op.create_table(
        "withdrawal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.String(20), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.String(60)), nullable=False),
        sa.Column("referral_id", sa.BigInteger()),
        sa.Column("recorded_by", sa.BigInteger()),
        sa.Column("at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_withdrawal_case_id_case_file"),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name="fk_withdrawal_referral_id_referral"),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["user_account.id"], name="fk_withdrawal_recorded_by_user_account"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_withdrawal"),
    )
    op.create_index("ix_withdrawal_case_id", "withdrawal", ["case_id"])
    op.create_table(
        "deletion_request",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("withdrawal_id", sa.BigInteger()),
        sa.Column("requested_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("confirmed_at", _INSTANT),
        sa.Column("confirmed_by", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name="fk_deletion_request_referral_id_referral"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_deletion_request_organization_id_organization"
        ),
        sa.ForeignKeyConstraint(
            ["withdrawal_id"], ["withdrawal.id"], name="fk_deletion_request_withdrawal_id_withdrawal"
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["user_account.id"], name="fk_deletion_request_confirmed_by_user_account"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deletion_request"),
        sa.UniqueConstraint("referral_id", name="uq_deletion_request_referral_id"),
    )
    op.create_index("ix_deletion_request_withdrawal_id", "deletion_request", ["withdrawal_id"])
    op.create_index(
        "ix_deletion_request_organization",
        "deletion_request",
        ["organization_id", "confirmed_at", "requested_at"],
    )
    op.create_table(
        "consent_override",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("referral_id", sa.BigInteger(), nullable=False),
        sa.Column("consent_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("note", Sealed()),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("confirmed_by", sa.BigInteger()),
        sa.Column("confirmed_at", _INSTANT),
        sa.Column("lapsed_at", _INSTANT),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name="fk_consent_override_referral_id_referral"
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consent.id"], name="fk_consent_override_consent_id_consent"
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["user_account.id"], name="fk_consent_override_made_by_user_account"
        ),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["user_account.id"], name="fk_consent_override_confirmed_by_user_account"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent_override"),
        sa.UniqueConstraint("referral_id", name="uq_consent_override_referral_id"),
        sa.UniqueConstraint("consent_id", name="uq_consent_override_consent_id"),
        sa.CheckConstraint("confirmed_by <> made_by", name="ck_consent_override_second_person"),
        sa.CheckConstraint(
            "(confirmed_by IS NULL) = (confirmed_at IS NULL)", name="ck_consent_override_confirmed"
        ),
        sa.CheckConstraint("confirmed_at <= due_at", name="ck_consent_override_in_time"),
        sa.CheckConstraint(
            "due_at > made_at AND due_at <= made_at + interval '24 hours'", name="ck_consent_override_due"
        ),
    )
    op.create_index("ix_consent_override_made", "consent_override", ["made_at"])
