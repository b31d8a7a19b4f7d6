"""The gate closes what got through: consent rows changed at the edges, and services that change hands."""

from alembic import op

revision = "0017_consent_gate"
down_revision = "0016_told"
branch_labels = None
depends_on = None

# Compared as a whole row, so that a column added later is kept without being named here. What may change: consent is
# taken back once, exclusions are settled once and only grow, and the word on a referral follows its need to the case that
# a merge brought it to. The joint bounds of a merged household go when the merge that drew them was undone, not before.
_KEEP_CONSENT = """
CREATE OR REPLACE FUNCTION keep_consent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_change text[] := ARRAY['withdrawn_at', 'exclusion_settled_at', 'excluded_organizations', 'case_id'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.channel = 'merge' AND NOT EXISTS (
            SELECT 1 FROM case_merge
            WHERE case_merge.undone_at IS NULL AND case_merge.changes -> 'consents' @> to_jsonb(OLD.id)
        ) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'consent % is kept', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_is_kept';
    END IF;
    IF OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at
       OR OLD.exclusion_settled_at IS NOT NULL AND NEW.exclusion_settled_at IS NULL
       OR NOT NEW.excluded_organizations @> OLD.excluded_organizations
       OR to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change
       OR NEW.case_id <> OLD.case_id AND (OLD.kind <> 'referral' OR NOT EXISTS (
           SELECT 1 FROM referral JOIN need ON need.id = referral.need_id
           WHERE referral.id = OLD.referral_id AND need.case_id = NEW.case_id
       )) THEN
        RAISE EXCEPTION 'consent % stands as it was said, and what was withdrawn stays so', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'consent_is_kept';
    END IF;
    RETURN NEW;
END $$;
"""

# A person agreed to an organization. Who reads a referral follows from its service, so a service never changes hands.
_KEEP_RECIPIENT = """
CREATE FUNCTION keep_recipient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % stays with whom people agreed to', TG_TABLE_NAME, OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'recipient_is_kept';
END $$;
"""


def upgrade() -> None:
    op.execute(_KEEP_CONSENT)
    op.execute(_KEEP_RECIPIENT)
    for table, column in (("service", "organization_id"), ("service_at_location", "service_id")):
        op.execute(
            f"CREATE TRIGGER recipient_is_kept BEFORE UPDATE ON {table} FOR EACH ROW"
            f" WHEN (NEW.{column} IS DISTINCT FROM OLD.{column} OR NEW.id IS DISTINCT FROM OLD.id)"
            " EXECUTE FUNCTION keep_recipient()"
        )
    op.create_index("ix_letter_referral_id", "letter", ["referral_id"])
