"""Queries on consents."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Case, Consent, Organization


def get_consent(session: Session, consent_id: int, governorate: str) -> Consent | None:
    """One consent of a case of this governorate; the case is held until the transaction ends."""
    case_id = select(Consent.case_id).where(Consent.id == consent_id).scalar_subquery()
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))
    return session.scalar(
        select(Consent)
        .join(Case, Case.id == Consent.case_id)
        .where(Consent.id == consent_id, Case.governorate == governorate)
        .execution_options(populate_existing=True)
    )


def list_organization_ids(session: Session, governorate: str) -> set[int]:
    """Ids of all organizations of a governorate."""
    return set(session.scalars(select(Organization.id).where(Organization.governorate == governorate)))
