"""What is done at the desks of an open day: each form is one act of `casework`, then back to the page."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.waking import Wake
from casework import open_days as acts
from casework import queue_tokens as queue
from db.case_sheets import list_visible_cases
from db.errors import DomainError

router = APIRouter()

DAY = "/open-days/{open_day_id}"

Worker = Annotated[CurrentUser, Depends(Require(Permission.OPEN_DAY_WORK))]
Matcher = Annotated[CurrentUser, Depends(Require(Permission.OPEN_DAY_MATCH))]
AtStation = Annotated[int, Form(ge=0, alias="station")]
"""The desk whose page the form stood on, to go back to; 0 for the page of all desks."""


def _page(open_day_id: int, station: int, number: int = 0) -> str:
    """The page that a form leads back to."""
    path = f"/open-days/{open_day_id}"
    asked = [f"{name}={value}" for name, value in (("station", station), ("token", number)) if value]
    return f"{path}?{'&'.join(asked)}" if asked else path


@router.post(f"{DAY}/begin")
def begin(session: Database, user: Worker, open_day_id: int) -> Response:
    """Open the doors."""
    acts.open_day_begins(session, open_day_id, user.actor, datetime.now(UTC))
    path = _page(open_day_id, 0)
    return see(path, "begun")


@router.post(f"{DAY}/close")
def close(session: Database, user: Worker, open_day_id: int) -> Response:
    """Close the doors, and go to what is missing."""
    acts.close_open_day(session, open_day_id, user.actor, datetime.now(UTC))
    path = f"{_page(open_day_id, 0)}/reconciliation"
    return see(path, "ended")


@router.post(f"{DAY}/match")
def match(
    request: Request, session: Database, keys: Keys, wake: Wake, user: Matcher, open_day_id: int
) -> Response:
    """Match now; what still waits to be taken in follows as soon as the ingester has woken."""
    context = request.app.state.context
    acts.match_open_day(
        session,
        keys,
        context.governorate,
        open_day_id,
        user.actor,
        now=datetime.now(UTC),
        seed=context.settings.match_seed,
    )
    wake()
    path = _page(open_day_id, 0)
    return see(path, "matched")


@router.post(f"{DAY}/tokens")
def take_token(
    session: Database, user: Worker, open_day_id: int, priority: Annotated[str, Form(max_length=20)] = ""
) -> Response:
    """Give out the next number and show it large."""
    token = queue.take_token(session, open_day_id, user.actor, datetime.now(UTC), priority or None)
    path = _page(open_day_id, 0, token.number)
    return see(path, "numbered")


@router.post(f"{DAY}/stations/{{station_id}}/call")
def call(
    session: Database, user: Worker, open_day_id: int, station_id: int, station: AtStation = 0
) -> Response:
    """Call who is next."""
    turn = queue.call_next(session, station_id, user.actor, datetime.now(UTC))
    path = _page(open_day_id, station)
    return see(path, "nobody") if turn is None else see(path, "called")


@router.post(f"{DAY}/tokens/{{token_id}}/link")
def link(
    session: Database,
    user: Worker,
    open_day_id: int,
    token_id: int,
    code: Annotated[str, Form(max_length=60)] = "",
    station: AtStation = 0,
) -> Response:
    """Say which case a number belongs to."""
    queue.link_token(session, open_day_id, token_id, code, user.actor)
    path = _page(open_day_id, station)
    return see(path, "linked")


@router.post(f"{DAY}/tokens/{{token_id}}/serve")
def serve(
    session: Database, user: Worker, open_day_id: int, token_id: int, station: AtStation = 0
) -> Response:
    """Done here: on to the next station."""
    queue.serve(session, open_day_id, token_id, user.actor, datetime.now(UTC))
    path = _page(open_day_id, station)
    return see(path, "served")


@router.post(f"{DAY}/tokens/{{token_id}}/leave")
def leave(
    session: Database, user: Worker, open_day_id: int, token_id: int, station: AtStation = 0
) -> Response:
    """Record that the person has gone, or did not come when called."""
    queue.leave(session, open_day_id, token_id, user.actor, datetime.now(UTC))
    path = _page(open_day_id, station)
    return see(path, "gone")


@router.post(f"{DAY}/tokens/{{token_id}}/back")
def come_back(
    session: Database, user: Worker, open_day_id: int, token_id: int, station: AtStation = 0
) -> Response:
    """Let somebody who had gone back into the line."""
    queue.come_back(session, open_day_id, token_id, user.actor)
    path = _page(open_day_id, station)
    return see(path, "back")


@router.post(f"{DAY}/tokens/{{token_id}}/slip")
def token_slip(
    session: Database, user: Worker, open_day_id: int, token_id: int, station: AtStation = 0
) -> Response:
    """Record that the person with this number got their slip."""
    queue.give_slip(session, open_day_id, token_id, user.actor, datetime.now(UTC))
    path = _page(open_day_id, station)
    return see(path, "slip")


@router.post("/cases/{code}/slip")
def case_slip(session: Database, user: Worker, code: str, case_id: Annotated[int, Form()] = 0) -> Response:
    """Record on the case's own page that its household got the slip."""
    if case_id not in {case.id for case in list_visible_cases(session, user, code)}:
        raise DomainError("not_found")
    acts.mark_slip_given(session, case_id, user.actor, datetime.now(UTC))
    path = f"/cases/{code}"
    return see(path, "slip")
