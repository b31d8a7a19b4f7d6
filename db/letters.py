"""Queries on support letters."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.case_events import household
from db.models import (
    Case,
    Consent,
    Letter,
    Need,
    Office,
    Organization,
    Referral,
    Service,
    ServiceAtLocation,
)
from db.visibility import PROVIDER_STATES
from governorates.languages import Names


@dataclass(frozen=True, slots=True)
class LetterParts:
    """A letter with what its words need; the last two are None where it is not about a referral."""

    letter: Letter
    consent: Consent
    case: Case
    office: Names
    service_type: str | None
    organization: Names | None


@dataclass(frozen=True, slots=True)
class SentReferral:
    """A referral that its provider knows of."""

    referral_id: int
    service_type: str
    organization: Names
    state: str


def list_letters(session: Session, case_id: int) -> Sequence[tuple[Letter, Consent]]:
    """Letters issued for the household with the consent to each, newest first."""
    statement = (
        select(Letter, Consent)
        .join(Consent, Consent.id == Letter.consent_id)
        .where(Letter.case_id.in_(household(case_id)))
        .order_by(Letter.id.desc())
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def get_letter_parts(session: Session, case_id: int, letter_id: int) -> LetterParts | None:
    """A letter of the household with its consent, office and referral."""
    statement = (
        select(Letter, Consent, Case, Office.names, Need.service_type, Organization.names)
        .join(Consent, Consent.id == Letter.consent_id)
        .join(Case, Case.id == Letter.case_id)
        .join(Office, Office.id == Letter.office_id)
        .outerjoin(Referral, Referral.id == Letter.referral_id)
        .outerjoin(Need, Need.id == Referral.need_id)
        .outerjoin(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .outerjoin(Service, Service.id == ServiceAtLocation.service_id)
        .outerjoin(Organization, Organization.id == Service.organization_id)
        .where(Letter.id == letter_id, Letter.case_id.in_(household(case_id)))
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else LetterParts(*row)


def list_sent_referrals(session: Session, case_id: int) -> Sequence[SentReferral]:
    """Referrals of the household that were sent and are still the provider's business."""
    statement = (
        select(Referral.id, Need.service_type, Organization.names, Referral.state)
        .join(Need, Need.id == Referral.need_id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Organization, Organization.id == Service.organization_id)
        .where(Referral.case_id.in_(household(case_id)), Referral.state.in_(sorted(PROVIDER_STATES)))
        .order_by(Referral.id)
    )
    return [SentReferral(*row) for row in session.execute(statement)]
