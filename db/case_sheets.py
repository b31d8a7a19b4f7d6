"""A case as its page shows it: needs with what became of each, issues, consent, and the household."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.models import (
    Case,
    Consent,
    Deadline,
    Need,
    Organization,
    Person,
    Referral,
    Service,
    ServiceAtLocation,
    SubmissionIssue,
)
from db.queue import with_deadline
from db.visibility import Viewer, is_asked_apart, visible_cases, visible_issues, visible_needs


@dataclass(frozen=True, slots=True)
class NeedRow:
    """A need and one of its referrals (newest first); the referral columns are None when there is none."""

    case_id: int
    need_id: int
    service_type: str
    urgency: str
    status: str
    opened_at: datetime
    unmet_reason: str | None
    unmet_since: datetime | None
    referral_id: int | None
    state: str | None
    state_since: datetime | None
    held_reason: str | None
    organization: dict[str, str] | None
    due_at: datetime | None
    paused_reason: str | None
    breach_action: str | None


def list_visible_cases(session: Session, viewer: Viewer, code: str) -> list[Case]:
    """Cases with this code in hand that the viewer may see; more than one after a collision of codes.

    The code of a merged case leads to the case it went into.
    """
    held = aliased(Case)
    standing = select(func.coalesce(held.merged_into_id, held.id)).where(
        or_(held.printed_code == code, held.code == code)
    )
    statement = visible_cases(viewer).where(Case.id.in_(standing)).order_by(Case.id)
    return list(session.scalars(statement))


def get_visible_case_of_consent(session: Session, viewer: Viewer, consent_id: int) -> Case | None:
    """The case of an assessment consent, when the viewer may see it."""
    statement = (
        visible_cases(viewer)
        .join(Consent, Consent.case_id == Case.id)
        .where(Consent.id == consent_id, Consent.kind == "assessment")
    )
    return session.scalar(statement)


def list_needs_with_referrals(session: Session, viewer: Viewer, case_ids: Sequence[int]) -> list[NeedRow]:
    """Needs of these cases that the viewer may see, each with its referrals, newest referral first."""
    statement = (
        with_deadline(visible_needs(viewer).outerjoin(Referral, Referral.need_id == Need.id))
        .outerjoin(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .outerjoin(Service, Service.id == ServiceAtLocation.service_id)
        .outerjoin(Organization, Organization.id == Service.organization_id)
        .where(Case.id.in_(case_ids))
        .with_only_columns(
            Case.id,
            Need.id,
            Need.service_type,
            Need.urgency,
            Need.status,
            Need.opened_at,
            Need.unmet_reason,
            Need.unmet_since,
            Referral.id,
            Referral.state,
            Referral.state_since,
            Referral.held_reason,
            Organization.names,
            Deadline.due_at,
            Deadline.paused_reason,
            Deadline.breach_action,
        )
        .order_by(Case.id, Need.id, Referral.id.desc())
    )
    rows: Iterable[Any] = session.execute(statement)
    return [NeedRow(*row) for row in rows]


def list_case_issues(
    session: Session, viewer: Viewer, case_ids: Sequence[int]
) -> list[tuple[int, SubmissionIssue]]:
    """Issues that nobody has settled yet, with the case that shows them: a merged case's are its survivor's."""
    standing = func.coalesce(Case.merged_into_id, Case.id)
    statement = (
        visible_issues(viewer)
        .where(standing.in_(case_ids), SubmissionIssue.settled_at.is_(None))
        .with_only_columns(standing, SubmissionIssue)
        .order_by(standing, SubmissionIssue.id)
    )
    rows: Iterable[Any] = session.execute(statement)
    return [(row[0], row[1]) for row in rows]


def list_merged_codes(session: Session, viewer: Viewer, case_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Printed codes of the cases that were merged into these: surviving case and code.

    That a household is registered twice is no business of the ministry asked apart.
    """
    if is_asked_apart(viewer):
        return []
    statement = (
        select(Case.merged_into_id, Case.printed_code)
        .where(Case.merged_into_id.in_(case_ids))
        .order_by(Case.id)
    )
    return [(int(row[0] or 0), row[1]) for row in session.execute(statement)]


def list_assessment_consents(session: Session, case_ids: Sequence[int]) -> dict[int, Consent]:
    """The newest assessment consent of each case."""
    statement = (
        select(Consent)
        .where(Consent.case_id.in_(case_ids), Consent.kind == "assessment")
        .order_by(Consent.case_id, Consent.id)
    )
    return {consent.case_id: consent for consent in session.scalars(statement)}


def list_decided_categories(session: Session, viewer: Viewer, case_id: int) -> list[str]:
    """Categories of a case's needs that are the viewer's to see, by code."""
    statement = visible_needs(viewer).where(Need.case_id == case_id).with_only_columns(Need.category)
    return sorted(set(session.scalars(statement)))


def list_persons(session: Session, case_ids: Sequence[int]) -> list[Person]:
    """The people of these cases, head first; their names are still sealed."""
    statement = (
        select(Person)
        .where(Person.case_id.in_(case_ids))
        .order_by(Person.case_id, Person.role != "head", Person.position, Person.id)
    )
    return list(session.scalars(statement))


def list_active_organizations(session: Session, governorate: str) -> list[tuple[int, dict[str, Any], str]]:
    """Id, names and kind of the governorate's organizations, by kind and code."""
    statement = (
        select(Organization.id, Organization.names, Organization.kind)
        .where(and_(Organization.governorate == governorate, Organization.active))
        .order_by(Organization.kind, Organization.code)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(statement)]
