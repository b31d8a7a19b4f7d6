"""Queries on what a role must hear of."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import Case, Deadline, Escalation, Need, Referral
from db.paging import PAGE_SIZE, Paged
from db.queue import urgency_rank, with_deadline
from db.visibility import Viewer, visible_escalations

HIGH_RISK = "high_risk"
"""What an escalation is about when it is a need of high risk, and no clock. An offer's is of `governorates.OFFERS`."""

ENDED_NEEDS = ("served", "withdrawn", "merged")


@dataclass(frozen=True, slots=True)
class EscalationRow:
    """One open escalation, by case code. `about` is a state or `high_risk`; `waiting_since` is the need's."""

    escalation_id: int
    case_code: str
    service_type: str
    urgency: str
    district: str | None
    about: str
    at: datetime
    waiting_since: datetime
    referral_id: int | None
    state: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class EscalationPage(Paged):
    """One page of open escalations and how many there are."""

    rows: Sequence[EscalationRow]
    total: int
    page: int


def create_escalation(
    session: Session, need_id: int, referral_id: int, to_role: str, about: str, at: datetime
) -> int | None:
    """Tell a role of a referral, unless one stands open about it; the id of what was written."""
    statement = (
        insert(Escalation)
        .values(need_id=need_id, referral_id=referral_id, to_role=to_role, about=about, at=at)
        .on_conflict_do_nothing(
            index_elements=["referral_id"],
            index_where=Escalation.settled_at.is_(None) & Escalation.referral_id.is_not(None),
        )
        .returning(Escalation.id)
    )
    return session.scalar(statement)


def create_high_risk(
    session: Session, governorate: str, urgencies: Collection[str], to_role: str, at: datetime
) -> list[int]:
    """Tell a role of each high-risk need that it was not told of before; the ids of the needs."""
    told = exists().where(Escalation.need_id == Need.id, Escalation.about == HIGH_RISK)
    untold = (
        select(Need.id, literal(to_role), literal(HIGH_RISK), literal(at))
        .join(Case, Case.id == Need.case_id)
        .where(
            Case.governorate == governorate,
            Case.closed_at.is_(None),
            Need.urgency.in_(sorted(urgencies)),
            Need.status.in_(["open", "referred"]),
            Need.same_as_id.is_(None),
            ~told,
        )
    )
    statement = (
        insert(Escalation)
        .from_select(["need_id", "to_role", "about", "at"], untold)
        .on_conflict_do_nothing(index_elements=["need_id"], index_where=text("about = 'high_risk'"))
        .returning(Escalation.need_id)
    )
    return list(session.scalars(statement))


def create_offer_escalation(session: Session, need_id: int, to_role: str, about: str, at: datetime) -> int:
    """Tell a role of an offer about a need that nobody answers; the id of what was written."""
    escalation = Escalation(need_id=need_id, to_role=to_role, about=about, at=at)
    session.add(escalation)
    session.flush()
    return escalation.id


def settle_answered(session: Session, escalation_id: int, at: datetime) -> None:
    """Settle what stands open about an offer, because it is answered."""
    session.execute(
        update(Escalation)
        .where(Escalation.id == escalation_id, Escalation.settled_at.is_(None))
        .values(settled_at=at, settled_how="moved_on")
        .execution_options(synchronize_session="fetch")
    )


def count_high_risk(session: Session, viewer: Viewer, need_ids: Collection[int]) -> int:
    """How many of these needs of high risk the viewer has just been told of."""
    statement = _open(viewer).where(Escalation.about == HIGH_RISK, Escalation.need_id.in_(need_ids))
    return session.scalar(statement.with_only_columns(func.count(Escalation.id))) or 0


def settle_moved_on(session: Session, referral_id: int, at: datetime) -> None:
    """Settle what stands open about a referral, because it has moved on."""
    session.execute(
        update(Escalation)
        .where(Escalation.referral_id == referral_id, Escalation.settled_at.is_(None))
        .values(settled_at=at, settled_how="moved_on")
        .execution_options(synchronize_session="fetch")
    )


def settle_ended_needs(session: Session, governorate: str, at: datetime) -> None:
    """Settle escalations about needs and no referral whose need was served, withdrawn or joined with another."""
    ended = (
        select(Need.id)
        .join(Case, Case.id == Need.case_id)
        .where(
            Case.governorate == governorate, or_(Need.status.in_(ENDED_NEEDS), Case.closed_at.is_not(None))
        )
    )
    session.execute(
        update(Escalation)
        .where(
            Escalation.settled_at.is_(None), Escalation.referral_id.is_(None), Escalation.need_id.in_(ended)
        )
        .values(settled_at=at, settled_how="ended")
        .execution_options(synchronize_session=False)
    )


def _open(viewer: Viewer) -> Select[Escalation]:
    return visible_escalations(viewer).where(Escalation.settled_at.is_(None))


def list_escalations(
    session: Session, viewer: Viewer, page: int = 1, page_size: int = PAGE_SIZE
) -> EscalationPage:
    """Open escalations to the viewer: by urgency, then the oldest first; two statements."""
    total = session.scalar(_open(viewer).with_only_columns(func.count(Escalation.id))) or 0
    statement = (
        with_deadline(_open(viewer))
        .with_only_columns(
            Escalation.id,
            Case.printed_code,
            Need.service_type,
            Need.urgency,
            Case.residence_district,
            Escalation.about,
            Escalation.at,
            Need.opened_at,
            Referral.id,
            Referral.state,
            Deadline.due_at,
        )
        .order_by(urgency_rank(Need.urgency), Escalation.at, Escalation.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    rows: Iterable[Any] = session.execute(statement)
    return EscalationPage([EscalationRow(*row) for row in rows], total, page)


def get_visible_escalation(
    session: Session, viewer: Viewer, escalation_id: int
) -> tuple[Escalation, Case] | None:
    """An escalation to the viewer with its case, held."""
    statement = (
        visible_escalations(viewer)
        .where(Escalation.id == escalation_id)
        .with_only_columns(Escalation, Case)
        .with_for_update(of=Escalation)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (row[0], row[1])
