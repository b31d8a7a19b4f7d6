"""Queries that find and remove what makes a household readable or recognisable."""

import uuid
from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select, union, update
from sqlalchemy.orm import Session

from db.models import BlockingKey, Case, Disclosure, Person, Referral, Submission


def list_household_case_ids(session: Session, case_id: int, governorate: str) -> list[int]:
    """The case that stands for this one, and every case merged into it."""
    root = (
        select(func.coalesce(Case.merged_into_id, Case.id))
        .where(Case.id == case_id, Case.governorate == governorate)
        .scalar_subquery()
    )
    return list(
        session.scalars(
            select(Case.id).where(or_(Case.id == root, Case.merged_into_id == root)).order_by(Case.id)
        )
    )


def list_data_key_ids(session: Session, case_ids: Sequence[int]) -> list[uuid.UUID]:
    """Every key that something of these cases is sealed with: cases, versions of submissions, disclosures."""
    keys = union(
        select(Case.data_key_id).where(Case.id.in_(case_ids)),
        select(Submission.data_key_id).where(Submission.case_id.in_(case_ids)),
        select(Disclosure.data_key_id)
        .join(Referral, Referral.id == Disclosure.referral_id)
        .where(Referral.case_id.in_(case_ids)),
    )
    return [key for key in session.scalars(keys) if key is not None]


def delete_hashes(session: Session, case_ids: Sequence[int]) -> None:
    """Remove the keyed hashes by which names and phones of these cases could be found again."""
    session.execute(delete(BlockingKey).where(BlockingKey.case_id.in_(case_ids)))
    session.execute(
        update(Person).where(Person.case_id.in_(case_ids)).values(phone_index=None, name_index=None)
    )
