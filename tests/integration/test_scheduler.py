"""The scheduler: an arrival wakes the ingester at once, and no arrival during a run is left to the clock."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from api.context import AppContext
from api.scheduler import SyncJob, start_scheduler
from api.settings import Settings
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.referrals import approve
from db.cases import count_figures
from db.keyfile import MasterKeys
from db.models import Deadline, Referral
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


def test_an_arrival_is_taken_in_long_before_the_schedule(context: AppContext) -> None:
    scheduler = start_scheduler(context)
    try:
        time.sleep(0.5)  # the run at start-up is over
        with session_scope(context.engine) as session:
            store_submission(session, Vault(session, context.masters))
        context.wake()

        def worked_through() -> bool:
            with session_scope(context.engine) as session:
                figures = count_figures(session)
            return figures["stored"] == 1 and figures["waiting"] == 0

        _wait_for(worked_through)
    finally:
        scheduler.shutdown(wait=True)


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
    scheduler = start_scheduler(context)
    try:

        def proposed_again() -> bool:
            with session_scope(context.engine) as session:
                states = session.scalars(select(Referral.state).order_by(Referral.id)).all()
            return states == ["expired", "proposed"]

        _wait_for(proposed_again, 60)
    finally:
        scheduler.shutdown(wait=True)


def test_what_arrives_during_a_run_makes_it_run_once_more() -> None:
    runs: list[float] = []
    in_first_run, go_on = threading.Event(), threading.Event()

    def slow_run() -> None:
        runs.append(time.monotonic())
        in_first_run.set()
        go_on.wait(5)

    job = SyncJob(slow_run)
    thread = threading.Thread(target=job)
    thread.start()
    assert in_first_run.wait(5)
    assert job.mark_pending()
    assert not job.mark_pending()
    go_on.set()
    thread.join(timeout=5)
    assert len(runs) == 2
