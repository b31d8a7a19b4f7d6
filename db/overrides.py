"""Queries on what was sent without consent for a vital interest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, false, func, select
from sqlalchemy.orm import Session, aliased

from db.mandates import within_mandate
from db.models import Case, Consent, ConsentOverride, Need, Referral, Role, User
from db.models.consents import CONSENT
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer
from governorates import load


def visible_overrides(viewer: Viewer) -> Select[ConsentOverride]:
    """Overrides the user looks at, joined with referral, need and case.

    The data protection focal point sees those of the governorate, supervisors and coordinators those in their
    ministry's mandate as it stands now.
    """
    statement = (
        select(ConsentOverride)
        .join(Referral, Referral.id == ConsentOverride.referral_id)
        .join(Need, Need.id == Referral.need_id)
        .join(Case, Case.id == Referral.case_id)
        .where(Case.governorate == viewer.governorate)
    )
    if viewer.role == Role.DATA_PROTECTION:
        return statement
    if viewer.role in {Role.SUPERVISOR, Role.COORDINATOR} and viewer.ministry is not None:
        return statement.where(within_mandate(load(viewer.governorate), viewer.ministry))
    return statement.where(false())


def get_visible_override(session: Session, viewer: Viewer, override_id: int) -> ConsentOverride | None:
    """One override, when the user may see it."""
    return session.scalar(visible_overrides(viewer).where(ConsentOverride.id == override_id))


def get_override(session: Session, override_id: int) -> ConsentOverride | None:
    """One override, held until the transaction ends; the caller holds the case and the referral."""
    return session.scalar(
        select(ConsentOverride)
        .where(ConsentOverride.id == override_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def get_override_of_referral(session: Session, referral_id: int) -> ConsentOverride | None:
    """The override by which a referral was sent, if it was."""
    return session.scalar(select(ConsentOverride).where(ConsentOverride.referral_id == referral_id))


def list_overdue_override_ids(session: Session, now: datetime, limit: int) -> list[tuple[int, int]]:
    """Overrides that nobody confirmed in time and for which the person has not agreed since: id, referral."""
    agreed = exists().where(
        Consent.referral_id == ConsentOverride.referral_id,
        Consent.basis == CONSENT,
        Consent.given,
        Consent.withdrawn_at.is_(None),
    )
    statement = (
        select(ConsentOverride.id, ConsentOverride.referral_id)
        .where(
            ConsentOverride.confirmed_at.is_(None),
            ConsentOverride.lapsed_at.is_(None),
            ConsentOverride.due_at <= now,
            ~agreed,
        )
        .order_by(ConsentOverride.due_at, ConsentOverride.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """One override: codes and logins, no names of persons."""

    id: int
    referral_id: int
    case_code: str
    service_type: str
    reason: str
    made_by: int
    made_by_login: str
    made_at: datetime
    due_at: datetime
    confirmed_by_login: str | None
    confirmed_at: datetime | None
    lapsed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OverridePage(Paged):
    """One page of a month's overrides, newest first."""

    rows: Sequence[OverrideRow]
    total: int
    page: int


def list_overrides(
    session: Session, viewer: Viewer, start: datetime, end: datetime, *, page: int | None = 1
) -> OverridePage:
    """Overrides made from `start` until before `end`; `page` None gives all of them. Two statements."""
    base: Select[Any] = visible_overrides(viewer).where(
        ConsentOverride.made_at >= start, ConsentOverride.made_at < end
    )
    total = session.scalar(base.with_only_columns(func.count(ConsentOverride.id))) or 0
    maker, second = aliased(User), aliased(User)
    statement = (
        base.join(maker, maker.id == ConsentOverride.made_by)
        .outerjoin(second, second.id == ConsentOverride.confirmed_by)
        .with_only_columns(
            ConsentOverride.id,
            Referral.id,
            Case.printed_code,
            Need.service_type,
            ConsentOverride.reason,
            ConsentOverride.made_by,
            maker.login,
            ConsentOverride.made_at,
            ConsentOverride.due_at,
            second.login,
            ConsentOverride.confirmed_at,
            ConsentOverride.lapsed_at,
        )
        .order_by(ConsentOverride.made_at.desc(), ConsentOverride.id.desc())
    )
    if page is not None:
        statement = statement.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)
    found: Iterable[Any] = session.execute(statement)
    rows = [OverrideRow(*row) for row in found]
    return OverridePage(rows, total, page or 1)
