"""Needs whose decisions one ministry offers another."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from db.models import Case, HandOver, Need, OfferState
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_hand_overs


@dataclass(frozen=True, slots=True)
class HandOverRow:
    """One offer as both ministries see it: a code and the category, nothing about the person."""

    hand_over_id: int
    need_id: int
    case_code: str
    category: str
    from_ministry: str
    to_ministry: str
    reason: str
    state: str
    requested_at: datetime
    due_at: datetime
    answered_at: datetime | None
    answer_reason: str | None


@dataclass(frozen=True, slots=True)
class HandOverPage(Paged):
    """One page of offers and how many there are."""

    rows: Sequence[HandOverRow]
    total: int
    page: int


def _rows(viewer: Viewer) -> Any:
    """Waiting offers first, the first due first; then the answered ones, newest first."""
    due = case((HandOver.state == OfferState.OFFERED, HandOver.due_at))
    return (
        visible_hand_overs(viewer)
        .with_only_columns(
            HandOver.id,
            HandOver.need_id,
            Case.printed_code,
            Need.category,
            HandOver.from_ministry,
            HandOver.to_ministry,
            HandOver.reason,
            HandOver.state,
            HandOver.requested_at,
            HandOver.due_at,
            HandOver.answered_at,
            HandOver.answer_reason,
        )
        .order_by(due.asc().nulls_last(), HandOver.requested_at.desc(), HandOver.id)
    )


def list_hand_overs(session: Session, viewer: Viewer, *, incoming: bool, page: int = 1) -> HandOverPage:
    """Offers to the viewer's ministry, or from it; two statements."""
    own = (HandOver.to_ministry if incoming else HandOver.from_ministry) == viewer.ministry
    counted = visible_hand_overs(viewer).where(own).with_only_columns(func.count(HandOver.id))
    rows: Iterable[Any] = session.execute(
        _rows(viewer).where(own).limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)
    )
    return HandOverPage([HandOverRow(*row) for row in rows], session.scalar(counted) or 0, page)


def list_need_hand_overs(session: Session, viewer: Viewer, need_id: int) -> list[HandOverRow]:
    """Offers of one need that the viewer may see."""
    rows: Iterable[Any] = session.execute(_rows(viewer).where(HandOver.need_id == need_id))
    return [HandOverRow(*row) for row in rows]


def lock_visible_hand_over(
    session: Session, viewer: Viewer, hand_over_id: int
) -> tuple[HandOver, Need, Case] | None:
    """An offer with its need and case, held until the transaction ends, the case first."""
    statement = visible_hand_overs(viewer).where(HandOver.id == hand_over_id)
    case_id = session.execute(statement.with_only_columns(Need.case_id)).scalar_one_or_none()
    if case_id is None:
        return None
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))
    row: Any = session.execute(
        statement.with_only_columns(HandOver, Need, Case)
        .with_for_update(of=(HandOver, Need), key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return row[0], row[1], row[2]


def lock_standing_hand_overs(session: Session, case_ids: Collection[int]) -> list[tuple[HandOver, Need]]:
    """Hand-overs of these cases' needs that wait or were accepted, held with the need; the caller holds the cases."""
    rows = session.execute(
        select(HandOver, Need)
        .join(Need, Need.id == HandOver.need_id)
        .where(Need.case_id.in_(case_ids), HandOver.state.in_((OfferState.OFFERED, OfferState.ACCEPTED)))
        .order_by(HandOver.id)
        .with_for_update(of=(HandOver, Need), key_share=True)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in rows]


def has_open_hand_over(session: Session, need_id: int) -> bool:
    """Whether an offer of this need waits for its answer."""
    statement = select(HandOver.id).where(HandOver.need_id == need_id, HandOver.state == OfferState.OFFERED)
    return session.scalar(statement) is not None
