"""Open days: the list, the plan, the desk's page and what is missing at the end."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api import open_day_texts, texts
from api.auth import CurrentUser, Database, Require
from api.i18n import translate
from api.permissions import Permission, permits
from api.redirects import see
from api.rendering import language_of, render
from casework import open_days as acts
from casework.reconciliation import reconcile
from db import queue_tokens
from db.errors import DomainError
from db.models import Station, TokenState
from db.offices import list_offices
from db.open_days import (
    OpenDayRow,
    count_open_needs,
    get_open_day_row,
    list_open_days,
    list_stations,
    list_usable_tablets,
)
from governorates import choice_codes
from governorates.calendar import day_bounds, local_day

router = APIRouter(prefix="/open-days")

PageNumber = Annotated[int, Query(ge=1, le=100_000)]
Reader = Annotated[CurrentUser, Depends(Require(Permission.OPEN_DAY_READ))]
Worker = Annotated[CurrentUser, Depends(Require(Permission.OPEN_DAY_WORK))]


@router.get("")
def open_days_page(request: Request, session: Database, user: Reader, page: PageNumber = 1) -> Response:
    """Show the open days, the newest first, and to officers the form that plans one."""
    governorate = request.app.state.context.governorate
    days = list_open_days(session, user, page)
    plans = permits(user.role, Permission.OPEN_DAY_WORK)
    values = {
        "days": days,
        "rows": [(row, _starts(request, row)) for row in days.rows],
        "states": _words(request, open_day_texts.DAY_STATES),
        "plans": plans,
        "today": local_day(governorate, dt.datetime.now(dt.UTC)),
        "stations": choice_codes(acts.STATIONS),
        "most": acts.MOST_STATIONS,
        "tablets": list_usable_tablets(session, governorate.code) if plans else [],
        "offices": {one.id: one.names for one in list_offices(session, governorate.code)} if plans else {},
    }
    return render(request, "open_days.html", values)


async def station_counts(request: Request) -> dict[str, int]:
    """How many desks of each kind the form asks for; the kinds are data, so the fields have no names here."""
    form = await request.form()
    return {kind: _count(form.get(f"stations_{kind}")) for kind in choice_codes(acts.STATIONS)}


@router.post("")
def plan(
    session: Database,
    user: Worker,
    stations: Annotated[dict[str, int], Depends(station_counts)],
    date: Annotated[dt.date, Form()],
    tablet_id: Annotated[list[int] | None, Form()] = None,
) -> Response:
    """Plan an open day of the officer's own office."""
    now = dt.datetime.now(dt.UTC)
    open_day_id = acts.plan_open_day(session, user.actor, date, stations, tablet_id or [], now)
    path = f"/open-days/{open_day_id}"
    return see(path, "planned")


def _count(text: object) -> int:
    """A number as typed; nothing is none, and what is no number is one too many."""
    if not isinstance(text, str) or not text.strip():
        return 0
    return int(text) if text.isdecimal() and len(text) < 5 else -1


@router.get("/{open_day_id}")
def desk_page(
    request: Request,
    session: Database,
    user: Reader,
    open_day_id: int,
    station: Annotated[int, Query(ge=0)] = 0,
    token: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    page: PageNumber = 1,
) -> Response:
    """Show the stations and the line; `station` shows one desk alone, `token` one number large."""
    row = _visible(session, user, open_day_id)
    stations = _in_order(list_stations(session, open_day_id))
    chosen = next((one for one in stations if one.id == station), None)
    counts = queue_tokens.count_tokens(session, open_day_id)
    values = {
        "row": row,
        "starts": _starts(request, row),
        "stations": [chosen] if chosen else stations,
        "chosen": chosen,
        "called": queue_tokens.list_called(session, open_day_id),
        "line": queue_tokens.list_waiting(session, open_day_id, chosen.kind if chosen else None, page),
        "waiting_for": {
            kind: counts.get((TokenState.WAITING, kind), 0) for kind in choice_codes(acts.STATIONS)
        },
        "counts": {
            state: sum(number for (one, _), number in counts.items() if one == state) for state in TokenState
        },
        "shown": queue_tokens.get_token_by_number(session, open_day_id, token) if token else None,
        "open_needs": _reasons(request, count_open_needs(session, open_day_id)),
        "states": _words(request, open_day_texts.DAY_STATES),
        "token_states": _words(request, open_day_texts.TOKEN_STATES),
    }
    return render(request, "open_day.html", values)


def _in_order(stations: list[Station]) -> list[Station]:
    kinds = choice_codes(acts.STATIONS)
    return sorted(stations, key=lambda one: (kinds.index(one.kind), one.number))


@router.get("/{open_day_id}/reconciliation")
def reconciliation_page(request: Request, session: Database, user: Reader, open_day_id: int) -> Response:
    """Show what is missing, for the screen and for paper: codes and numbers, never names."""
    row = _visible(session, user, open_day_id)
    values = {
        "row": row,
        "starts": _starts(request, row),
        "found": reconcile(session, user, open_day_id, dt.datetime.now(dt.UTC)),
        "unmet": _words(request, texts.UNMET_REASONS),
        "not_tried": translate(language_of(request), open_day_texts.NOT_TRIED),
        "states": _words(request, open_day_texts.DAY_STATES),
        "token_states": _words(request, open_day_texts.TOKEN_STATES),
        "standings": _words(request, open_day_texts.TABLET_STANDINGS),
    }
    return render(request, "open_day_reconciliation.html", values)


def _visible(session: Session, user: CurrentUser, open_day_id: int) -> OpenDayRow:
    row = get_open_day_row(session, user, open_day_id)
    if row is None:
        raise DomainError("not_found", open_day_id=open_day_id)
    return row


def _starts(request: Request, row: OpenDayRow) -> dt.datetime:
    """The first moment of the day, which pages format as a date."""
    return day_bounds(request.app.state.context.governorate, row.day.date)[0]


def _words(request: Request, table: Mapping[str, str]) -> dict[str, str]:
    language = language_of(request)
    return {code: translate(language, text) for code, text in table.items()}


def _reasons(request: Request, counts: Mapping[str | None, int]) -> list[tuple[str, int]]:
    """Open needs by why nobody was found, in words."""
    words: dict[Any, str] = _words(request, texts.UNMET_REASONS)
    words[None] = translate(language_of(request), open_day_texts.NOT_TRIED)
    return [(words.get(reason, str(reason)), number) for reason, number in counts.items()]
