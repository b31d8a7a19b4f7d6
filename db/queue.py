"""The coordinator's queue: referrals that wait for a decision or for the person's consent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_
from sqlalchemy.orm import Session

from db.models import Case, Deadline, Location, Need, Organization, Referral
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_referrals
from referral_engine.sop import ReferralState

URGENCY_ORDER = ("emergency", "urgent", "normal")
WAITING_STATES = (
    ReferralState.PROPOSED,
    ReferralState.APPROVED,
    ReferralState.AWAITING_CONSENT,
)


@dataclass(frozen=True, slots=True)
class QueueFilters:
    """What the coordinator asked to see; None means all. `held` and `overdue` are views of their own."""

    state: str | None = None
    urgency: str | None = None
    district: str | None = None
    held: bool = False
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One waiting referral, without any name. `minutes` is one way; `waiting_since` is when the need was told.

    `due_at` is None while its clock is paused.
    """

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
    due_at: datetime | None
    paused_reason: str | None
    breach_action: str | None


@dataclass(frozen=True, slots=True)
class QueuePage(Paged):
    """One page of the queue: its rows, how many match the filters, and how many wait in each view."""

    rows: Sequence[QueueRow]
    total: int
    page: int
    counts: dict[str, int]
    districts: Sequence[str]


def urgency_rank(column: Any = Referral.urgency) -> ColumnElement[int]:
    """Sort key: emergencies first."""
    return case({code: rank for rank, code in enumerate(URGENCY_ORDER)}, value=column, else_=9)


def with_deadline(statement: Select[Any]) -> Select[Any]:
    """Join each referral of the statement with its open clock, where it has one; adds no row."""
    running = and_(Deadline.referral_id == Referral.id, Deadline.closed_at.is_(None))
    return statement.outerjoin(Deadline, running)


def overdue(now: datetime) -> ColumnElement[bool]:
    """Whether the clock joined by `with_deadline` has run out; false while it is paused."""
    return func.coalesce(Deadline.due_at <= now, False)


def _conditions(filters: QueueFilters, now: datetime) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if filters.overdue:
        wanted.append(overdue(now))
    else:
        wanted.append(Referral.state.in_(WAITING_STATES))
    if filters.held:
        wanted.append(Referral.held_reason.is_not(None))
    elif filters.state:
        wanted += [Referral.state == filters.state, Referral.held_reason.is_(None)]
    if filters.urgency:
        wanted.append(Referral.urgency == filters.urgency)
    if filters.district:
        wanted.append(Case.residence_district == filters.district)
    return wanted


@dataclass(frozen=True, slots=True)
class _Cell:
    """How many referrals have these five things in common."""

    state: str
    held: bool
    overdue: bool
    urgency: str
    district: str | None
    number: int

    @property
    def waiting(self) -> bool:
        """Whether they wait for the coordinator or for consent; what else is overdue stands in its view only."""
        return self.state in WAITING_STATES

    def matches(self, filters: QueueFilters) -> bool:
        """Whether the filters show them."""
        if not (self.overdue if filters.overdue else self.waiting):
            return False
        if filters.held and not self.held:
            return False
        if not filters.held and filters.state and (self.state != filters.state or self.held):
            return False
        return filters.urgency in (None, self.urgency) and filters.district in (None, self.district)


def _count_views(session: Session, viewer: Viewer, now: datetime) -> list[_Cell]:
    held, late = Referral.held_reason.is_not(None), overdue(now)
    kinds = (Referral.state, held, late, Referral.urgency, Case.residence_district)
    statement = (
        with_deadline(visible_referrals(viewer))
        .where(or_(Referral.state.in_(WAITING_STATES), late))
        .with_only_columns(*kinds, func.count(Referral.id))
        .group_by(*kinds)
    )
    rows: Iterable[Any] = session.execute(statement)
    return [_Cell(*row) for row in rows]


def list_queue(
    session: Session, viewer: Viewer, filters: QueueFilters, page: int = 1, *, now: datetime | None = None
) -> QueuePage:
    """One page of what waits for this user: overdue first, then by urgency and how long the person has waited.

    The view `overdue` holds every referral of the user's whose clock has run out, whoever owes the next step.
    Two statements, however many rows: one counts every view at once, one reads the page.
    """
    at = now or datetime.now(UTC)
    cells = _count_views(session, viewer, at)
    statement = (
        with_deadline(visible_referrals(viewer))
        .where(*_conditions(filters, at))
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
            Deadline.due_at,
            Deadline.paused_reason,
            Deadline.breach_action,
        )
        .order_by(overdue(at).desc(), urgency_rank(), Need.opened_at, Referral.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    found: Iterable[Any] = session.execute(statement)
    return QueuePage(
        rows=[QueueRow(*row) for row in found],
        total=sum(cell.number for cell in cells if cell.matches(filters)),
        page=page,
        counts=_counts(cells),
        districts=sorted({cell.district for cell in cells if cell.district}),
    )


def _counts(cells: Sequence[_Cell]) -> dict[str, int]:
    counts = dict.fromkeys([*WAITING_STATES, "held", "overdue", "all"], 0)
    for cell in cells:
        if cell.waiting:
            counts["held" if cell.held else cell.state] += cell.number
            counts["all"] += cell.number
        if cell.overdue:
            counts["overdue"] += cell.number
    return counts
