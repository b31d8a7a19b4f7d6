"""The database keeps "no provider in my own sub-district" too.

Packs alone know in which sub-district a village or quarter lies. Locations whose place is itself a sub-district are
filled here, by the form of its P-code (COD-AB: `IQG15Q01N01`); the others stay unknown until the directory is loaded
again (`ihala directory load`). Until then nothing can be sent to them for who does not want a provider in the own
sub-district: what is not known could be the same.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018_own_subdistrict"
down_revision = "0017_consent_gate"
branch_labels = None
depends_on = None

# States in which somebody outside already knows, and those in which another recipient may still be chosen, as in 0010.
_DISCLOSED = (
    "'sent', 'acknowledged', 'info_requested', 'waitlisted', 'accepted', 'service_started', "
    "'service_delivered', 'confirmed', 'disputed'"
)
_UNDECIDED = "'draft', 'proposed'"

# As in 0010, and the own sub-district, which binds an override as well. What is sent goes to a place known to lie
# elsewhere; what a provider already has stops only where the place is known to be the same.
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
               location.subdistrict = case_file.residence_subdistrict AS is_own_subdistrict
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
                  AND COALESCE(recipient.is_own_subdistrict, is_sending)
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

# Whoever moves a location without saying in which sub-district it lies now (the previous release does) leaves it unknown.
_FORGET_SUBDISTRICT = """
CREATE FUNCTION forget_subdistrict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.subdistrict := NULL;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.add_column("location", sa.Column("subdistrict", sa.String(24), nullable=True))
    op.execute("UPDATE location SET subdistrict = place WHERE place ~ '^IQG[0-9]{2}Q[0-9]{2}N[0-9]{2}$'")
    op.execute(_FORGET_SUBDISTRICT)
    op.execute(
        "CREATE TRIGGER subdistrict_of_place BEFORE UPDATE ON location FOR EACH ROW"
        " WHEN (NEW.place IS DISTINCT FROM OLD.place AND NEW.subdistrict IS NOT DISTINCT FROM OLD.subdistrict)"
        " EXECUTE FUNCTION forget_subdistrict()"
    )
    op.execute(_REQUIRE_CONSENT)
