"""The queue of an open day: a crowd at the door, several desks at once, and any order of acts."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from casework import queue_tokens as queue
from casework.moves import Actor
from casework.open_days import close_open_day
from db.errors import DomainError
from db.models import OpenDay, QueueToken
from db.queue_tokens import list_waiting
from db.session import session_scope
from governorates import Governorate, choice_codes
from tests.factories.open_days import desk, officer_of, open_open_day

NOON = datetime(2031, 5, 6, 9, 0, tzinfo=UTC)
CROWD = 50


def together(works: list[Callable[[], object]]) -> list[BaseException]:
    """Let the works begin at one moment; what any of them failed with."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_fifty_people_at_the_door_get_fifty_consecutive_numbers(
    fresh_engine: Engine, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        day, actor = open_open_day(session, governorate, now=NOON), officer_of(session)
    numbers: list[int] = []

    def take() -> None:
        with session_scope(fresh_engine) as session:
            numbers.append(queue.take_token(session, day, actor, NOON).number)

    assert together([take] * CROWD) == []
    assert sorted(numbers) == list(range(1, CROWD + 1))


def test_a_number_whose_transaction_fails_goes_to_the_next_person(
    fresh_engine: Engine, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        day, actor = open_open_day(session, governorate, now=NOON), officer_of(session)
    with Session(fresh_engine) as session:
        assert queue.take_token(session, day, actor, NOON).number == 1
        session.rollback()
    with session_scope(fresh_engine) as session:
        assert queue.take_token(session, day, actor, NOON).number == 1


def test_desks_never_call_the_same_person(fresh_engine: Engine, governorate: Governorate) -> None:
    desks = 10
    with session_scope(fresh_engine) as session:
        day = open_open_day(session, governorate, stations={"assessment": desks}, now=NOON)
        actor = officer_of(session)
        stations = [desk(session, day, "assessment", number) for number in range(1, desks + 1)]
        for _ in range(25):
            queue.take_token(session, day, actor, NOON)
    called: list[int] = []

    def work_through(station_id: int) -> None:
        while True:
            with session_scope(fresh_engine) as session:
                turn = queue.call_next(session, station_id, actor, NOON)
            if turn is None:
                return
            called.append(turn.number)
            with session_scope(fresh_engine) as session:
                queue.serve(session, day, turn.token_id, actor, NOON)

    works = [lambda station_id=station_id: work_through(station_id) for station_id in stations]  # type: ignore[misc]
    assert together(works) == []
    assert sorted(called) == list(range(1, 26))


def test_a_double_click_calls_one_person(fresh_engine: Engine, governorate: Governorate) -> None:
    with session_scope(fresh_engine) as session:
        day, actor = open_open_day(session, governorate, now=NOON), officer_of(session)
        station_id = desk(session, day, "reception")
        for _ in range(5):
            queue.take_token(session, day, actor, NOON)

    def call() -> None:
        with session_scope(fresh_engine) as session:
            queue.call_next(session, station_id, actor, NOON)

    failures = together([call] * 5)
    assert [error.code for error in failures if isinstance(error, DomainError)] == ["station_taken"] * 4
    with session_scope(fresh_engine) as session:
        assert len(session.scalars(select(QueueToken).where(QueueToken.state == "called")).all()) == 1


def test_closing_while_the_crowd_comes_leaves_nobody_waiting(
    fresh_engine: Engine, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        day, actor = open_open_day(session, governorate, now=NOON), officer_of(session)

    def take() -> None:
        with session_scope(fresh_engine) as session:
            queue.take_token(session, day, actor, NOON)

    def close() -> None:
        with session_scope(fresh_engine) as session:
            close_open_day(session, day, actor, NOON)

    failures = together([*[take] * 15, close, *[take] * 15])
    assert {error.code for error in failures if isinstance(error, DomainError)} <= {"open_day_state"}
    assert all(isinstance(error, DomainError) for error in failures)
    with session_scope(fresh_engine) as session:
        tokens = session.scalars(select(QueueToken)).all()
        assert {token.state for token in tokens} <= {"left"}
        assert session.get_one(OpenDay, day).tokens == len(tokens)


def test_a_way_through_the_stations(session: Session, governorate: Governorate) -> None:
    """In the order of the list, as far as the day has desks of the kind."""
    day = open_open_day(session, governorate, stations={"slip": 1, "reception": 1, "consent": 0}, now=NOON)
    actor = officer_of(session)
    token = queue.take_token(session, day, actor, NOON)
    assert queue.station_kinds(session, day) == ("reception", "slip")
    assert queue.call_next(session, desk(session, day, "slip"), actor, NOON) is None
    assert queue.call_next(session, desk(session, day, "reception"), actor, NOON) == queue.Turn(token.id, 1)
    queue.serve(session, day, token.id, actor, NOON)
    assert (token.state, token.station_kind, token.station_id) == ("waiting", "slip", None)
    assert queue.call_next(session, desk(session, day, "slip"), actor, NOON) == queue.Turn(token.id, 1)
    queue.serve(session, day, token.id, actor, NOON)
    assert (token.state, token.ended_at) == ("served", NOON)
    for act in (
        lambda: queue.serve(session, day, token.id, actor, NOON),
        lambda: queue.leave(session, day, token.id, actor, NOON),
        lambda: queue.come_back(session, day, token.id, actor),
    ):
        with pytest.raises(DomainError) as refusal:
            act()
        assert refusal.value.code == "changed_meanwhile"


def test_priority_needs_a_reason_of_the_list(session: Session, governorate: Governorate) -> None:
    day, actor = open_open_day(session, governorate, now=NOON), officer_of(session)
    with pytest.raises(DomainError) as refusal:
        queue.take_token(session, day, actor, NOON, "important_person")
    assert refusal.value.code == "reason_unknown"


def test_a_token_of_another_day_is_not_found(session: Session, governorate: Governorate) -> None:
    actor = officer_of(session)
    monday = open_open_day(session, governorate, now=NOON)
    tuesday = open_open_day(session, governorate, now=NOON + timedelta(days=1))
    token = queue.take_token(session, monday, actor, NOON)
    with pytest.raises(DomainError) as refusal:
        queue.leave(session, tuesday, token.id, actor, NOON)
    assert refusal.value.code == "not_found"


DAYS = itertools.count(1)
KINDS = choice_codes("station")
ACTS = st.one_of(
    st.tuples(st.just("take"), st.sampled_from([None, None, *choice_codes("queue_priority")])),
    st.tuples(st.just("call"), st.sampled_from([(kind, n) for kind in KINDS for n in (1, 2)])),
    st.tuples(st.sampled_from(["serve", "leave", "come_back"]), st.integers(0, 12)),
)


@dataclass
class Beside:
    """The queue and a plain model of it, which must agree after every act."""

    session: Session
    day: int
    actor: Actor
    now: datetime
    desk_ids: dict[tuple[str, int], int]
    ids: list[int] = field(default_factory=list)
    priority: list[bool] = field(default_factory=list)
    state: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Number -> state and index of the kind of station."""
    desks: dict[tuple[str, int], int] = field(default_factory=dict)
    returns: Counter[int] = field(default_factory=Counter)
    calls: set[tuple[int, int, int]] = field(default_factory=set)

    def order(self, numbers: Iterable[int]) -> list[int]:
        return sorted(numbers, key=lambda number: (not self.priority[number - 1], number))

    def waiting(self, kind: str | None = None) -> list[int]:
        return self.order(
            number
            for number, (state, step) in self.state.items()
            if state == "waiting" and kind in (None, KINDS[step])
        )

    def take(self, reason: str | None) -> None:
        token = queue.take_token(self.session, self.day, self.actor, self.now, reason)
        self.ids.append(token.id)
        self.priority.append(reason is not None)
        assert token.number == len(self.ids)
        self.state[token.number] = ("waiting", 0)

    def call(self, at: tuple[str, int]) -> None:
        if at in self.desks:
            with pytest.raises(DomainError, match="station_taken"):
                queue.call_next(self.session, self.desk_ids[at], self.actor, self.now)
            return
        turn = queue.call_next(self.session, self.desk_ids[at], self.actor, self.now)
        line = self.waiting(at[0])
        assert (turn.number if turn else None) == (line[0] if line else None)
        if turn is not None:
            step = self.state[turn.number][1]
            call = (turn.number, step, self.returns[turn.number])
            assert call not in self.calls
            self.calls.add(call)
            self.state[turn.number], self.desks[at] = ("called", step), turn.number

    def move(self, name: str, number: int) -> None:
        state, step = self.state.get(number, ("nowhere", 0))
        token_id = self.ids[number - 1] if state != "nowhere" else 0
        act = {
            "serve": lambda: queue.serve(self.session, self.day, token_id, self.actor, self.now),
            "leave": lambda: queue.leave(self.session, self.day, token_id, self.actor, self.now),
            "come_back": lambda: queue.come_back(self.session, self.day, token_id, self.actor),
        }[name]
        possible = {"serve": ["called"], "leave": ["waiting", "called"], "come_back": ["left"]}
        if state not in possible[name]:
            with pytest.raises(DomainError, match="not_found" if state == "nowhere" else "changed_meanwhile"):
                act()
            return
        act()
        self.desks = {at: who for at, who in self.desks.items() if who != number}
        if name == "serve":
            self.state[number] = ("served", step) if step + 1 == len(KINDS) else ("waiting", step + 1)
        elif name == "leave":
            self.state[number] = ("left", step)
        else:
            self.state[number] = ("waiting", step)
            self.returns[number] += 1

    def check(self) -> None:
        stored = self.session.scalars(select(QueueToken).where(QueueToken.open_day_id == self.day))
        assert self.state == {
            token.number: (token.state, KINDS.index(token.station_kind)) for token in stored
        }
        line = list_waiting(self.session, self.day, None)
        assert [row.token.number for row in line.rows] == self.waiting()[:25]
        assert line.total == len(self.waiting())
        assert self.session.get_one(OpenDay, self.day).tokens == len(self.ids)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACTS, min_size=10, max_size=60))
def test_any_order_of_acts_keeps_the_order_of_the_queue(
    session: Session, governorate: Governorate, acts: list[tuple[str, Any]]
) -> None:
    """Numbers are consecutive; nobody is called twice to a kind of station unless they came back.

    Whoever is called is the first of those with priority, else the first of all.
    """
    now, actor = NOON + timedelta(days=next(DAYS)), officer_of(session)
    day = open_open_day(session, governorate, stations=dict.fromkeys(KINDS, 2), now=now)
    desk_ids = {(kind, n): desk(session, day, kind, n) for kind in KINDS for n in (1, 2)}
    beside = Beside(session, day, actor, now, desk_ids)
    for name, what in acts:
        if name == "take":
            beside.take(what)
        elif name == "call":
            beside.call(what)
        else:
            beside.move(name, what)
    beside.check()
