"""Writing the register of unmet needs: at every matching, and when registrations are joined or parted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db import unmet as query


def register_unmet(
    session: Session, reasons: Mapping[int, tuple[str, Sequence[dict[str, Any]]]], now: datetime
) -> None:
    """Write down why needs (id -> reason and its details) found nobody."""
    blocked = {need_id: (reason, _blocking_rule(details)) for need_id, (reason, details) in reasons.items()}
    query.record_unmet_periods(session, blocked, now)


def register_moved(session: Session, case_ids: Sequence[int], now: datetime) -> None:
    """Put the register right for cases whose needs have moved: an unmet need stands where its person lives now."""
    register_unmet(session, query.list_misregistered(session, case_ids), now)


def _blocking_rule(details: Sequence[dict[str, Any]]) -> int | None:
    return next((int(one["rule_id"]) for one in details if one["code"] == "rule_blocks"), None)
