"""Days off that a ministry or an office announces, often a day ahead."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import render
from casework.closures import announce_closure, cancel_closure
from db import accounts
from db.closures import list_visible_closures
from db.errors import DomainError
from db.offices import list_offices

router = APIRouter(prefix="/admin/closures")

Keeper = Annotated[CurrentUser, Depends(Require(Permission.CLOSURE_MANAGE))]
Day = Annotated[str, Form(max_length=10)]


@router.get("")
def closures_page(
    request: Request,
    session: Database,
    user: Keeper,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """List announced closures, the latest first, with the form for another."""
    values = {
        "listed": list_visible_closures(session, user, page),
        "offices": list_offices(session, user.governorate),
    }
    return render(request, "closures.html", values)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise DomainError("days_not_ordered") from None


@router.post("")
def announce(
    session: Database,
    user: Keeper,
    first_day: Day = "",
    last_day: Day = "",
    reason: Annotated[str, Form(max_length=40)] = "",
    office_id: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Announce a closure; clocks that run follow at once."""
    if office_id and not office_id.isdecimal():
        raise DomainError("not_found")
    closure_id = announce_closure(
        session,
        user,
        office_id=int(office_id) if office_id else None,
        first_day=_day(first_day),
        last_day=_day(last_day or first_day),
        reason=reason,
        user_id=user.user_id,
    )
    if closure_id is not None:
        accounts.record_audit(session, user.user_id, "closure.announce", "office_closure", [closure_id])
    return see("/admin/closures", "closure_announced")


@router.post("/{closure_id}/cancel")
def cancel(session: Database, user: Keeper, closure_id: int) -> Response:
    """Take a closure back; its days count again."""
    cancel_closure(session, user, closure_id)
    accounts.record_audit(session, user.user_id, "closure.cancel", "office_closure", [closure_id])
    return see("/admin/closures", "closure_cancelled")
