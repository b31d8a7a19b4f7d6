"""Queries that move referrals and the slots they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Integer, column, exists, func, insert, select, update, values
from sqlalchemy.orm import Session

from db.models import (
    Capacity,
    Case,
    Consent,
    Disclosure,
    Letter,
    Location,
    MatchCandidate,
    Need,
    Organization,
    Referral,
    ReferralEvent,
    Service,
    ServiceAtLocation,
)
from referral_engine.capacity_states import NOT_RESERVED_BY_RUNS
from referral_engine.sop import HOLDS_SLOT, LIVE


@dataclass(frozen=True, slots=True)
class ReferralParts:
    """A referral with the rows that every decision on it needs."""

    referral: Referral
    need: Need
    case: Case
    service: Service
    organization: Organization
    location: Location


def get_referral_parts(session: Session, referral_id: int, *, lock: bool = False) -> ReferralParts | None:
    """A referral with its need, case, service, organization and location.

    `lock` holds the case and then the referral: acts on one case follow one another, and whoever needs slots
    besides takes those last (`lock_slots`), so that no two acts can wait for each other.
    """
    if lock:
        case_id = select(Referral.case_id).where(Referral.id == referral_id).scalar_subquery()
        session.execute(select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))
    query = (
        select(Referral, Need, Case, Service, Organization, Location)
        .join(Need, Need.id == Referral.need_id)
        .join(Case, Case.id == Referral.case_id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Organization, Organization.id == Service.organization_id)
        .join(Location, Location.id == ServiceAtLocation.location_id)
        .where(Referral.id == referral_id)
    )
    if lock:
        query = query.with_for_update(of=Referral, key_share=True).execution_options(populate_existing=True)
    row = session.execute(query).one_or_none()
    return None if row is None else ReferralParts(*row)


def open_intake(service_at_location_id: Any, today: date) -> Any:
    """The capacity row whose intake period is open today, or the next one."""
    return (
        select(Capacity.id)
        .where(Capacity.service_at_location_id == service_at_location_id, Capacity.intake_end >= today)
        .order_by(Capacity.intake_start)
        .limit(1)
    )


def get_open_intake(session: Session, service_at_location_id: int, today: date) -> int | None:
    """The capacity of the intake period that is open today, or of the next one."""
    found: int | None = session.scalar(open_intake(service_at_location_id, today))
    return found


def reserve_slot(session: Session, service_at_location_id: int, today: date) -> int | None:
    """Reserve one slot by one guarded UPDATE; the capacity id, or None when nothing is free.

    Who says that it has no places is not referred to, whatever the figures are.
    """
    return session.scalar(
        update(Capacity)
        .where(
            Capacity.id == open_intake(service_at_location_id, today).scalar_subquery(),
            Capacity.reserved < Capacity.slots,
            Capacity.status != "no_capacity",
        )
        .values(reserved=Capacity.reserved + 1)
        .returning(Capacity.id)
    )


def lock_slots(session: Session, service_at_location_id: int, today: date, capacity_id: int) -> None:
    """Hold the slots that an exchange takes from and gives back to, in the order of ids as batches do."""
    wanted = open_intake(service_at_location_id, today).scalar_subquery()
    session.execute(
        select(Capacity.id)
        .where((Capacity.id == wanted) | (Capacity.id == capacity_id))
        .order_by(Capacity.id)
        .with_for_update(key_share=True)
    ).all()


def reserve_slots(session: Session, wanted: Mapping[int, int]) -> set[int]:
    """Reserve many slots at once for a run: capacity id -> number. Returns the capacities that could give them all.

    Rows are taken in the order of their ids, so that two batches cannot wait for each other.
    """
    if not wanted:
        return set()
    session.execute(
        select(Capacity.id)
        .where(Capacity.id.in_(wanted))
        .order_by(Capacity.id)
        .with_for_update(key_share=True)
    ).all()
    asked = values(column("id", Integer), column("number", Integer), name="asked").data(
        sorted(wanted.items())
    )
    rows = session.scalars(
        update(Capacity)
        .where(
            Capacity.id == asked.c.id,
            Capacity.reserved + asked.c.number <= Capacity.slots,
            Capacity.status.not_in(NOT_RESERVED_BY_RUNS),
        )
        .values(reserved=Capacity.reserved + asked.c.number)
        .returning(Capacity.id)
        .execution_options(synchronize_session=False)
    )
    return set(rows)


def release_slot(session: Session, capacity_id: int) -> None:
    """Give one reserved slot back."""
    session.execute(
        update(Capacity)
        .where(Capacity.id == capacity_id)
        .values(reserved=Capacity.reserved - 1)
        .execution_options(synchronize_session=False)
    )


def insert_referrals(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Insert referrals in one statement; need id -> referral id."""
    if not rows:
        return {}
    result = session.execute(
        insert(Referral).returning(Referral.need_id, Referral.id), [dict(row) for row in rows]
    )
    return dict(result.all())


def insert_events(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append events in one statement."""
    if rows:
        session.execute(insert(ReferralEvent), [dict(row) for row in rows])


def list_live_referral_ids(session: Session, case_id: int) -> list[int]:
    """Referrals of a case that are under way, in the order of their slots (see `lock_slots`)."""
    return list(
        session.scalars(
            select(Referral.id)
            .where(Referral.case_id == case_id, Referral.state.in_(LIVE))
            .order_by(Referral.capacity_id, Referral.id)
        )
    )


def get_candidate(session: Session, need_id: int, service_at_location_id: int) -> MatchCandidate | None:
    """What the newest run that looked at this need said of this service."""
    return session.scalar(
        select(MatchCandidate)
        .where(
            MatchCandidate.need_id == need_id,
            MatchCandidate.service_at_location_id == service_at_location_id,
        )
        .order_by(MatchCandidate.match_run_id.desc())
        .limit(1)
    )


def withdraw_referral_consents(session: Session, referral_id: int, at: datetime) -> None:
    """Mark the consent to this recipient, and to letters about the referral, as taken back."""
    letters = select(Letter.consent_id).where(Letter.referral_id == referral_id)
    for which in (Consent.referral_id == referral_id, Consent.id.in_(letters)):
        statement = update(Consent).where(which, Consent.withdrawn_at.is_(None)).values(withdrawn_at=at)
        session.execute(statement.execution_options(synchronize_session="fetch"))


def list_disclosures(session: Session, referral_ids: Sequence[int]) -> list[Disclosure]:
    """What was sent for these referrals and has not been withdrawn since."""
    return list(
        session.scalars(
            select(Disclosure).where(
                Disclosure.referral_id.in_(referral_ids), Disclosure.withdrawn_at.is_(None)
            )
        )
    )


def withdraw_disclosure(session: Session, referral_id: int, at: datetime) -> bool:
    """Take back what was disclosed: the provider's pages stop showing it. False when there was nothing."""
    statement = update(Disclosure).where(
        Disclosure.referral_id == referral_id, Disclosure.withdrawn_at.is_(None)
    )
    return bool(session.scalars(statement.values(withdrawn_at=at).returning(Disclosure.id)).all())


def list_slot_mismatches(session: Session) -> list[tuple[int, int, int]]:
    """Capacities whose `reserved` differs from the referrals that hold a slot: (id, reserved, holding)."""
    holding = (
        select(Referral.capacity_id, func.count().label("number"))
        .where(Referral.state.in_(HOLDS_SLOT))
        .group_by(Referral.capacity_id)
        .subquery()
    )
    rows = session.execute(
        select(Capacity.id, Capacity.reserved, func.coalesce(holding.c.number, 0))
        .outerjoin(holding, holding.c.capacity_id == Capacity.id)
        .where(Capacity.reserved != func.coalesce(holding.c.number, 0))
    )
    return [(int(a), int(b), int(c)) for a, b, c in rows]


def has_live_referral(session: Session, need_id: int) -> bool:
    """Whether a referral of this need is under way."""
    return bool(session.scalar(select(exists().where(Referral.need_id == need_id, Referral.state.in_(LIVE)))))
