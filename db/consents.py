"""Queries on consents."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Case, Consent, Organization


def get_consent(session: Session, consent_id: int, governorate: str, *, lock: bool = False) -> Consent | None:
    """One consent of a case of this governorate; `lock` holds its row."""
    statement = (
        select(Consent)
        .join(Case, Case.id == Consent.case_id)
        .where(Consent.id == consent_id, Case.governorate == governorate)
    )
    return session.scalar(statement.with_for_update(of=Consent) if lock else statement)


def list_organization_ids(session: Session, governorate: str) -> set[int]:
    """Ids of all organizations of a governorate."""
    return set(session.scalars(select(Organization.id).where(Organization.governorate == governorate)))
