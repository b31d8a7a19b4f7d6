"""A case that waits for the person's word on a provider, and the people who act on it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from casework import referrals
from casework.matching import match_open_needs
from casework.moves import Actor
from db import accounts
from db.models import Case, Referral, Role, Service, ServiceAtLocation
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case

NEED = ("primary_health_care", "emergency")


@dataclass
class Waiting:
    """One referral in awaiting_consent, its case, and two coordinators who are real accounts."""

    session: Session
    vault: Vault
    governorate: Governorate
    case_id: int
    referral_id: int
    coordinator: Actor
    second: Actor
    provider: Actor

    @property
    def state(self) -> str:
        """Where the referral stands."""
        return str(self.session.scalar(select(Referral.state).where(Referral.id == self.referral_id)))

    @property
    def code(self) -> str:
        """The code that the person holds."""
        return str(self.session.scalar(select(Case.printed_code).where(Case.id == self.case_id)))


def person(session: Session, login: str, role: Role = Role.COORDINATOR, **scope: Any) -> Actor:
    """An account, as an actor."""
    user = accounts.create_user(
        session, login=login, password_hash="-", role=role, governorate="nineveh", language="ar", **scope
    )
    return Actor(user.id, str(role), "nineveh", **scope)


def referral_of(session: Session, case_id: int) -> int:
    """The newest referral of a case."""
    return session.scalar(select(func.max(Referral.id)).where(Referral.case_id == case_id)) or 0


def provider_of(session: Session, referral_id: int) -> Actor:
    """The provider whom a referral is addressed to."""
    organization_id = session.scalar(
        select(Service.organization_id)
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
        .where(Referral.id == referral_id)
    )
    return Actor(None, "provider", "nineveh", organization_id=organization_id)


def make_waiting(
    session: Session, vault: Vault, governorate: Governorate, *needs: tuple[str, str], **changes: Any
) -> Waiting:
    """Open a case, match it and approve what was proposed; `changes` are those of the assessment."""
    assessment = make_assessment(governorate, needs or (NEED,), **changes)
    case_id = open_case(session, vault, governorate, assessment).case_id or 0
    coordinator = person(session, f"first-{case_id}", ministry="momd")
    second = person(session, f"second-{case_id}", ministry="momd")
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    ids = session.scalars(select(Referral.id).where(Referral.case_id == case_id).order_by(Referral.id)).all()
    for referral_id in ids:
        referrals.approve(session, vault, referral_id, coordinator)
    provider = provider_of(session, ids[0])
    return Waiting(session, vault, governorate, case_id, ids[0], coordinator, second, provider)
