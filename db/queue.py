"""The coordinator's queue: referrals that wait for a decision or for the person's consent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func
from sqlalchemy.orm import Session

from db.models import Case, Location, Need, Organization, Referral
from db.visibility import Viewer, visible_referrals
from referral_engine.sop import ReferralState

PAGE_SIZE = 25
URGENCY_ORDER = ("emergency", "urgent", "normal")
WAITING_STATES = (
    ReferralState.PROPOSED,
    ReferralState.APPROVED,
    ReferralState.AWAITING_CONSENT,
)


@dataclass(frozen=True, slots=True)
class QueueFilters:
    """What the coordinator asked to see; None means all. `held` is a view of its own."""

    state: str | None = None
    urgency: str | None = None
    district: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One waiting referral, without any name. `minutes` is one way; `waiting_since` is when the need was told."""

    referral_id: int
    case_code: str
    service_type: str
    urgency: str
    district: str | None
    organization: dict[str, str]
    location: dict[str, str]
    minutes: float | None
    state: str
    state_since: datetime
    waiting_since: datetime
    held_reason: str | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the queue: its rows, how many match the filters, and how many wait in each view."""

    rows: Sequence[QueueRow]
    total: int
    page: int
    counts: dict[str, int]
    districts: Sequence[str]

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def urgency_rank(column: Any = Referral.urgency) -> ColumnElement[int]:
    """Sort key: emergencies first."""
    return case({code: rank for rank, code in enumerate(URGENCY_ORDER)}, value=column, else_=9)


def _conditions(filters: QueueFilters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if filters.held:
        wanted.append(Referral.held_reason.is_not(None))
    elif filters.state:
        wanted += [Referral.state == filters.state, Referral.held_reason.is_(None)]
    if filters.urgency:
        wanted.append(Referral.urgency == filters.urgency)
    if filters.district:
        wanted.append(Case.residence_district == filters.district)
    return wanted


def _count_views(session: Session, viewer: Viewer) -> list[tuple[str, bool, str, str | None, int]]:
    held = Referral.held_reason.is_not(None)
    statement = (
        visible_referrals(viewer)
        .where(Referral.state.in_(WAITING_STATES))
        .with_only_columns(
            Referral.state, held, Referral.urgency, Case.residence_district, func.count(Referral.id)
        )
        .group_by(Referral.state, held, Referral.urgency, Case.residence_district)
    )
    return [(row[0], bool(row[1]), row[2], row[3], int(row[4])) for row in session.execute(statement)]


def _matches(cell: tuple[str, bool, str, str | None, int], filters: QueueFilters) -> bool:
    state, held, urgency, district, _ = cell
    if filters.held and not held:
        return False
    if not filters.held and filters.state and (state != filters.state or held):
        return False
    return filters.urgency in (None, urgency) and filters.district in (None, district)


def list_queue(session: Session, viewer: Viewer, filters: QueueFilters, page: int = 1) -> QueuePage:
    """One page of what waits for this user: by urgency, then by how long the person has waited.

    Two statements, however many rows: one counts every view at once, one reads the page.
    """
    cells = _count_views(session, viewer)
    counts = dict.fromkeys([*WAITING_STATES, "held", "all"], 0)
    for state, held, _, _, number in cells:
        counts["held" if held else state] += number
        counts["all"] += number
    statement = (
        visible_referrals(viewer)
        .where(Referral.state.in_(WAITING_STATES), *_conditions(filters))
        .with_only_columns(
            Referral.id,
            Case.printed_code,
            Need.service_type,
            Referral.urgency,
            Case.residence_district,
            Organization.names,
            Location.names,
            Referral.minutes,
            Referral.state,
            Referral.state_since,
            Need.opened_at,
            Referral.held_reason,
        )
        .order_by(urgency_rank(), Need.opened_at, Referral.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    found: Iterable[Any] = session.execute(statement)
    return QueuePage(
        rows=[QueueRow(*row) for row in found],
        total=sum(cell[4] for cell in cells if _matches(cell, filters)),
        page=page,
        counts=counts,
        districts=sorted({cell[3] for cell in cells if cell[3]}),
    )
