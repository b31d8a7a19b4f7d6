"""Queries on offices."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Office


def list_offices(session: Session, governorate: str) -> list[Office]:
    """All offices of a governorate, in the order in which they were loaded."""
    return list(session.scalars(select(Office).where(Office.governorate == governorate).order_by(Office.id)))


def get_office_by_code(session: Session, governorate: str, code: str) -> Office | None:
    """One office of a governorate by its code."""
    return session.scalar(select(Office).where(Office.governorate == governorate, Office.code == code))
