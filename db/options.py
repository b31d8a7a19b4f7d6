"""A referral as the coordinator decides on it: its facts, the options side by side, and its history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from db.models import (
    Capacity,
    Case,
    Deadline,
    EligibilityRule,
    Location,
    MatchCandidate,
    Need,
    Organization,
    Person,
    Referral,
    ReferralEvent,
    Service,
    ServiceAtLocation,
)
from db.queue import with_deadline
from db.referrals import open_intake
from db.visibility import Viewer, visible_referrals


@dataclass(frozen=True, slots=True)
class ReferralSheet:
    """One visible referral with the rows it joins."""

    referral: Referral
    need: Need
    case: Case
    service: Service
    location: Location
    organization: Organization
    sex: str | None
    age_years: int | None
    deadline: Deadline | None


@dataclass(frozen=True, slots=True)
class Option:
    """A service at a location that the engine looked at for this need. `minutes` one way, `km` by that way."""

    service_at_location_id: int
    organization_id: int
    organization: dict[str, str]
    organization_kind: str
    service: dict[str, str]
    location: dict[str, str]
    place: str
    longitude: float
    latitude: float
    confidential: bool
    status: str
    rank: int
    minutes: float | None
    km: float | None
    river_considered: bool
    eligibility: int
    reasons: Sequence[dict[str, Any]]
    free_slots: int  # that nobody has reserved, in the intake open now or else the next one


@dataclass(frozen=True, slots=True)
class EventRow:
    """One step of a referral's history; the note is still sealed."""

    move: str
    from_state: str | None
    to_state: str
    actor_role: str
    reason: str | None
    note: bytes | None
    at: datetime


def get_referral_sheet(session: Session, viewer: Viewer, referral_id: int) -> ReferralSheet | None:
    """A referral that the viewer may see, with what it joins; None when it does not exist for them."""
    statement = (
        with_deadline(visible_referrals(viewer))
        .outerjoin(Person, and_(Person.case_id == Case.id, Person.role == "head"))
        .where(Referral.id == referral_id)
        .with_only_columns(
            Referral, Need, Case, Service, Location, Organization, Person.sex, Person.age_years, Deadline
        )
    )
    row: Any = session.execute(statement).one_or_none()
    return None if row is None else ReferralSheet(*row)


def is_referral_visible(session: Session, viewer: Viewer, referral_id: int) -> bool:
    """Whether this referral exists for the viewer."""
    statement = visible_referrals(viewer).where(Referral.id == referral_id).with_only_columns(Referral.id)
    return session.scalar(statement) is not None


def _newest_run(need_id: int) -> Select[int | None]:
    return select(func.max(MatchCandidate.match_run_id)).where(MatchCandidate.need_id == need_id)


def list_options(session: Session, referral: Referral, now: datetime) -> list[Option]:
    """What the run that made this referral found: options by rank, then exclusions by minutes.

    A later run, after a decline, belongs to the next referral of the need.
    """
    run = referral.match_run_id or _newest_run(referral.need_id).scalar_subquery()
    return _options(session, referral.need_id, run, now)


def list_need_options(session: Session, need_id: int, now: datetime) -> list[Option]:
    """What the newest run that looked at this need found, in the same order."""
    return _options(session, need_id, _newest_run(need_id).scalar_subquery(), now)


def _options(session: Session, need_id: int, run: Any, now: datetime) -> list[Option]:
    intake = open_intake(MatchCandidate.service_at_location_id, now.date())
    free = func.coalesce(
        select(Capacity.slots - Capacity.reserved)
        .where(Capacity.id == intake.correlate(MatchCandidate).scalar_subquery())
        .correlate(MatchCandidate)
        .scalar_subquery(),
        0,
    )
    statement = (
        select(
            MatchCandidate.service_at_location_id,
            Organization.id,
            Organization.names,
            Organization.kind,
            Service.names,
            Location.names,
            Location.place,
            Location.longitude,
            Location.latitude,
            Location.confidential,
            MatchCandidate.status,
            MatchCandidate.rank,
            MatchCandidate.minutes,
            MatchCandidate.km,
            MatchCandidate.river_considered,
            MatchCandidate.eligibility,
            MatchCandidate.reasons,
            free,
        )
        .join(ServiceAtLocation, ServiceAtLocation.id == MatchCandidate.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Location, Location.id == ServiceAtLocation.location_id)
        .join(Organization, Organization.id == Service.organization_id)
        .where(
            MatchCandidate.need_id == need_id,
            MatchCandidate.match_run_id == run,
        )
        .order_by(MatchCandidate.status.desc(), MatchCandidate.rank, MatchCandidate.minutes)
    )
    rows: Iterable[Any] = session.execute(statement)
    return [Option(*row) for row in rows]


def list_rule_names(session: Session, rule_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """The names of eligibility rules, to say in words which one excluded an option."""
    statement = select(EligibilityRule.id, EligibilityRule.names).where(EligibilityRule.id.in_(set(rule_ids)))
    return {row[0]: row[1] for row in session.execute(statement)}


def list_events(session: Session, referral_id: int) -> list[EventRow]:
    """The history of a referral, oldest first."""
    statement = (
        select(
            ReferralEvent.move,
            ReferralEvent.from_state,
            ReferralEvent.to_state,
            ReferralEvent.actor_role,
            ReferralEvent.reason,
            ReferralEvent.note,
            ReferralEvent.at,
        )
        .where(ReferralEvent.referral_id == referral_id)
        .order_by(ReferralEvent.at, ReferralEvent.id)
    )
    return [EventRow(*row) for row in session.execute(statement)]
