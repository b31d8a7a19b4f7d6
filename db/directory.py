"""Loading the directory of services; safe to run twice."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import (
    Capacity,
    EligibilityRule,
    Location,
    Office,
    Organization,
    Service,
    ServiceArea,
    ServiceAtLocation,
)
from governorates import Governorate
from governorates.directory_rows import Directory, EligibilityRow


def upsert_offices(session: Session, governorate: Governorate) -> None:
    """Write the governorate's offices; existing ones are brought up to date."""
    for office in governorate.offices:
        row = {
            "code": office.code,
            "governorate": governorate.code,
            "names": dict(office.names),
            "districts": list(office.districts),
        }
        statement = insert(Office).values(row)
        session.execute(statement.on_conflict_do_update(index_elements=["governorate", "code"], set_=row))


def upsert_directory(session: Session, governorate: Governorate, directory: Directory) -> dict[str, int]:
    """Write organizations, locations, services, capacities, areas and rules; the number of each.

    A capacity that exists keeps its slots and reservations: they are the providers' to change.
    """
    organizations = _upsert_organizations(session, governorate, directory)
    locations = _upsert_locations(session, governorate, directory, organizations)
    services = _upsert_services(session, governorate, directory, organizations)
    offers = _upsert_offers(session, directory, services, locations)
    _replace_rules(session, directory, services)
    return {
        "organizations": len(organizations),
        "locations": len(locations),
        "services": len(services),
        "services_at_locations": offers,
    }


def _upsert_organizations(
    session: Session, governorate: Governorate, directory: Directory
) -> Mapping[str, int]:
    rows = [
        {
            "governorate": governorate.code,
            "code": item.code,
            "kind": item.kind,
            "ministry": item.ministry or None,
            "names": dict(item.names),
        }
        for item in directory.organizations.values()
    ]
    statement = insert(Organization)
    statement = statement.on_conflict_do_update(
        index_elements=["governorate", "code"],
        set_={name: statement.excluded[name] for name in ("kind", "ministry", "names")},
    )
    session.execute(statement, rows)
    found = session.execute(
        select(Organization.code, Organization.id).where(Organization.governorate == governorate.code)
    )
    return dict(found.all())


def _upsert_locations(
    session: Session, governorate: Governorate, directory: Directory, organizations: Mapping[str, int]
) -> Mapping[str, int]:
    rows = [
        {
            "organization_id": organizations[item.organization],
            "code": item.code,
            "place": item.place,
            "names": dict(item.names),
            "longitude": item.longitude,
            "latitude": item.latitude,
            "confidential": item.confidential,
        }
        for item in directory.locations.values()
    ]
    statement = insert(Location)
    changed = ("place", "names", "longitude", "latitude", "confidential")
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["organization_id", "code"],
            set_={name: statement.excluded[name] for name in changed},
        ),
        rows,
    )
    found = session.execute(
        select(Location.code, Location.id).where(Location.organization_id.in_(organizations.values()))
    )
    keys = dict(found.all())
    _write_subdistricts(session, governorate, directory, keys)
    return keys


def _write_subdistricts(
    session: Session, governorate: Governorate, directory: Directory, locations: Mapping[str, int]
) -> None:
    """A statement of its own: one that also moves a location within its sub-district would be taken to forget it."""
    rows = [
        {"id": locations[item.code], "subdistrict": governorate.ancestor_at(item.place, "subdistrict")}
        for item in directory.locations.values()
    ]
    session.execute(update(Location), rows)


def _upsert_services(
    session: Session, governorate: Governorate, directory: Directory, organizations: Mapping[str, int]
) -> Mapping[str, int]:
    rows = [
        {
            "organization_id": organizations[item.organization],
            "code": item.code,
            "service_type": item.service_type,
            "category": governorate.service_types[item.service_type].category,
            "names": dict(item.names),
            "languages": list(item.languages),
        }
        for item in directory.services.values()
    ]
    statement = insert(Service)
    changed = ("service_type", "category", "names", "languages")
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["organization_id", "code"],
            set_={name: statement.excluded[name] for name in changed},
        ),
        rows,
    )
    found = session.execute(
        select(Service.code, Service.id).where(Service.organization_id.in_(organizations.values()))
    )
    return dict(found.all())


def _upsert_offers(
    session: Session, directory: Directory, services: Mapping[str, int], locations: Mapping[str, int]
) -> int:
    items = directory.services_at_locations
    rows = [
        {
            "service_id": services[item.service],
            "location_id": locations[item.location],
            "assured_date": item.assured_date,
        }
        for item in items
    ]
    statement = insert(ServiceAtLocation)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["service_id", "location_id"],
            set_={"assured_date": statement.excluded.assured_date},
        ),
        rows,
    )
    found = session.execute(
        select(ServiceAtLocation.service_id, ServiceAtLocation.location_id, ServiceAtLocation.id).where(
            ServiceAtLocation.service_id.in_(services.values())
        )
    )
    key_of = {(service_id, location_id): key for service_id, location_id, key in found}
    keys = [key_of[services[item.service], locations[item.location]] for item in items]
    session.execute(delete(ServiceArea).where(ServiceArea.service_at_location_id.in_(keys)))
    session.execute(
        insert(ServiceArea).on_conflict_do_nothing(),
        [
            {"service_at_location_id": key, "place": place}
            for key, item in zip(keys, items, strict=True)
            for place in item.area
        ],
    )
    confirmed = datetime.now(UTC)
    session.execute(
        insert(Capacity).on_conflict_do_nothing(),
        [
            {
                "service_at_location_id": key,
                "intake_start": item.intake_start,
                "intake_end": item.intake_end,
                "slots": item.slots,
                "confirmed_at": confirmed,
            }
            for key, item in zip(keys, items, strict=True)
        ],
    )
    return len(set(keys))


def _replace_rules(session: Session, directory: Directory, services: Mapping[str, int]) -> None:
    session.execute(delete(EligibilityRule).where(EligibilityRule.service_id.in_(services.values())))
    session.execute(
        insert(EligibilityRule),
        [
            {
                "service_id": services[item.service],
                "attribute": item.attribute,
                "operator": item.operator,
                "values": _typed(item),
                "names": dict(item.names),
            }
            for item in directory.eligibility
        ],
    )


def _typed(rule: EligibilityRow) -> list[str | int | None]:
    """Values as the engine reads them: ends of a range are numbers, and an open end is null."""
    if rule.operator != "between":
        return list(rule.values)
    return [None if value == "*" else int(value) for value in rule.values]


def list_organizations(session: Session, governorate: str) -> list[Organization]:
    """All organizations of a governorate, by code."""
    return list(
        session.scalars(
            select(Organization).where(Organization.governorate == governorate).order_by(Organization.code)
        )
    )


def get_organization_by_code(session: Session, governorate: str, code: str) -> Organization | None:
    """One organization by its code."""
    return session.scalar(
        select(Organization).where(Organization.governorate == governorate, Organization.code == code)
    )
