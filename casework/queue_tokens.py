"""The queue of an open day: a number at the door, then from station to station.

A token waits for one kind of station after another, in the order of the choice list `station`, as far as the day
has desks of that kind. Each desk calls one person at a time.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from casework.moves import Actor
from casework.open_days import STATIONS, lock_open_day, mark_slip_given, receive_at, require_open_day
from db import accounts
from db import cases as case_query
from db import open_days as day_query
from db import queue_tokens as query
from db.errors import DomainError
from db.models import OpenDay, OpenDayState, QueueToken, TokenState
from governorates import choice_codes, load, normalise_code

PRIORITIES = "queue_priority"


@dataclass(frozen=True, slots=True)
class Turn:
    """Who was called to a desk."""

    token_id: int
    number: int


def station_kinds(session: Session, open_day_id: int) -> tuple[str, ...]:
    """The kinds of station that a day has, in the order in which people pass them."""
    present = {station.kind for station in day_query.list_stations(session, open_day_id)}
    return tuple(kind for kind in choice_codes(STATIONS) if kind in present)


def take_token(
    session: Session, open_day_id: int, actor: Actor, now: datetime, priority_reason: str | None = None
) -> QueueToken:
    """Give out the next number. Who has priority has it for a coded reason.

    Raises DomainError `forbidden`, `not_found`, `reason_unknown` or `open_day_state`.
    """
    require_open_day(session, open_day_id, actor)
    if priority_reason is not None and priority_reason not in choice_codes(PRIORITIES):
        raise DomainError("reason_unknown", reason_list=PRIORITIES)
    first = station_kinds(session, open_day_id)[0]
    token = query.create_token(session, open_day_id, first, priority_reason, now)
    if token is None:
        raise DomainError("open_day_state", open_day_id=open_day_id)
    return token


def call_next(session: Session, station_id: int, actor: Actor, now: datetime) -> Turn | None:
    """Call who is next to a desk: priority first, then by number; None when nobody waits for it.

    Two desks never call the same person. Raises DomainError `not_found`, `open_day_state`, or `station_taken` while
    somebody sits there.
    """
    station = day_query.get_station(session, station_id, lock=True)
    if station is None:
        raise DomainError("not_found", station_id=station_id)
    _require_in_progress(require_open_day(session, station.open_day_id, actor))
    if query.is_station_taken(session, station_id):
        raise DomainError("station_taken", station_id=station_id)
    token = query.call_next_token(session, station, now)
    return None if token is None else Turn(token.id, token.number)


def link_token(session: Session, open_day_id: int, token_id: int, code: str, actor: Actor) -> None:
    """Say which case a number belongs to, by the code in the person's hand.

    The case then carries the day, also when it was opened long before. Raises DomainError `code_unknown`,
    `code_ambiguous` (two cases hold it), `not_found` or `forbidden`.
    """
    day = require_open_day(session, open_day_id, actor)
    governorate = load(actor.governorate)
    found = normalise_code(code, governorate.code_alphabet, governorate.code_length)
    cases = day_query.list_cases_to_link(session, actor, open_day_id, found) if found else []
    if not cases:
        raise DomainError("code_unknown", token_id=token_id)
    if len(cases) > 1:
        raise DomainError("code_ambiguous", token_id=token_id)
    case = cases[0]
    for case_id in sorted({case.id, case.merged_into_id or case.id}):
        case_query.lock_case(session, case_id)
    token = _lock_token(session, day, token_id, *TokenState)
    token.case_id = case.id
    receive_at(session, case, day)
    accounts.record_audit(session, actor.user_id, "queue_token.link", "case_file", [case.id])


def give_slip(session: Session, open_day_id: int, token_id: int, actor: Actor, now: datetime) -> None:
    """Record that the person with this number got their slip. Raises DomainError `code_unknown` without a case."""
    day = require_open_day(session, open_day_id, actor)
    case_id = query.get_case_id(session, token_id, day.id)
    if case_id is None:
        raise DomainError("code_unknown", token_id=token_id)
    mark_slip_given(session, case_id, actor, now)


def serve(session: Session, open_day_id: int, token_id: int, actor: Actor, now: datetime) -> None:
    """A desk is done with the person: on to the next kind of station, or home after the last.

    Raises DomainError `changed_meanwhile` unless the person was called and is still at the desk.
    """
    token = _token_in(session, open_day_id, token_id, actor, TokenState.CALLED)
    kinds = station_kinds(session, open_day_id)
    following = kinds[kinds.index(token.station_kind) + 1 :]
    if following:
        token.state, token.station_kind, token.station_id = TokenState.WAITING, following[0], None
    else:
        token.state, token.ended_at = TokenState.SERVED, now
    session.flush()


def leave(session: Session, open_day_id: int, token_id: int, actor: Actor, now: datetime) -> None:
    """The person has gone, or did not come when called. Raises DomainError `changed_meanwhile`."""
    token = _token_in(session, open_day_id, token_id, actor, TokenState.WAITING, TokenState.CALLED)
    token.state, token.ended_at = TokenState.LEFT, now
    session.flush()


def come_back(session: Session, open_day_id: int, token_id: int, actor: Actor) -> None:
    """Who had left is here again, with the same number, for the station where they left."""
    # Held, so that nobody comes back while the doors are being closed.
    day = lock_open_day(session, open_day_id, actor, OpenDayState.OPEN)
    token = _lock_token(session, day, token_id, TokenState.LEFT)
    token.state, token.station_id, token.ended_at = TokenState.WAITING, None, None
    session.flush()


def _token_in(
    session: Session, open_day_id: int, token_id: int, actor: Actor, *states: TokenState
) -> QueueToken:
    day = require_open_day(session, open_day_id, actor)
    _require_in_progress(day)
    return _lock_token(session, day, token_id, *states)


def _lock_token(session: Session, day: OpenDay, token_id: int, *states: TokenState) -> QueueToken:
    token = query.get_token(session, token_id, day.id)
    if token is None:
        raise DomainError("not_found", token_id=token_id)
    if token.state not in states:
        raise DomainError("changed_meanwhile", token_id=token_id)
    return token


def _require_in_progress(day: OpenDay) -> None:
    if day.state != OpenDayState.OPEN:
        raise DomainError("open_day_state", open_day_id=day.id, state=str(day.state))
