"""The provider's list: referrals addressed to its organization, and nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func
from sqlalchemy.orm import Session, aliased

from db.models import Case, Deadline, Disclosure, Location, Need, Referral, Submission
from db.paging import Paged
from db.queue import urgency_rank, with_deadline
from db.visibility import Viewer, visible_referrals
from referral_engine.sop import NEXT_ACTOR, Actor, ReferralState

PAGE_SIZE = 50
OPEN_STATES = (ReferralState.SENT, ReferralState.ACCEPTED, ReferralState.SERVICE_STARTED)


@dataclass(frozen=True, slots=True)
class ProviderFilters:
    """What the provider asked to see; None means all."""

    state: str | None = None
    service_type: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One referral addressed to the viewer's organization. Personal data is read from the disclosure only.

    `case_code` is the one that was printed for the person who asked, also after that case was merged. The
    clock's columns are None where somebody else owes the next step.
    """

    referral_id: int
    case_code: str
    service_type: str
    urgency: str
    state: str
    state_since: datetime
    sent_at: datetime
    location: dict[str, str]
    due_at: datetime | None = None
    paused_reason: str | None = None
    breach_action: str | None = None


_ASKED = aliased(Case)
_OWED = [state for state, actor in NEXT_ACTOR.items() if actor is Actor.PROVIDER]


def _own(column: Any) -> Any:
    """A column of the clock, where it is the provider's own."""
    return case((Referral.state.in_(_OWED), column))


_COLUMNS = (
    Referral.id,
    func.coalesce(_ASKED.printed_code, Case.printed_code),
    Need.service_type,
    Referral.urgency,
    Referral.state,
    Referral.state_since,
    Disclosure.disclosed_at,
    Location.names,
    _own(Deadline.due_at),
    _own(Deadline.paused_reason),
    _own(Deadline.breach_action),
)


@dataclass(frozen=True, slots=True)
class ProviderPage(Paged):
    """One page of the list, how many match, how many are in each state, and the service types that occur."""

    rows: Sequence[ProviderRow]
    total: int
    page: int
    counts: dict[str, int]
    service_types: Sequence[str]
    page_size = PAGE_SIZE


def _conditions(filters: ProviderFilters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if filters.state:
        wanted.append(Referral.state == filters.state)
    if filters.service_type:
        wanted.append(Need.service_type == filters.service_type)
    return wanted


def _disclosed(viewer: Viewer) -> Select[Referral]:
    """Visible referrals with what was sent, and the case of the form that asked for them."""
    return (
        with_deadline(visible_referrals(viewer))
        .join(Disclosure, Disclosure.referral_id == Referral.id)
        .outerjoin(Submission, Submission.id == Referral.submission_id)
        .outerjoin(_ASKED, _ASKED.id == Submission.case_id)
    )


def list_provider_referrals(
    session: Session, viewer: Viewer, filters: ProviderFilters, *, page: int | None = 1
) -> ProviderPage:
    """What was sent to the viewer's organization: by urgency, then by date sent. Two statements.

    `page` None gives every matching row: the spreadsheet and the print view hold what the filters say.
    """
    base = _disclosed(viewer)
    counted = base.with_only_columns(Referral.state, Need.service_type, func.count(Referral.id)).group_by(
        Referral.state, Need.service_type
    )
    cells = [(row[0], row[1], int(row[2])) for row in session.execute(counted)]
    statement = (
        base.where(*_conditions(filters))
        .with_only_columns(*_COLUMNS)
        .order_by(urgency_rank(), Disclosure.disclosed_at, Referral.id)
    )
    if page is not None:
        statement = statement.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)
    counts: dict[str, int] = {}
    for state, _, number in cells:
        counts[state] = counts.get(state, 0) + number
    found: Iterable[Any] = session.execute(statement)
    return ProviderPage(
        rows=[ProviderRow(*row) for row in found],
        total=sum(
            number
            for state, service_type, number in cells
            if filters.state in (None, state) and filters.service_type in (None, service_type)
        ),
        page=page or 1,
        counts=counts,
        service_types=sorted({cell[1] for cell in cells}),
    )


def get_provider_referral(session: Session, viewer: Viewer, referral_id: int) -> ProviderRow | None:
    """One referral of the viewer's list."""
    statement = _disclosed(viewer).where(Referral.id == referral_id).with_only_columns(*_COLUMNS)
    row: Any = session.execute(statement).one_or_none()
    return None if row is None else ProviderRow(*row)
