"""Days off that a ministry or an office announces, often a day ahead: the clocks that run follow."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from casework.deadlines import recount
from db import closures as query
from db.errors import DomainError
from db.models import OfficeClosure
from db.offices import list_offices
from db.visibility import Viewer
from governorates import choice_codes, load

LONGEST = timedelta(days=92)
"""Whoever closes for longer has moved; a slip of the year must not stop every clock."""


def announce_closure(
    session: Session,
    viewer: Viewer,
    *,
    office_id: int | None,
    first_day: date,
    last_day: date,
    reason: str,
    user_id: int | None,
) -> int | None:
    """Close an office, or all of the viewer's governorate, from one day to another (both included).

    Returns the id, or None when these days are closed already. Raises DomainError `not_found` for an office of
    another governorate, `reason_unknown`, or `days_not_ordered` (also for more than three months).
    """
    governorate = load(viewer.governorate)
    if office_id is not None and office_id not in {o.id for o in list_offices(session, governorate.code)}:
        raise DomainError("not_found", office_id=office_id)
    if reason not in choice_codes("closure_reason"):
        raise DomainError("reason_unknown", reason_list="closure_reason")
    if not timedelta(0) <= last_day - first_day <= LONGEST:
        raise DomainError("days_not_ordered")
    closure = OfficeClosure(
        governorate=governorate.code,
        office_id=office_id,
        first_day=first_day,
        last_day=last_day,
        reason=reason,
        created_by=user_id,
    )
    if query.has_same_closure(session, closure):
        return None
    session.add(closure)
    session.flush()
    recount(session, governorate, closure)
    return closure.id


def cancel_closure(session: Session, viewer: Viewer, closure_id: int) -> None:
    """Take an announced closure back; clocks count those days again. Raises DomainError `not_found`."""
    closure = query.get_visible_closure(session, viewer, closure_id)
    if closure is None:
        raise DomainError("not_found", closure_id=closure_id)
    query.delete_closure(session, closure_id)
    recount(session, load(closure.governorate), closure)
