"""The demo's open day: every office receives today, with a line of people at its desks."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from api.context import AppContext
from casework import open_days as acts
from casework import queue_tokens as queue
from casework.moves import Actor
from db.models import OpenDayState, Role
from db.offices import list_offices
from db.open_days import list_open_days, list_printed_codes, list_stations, list_usable_tablets
from db.session import session_scope
from governorates import choice_codes
from governorates.calendar import local_day

DESKS = {"reception": 2, "assessment": 2, "consent": 1, "slip": 1}
ASSESSED_AT = "assessment"
PEOPLE = 24
PRIORITY_EVERY = 5
ROUNDS = 9


def begin_open_days(context: AppContext) -> None:
    """Open an open day at every office that has none today, with the office's own tablets."""
    now = datetime.now(UTC)
    today = local_day(context.governorate, now)
    with session_scope(context.engine) as session:
        tablets = list_usable_tablets(session, context.governorate.code)
        for office in list_offices(session, context.governorate.code):
            officer = _officer(context, office.id)
            if any(row.day.date >= today for row in list_open_days(session, officer).rows):
                continue
            own = [tablet.id for tablet in tablets if tablet.office_id == office.id]
            open_day_id = acts.plan_open_day(session, officer, today, DESKS, own, now)
            acts.open_day_begins(session, open_day_id, officer, now)


def fill_lines(context: AppContext) -> None:
    """Give out numbers at each open day that has none yet, link some to its cases, and call people to the desks."""
    with session_scope(context.engine) as session:
        for office in list_offices(session, context.governorate.code):
            officer = _officer(context, office.id)
            for row in list_open_days(session, officer).rows:
                if row.day.state == OpenDayState.OPEN and row.day.tokens == 0:
                    _fill_line(session, officer, row.day.id)


def _fill_line(session: Session, officer: Actor, open_day_id: int) -> None:
    """Let the desks work for a few rounds, so that people stand at each of them and some have been through."""
    now, reasons = datetime.now(UTC), choice_codes(queue.PRIORITIES)
    for number in range(PEOPLE):
        reason = None if number % PRIORITY_EVERY else reasons[number // PRIORITY_EVERY % len(reasons)]
        queue.take_token(session, open_day_id, officer, now, reason)
    kinds = choice_codes(acts.STATIONS)
    stations = sorted(
        list_stations(session, open_day_id), key=lambda one: kinds.index(one.kind), reverse=True
    )
    codes = iter(list_printed_codes(session, open_day_id, PEOPLE))
    at_desk: dict[int, int] = {}
    for _ in range(ROUNDS):
        for station in stations:  # the last desk first, so that it takes whom the one before has served
            token_id = at_desk.pop(station.id, None)
            if token_id is not None:
                code = next(codes, None) if station.kind == ASSESSED_AT else None
                if code is not None:
                    queue.link_token(session, open_day_id, token_id, code, officer)
                queue.serve(session, open_day_id, token_id, officer, now)
            turn = queue.call_next(session, station.id, officer, now)
            if turn is not None:
                at_desk[station.id] = turn.token_id


def _officer(context: AppContext, office_id: int) -> Actor:
    return Actor(None, Role.OFFICER, context.governorate.code, office_id=office_id)
