"""The scheduler: an arrival wakes the ingester at once, and no arrival during a run is left to the clock."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from api.context import AppContext
from api.jobs.kinds import ARRIVAL, Job, Ran
from api.settings import Settings
from api.worker import running_worker
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.referrals import approve
from db.cases import count_figures
from db.jobs import list_job_standings
from db.keyfile import MasterKeys
from db.models import Deadline, JobRun, Referral
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from tests.conftest import Database
from tests.factories.cases import make_assessment, open_case, store_submission


@pytest.fixture
def context(
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
) -> Iterator[AppContext]:
    settings = Settings(data_folder=tmp_path, sync_minutes=60)
    yield AppContext(settings, fresh_engine, fresh_database.owner_url, masters, governorate)


def _wait_for(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _has_run(context: AppContext, job: str) -> bool:
    with session_scope(context.engine) as session:
        (standing,) = list_job_standings(session, "nineveh", [job])
    return standing.last_ok_at is not None and not standing.is_running


def test_an_arrival_is_taken_in_within_two_seconds(context: AppContext) -> None:
    def arrive() -> None:
        with session_scope(context.engine) as session:
            store_submission(session, Vault(session, context.masters))
        context.wake()

    def is_taken_in(number: int) -> bool:
        with session_scope(context.engine) as session:
            figures = count_figures(session)
        return figures["stored"] == number and figures["waiting"] == 0

    with running_worker(context):
        _wait_for(lambda: _has_run(context, "sync"), 30)
        arrive()
        _wait_for(lambda: is_taken_in(1), 30)  # the first one after a start compiles the form
        for number in range(2, 5):
            arrive()
            _wait_for(lambda number=number: is_taken_in(number), 2)


def test_the_clocks_are_looked_at_and_what_waits_again_is_matched_at_once(context: AppContext) -> None:
    with session_scope(context.engine) as session:
        vault = Vault(session, context.masters)
        open_case(session, vault, context.governorate, make_assessment(context.governorate))
        match_open_needs(session, vault, context.governorate, now=datetime.now(UTC))
        first = session.scalars(select(Referral.id)).one()
        approve(session, vault, first, Actor(None, "coordinator", "nineveh", ministry="momd"))
        long_ago = datetime.now(UTC) - timedelta(days=60)
        ran_out = {"counts_from": long_ago, "due_at": long_ago, "act_at": long_ago}
        session.execute(update(Deadline).where(Deadline.closed_at.is_(None)).values(**ran_out))
    with running_worker(context):

        def proposed_again() -> bool:
            with session_scope(context.engine) as session:
                states = session.scalars(select(Referral.state).order_by(Referral.id)).all()
            return states == ["expired", "proposed"]

        _wait_for(proposed_again, 60)


def test_what_arrives_during_a_run_makes_it_run_once_more(context: AppContext) -> None:
    runs: list[float] = []
    in_first_run, go_on = threading.Event(), threading.Event()

    def slow_run(_: AppContext) -> None:
        runs.append(time.monotonic())
        in_first_run.set()
        go_on.wait(5)

    job = Job("slow", slow_run, 3600, woken_by=frozenset({ARRIVAL}))
    with running_worker(context, [job]):
        assert in_first_run.wait(5)
        for _ in range(5):
            context.wake()
            time.sleep(0.1)
        go_on.set()
        _wait_for(lambda: len(runs) == 2)
        time.sleep(0.7)
    assert len(runs) == 2


def test_a_job_that_asks_for_it_runs_again_soon(context: AppContext) -> None:
    runs: list[float] = []

    def look(_: AppContext) -> Ran:
        runs.append(time.monotonic())
        return Ran(again_after=0.3 if len(runs) == 1 else None)

    with running_worker(context, [Job("looking", look, 3600)]):
        _wait_for(lambda: len(runs) == 2)
        assert 0.2 < runs[1] - runs[0] < 2


def test_a_job_that_fails_stops_nothing(context: AppContext) -> None:
    runs: dict[str, int] = {"bad": 0, "good": 0}

    def bad(_: AppContext) -> None:
        runs["bad"] += 1
        raise ValueError("a name that must stay here")

    def good(_: AppContext) -> None:
        runs["good"] += 1

    with running_worker(context, [Job("bad", bad, 0.2), Job("good", good, 0.2)]):
        _wait_for(lambda: min(runs.values()) >= 4)
    with session_scope(context.engine) as session:
        found = session.execute(
            select(JobRun.job, JobRun.outcome, JobRun.error, func.count())
            .where(JobRun.outcome != "stopped")
            .group_by(JobRun.job, JobRun.outcome, JobRun.error)
        ).all()
    assert {row[:3] for row in found} == {("bad", "failed", "internal"), ("good", "ok", None)}
    assert min(row[3] for row in found) >= 3
