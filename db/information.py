"""What a person was told about a service, for the slip that they take along."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import (
    Case,
    EligibilityRule,
    InformationGiven,
    Location,
    Office,
    Organization,
    Service,
    ServiceAtLocation,
)
from db.visibility import Viewer, visible_information


@dataclass(frozen=True, slots=True)
class WhereToGo:
    """A service as a paper may name it: nothing here is about the person."""

    organization: dict[str, str]
    service: dict[str, str]
    location: dict[str, str]
    place: str
    documents: Sequence[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Slip:
    """What the person takes along. `where` is None for a confidential location: then the office alone is named."""

    need_id: int
    at: datetime
    office: dict[str, str] | None
    where: WhereToGo | None


def get_visible_slip(session: Session, viewer: Viewer, information_id: int) -> Slip | None:
    """The slip of an information that the viewer may see; None when it does not exist for them."""
    statement = (
        visible_information(viewer)
        .join(ServiceAtLocation, ServiceAtLocation.id == InformationGiven.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Location, Location.id == ServiceAtLocation.location_id)
        .join(Organization, Organization.id == Service.organization_id)
        .outerjoin(Office, Office.id == Case.office_id)
        .where(InformationGiven.id == information_id)
        .with_only_columns(InformationGiven, Organization, Service, Location, Office)
    )
    row: Any = session.execute(statement).one_or_none()
    if row is None:
        return None
    where = None
    if not row.Location.confidential:
        where = WhereToGo(
            row.Organization.names,
            row.Service.names,
            row.Location.names,
            row.Location.place,
            _documents(session, row.Service.id),
        )
    office = None if row.Office is None else row.Office.names
    return Slip(row.InformationGiven.need_id, row.InformationGiven.at, office, where)


def _documents(session: Session, service_id: int) -> list[dict[str, str]]:
    """The conditions on documents in their own words."""
    statement = (
        select(EligibilityRule.names)
        .where(EligibilityRule.service_id == service_id, EligibilityRule.attribute == "documents")
        .order_by(EligibilityRule.id)
    )
    return list(session.scalars(statement))


def is_offered(session: Session, service_at_location_id: int) -> bool:
    """Whether this service is given at this location now."""
    statement = (
        select(ServiceAtLocation.id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Organization, Organization.id == Service.organization_id)
        .where(ServiceAtLocation.id == service_at_location_id, ServiceAtLocation.active, Organization.active)
    )
    return session.scalar(statement) is not None
