"""Queries that find the next-best provider of a need, from what the newest matching run said of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.capacities import standing_capacity
from db.matching import NOT_REACHED
from db.models import (
    Capacity,
    Case,
    Location,
    MatchCandidate,
    Need,
    Organization,
    Referral,
    ReferralEvent,
    Service,
    ServiceAtLocation,
    Task,
    TaskState,
)
from db.referrals import open_intake
from referral_engine.capacity_states import NOT_RESERVED_BY_RUNS


@dataclass(frozen=True, slots=True)
class NextCandidate:
    """An option of the newest run, by rank. `minutes` is one way, `km` by that way."""

    service_at_location_id: int
    match_run_id: int
    minutes: float | None
    km: float | None
    organization_id: int
    organization_kind: str
    subdistrict: str | None
    capacity_status: str | None
    confirmed_at: datetime | None


def list_next_candidates(session: Session, need_id: int, today: date) -> list[NextCandidate]:
    """Options of the newest run that looked at this need whose organization and service are active, by rank.

    With what each provider says of its places today. Left out are those where nothing is reserved automatically
    (none, or a waiting list only), as in matching.
    """
    newest = select(func.max(MatchCandidate.match_run_id)).where(MatchCandidate.need_id == need_id)
    standing = standing_capacity(ServiceAtLocation.id.expression, today)
    rows: Any = session.execute(
        select(
            MatchCandidate.service_at_location_id,
            MatchCandidate.match_run_id,
            MatchCandidate.minutes,
            MatchCandidate.km,
            Organization.id,
            Organization.kind,
            Location.subdistrict,
            Capacity.status,
            Capacity.confirmed_at,
        )
        .join(ServiceAtLocation, ServiceAtLocation.id == MatchCandidate.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Organization, Organization.id == Service.organization_id)
        .join(Location, Location.id == ServiceAtLocation.location_id)
        .outerjoin(Capacity, Capacity.id == standing.correlate(ServiceAtLocation).scalar_subquery())
        .where(
            func.coalesce(Capacity.status, "has_capacity").not_in(NOT_RESERVED_BY_RUNS),
            MatchCandidate.need_id == need_id,
            MatchCandidate.match_run_id == newest.scalar_subquery(),
            MatchCandidate.status == "option",
            Organization.active,
            ServiceAtLocation.active,
        )
        .order_by(MatchCandidate.rank, MatchCandidate.service_at_location_id)
    )
    return [NextCandidate(*row) for row in rows]


def lock_free_slots(
    session: Session, service_at_location_ids: Collection[int], today: date, capacity_id: int
) -> set[int]:
    """Hold the slots to choose from and those to give back to, in the order of ids as batches do.

    Returns the services at locations whose intake of today (or the next one) has a free slot that may be reserved:
    the provider's word may have changed while this waited for the rows.
    """
    intake = (
        open_intake(ServiceAtLocation.id.expression, today).correlate(ServiceAtLocation).scalar_subquery()
    )
    wanted = select(intake).where(ServiceAtLocation.id.in_(service_at_location_ids))
    rows: Sequence[Any] = session.execute(
        select(
            Capacity.id, Capacity.service_at_location_id, Capacity.slots - Capacity.reserved, Capacity.status
        )
        .where(or_(Capacity.id.in_(wanted), Capacity.id == capacity_id))
        .order_by(Capacity.id)
        .with_for_update(key_share=True)
    ).all()
    wanted_ids = set(service_at_location_ids)
    return {
        row[1] for row in rows if row[2] > 0 and row[1] in wanted_ids and row[3] not in NOT_RESERVED_BY_RUNS
    }


def list_untraced(session: Session, governorate: str, kind: str) -> list[tuple[Need, Case]]:
    """Open needs whose person nobody reached and about which no task of this kind is open, with their cases.

    The cases are held until the transaction ends; those that somebody is acting on are left out.
    """
    held = aliased(Need)
    looked_for = (
        exists()
        .where(
            held.id == Task.need_id,
            func.coalesce(held.same_as_id, held.id) == Need.id,
            Task.state == TaskState.OPEN,
            Task.kind == kind,
        )
        .correlate(Need)
    )
    rows = session.execute(
        select(Need, Case)
        .join(Case, Case.id == Need.case_id)
        .where(
            Need.status == "open",
            Need.unmet_reason == NOT_REACHED,
            Case.governorate == governorate,
            Case.closed_at.is_(None),
            ~looked_for,
        )
        .order_by(Case.id, Need.id)
        .with_for_update(of=Case, key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return [(need, case) for need, case in rows]


def count_consent_expiries(session: Session, need_id: int) -> int:
    """How often a referral of this need ended because the person's consent was not asked in time."""
    statement = (
        select(func.count(ReferralEvent.id))
        .join(Referral, Referral.id == ReferralEvent.referral_id)
        .where(
            Referral.need_id == need_id,
            ReferralEvent.move == "expire",
            ReferralEvent.from_state == "awaiting_consent",
        )
    )
    return session.scalar(statement) or 0
