"""What providers say of their places: the provider's weekly page and the coordinator's board."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api import capacity_texts, texts
from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.waking import Wake
from casework import capacities as acts
from db.capacities import SORTS, CapacityRow, list_capacities
from governorates import Governorate
from referral_engine.capacity_states import CAPACITY_STATES

router = APIRouter()

Provider = Annotated[CurrentUser, Depends(Require(Permission.CAPACITY_CONFIRM))]
Coordinator = Annotated[CurrentUser, Depends(Require(Permission.CAPACITY_READ))]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]


@dataclass(frozen=True, slots=True)
class CapacityView:
    """A service with the age of the provider's word: `freshness` is a code of `capacity_texts.FRESHNESS`."""

    row: CapacityRow
    freshness: str | None
    freshness_text: str
    is_open: bool


def _views(
    rows: Sequence[CapacityRow], governorate: Governorate, language: str, now: datetime
) -> list[CapacityView]:
    ages, views = governorate.capacity_ages, []
    for row in rows:
        code = None
        if row.confirmed_at is not None:
            code = ages.freshness(row.confirmed_at, now)
            if code == "fresh" and ages.is_due(row.confirmed_at, now):
                code = "due"
        words = texts.text_of(capacity_texts.FRESHNESS, code, language)
        views.append(CapacityView(row, code, words, row.is_open(now.date())))
    return views


@router.get("/provider/services")
def services_page(request: Request, session: Database, user: Provider, page: PageNumber = 1) -> Response:
    """Show the organization's services with what was last said of their places."""
    now, governorate = datetime.now(UTC), request.app.state.context.governorate
    listed = list_capacities(session, user, now.date(), page=page)
    views = _views(listed.rows, governorate, language_of(request), now)
    values = {"listed": listed, "views": views, "statuses": CAPACITY_STATES, "most": acts.MOST_SLOTS}
    return render(request, "provider_services.html", values)


@router.post("/provider/services/confirm")
def confirm(session: Database, wake: Wake, user: Provider) -> Response:
    """Say that all of it is as shown."""
    acts.confirm_capacities(session, user.actor, datetime.now(UTC))
    wake()
    return see("/provider/services", "current")


@router.post("/provider/services/{service_at_location_id}")
def set_capacity(
    session: Database,
    wake: Wake,
    user: Provider,
    service_at_location_id: int,
    status: Annotated[str, Form(max_length=20)] = "",
    slots: Annotated[int, Form()] = -1,
) -> Response:
    """Say how one service stands and how many places this period has."""
    acts.set_capacity(session, user.actor, service_at_location_id, status, slots, datetime.now(UTC))
    wake()
    return see("/provider/services", "counted")


@router.get("/capacity")
def board(
    request: Request,
    session: Database,
    user: Coordinator,
    sort: Annotated[str, Query(max_length=20)] = "service",
    page: PageNumber = 1,
) -> Response:
    """Show the services of the own mandate: how they stand, what is free, how old the provider's word is."""
    now, language = datetime.now(UTC), language_of(request)
    chosen = sort if sort in SORTS else "service"
    listed = list_capacities(session, user, now.date(), sort=chosen, page=page)
    values = {
        "listed": listed,
        "views": _views(listed.rows, request.app.state.context.governorate, language, now),
        "sort": chosen,
        "sorts": {code: texts.text_of(capacity_texts.SORTS, code, language) for code in capacity_texts.SORTS},
    }
    return render(request, "capacity.html", values)
