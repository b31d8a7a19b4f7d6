"""Queries on the work addresses of users and organizations, and on who is told about a referral."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.models import ContactPoint, Disclosure, Organization, Referral, Role, User
from db.visibility import visible_referrals
from governorates import load


@dataclass(frozen=True, slots=True)
class MinistryView:
    """Users of one role, of one ministry where it has one, as one viewer: what each of them sees, all of them see."""

    governorate: str
    ministry: str | None
    role: str = Role.COORDINATOR
    office_id: int | None = None
    organization_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A user or an organization with the channels on which it can be reached."""

    id: int
    language: str | None
    ministry: str | None
    channels: tuple[str, ...]


def get_contact_point(
    session: Session, channel: str, *, user_id: int | None = None, organization_id: int | None = None
) -> ContactPoint | None:
    """The address of a user or an organization on one channel."""
    return session.scalar(
        select(ContactPoint).where(
            ContactPoint.channel == channel,
            ContactPoint.user_id == user_id
            if user_id is not None
            else ContactPoint.organization_id == organization_id,
        )
    )


def create_contact_point(
    session: Session,
    channel: str,
    address: bytes,
    data_key_id: uuid.UUID,
    *,
    user_id: int | None = None,
    organization_id: int | None = None,
    language: str | None = None,
) -> None:
    """Keep a sealed address."""
    session.add(
        ContactPoint(
            user_id=user_id,
            organization_id=organization_id,
            channel=channel,
            language=language,
            address=address,
            data_key_id=data_key_id,
        )
    )
    session.flush()


def delete_contact_point(session: Session, contact_point_id: int) -> None:
    """Forget an address."""
    session.execute(delete(ContactPoint).where(ContactPoint.id == contact_point_id))


def list_reached_users(
    session: Session,
    governorate: str,
    role: Role,
    *,
    ministries: Sequence[str] | None = None,
    office_id: int | None = None,
) -> list[Reached]:
    """Active users of a role who left an address, in the order of their ids."""
    statement = (
        select(
            User.id,
            User.language,
            User.ministry,
            func.array_agg(ContactPoint.channel),
        )
        .join(ContactPoint, ContactPoint.user_id == User.id)
        .where(User.governorate == governorate, User.role == role, User.active)
        .group_by(User.id)
        .order_by(User.id)
    )
    if ministries is not None:
        statement = statement.where(User.ministry.in_(ministries))
    if office_id is not None:
        statement = statement.where(User.office_id == office_id)
    return [Reached(row[0], row[1], row[2], tuple(row[3])) for row in session.execute(statement)]


def list_reached_organizations(session: Session, governorate: str) -> list[Reached]:
    """Active organizations that left an address, in the order of their ids."""
    statement = (
        select(
            Organization.id,
            func.min(ContactPoint.language),
            Organization.ministry,
            func.array_agg(ContactPoint.channel),
        )
        .join(ContactPoint, ContactPoint.organization_id == Organization.id)
        .where(Organization.governorate == governorate, Organization.active)
        .group_by(Organization.id)
        .order_by(Organization.id)
    )
    return [Reached(row[0], row[1], row[2], tuple(row[3])) for row in session.execute(statement)]


def get_reached_organization(session: Session, organization_id: int) -> Reached:
    """One organization with its channels, of which there may be none."""
    rows = session.execute(
        select(ContactPoint.language, ContactPoint.channel).where(
            ContactPoint.organization_id == organization_id
        )
    ).all()
    language = next((row[0] for row in rows if row[0]), None)
    return Reached(organization_id, language, None, tuple(row[1] for row in rows))


def list_ministries_in_charge(session: Session, referral_id: int, governorate: str) -> list[str]:
    """Ministries whose coordinators see this referral (`db.visibility` says who does)."""
    return [
        ministry
        for ministry in load(governorate).ministries
        if session.scalar(
            visible_referrals(MinistryView(governorate, ministry))
            .where(Referral.id == referral_id)
            .with_only_columns(Referral.id)
        )
        is not None
    ]


def has_been_disclosed(session: Session, referral_id: int) -> bool:
    """Whether anything was ever sent to the provider with this referral."""
    found = session.scalar(select(Disclosure.id).where(Disclosure.referral_id == referral_id))
    return found is not None
