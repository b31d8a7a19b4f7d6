"""What providers say of their places: the words, the intake periods, and the lists that show them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, aliased

from db.models import (
    Capacity,
    CapacityEvent,
    Location,
    Organization,
    Service,
    ServiceAtLocation,
)
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_offers


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """One service at a location as its lists show it.

    The period is the one open today, else the next, else the last one that ended; all of it is None for a service
    that never had one. `slots` and `reserved` are those of the period.
    """

    service_at_location_id: int
    organization: dict[str, str]
    service: dict[str, str]
    service_type: str
    location: dict[str, str]
    place: str
    status: str | None
    slots: int | None
    reserved: int | None
    confirmed_at: datetime | None
    intake_start: date | None
    intake_end: date | None

    def is_open(self, today: date) -> bool:
        """Whether places of this period can still be given."""
        return self.intake_end is not None and self.intake_end >= today

    @property
    def free(self) -> int:
        """Slots of the period that nobody has reserved."""
        return (self.slots or 0) - (self.reserved or 0)


@dataclass(frozen=True, slots=True)
class CapacityPage(Paged):
    """One page of services and how many there are."""

    rows: Sequence[CapacityRow]
    total: int
    page: int


SORTS: Mapping[str, tuple[Any, ...]] = {
    "age": (Capacity.confirmed_at.asc().nulls_first(),),
    "free": ((Capacity.slots - Capacity.reserved).asc().nulls_first(),),
    "service": (Service.service_type,),
}
"""How the board may be sorted; ties by id."""


def standing_capacity(service_at_location_id: ColumnElement[int], today: date) -> Select[int]:
    """The capacity row that says how a service stands: the period open today, else the next, else the last."""
    ended = Capacity.intake_end < today
    distance = case(
        (ended, literal(today) - Capacity.intake_start), else_=Capacity.intake_start - literal(today)
    )
    return (
        select(Capacity.id)
        .where(Capacity.service_at_location_id == service_at_location_id)
        .order_by(ended, distance)
        .limit(1)
    )


def _standing(today: date) -> ScalarSelect[int]:
    return (
        standing_capacity(ServiceAtLocation.id.expression, today)
        .correlate(ServiceAtLocation)
        .scalar_subquery()
    )


def list_capacities(
    session: Session, viewer: Viewer, today: date, *, sort: str = "service", page: int = 1
) -> CapacityPage:
    """Services at locations that the viewer looks after, 25 a page; two statements."""
    visible = visible_offers(viewer)
    total = session.scalar(visible.with_only_columns(func.count(ServiceAtLocation.id))) or 0
    rows: Iterable[Any] = session.execute(
        visible.outerjoin(Capacity, Capacity.id == _standing(today))
        .with_only_columns(
            ServiceAtLocation.id,
            Organization.names,
            Service.names,
            Service.service_type,
            Location.names,
            Location.place,
            Capacity.status,
            Capacity.slots,
            Capacity.reserved,
            Capacity.confirmed_at,
            Capacity.intake_start,
            Capacity.intake_end,
        )
        .order_by(*SORTS[sort], ServiceAtLocation.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return CapacityPage([CapacityRow(*row) for row in rows], total, page)


def list_own_offer_ids(session: Session, viewer: Viewer, wanted: Collection[int] | None = None) -> list[int]:
    """Ids of the services at locations that the viewer looks after, or of those among the wanted ones."""
    statement = visible_offers(viewer).with_only_columns(ServiceAtLocation.id).order_by(ServiceAtLocation.id)
    if wanted is not None:
        statement = statement.where(ServiceAtLocation.id.in_(wanted))
    return list(session.scalars(statement))


def lock_capacities(session: Session, offer_ids: Collection[int]) -> None:
    """Hold every period of these services at locations, in the order of ids as batches do."""
    session.execute(
        select(Capacity.id)
        .where(Capacity.service_at_location_id.in_(offer_ids))
        .order_by(Capacity.id)
        .with_for_update(key_share=True)
    ).all()


def _standing_of(offer_ids: Collection[int], today: date) -> Select[int]:
    return select(_standing(today)).where(ServiceAtLocation.id.in_(offer_ids))


def confirm_standing(
    session: Session, offer_ids: Collection[int], today: date, now: datetime
) -> list[Capacity]:
    """Mark how these services stand as confirmed now; the rows."""
    return _changed(session, _standing_of(offer_ids, today), {"confirmed_at": now})


def set_standing(session: Session, offer_id: int, today: date, values: Mapping[str, Any]) -> Capacity | None:
    """Write how a service stands by one guarded UPDATE: slots never fall below what is reserved (else None)."""
    guard = Capacity.reserved <= values["slots"] if "slots" in values else None
    changed = _changed(session, _standing_of([offer_id], today), values, guard)
    return changed[0] if changed else None


def get_standing_status(session: Session, offer_id: int, today: date) -> str | None:
    """What the provider says of a service at a location now; None where it never had an intake period."""
    return session.scalar(select(Capacity.status).where(Capacity.id.in_(_standing_of([offer_id], today))))


def _changed(
    session: Session,
    ids: Select[int],
    values: Mapping[str, Any],
    guard: ColumnElement[bool] | None = None,
) -> list[Capacity]:
    statement = update(Capacity).where(Capacity.id.in_(ids)).values(**values).returning(Capacity)
    if guard is not None:
        statement = statement.where(guard)
    options = {"synchronize_session": False, "populate_existing": True}
    return list(session.scalars(statement.execution_options(**options)))


def insert_capacity_events(
    session: Session,
    capacities: Sequence[Capacity],
    action: str,
    role: str,
    user_id: int | None,
    at: datetime,
) -> None:
    """Append one event a capacity, in one statement."""
    rows = [
        {
            "capacity_id": one.id,
            "action": action,
            "status": one.status,
            "slots": one.slots,
            "actor_role": role,
            "user_id": user_id,
            "at": at,
        }
        for one in capacities
    ]
    if rows:
        session.execute(insert(CapacityEvent), rows)


def list_ended_capacities(
    session: Session,
    governorate: str,
    today: date,
    confirmed_after: datetime,
    offer_ids: Collection[int] | None = None,
) -> list[Capacity]:
    """The last period of each active service whose periods have all ended, when it was confirmed since then."""
    later = aliased(Capacity)
    statement = (
        select(Capacity)
        .join(ServiceAtLocation, ServiceAtLocation.id == Capacity.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Organization, Organization.id == Service.organization_id)
        .where(
            Organization.governorate == governorate,
            Organization.active,
            ServiceAtLocation.active,
            Capacity.intake_end < today,
            Capacity.confirmed_at > confirmed_after,
            ~exists().where(
                and_(
                    later.service_at_location_id == Capacity.service_at_location_id,
                    later.intake_start > Capacity.intake_start,
                )
            ),
        )
        .order_by(Capacity.service_at_location_id)
    )
    if offer_ids is not None:
        statement = statement.where(Capacity.service_at_location_id.in_(offer_ids))
    return list(session.scalars(statement))


def insert_periods(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[Capacity]:
    """Insert intake periods that are not there yet, in one statement; those that are new."""
    if not rows:
        return []
    statement = upsert(Capacity).values([dict(row) for row in rows]).on_conflict_do_nothing()
    return list(session.scalars(statement.returning(Capacity)))


def list_capacity_events(session: Session, offer_id: int) -> list[CapacityEvent]:
    """All that was said of the places of a service at a location, oldest first."""
    return list(
        session.scalars(
            select(CapacityEvent)
            .join(Capacity, Capacity.id == CapacityEvent.capacity_id)
            .where(Capacity.service_at_location_id == offer_id)
            .order_by(CapacityEvent.id)
        )
    )
