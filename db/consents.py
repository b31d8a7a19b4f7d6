"""Queries on consents: the answers themselves, what they allow, and which are growing old."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    exists,
    false,
    func,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from db.models import Case, Consent, Organization, Person, Referral, Role
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, is_operators_coordinator, visible_cases, visible_referrals
from referral_engine.sop import DISCLOSED, LIVE


def get_consent(session: Session, consent_id: int, governorate: str) -> Consent | None:
    """One consent of a case of this governorate; the case is held until the transaction ends."""
    case_id = select(Consent.case_id).where(Consent.id == consent_id).scalar_subquery()
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))
    return session.scalar(
        select(Consent)
        .join(Case, Case.id == Consent.case_id)
        .where(Consent.id == consent_id, Case.governorate == governorate)
        .execution_options(populate_existing=True)
    )


def list_organization_ids(session: Session, governorate: str) -> set[int]:
    """Ids of all organizations of a governorate."""
    return set(session.scalars(select(Organization.id).where(Organization.governorate == governorate)))


def list_household_ids(session: Session, case_id: int) -> list[int]:
    """The case that stands for this one first, then every case merged into it."""
    root = select(func.coalesce(Case.merged_into_id, Case.id)).where(Case.id == case_id).scalar_subquery()
    statement = (
        select(Case.id)
        .where(or_(Case.id == root, Case.merged_into_id == root))
        .order_by(Case.merged_into_id.is_not(None), Case.id)
    )
    return list(session.scalars(statement))


def newest_of_kind(kind: str, case_id: Any) -> ColumnElement[Any]:
    """The id of the newest answer of a kind in a case, as a correlated subquery."""
    newest = aliased(Consent)
    return (
        select(func.max(newest.id))
        .where(newest.case_id == case_id, newest.kind == kind)
        .correlate_except(newest)
        .scalar_subquery()
    )


def list_newest_of_kind(session: Session, case_ids: Collection[int], kind: str) -> list[Consent]:
    """The newest answer of a kind in each of these cases."""
    newest = select(func.max(Consent.id)).where(Consent.case_id.in_(case_ids), Consent.kind == kind)
    return list(
        session.scalars(
            select(Consent)
            .where(Consent.id.in_(newest.group_by(Consent.case_id)))
            .order_by(Consent.case_id)
            .execution_options(populate_existing=True)
        )
    )


def is_agreed_by_household(kind: str) -> ColumnElement[bool]:
    """Whether every registration of the household of `Case` says yes to this kind, and none took it back.

    For statements over cases; a case merged into another has no word of its own.
    """
    member = aliased(Case)
    answer = aliased(Consent)
    root = func.coalesce(Case.merged_into_id, Case.id)
    household = or_(member.id == root, member.merged_into_id == root)
    yes = exists().where(
        answer.id == newest_of_kind(kind, member.id), answer.given, answer.withdrawn_at.is_(None)
    )
    return and_(
        exists().where(household, yes).correlate(Case), ~exists().where(household, ~yes).correlate(Case)
    )


def counts_in_statistics() -> ColumnElement[bool]:
    """Whether the household of `Case` may be counted: the one rule of every figure, map and export for planners.

    It stands for the answers as they are now, also in figures of the past. Counts by which an office works (queues,
    lists and their totals, deadlines, tasks, a day's reconciliation, the intake's own figures) are no statistics:
    who is looked after is on them, and nobody else reads them.
    """
    return is_agreed_by_household("statistics")


def is_agreed(session: Session, case_id: int, kind: str) -> bool:
    """Whether the household of this case says yes to a kind of answer that does not grow old."""
    statement = select(is_agreed_by_household(kind)).select_from(Case).where(Case.id == case_id)
    return bool(session.scalar(statement))


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """What a case's page says besides the bounds: the plain answers, and whether a child is asked.

    `kinds`: those of which the household has given an answer that stands.
    """

    may_contact: bool
    in_statistics: bool
    is_child: bool
    kinds: Collection[str]


def list_consent_facts(
    session: Session, case_ids: Collection[int], adult_age: int
) -> dict[int, ConsentFacts]:
    """The plain answers of these cases' households, by case; one statement."""
    head = exists().where(Person.case_id == Case.id, Person.role == "head", Person.age_years < adult_age)
    member = aliased(Case)
    root = func.coalesce(Case.merged_into_id, Case.id)
    kinds = (
        select(func.coalesce(func.array_agg(Consent.kind.distinct()), cast([], ARRAY(String))))
        .join(member, member.id == Consent.case_id)
        .where(or_(member.id == root, member.merged_into_id == root))
        .where(Consent.given, Consent.withdrawn_at.is_(None))
        .correlate(Case)
        .scalar_subquery()
    )
    answers = is_agreed_by_household("contact"), counts_in_statistics(), head.correlate(Case), kinds
    rows: Any = session.execute(select(Case.id, *answers).where(Case.id.in_(case_ids)))
    return {row[0]: ConsentFacts(*row[1:]) for row in rows}


def list_callable_referral_ids(session: Session, referral_ids: Collection[int]) -> set[int]:
    """Those of the referrals whose household may be called."""
    statement = select(Referral.id).join(Case, Case.id == Referral.case_id)
    return set(
        session.scalars(statement.where(Referral.id.in_(referral_ids), is_agreed_by_household("contact")))
    )


def get_named_consent(session: Session, referral_id: int) -> Consent | None:
    """The newest word on this referral's recipient that was not withdrawn."""
    return session.scalar(
        select(Consent)
        .where(Consent.referral_id == referral_id, Consent.kind == "referral", Consent.withdrawn_at.is_(None))
        .order_by(Consent.given.desc(), Consent.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


def set_withdrawn(session: Session, case_ids: Collection[int], kinds: Collection[str], at: datetime) -> None:
    """Mark the answers of these kinds as taken back; what was taken back before keeps its time."""
    statement = update(Consent).where(
        Consent.case_id.in_(case_ids), Consent.kind.in_(kinds), Consent.withdrawn_at.is_(None)
    )
    session.execute(statement.values(withdrawn_at=at).execution_options(synchronize_session="fetch"))


def list_kinds_in_force(session: Session, case_ids: Collection[int]) -> set[str]:
    """Kinds of answer of which one that was given stands in these cases, however old it is."""
    given = select(Consent.kind).where(
        Consent.case_id.in_(case_ids), Consent.given, Consent.withdrawn_at.is_(None)
    )
    return set(session.scalars(given.distinct()))


def withdraw_consent(session: Session, consent_id: int, at: datetime) -> None:
    """Mark one answer as taken back; what was taken back before keeps its time."""
    statement = update(Consent).where(Consent.id == consent_id, Consent.withdrawn_at.is_(None))
    session.execute(statement.values(withdrawn_at=at).execution_options(synchronize_session="fetch"))


def _expired(now: datetime) -> ColumnElement[bool]:
    return and_(Consent.given, Consent.withdrawn_at.is_(None), Consent.expires_at <= now)


def hold_expired_cases(session: Session, now: datetime, limit: int) -> list[int]:
    """Cases whose assessment's consent has grown old while a referral waits to be sent; held, none waited for."""
    waiting = exists().where(Referral.case_id == Case.id, Referral.state.in_(LIVE - DISCLOSED))
    statement = (
        select(Case.id)
        .join(Consent, Consent.id == newest_of_kind("assessment", Case.id))
        .where(_expired(now), waiting)
        .order_by(Case.id)
        .limit(limit)
        .with_for_update(of=Case, key_share=True, skip_locked=True)
    )
    return list(session.scalars(statement))


def list_unsent_referral_ids(session: Session, case_id: int) -> list[int]:
    """Live referrals of a case of which no provider knows yet, in the order of their slots."""
    statement = select(Referral.id).where(Referral.case_id == case_id, Referral.state.in_(LIVE - DISCLOSED))
    return list(session.scalars(statement.order_by(Referral.capacity_id, Referral.id)))


@dataclass(frozen=True, slots=True)
class ExpiringRow:
    """A consent that is due for renewal. `referral_id` and `organization` are None for an assessment's."""

    case_code: str
    kind: str
    expires_at: datetime
    referral_id: int | None
    organization: dict[str, str] | None
    state: str | None
    under_way: int


@dataclass(frozen=True, slots=True)
class ExpiringPage(Paged):
    """One page of consents that are due, the oldest first."""

    rows: Sequence[ExpiringRow]
    total: int
    page: int


def list_expiring(session: Session, viewer: Viewer, before: datetime, *, page: int = 1) -> ExpiringPage:
    """Consents of the viewer's cases that end before a moment or have ended: two statements.

    An assessment's while the case is open, for whoever may say it anew: the case's office and the operator; a
    referral's while a provider works with it. What a newer answer stands for is left out.
    """
    due = union_all(_expiring_assessments(viewer, before), _expiring_referrals(viewer, before)).subquery()
    total = session.scalar(select(func.count()).select_from(due)) or 0
    ordered = select(due).order_by(due.c.expires_at, due.c.consent_id).limit(PAGE_SIZE)
    rows = session.execute(ordered.offset((page - 1) * PAGE_SIZE))
    found = [
        ExpiringRow(r.case_code, r.kind, r.expires_at, r.referral_id, r.organization, r.state, r.under_way)
        for r in rows
    ]
    return ExpiringPage(found, total, page)


def _expiring_assessments(viewer: Viewer, before: datetime) -> Select[Any]:
    live = (
        select(func.count())
        .select_from(Referral)
        .where(Referral.case_id == Case.id, Referral.state.in_(LIVE))
        .correlate(Case)
        .scalar_subquery()
    )
    statement: Any = visible_cases(viewer)
    if viewer.role == Role.COORDINATOR and not is_operators_coordinator(viewer):
        statement = statement.where(false())
    found: Select[Any] = (
        statement.join(Consent, Consent.id == newest_of_kind("assessment", Case.id))
        .where(_expired(before), Case.closed_at.is_(None), Case.merged_into_id.is_(None))
        .with_only_columns(
            Consent.id.label("consent_id"),
            Case.printed_code.label("case_code"),
            Consent.kind.label("kind"),
            Consent.expires_at.label("expires_at"),
            cast(null(), Referral.id.type).label("referral_id"),
            cast(null(), Organization.names.type).label("organization"),
            cast(null(), Referral.state.type).label("state"),
            live.label("under_way"),
        )
    )
    return found


def _expiring_referrals(viewer: Viewer, before: datetime) -> Select[Any]:
    newer = aliased(Consent)
    renewed = exists().where(
        newer.referral_id == Referral.id, newer.id > Consent.id, newer.given, newer.withdrawn_at.is_(None)
    )
    statement: Any = visible_referrals(viewer)
    found: Select[Any] = (
        statement.join(Consent, and_(Consent.referral_id == Referral.id, Consent.kind == "referral"))
        .where(_expired(before), Referral.state.in_(DISCLOSED), ~renewed)
        .with_only_columns(
            Consent.id.label("consent_id"),
            Case.printed_code.label("case_code"),
            Consent.kind.label("kind"),
            Consent.expires_at.label("expires_at"),
            Referral.id.label("referral_id"),
            Organization.names.label("organization"),
            Referral.state.label("state"),
            func.count().over(partition_by=Referral.id).label("under_way"),
        )
    )
    return found
