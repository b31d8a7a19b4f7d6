"""What the engine needs, read in a handful of statements, and what it decided, written in as few."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    any_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import Session, aliased

from db.capacities import standing_capacity
from db.models import (
    Capacity,
    Case,
    Consent,
    Disclosure,
    EligibilityRule,
    Location,
    MatchCandidate,
    MatchRun,
    Need,
    Organization,
    Person,
    Referral,
    ReferralEvent,
    Service,
    ServiceArea,
    ServiceAtLocation,
    Task,
    TaskState,
)
from referral_engine.decline_actions import NOT_COMPLETED_TASKS, PASSING_REASONS, STANDING_RESULTS
from referral_engine.sop import LIVE, ReferralState

NOT_REACHED = "person_not_reached"
"""Why a need waits for somebody to reach the person, and matching leaves it alone."""


def list_open_needs(session: Session, governorate: str) -> Sequence[Any]:
    """Open needs without a live referral, with case, head and newest assessment consent: one row a need.

    A need that waits for somebody's task is left alone until that is done, and one whose person could not be
    reached until somebody has (`casework.rerouting`).
    """
    held = aliased(Need)
    waits = (
        exists()
        .where(
            held.id == Task.need_id,
            func.coalesce(held.same_as_id, held.id) == Need.id,
            Task.state == TaskState.OPEN,
            Task.holds_need,
        )
        .correlate(Need)
    )
    newest = (
        select(func.max(Consent.id))
        .where(Consent.case_id == Case.id, Consent.kind == "assessment")
        .correlate(Case)
        .scalar_subquery()
    )
    live = aliased(Referral)
    query = (
        select(Need, Case, Person.sex, Person.age_years, Consent)
        .join(Case, Case.id == Need.case_id)
        .join(Consent, Consent.id == newest)
        .outerjoin(Person, and_(Person.case_id == Case.id, Person.role == "head"))
        .outerjoin(live, and_(live.need_id == Need.id, live.state.in_(LIVE)))
        .where(
            Need.status == "open",
            Need.unmet_reason.is_distinct_from(NOT_REACHED),
            Case.governorate == governorate,
            Case.closed_at.is_(None),
            Case.data_key_id.is_not(None),
            live.id.is_(None),
            ~waits,
        )
        .order_by(Need.id)
    )
    return session.execute(query.execution_options(populate_existing=True)).all()


def hold_cases(session: Session, case_ids: Iterable[int]) -> set[int]:
    """Hold those of the cases that nobody else is acting on just now; waits for nobody."""
    return set(
        session.scalars(
            select(Case.id)
            .where(Case.id.in_(set(case_ids)))
            .order_by(Case.id)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )


def list_declined(session: Session, need_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """For each need, the services at locations of every organization where it was in vain already.

    A no that may pass (`referral_engine.decline_actions`) counts only when its task found that it does not.
    What another need of the same household was declined by counts for the one that stands for it.
    """
    standing = func.coalesce(Need.same_as_id, Need.id)
    may_pass = exists().where(
        ReferralEvent.referral_id == Referral.id,
        or_(
            and_(ReferralEvent.move == "decline", ReferralEvent.reason.in_(PASSING_REASONS)),
            and_(ReferralEvent.move == "not_complete", ReferralEvent.reason.in_(NOT_COMPLETED_TASKS)),
        ),
    )
    found_to_stand = exists().where(Task.referral_id == Referral.id, Task.result.in_(STANDING_RESULTS))
    offered = aliased(ServiceAtLocation)
    offered_service = aliased(Service)
    rows = session.execute(
        select(standing, func.array_agg(aggregate_order_by(offered.id.distinct(), offered.id)))
        .select_from(Referral)
        .join(Need, Need.id == Referral.need_id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(offered_service, offered_service.organization_id == Service.organization_id)
        .join(offered, offered.service_id == offered_service.id)
        .where(
            or_(Need.id.in_(need_ids), Need.same_as_id.in_(need_ids)),
            _was_in_vain(),
            or_(~may_pass, found_to_stand),
        )
        .group_by(standing)
    )
    return {need_id: tuple(offers) for need_id, offers in rows}


def _was_in_vain() -> ColumnElement[bool]:
    """Declined; or sent, and then never answered or never finished."""
    sent = exists().where(Disclosure.referral_id == Referral.id).correlate(Referral)
    unfinished = Referral.state.in_([ReferralState.EXPIRED, ReferralState.NOT_COMPLETED])
    return or_(Referral.state == ReferralState.DECLINED, and_(unfinished, sent))


def list_offers(session: Session, governorate: str, today: date) -> Sequence[Any]:
    """Active services at locations with their area and what the provider said of its places.

    The period is the one open today or next; of a service whose periods have all ended the last one tells how it
    stands, without a free slot.
    """
    standing = standing_capacity(ServiceAtLocation.id.expression, today)
    intake = standing.correlate(ServiceAtLocation).scalar_subquery()
    free = case((Capacity.intake_end >= today, Capacity.slots - Capacity.reserved), else_=0)
    area = (
        select(func.array_agg(aggregate_order_by(ServiceArea.place, ServiceArea.place)))
        .where(ServiceArea.service_at_location_id == ServiceAtLocation.id)
        .correlate(ServiceAtLocation)
        .scalar_subquery()
    )
    query = (
        select(
            ServiceAtLocation.id,
            Service.id.label("service_id"),
            Organization.id.label("organization_id"),
            Organization.kind.label("organization_kind"),
            Service.category,
            Service.service_type,
            Service.languages,
            Location.longitude,
            Location.latitude,
            Location.place,
            Capacity.id.label("capacity_id"),
            Capacity.status.label("capacity_status"),
            Capacity.confirmed_at,
            free.label("free_slots"),
            area.label("area"),
        )
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Organization, Organization.id == Service.organization_id)
        .join(Location, Location.id == ServiceAtLocation.location_id)
        .outerjoin(Capacity, Capacity.id == intake)
        .where(Organization.governorate == governorate, Organization.active, ServiceAtLocation.active)
        .order_by(ServiceAtLocation.id)
    )
    return session.execute(query).all()


def list_rules(session: Session, governorate: str) -> Sequence[EligibilityRule]:
    """All eligibility rules of the governorate's services."""
    return session.scalars(
        select(EligibilityRule)
        .join(Service, Service.id == EligibilityRule.service_id)
        .join(Organization, Organization.id == Service.organization_id)
        .where(Organization.governorate == governorate)
        .order_by(EligibilityRule.id)
    ).all()


def get_last_rest_digest(session: Session, governorate: str) -> str | None:
    """The digest of what the newest run left over."""
    return session.scalar(
        select(MatchRun.rest_digest)
        .where(MatchRun.governorate == governorate)
        .order_by(MatchRun.id.desc())
        .limit(1)
    )


def delete_superseded(session: Session, need_ids: Sequence[int]) -> None:
    """Forget what earlier runs looked at for these needs, unless a referral came of it.

    Else every run would add some fifteen rows for each need that waits, for ever.
    """
    made_a_referral = exists().where(
        Referral.need_id == MatchCandidate.need_id, Referral.match_run_id == MatchCandidate.match_run_id
    )
    session.execute(
        delete(MatchCandidate)
        .where(MatchCandidate.need_id == any_(literal(list(need_ids), ARRAY(BigInteger))), ~made_a_referral)
        .execution_options(synchronize_session=False)
    )


def insert_candidates(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store what a run looked at, in batches of one statement each."""
    if rows:
        session.execute(insert(MatchCandidate), [dict(row) for row in rows])


def set_unmet(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record why needs found nobody: rows of id, unmet_reason, unmet_details, unmet_since."""
    if rows:
        session.execute(update(Need), [dict(row) for row in rows])


def set_referred(session: Session, need_ids: Sequence[int]) -> None:
    """Mark needs as referred and clear what blocked them before."""
    session.execute(
        update(Need)
        .where(Need.id.in_(need_ids))
        .values(status="referred", unmet_reason=None, unmet_details=None, unmet_since=None)
        .execution_options(synchronize_session=False)
    )
