"""Queries on consent taken back: the withdrawals, their receipts, and what providers must delete."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Select, false, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.mandates import belongs_to
from db.models import (
    Case,
    DeletionRequest,
    Disclosure,
    Need,
    Office,
    Organization,
    Referral,
    Role,
    Service,
    ServiceAtLocation,
    Withdrawal,
)
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, is_asked_apart, visible_cases
from governorates import load


def upsert_deletion_request(
    session: Session, referral_id: int, organization_id: int, at: datetime, due_at: datetime
) -> None:
    """Ask for deletion once a referral; a request that stands keeps its day."""
    session.execute(
        insert(DeletionRequest)
        .values(referral_id=referral_id, organization_id=organization_id, requested_at=at, due_at=due_at)
        .on_conflict_do_nothing(index_elements=[DeletionRequest.referral_id])
    )


def bind_deletion_requests(session: Session, withdrawal_id: int, referral_ids: Collection[int]) -> None:
    """Say which withdrawal these requests came from."""
    session.execute(
        update(DeletionRequest)
        .where(DeletionRequest.referral_id.in_(referral_ids), DeletionRequest.withdrawal_id.is_(None))
        .values(withdrawal_id=withdrawal_id)
        .execution_options(synchronize_session=False)
    )


def get_deletion_request(
    session: Session, request_id: int, organization_id: int | None
) -> DeletionRequest | None:
    """One request of an organization, held until the transaction ends."""
    return session.scalar(
        select(DeletionRequest)
        .where(DeletionRequest.id == request_id, DeletionRequest.organization_id == organization_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def list_disclosed(session: Session, case_id: int) -> list[tuple[int, int, str]]:
    """Referrals of a case, in whatever state, of which a provider can still read something.

    Id of the referral, id of the organization, category of the need.
    """
    rows = session.execute(
        select(Referral.id, Service.organization_id, Need.category)
        .join(Need, Need.id == Referral.need_id)
        .join(Disclosure, Disclosure.referral_id == Referral.id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .where(Referral.case_id == case_id, Disclosure.withdrawn_at.is_(None))
        .order_by(Referral.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


class Reader(Viewer, Protocol):
    """A viewer with an account of their own."""

    @property
    def user_id(self) -> int | None:
        """Id of the account."""


def visible_withdrawals(reader: Reader) -> Select[Withdrawal]:
    """What was taken back in the cases that the reader may see, joined with the case.

    It speaks of the whole case: who works for the ministry asked apart sees what they wrote down themselves,
    also when the case exists for them no more by just that, so that they can print the receipt.
    """
    statement = select(Withdrawal).select_from(Withdrawal).join(Case, Case.id == Withdrawal.case_id)
    if is_asked_apart(reader):
        own = Withdrawal.recorded_by == reader.user_id
        return statement.where(own, Case.governorate == reader.governorate)
    own_cases: Select[Any] = visible_cases(reader).with_only_columns(Case.id)
    return statement.where(Case.id.in_(own_cases))


def list_visible_withdrawals(session: Session, reader: Reader, case_ids: Collection[int]) -> list[Withdrawal]:
    """What was taken back in these cases, as far as the reader may see it; newest first (at most a hundred)."""
    statement = visible_withdrawals(reader).where(Withdrawal.case_id.in_(case_ids))
    return list(session.scalars(statement.order_by(Withdrawal.id.desc()).limit(100)))


def list_withdrawals(session: Session, case_ids: Collection[int]) -> list[Withdrawal]:
    """What was taken back in these cases, newest first (at most a hundred)."""
    statement = select(Withdrawal).where(Withdrawal.case_id.in_(case_ids))
    return list(session.scalars(statement.order_by(Withdrawal.id.desc()).limit(100)))


@dataclass(frozen=True, slots=True)
class Told:
    """An organization that was told to delete, for which service, and whether it has said that it did."""

    organization: dict[str, str]
    service_type: str
    due_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A withdrawal as it is printed for the person: the case's code, never a name of the person.

    `is_whole` is false where other organizations may have been told too, of which the reader may not know.
    """

    withdrawal: Withdrawal
    case: Case
    office: dict[str, str] | None
    told: Sequence[Told]
    is_whole: bool


def get_receipt(session: Session, reader: Reader, code: str, withdrawal_id: int) -> Receipt | None:
    """A withdrawal that the reader may see, by the code that the person holds; two statements.

    For the ministry asked apart with its own organizations only.
    """
    statement: Any = (
        visible_withdrawals(reader)
        .outerjoin(Office, Office.id == Case.office_id)
        .where(Withdrawal.id == withdrawal_id, Case.printed_code == code)
        .with_only_columns(Withdrawal, Case, Office.names)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    told = (
        select(Organization.names, Need.service_type, DeletionRequest.due_at, DeletionRequest.confirmed_at)
        .join(Organization, Organization.id == DeletionRequest.organization_id)
        .join(Referral, Referral.id == DeletionRequest.referral_id)
        .join(Need, Need.id == Referral.need_id)
        .where(DeletionRequest.withdrawal_id == withdrawal_id)
        .order_by(DeletionRequest.id)
    )
    is_whole = not is_asked_apart(reader)
    if not is_whole:
        told = told.where(belongs_to(load(reader.governorate), str(reader.ministry)))
    rows = session.execute(told)
    return Receipt(row[0], row[1], row[2], [Told(*one) for one in rows], is_whole)


@dataclass(frozen=True, slots=True)
class DeletionRow:
    """One request as the provider sees it: the code it knows the person by, and by when."""

    id: int
    case_code: str
    service_type: str
    requested_at: datetime
    due_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeletionPage(Paged):
    """One page of an organization's requests: the open ones first, by the day they are due."""

    rows: Sequence[DeletionRow]
    total: int
    waiting: int
    page: int


def count_open_deletions(session: Session, organization_id: int | None) -> int:
    """How many requests this organization has not confirmed yet."""
    statement = select(func.count()).where(
        DeletionRequest.organization_id == organization_id, DeletionRequest.confirmed_at.is_(None)
    )
    return session.scalar(statement) or 0


def list_deletion_requests(session: Session, organization_id: int | None, *, page: int = 1) -> DeletionPage:
    """What this organization was told to delete; two statements."""
    own = DeletionRequest.organization_id == organization_id
    total, waiting = session.execute(
        select(func.count(), func.count().filter(DeletionRequest.confirmed_at.is_(None)))
        .select_from(DeletionRequest)
        .where(own)
    ).one()
    rows = session.execute(
        select(
            DeletionRequest.id,
            Case.printed_code,
            Need.service_type,
            DeletionRequest.requested_at,
            DeletionRequest.due_at,
            DeletionRequest.confirmed_at,
        )
        .join(Referral, Referral.id == DeletionRequest.referral_id)
        .join(Need, Need.id == Referral.need_id)
        .join(Case, Case.id == Referral.case_id)
        .where(own)
        .order_by(DeletionRequest.confirmed_at.is_not(None), DeletionRequest.due_at, DeletionRequest.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return DeletionPage([DeletionRow(*row) for row in rows], int(total), int(waiting), page)


def count_overdue_deletions(session: Session, governorate: str, now: datetime) -> dict[int, int]:
    """Requests of each organization that should have been confirmed by now; organizations without any are left out."""
    rows = session.execute(
        select(DeletionRequest.organization_id, func.count())
        .join(Organization, Organization.id == DeletionRequest.organization_id)
        .where(
            Organization.governorate == governorate,
            DeletionRequest.confirmed_at.is_(None),
            DeletionRequest.due_at <= now,
        )
        .group_by(DeletionRequest.organization_id)
    )
    return {row[0]: int(row[1]) for row in rows}


def visible_deletions(viewer: Viewer) -> Select[DeletionRequest]:
    """Requests that a user oversees, joined with organization, referral, need and case.

    Supervisors: those of their ministry's categories, consent to it or not, since each was sent to a provider; the
    data protection focal point: all of the governorate.
    """
    statement = (
        select(DeletionRequest)
        .join(Organization, Organization.id == DeletionRequest.organization_id)
        .join(Referral, Referral.id == DeletionRequest.referral_id)
        .join(Need, Need.id == Referral.need_id)
        .join(Case, Case.id == Referral.case_id)
        .where(Case.governorate == viewer.governorate)
    )
    if viewer.role == Role.DATA_PROTECTION:
        return statement
    if viewer.role == Role.SUPERVISOR and viewer.ministry is not None:
        return statement.where(belongs_to(load(viewer.governorate), viewer.ministry))
    return statement.where(false())


def count_visible_overdue_deletions(session: Session, viewer: Viewer, now: datetime) -> int:
    """How many of the requests that a user oversees should have been confirmed by now."""
    late = visible_deletions(viewer).where(
        DeletionRequest.confirmed_at.is_(None), DeletionRequest.due_at <= now
    )
    return session.scalar(late.with_only_columns(func.count())) or 0


@dataclass(frozen=True, slots=True)
class OpenDeletion:
    """A request that its organization has not confirmed: of which referral, never of whom."""

    referral_id: int
    organization: dict[str, str]
    service_type: str
    requested_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class OpenDeletionPage(Paged):
    """One page of unconfirmed requests, by the day they are due."""

    rows: Sequence[OpenDeletion]
    total: int
    page: int


def list_visible_open_deletions(session: Session, viewer: Viewer, *, page: int = 1) -> OpenDeletionPage:
    """What providers have not said that they deleted; two statements."""
    waiting: Select[Any] = visible_deletions(viewer).where(DeletionRequest.confirmed_at.is_(None))
    total = session.scalar(waiting.with_only_columns(func.count())) or 0
    rows = session.execute(
        waiting.with_only_columns(
            DeletionRequest.referral_id,
            Organization.names,
            Need.service_type,
            DeletionRequest.requested_at,
            DeletionRequest.due_at,
        )
        .order_by(DeletionRequest.due_at, DeletionRequest.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return OpenDeletionPage([OpenDeletion(*row) for row in rows], int(total), page)
