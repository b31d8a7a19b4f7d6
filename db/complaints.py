"""Queries on complaints. What a user sees starts from `visible_complaints`.

Complaints of sexual exploitation are outside the line: nothing counts or lists without a viewer but what the
clock of complaints takes to act on, and that says nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.orm import Session

from db.mandates import exists_for_asked_apart, within_mandate
from db.models import (
    Case,
    Complaint,
    ComplaintAttempt,
    ComplaintEvent,
    Need,
    Office,
    Organization,
    Referral,
    Role,
    Service,
    User,
)
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, is_asked_apart, visible_complaints, visible_referrals
from governorates import load
from referral_engine.complaints import LAPSING, OWED, ComplaintState


@dataclass(frozen=True, slots=True)
class ComplaintPage(Paged):
    """One page of complaints, how many match, and how many are open, overdue and closed."""

    rows: Sequence[Complaint]
    total: int
    page: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class About:
    """What a complaint names: an organization, an office, the case and service type of a referral."""

    organization: dict[str, str] | None
    office: dict[str, str] | None
    case_code: str | None
    service_type: str | None


@dataclass(frozen=True, slots=True)
class ReferralFacts:
    """What decides who answers a complaint about a referral."""

    category: str
    organization_id: int
    exists_for_asked_apart: bool
    handed_to: str | None


def _is_overdue(now: datetime) -> ColumnElement[bool]:
    return (Complaint.state.in_(sorted(OWED))) & (Complaint.due_at < now)


def _views(now: datetime) -> dict[str, ColumnElement[bool]]:
    return {
        "open": Complaint.state != ComplaintState.CLOSED,
        "overdue": _is_overdue(now),
        "closed": Complaint.state == ComplaintState.CLOSED,
    }


def list_complaints(
    session: Session, viewer: Viewer, view: str, now: datetime, page: int = 1
) -> ComplaintPage:
    """The viewer's complaints, those due first; `view` is open, overdue or closed. Two statements."""
    views, base = _views(now), visible_complaints(viewer)
    figures = base.with_only_columns(*(func.count().filter(each) for each in views.values()))
    counts = dict(zip(views, session.execute(figures).one(), strict=True))
    rows = session.scalars(
        base.where(views[view])
        .order_by(Complaint.due_at.nulls_last(), Complaint.closed_at.desc(), Complaint.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return ComplaintPage(list(rows), counts[view], page, counts)


def get_visible_complaint(
    session: Session, viewer: Viewer, code: str, *, lock: bool = False
) -> Complaint | None:
    """One complaint by its code, if it exists for this viewer; locked until the transaction ends if asked."""
    statement = visible_complaints(viewer).where(Complaint.code == code)
    return session.scalar(statement.with_for_update() if lock else statement)


def get_complaint_by_code(
    session: Session, governorate: str, code: str, *, lock: bool = False
) -> Complaint | None:
    """One complaint for the person who made it: the caller proves by the phrase who asks."""
    statement = select(Complaint).where(Complaint.code == code, Complaint.governorate == governorate)
    return session.scalar(statement.with_for_update() if lock else statement)


def are_in_governorate(
    session: Session, governorate: str, organization_id: int | None, office_id: int | None
) -> bool:
    """Whether the organization and the office, each where given, are the governorate's."""
    wanted = ((Organization, organization_id), (Office, office_id))
    return all(
        session.scalar(select(table.id).where(table.id == key, table.governorate == governorate))
        for table, key in wanted
        if key is not None
    )


def is_code_taken(session: Session, code: str) -> bool:
    """Whether some complaint has this code already."""
    return session.scalar(select(Complaint.id).where(Complaint.code == code)) is not None


def list_complaint_events(session: Session, complaint_id: int) -> list[ComplaintEvent]:
    """What happened to a complaint, oldest first."""
    statement = select(ComplaintEvent).where(ComplaintEvent.complaint_id == complaint_id)
    return list(session.scalars(statement.order_by(ComplaintEvent.id)))


def get_about(session: Session, viewer: Viewer, complaint: Complaint) -> About:
    """What the complaint names, in one statement; no case that does not exist for the ministry asked apart any more."""
    same_case = Case.id == Referral.case_id
    if is_asked_apart(viewer):
        same_case = and_(same_case, within_mandate(load(viewer.governorate), viewer.ministry))
    row = session.execute(
        select(Organization.names, Office.names, Case.printed_code, Need.service_type)
        .select_from(Complaint)
        .outerjoin(Organization, Organization.id == Complaint.organization_id)
        .outerjoin(Office, Office.id == Complaint.office_id)
        .outerjoin(Referral, Referral.id == Complaint.referral_id)
        .outerjoin(Need, Need.id == Referral.need_id)
        .outerjoin(Case, same_case)
        .where(Complaint.id == complaint.id)
    ).one()
    return About(row[0], row[1], row[2], row[3])


def get_referral_facts(session: Session, viewer: Viewer, referral_id: int) -> ReferralFacts | None:
    """What decides who answers for a referral, if it exists for this viewer."""
    statement = visible_referrals(viewer).where(Referral.id == referral_id)
    row = session.execute(
        statement.with_only_columns(
            Need.category,
            Service.organization_id,
            exists_for_asked_apart(load(viewer.governorate)),
            Need.ministry,
        )
    ).one_or_none()
    return None if row is None else ReferralFacts(*row)


def list_categories_of(session: Session, governorate: str, organization_id: int) -> set[str]:
    """Categories of what an organization of this governorate offers; empty when there is no such organization."""
    statement = (
        select(Service.category)
        .join(Organization, Organization.id == Service.organization_id)
        .where(Service.organization_id == organization_id, Organization.governorate == governorate)
    )
    return set(session.scalars(statement.distinct()))


def has_other_supervisor(session: Session, complaint: Complaint, user_id: int | None) -> bool:
    """Whether a supervisor other than this user can answer for the complaint's ministry."""
    statement = select(User.id).where(
        User.role == Role.SUPERVISOR,
        User.governorate == complaint.governorate,
        User.ministry == complaint.ministry,
        User.active,
    )
    if user_id is not None:
        statement = statement.where(User.id != user_id)
    return session.scalar(statement.limit(1)) is not None


def claim_lapsed_complaints(session: Session, now: datetime, limit: int) -> list[Complaint]:
    """Lock complaints whose time to appeal, or to read the answer, has run out."""
    return list(
        session.scalars(
            select(Complaint)
            .where(Complaint.state.in_(sorted(LAPSING)), Complaint.due_at <= now)
            .order_by(Complaint.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def claim_untold_complaints(session: Session, now: datetime, limit: int) -> list[Complaint]:
    """Lock complaints whose handling is past its clock and of which nobody was told yet, longest overdue first.

    Those outside the line are among them: who is told of each is for the caller to decide by its line.
    """
    return list(
        session.scalars(
            select(Complaint)
            .where(_is_overdue(now), Complaint.told_due_at.is_distinct_from(Complaint.due_at))
            .order_by(Complaint.due_at, Complaint.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def count_overdue_complaints(session: Session, viewer: Viewer, now: datetime) -> int:
    """How many of the viewer's complaints are past their clock."""
    statement = visible_complaints(viewer).where(_is_overdue(now))
    return session.scalar(statement.with_only_columns(func.count(Complaint.id))) or 0


def create_attempt(session: Session, source_index: bytes, now: datetime, forget_before: datetime) -> None:
    """Note one use of the public pages, and forget the old ones."""
    session.execute(delete(ComplaintAttempt).where(ComplaintAttempt.at < forget_before))
    session.add(ComplaintAttempt(source_index=source_index, at=now))
    session.flush()


def count_attempts(session: Session, source_index: bytes, since: datetime) -> int:
    """Uses of the public pages from one source since a moment."""
    statement = select(func.count()).where(
        ComplaintAttempt.source_index == source_index, ComplaintAttempt.at > since
    )
    return session.scalar(statement) or 0
