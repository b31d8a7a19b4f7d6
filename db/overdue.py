"""How many referrals have stayed in their state for longer than its clock allows: one home of that question."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from db.models import Case, Organization, Referral, Service, ServiceAtLocation
from db.visibility import Viewer, visible_referrals
from governorates import due_at, load

MINUTES_LOOKED_BACK = 2 * 366 * 24 * 60
"""Longer than any clock: what has stood longer than that is overdue by every clock."""


def is_overdue(governorate: str, now: datetime, states: Iterable[str] | None = None) -> ColumnElement[bool]:
    """Condition on referrals: the clock of their state and urgency has run out.

    The calendar is not known to the database, but a later start is never due earlier, so that each clock has one
    latest start that is overdue by now; it is found to the minute.
    """
    data, wanted = load(governorate), None if states is None else set(states)
    conditions = [
        and_(
            Referral.state == state,
            Referral.urgency == urgency,
            Referral.state_since <= _latest_overdue_start(governorate, state, urgency, now),
        )
        for state, urgency in data.clocks
        if wanted is None or state in wanted
    ]
    return or_(*conditions) if conditions else false()


def _latest_overdue_start(governorate: str, state: str, urgency: str, now: datetime) -> datetime:
    data = load(governorate)

    def has_run_out(minutes_ago: int) -> bool:
        return due_at(data, state, urgency, now - timedelta(minutes=minutes_ago)) <= now

    # From now backwards, the first minute whose clock has run out.
    minutes_ago = bisect_right(range(MINUTES_LOOKED_BACK), False, key=has_run_out)
    return now - timedelta(minutes=minutes_ago)


def count_overdue(session: Session, viewer: Viewer, now: datetime) -> dict[str, int]:
    """Overdue referrals that the viewer sees, by state."""
    statement = (
        visible_referrals(viewer)
        .where(is_overdue(viewer.governorate, now))
        .with_only_columns(Referral.state, func.count(Referral.id))
        .group_by(Referral.state)
    )
    return {row[0]: int(row[1]) for row in session.execute(statement)}


def count_by_organization(
    session: Session, governorate: str, states: Iterable[str], now: datetime
) -> dict[int, dict[str, tuple[int, int]]]:
    """Referrals of each organization by state: how many there are, and how many of them are overdue."""
    wanted = sorted(states)
    statement = (
        select(
            Organization.id,
            Referral.state,
            func.count(),
            func.count().filter(is_overdue(governorate, now, wanted)),
        )
        .join(Service, Service.organization_id == Organization.id)
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
        .join(Case, Case.id == Referral.case_id)
        .where(Case.governorate == governorate, Referral.state.in_(wanted))
        .group_by(Organization.id, Referral.state)
    )
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for organization_id, state, number, overdue in session.execute(statement):
        found.setdefault(organization_id, {})[state] = int(number), int(overdue)
    return found
