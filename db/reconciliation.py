"""What is missing at the end of an open day: queries of counts and codes, never of names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from db.models import (
    Case,
    Need,
    OpenDay,
    OpenDayTablet,
    QueueToken,
    Referral,
    Role,
    Submission,
    SubmissionStatus,
    Tablet,
)
from db.visibility import Viewer, visible_cases, visible_needs
from referral_engine.sop import LIVE, ReferralState

MOST_ROWS = 500
"""Rows of each list; a day receives fewer people. The number beside a list counts all of them."""


@dataclass(frozen=True, slots=True)
class TabletRow:
    """A tablet of the day: submissions of that day, those set aside, and when it was last heard of."""

    label: str
    received: int
    quarantined: int
    waiting: int
    last_seen_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows of a list, bounded, and how many there are."""

    rows: Sequence[Any]
    total: int


def list_day_tablets(session: Session, day: OpenDay, first: datetime, after: datetime) -> list[TabletRow]:
    """The tablets assigned to a day with what they sent between two moments or, later, of that day."""
    carried = exists().where(Case.id == Submission.case_id, Case.open_day_id == day.id)
    of_the_day = and_(
        Submission.tablet_id == Tablet.id,
        Submission.deleted_at.is_(None),
        or_(and_(Submission.received_at >= first, Submission.received_at < after), carried),
    )
    by_status = [
        func.count(case((Submission.status == status, 1)))
        for status in (SubmissionStatus.QUARANTINED, SubmissionStatus.RECEIVED)
    ]
    rows: Iterable[Any] = session.execute(
        select(
            Tablet.label,
            func.count(Submission.id),
            *by_status,
            Tablet.last_seen_at,
            Tablet.revoked_at.is_not(None),
        )
        .join(OpenDayTablet, OpenDayTablet.tablet_id == Tablet.id)
        .outerjoin(Submission, of_the_day)
        .where(OpenDayTablet.open_day_id == day.id)
        .group_by(Tablet.id)
        .order_by(Tablet.label)
    )
    return [TabletRow(*row) for row in rows]


def list_unlinked_tokens(session: Session, day: OpenDay) -> Listed:
    """Tokens that no case was linked to: number, state and kind of station."""
    statement = (
        select(QueueToken.number, QueueToken.state, QueueToken.station_kind)
        .where(QueueToken.open_day_id == day.id, QueueToken.case_id.is_(None))
        .order_by(QueueToken.number)
    )
    return _listed(session, statement)


def list_cases_without_slip(session: Session, viewer: Viewer, day: OpenDay, first: datetime) -> Listed:
    """Cases of the day that got no slip since it began: code and the numbers of their tokens."""
    numbers = (
        select(func.array_agg(aggregate_order_by(QueueToken.number, QueueToken.number)))
        .where(QueueToken.case_id == Case.id, QueueToken.open_day_id == day.id)
        .correlate(Case)
        .scalar_subquery()
    )
    statement = (
        select(Case.printed_code, numbers)
        .where(
            _of_the_day(viewer, day),
            or_(Case.slip_given_at.is_(None), Case.slip_given_at < first),
        )
        .order_by(Case.printed_code)
    )
    return _listed(session, statement)


def list_cases_with_open_needs(session: Session, viewer: Viewer, day: OpenDay) -> Listed:
    """Needs of the day's households that nobody was found for: code, service type, reason (None: not tried yet)."""
    live = exists().where(Referral.need_id == Need.id, Referral.state.in_(LIVE))
    statement = (
        select(Case.printed_code, Need.service_type, Need.unmet_reason)
        .join(Need, Need.case_id == Case.id)
        .where(_need_of_the_day(viewer, day), Need.status == "open", ~live)
        .order_by(Case.printed_code, Need.id)
    )
    return _listed(session, statement)


def list_awaiting_consent(session: Session, viewer: Viewer, day: OpenDay) -> Listed:
    """Referrals of the day's households that wait for their consent: id, code, service type, since when."""
    statement = (
        select(Referral.id, Case.printed_code, Need.service_type, Referral.state_since)
        .join(Need, Need.id == Referral.need_id)
        .join(Case, Case.id == Referral.case_id)
        .where(_need_of_the_day(viewer, day), Referral.state == ReferralState.AWAITING_CONSENT)
        .order_by(Case.printed_code, Referral.id)
    )
    return _listed(session, statement)


def _of_the_day(viewer: Viewer, day: OpenDay) -> ColumnElement[bool]:
    """Cases that carry the day: all of them for its office, those in their mandate for coordinators."""
    if viewer.role == Role.OFFICER:
        return Case.open_day_id == day.id
    visible: Select[Any] = visible_cases(viewer).with_only_columns(Case.id)
    return and_(Case.open_day_id == day.id, Case.id.in_(visible))


def _need_of_the_day(viewer: Viewer, day: OpenDay) -> ColumnElement[bool]:
    """Needs of the households that carry the day; a merged case's are those of the case it went into."""
    carrying = aliased(Case)
    standing = select(func.coalesce(carrying.merged_into_id, carrying.id)).where(
        carrying.open_day_id == day.id
    )
    if viewer.role == Role.OFFICER:
        return Need.case_id.in_(standing)
    visible: Select[Any] = visible_needs(viewer).with_only_columns(Need.id)
    return and_(Need.case_id.in_(standing), Need.id.in_(visible))


def _listed(session: Session, statement: Select[*tuple[Any, ...]]) -> Listed:
    rows = session.execute(statement.add_columns(func.count().over()).limit(MOST_ROWS)).all()
    return Listed([tuple(row)[:-1] for row in rows], int(rows[0][-1]) if rows else 0)
