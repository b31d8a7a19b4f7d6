"""The second wall of two rules that casework keeps: consent before sending, and history that never changes."""

from alembic import op

revision = "0004_walls"
down_revision = "0003_referrals_and_consent"
branch_labels = None
depends_on = None

# States in which somebody outside already knows (referral_engine.sop at the time of this migration).
_DISCLOSED = (
    "'sent', 'acknowledged', 'info_requested', 'waitlisted', 'accepted', 'service_started', "
    "'service_delivered', 'confirmed', 'disputed'"
)

# States in which a coordinator may still choose another recipient; consent is asked for the one approved.
_UNDECIDED = "'draft', 'proposed'"

_REQUIRE_CONSENT = f"""
CREATE FUNCTION require_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state IN ({_DISCLOSED}) AND NOT EXISTS (
        SELECT 1 FROM consent
        WHERE consent.referral_id = NEW.id AND consent.case_id = NEW.case_id
          AND consent.kind = 'referral' AND consent.given AND consent.withdrawn_at IS NULL
    ) THEN
        RAISE EXCEPTION 'referral % has no consent in force for its recipient', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_before_sending';
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

_FORBID_CHANGE = """
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'append_only';
END $$;
"""


def upgrade() -> None:
    op.execute(_REQUIRE_CONSENT)
    op.execute(
        "CREATE TRIGGER consent_before_sending BEFORE INSERT OR UPDATE ON referral"
        " FOR EACH ROW EXECUTE FUNCTION require_consent()"
    )
    op.execute(_FORBID_CHANGE)
    for table in ("referral_event", "audit_event"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )
