"""Cases offered from office to office."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, aliased

from db.models import Case, CaseTransfer, Need, OfferState, Office
from db.paging import PAGE_SIZE, Paged
from db.queue import urgency_rank
from db.visibility import Viewer, visible_transfers


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One offer as both offices see it: a code and figures, nothing about the person.

    `needs` counts those still wanted, `urgency` is that of the most pressing one.
    """

    transfer_id: int
    case_code: str
    from_office: dict[str, str]
    to_office: dict[str, str]
    reason: str
    state: str
    requested_at: datetime
    due_at: datetime
    answered_at: datetime | None
    answer_reason: str | None
    is_here: bool
    needs: int
    urgency: str | None


@dataclass(frozen=True, slots=True)
class TransferPage(Paged):
    """One page of offers and how many there are."""

    rows: Sequence[TransferRow]
    total: int
    page: int


def _rows(viewer: Viewer) -> Any:
    """Waiting offers first, the first due first; then the answered ones, newest first."""
    giving, taking, standing = aliased(Office), aliased(Office), aliased(Case)
    wanted = (Need.case_id == standing.id, Need.status != "withdrawn", Need.same_as_id.is_(None))
    count = select(func.count(Need.id)).where(*wanted).correlate(standing).scalar_subquery()
    urgency = (
        select(Need.urgency)
        .where(*wanted)
        .order_by(urgency_rank(Need.urgency))
        .limit(1)
        .correlate(standing)
        .scalar_subquery()
    )
    due = case((CaseTransfer.state == OfferState.OFFERED, CaseTransfer.due_at))
    return (
        visible_transfers(viewer)
        .join(giving, giving.id == CaseTransfer.from_office_id)
        .join(taking, taking.id == CaseTransfer.to_office_id)
        .join(standing, standing.id == func.coalesce(Case.merged_into_id, Case.id))
        .with_only_columns(
            CaseTransfer.id,
            Case.printed_code,
            giving.names,
            taking.names,
            CaseTransfer.reason,
            CaseTransfer.state,
            CaseTransfer.requested_at,
            CaseTransfer.due_at,
            CaseTransfer.answered_at,
            CaseTransfer.answer_reason,
            standing.office_id == viewer.office_id,
            count,
            urgency,
        )
        .order_by(due.asc().nulls_last(), CaseTransfer.requested_at.desc(), CaseTransfer.id)
    )


def list_transfers(session: Session, viewer: Viewer, *, incoming: bool, page: int = 1) -> TransferPage:
    """Offers to the viewer's office, or from it; two statements."""
    side = CaseTransfer.to_office_id if incoming else CaseTransfer.from_office_id
    own = side == viewer.office_id
    counted = visible_transfers(viewer).where(own).with_only_columns(func.count(CaseTransfer.id))
    rows: Iterable[Any] = session.execute(
        _rows(viewer).where(own).limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)
    )
    return TransferPage([TransferRow(*row) for row in rows], session.scalar(counted) or 0, page)


def list_case_transfers(session: Session, viewer: Viewer, case_id: int) -> list[TransferRow]:
    """Offers of a case, and of those merged into it, that the viewer may see."""
    statement = _rows(viewer).where(func.coalesce(Case.merged_into_id, Case.id) == case_id)
    rows: Iterable[Any] = session.execute(statement)
    return [TransferRow(*row) for row in rows]


def lock_visible_transfer(
    session: Session, viewer: Viewer, transfer_id: int
) -> tuple[CaseTransfer, list[Case]] | None:
    """An offer and its household (every case of it, by id), held until the transaction ends, the cases first."""
    statement = visible_transfers(viewer).where(CaseTransfer.id == transfer_id)
    found = session.execute(statement.with_only_columns(CaseTransfer.case_id)).scalar_one_or_none()
    if found is None:
        return None
    own = aliased(Case)
    standing = select(func.coalesce(own.merged_into_id, own.id)).where(own.id == found).scalar_subquery()
    cases = session.scalars(
        select(Case)
        .where((Case.id == standing) | (Case.merged_into_id == standing))
        .order_by(Case.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    transfer = session.scalars(
        statement.with_for_update(of=CaseTransfer, key_share=True).execution_options(populate_existing=True)
    ).one()
    return transfer, list(cases)


def lock_open_transfers(session: Session, case_ids: Collection[int]) -> list[CaseTransfer]:
    """Offers of these cases that wait for an answer, held until the transaction ends; the caller holds the cases."""
    statement = (
        select(CaseTransfer)
        .where(CaseTransfer.case_id.in_(case_ids), CaseTransfer.state == OfferState.OFFERED)
        .order_by(CaseTransfer.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def has_open_transfer(session: Session, case_id: int) -> bool:
    """Whether an offer of this case waits for its answer."""
    statement = select(CaseTransfer.id).where(
        CaseTransfer.case_id == case_id, CaseTransfer.state == OfferState.OFFERED
    )
    return session.scalar(statement) is not None


def get_office(session: Session, office_id: int) -> Office | None:
    """One office by its id, of whatever governorate."""
    return session.get(Office, office_id)
