"""The register of needs for which nobody suitable was found, with the rule that blocked them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from db.models import Case, Need
from db.queue import urgency_rank
from db.visibility import Viewer, visible_needs

PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class UnmetRow:
    """One unmet need, by case code."""

    need_id: int
    case_code: str
    service_type: str
    urgency: str
    district: str | None
    reason: str
    details: dict[str, Any] | None
    waiting_since: datetime


@dataclass(frozen=True, slots=True)
class UnmetPage:
    """One page of unmet needs, how many match, and how many there are for each reason."""

    rows: Sequence[UnmetRow]
    total: int
    page: int
    by_reason: dict[str, int]

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def list_unmet(session: Session, viewer: Viewer, *, reason: str | None = None, page: int = 1) -> UnmetPage:
    """Open needs with a recorded reason, by urgency, then the longest waiting first; two statements."""
    base = visible_needs(viewer).where(Need.status == "open", Need.unmet_reason.is_not(None))
    counted = base.with_only_columns(Need.unmet_reason, func.count(Need.id)).group_by(Need.unmet_reason)
    by_reason = {str(code): int(number) for code, number in session.execute(counted)}
    wanted = base if reason is None else base.where(Need.unmet_reason == reason)
    rows: Iterable[Any] = session.execute(
        wanted.with_only_columns(
            Need.id,
            Case.printed_code,
            Need.service_type,
            Need.urgency,
            Case.residence_district,
            Need.unmet_reason,
            Need.unmet_details,
            Need.opened_at,
        )
        .order_by(urgency_rank(Need.urgency), Need.opened_at, Need.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    total = sum(by_reason.values()) if reason is None else by_reason.get(reason, 0)
    return UnmetPage([UnmetRow(*row) for row in rows], total, page, dict(sorted(by_reason.items())))
