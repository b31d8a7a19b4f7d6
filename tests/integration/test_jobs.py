"""The history of jobs, the lag of sources, and what administrators are told of it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from api.context import AppContext
from api.jobs.acts import run_watch
from api.jobs.kinds import Job, Ran
from api.jobs.runs import JobRunner
from api.lags import read_lags
from api.settings import Settings
from casework.contact_points import ADDRESS_FIELD
from db.contact_points import create_contact_point
from db.jobs import (
    create_job_run,
    delete_old_runs,
    finish_job_run,
    list_job_runs,
    list_job_standings,
    list_tallies,
)
from db.keyfile import MasterKeys
from db.models import AuditEvent, Channel, JobOutcome, JobRun, Outage, OutboxMessage, Role, SyncState, User
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from tests.conftest import Database
from tests.factories.cases import store_submission

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def context(
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
) -> Iterator[AppContext]:
    settings = Settings(
        data_folder=tmp_path,
        central_url="https://central.example.org",
        central_email="viewer@example.org",
        central_password=SecretStr("not a secret"),
        central_project_id=7,
        central_form_ids=("needs_assessment", "follow_up"),
    )
    yield AppContext(settings, fresh_engine, fresh_database.owner_url, masters, governorate)


def run(context: AppContext, job: Job) -> JobRun:
    """Run a job once and read what was written down."""
    JobRunner(context, job, "test:1", threading.Event())()
    with session_scope(context.engine) as session:
        return session.scalars(select(JobRun).order_by(JobRun.id.desc()).limit(1)).one()


def test_a_run_is_written_down(context: AppContext) -> None:
    written = run(context, Job("one", lambda _: Ran({"cases": 3}), 60))
    assert (written.job, written.worker, written.outcome, written.error) == ("one", "test:1", "ok", None)
    assert written.figures == {"cases": 3}
    assert written.finished_at is not None
    assert written.finished_at >= written.started_at
    assert run(context, Job("one", lambda _: Ran(busy=True), 60)).outcome == "busy"
    half = run(context, Job("one", lambda _: Ran({"cases": 1}, error="central_busy"), 60))
    assert (half.outcome, half.error, half.figures) == ("failed", "central_busy", {"cases": 1})
    with session_scope(context.engine) as session:
        counted = {tally.outcome: tally.runs for tally in list_tallies(session, "nineveh")}
        (standing,) = list_job_standings(session, "nineveh", ["one"])
    assert counted == {"ok": 1, "busy": 1, "failed": 1}
    assert standing.last is not None
    assert standing.last.id == half.id
    assert standing.last_ok_at == written.finished_at


def test_an_error_leaves_no_word_of_a_person(context: AppContext, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: AppContext) -> None:
        raise ValueError("Ahmed 07701234567")

    written = run(context, Job("bad", fail, 60))
    assert (written.outcome, written.error, written.figures) == ("failed", "internal", {})
    assert "ValueError" in caplog.text
    assert "Ahmed" not in caplog.text


def test_the_run_of_a_process_that_died_is_closed_by_the_next(context: AppContext) -> None:
    with session_scope(context.engine) as session:
        dead = create_job_run(session, "nineveh", "one", "gone:1", datetime.now(UTC))
        other = create_job_run(session, "nineveh", "two", "alive:1", datetime.now(UTC))
    run(context, Job("one", lambda _: None, 60))
    with session_scope(context.engine) as session:
        closed = session.get_one(JobRun, dead)
        assert (closed.outcome, closed.error) == ("stopped", "worker_died")
        assert session.get_one(JobRun, other).outcome is None
        assert not finish_job_run(session, dead, JobOutcome.OK, datetime.now(UTC))


def test_a_stop_is_heeded_before_the_next_transaction(context: AppContext) -> None:
    stopping, begun = threading.Event(), []

    def work(own: AppContext) -> None:
        for number in range(3):
            with session_scope(own.engine) as session:
                session.scalar(select(func.count()).select_from(JobRun))
                stopping.set()  # in the middle of a transaction, which is still finished
                session.scalar(select(func.count()).select_from(User))
            begun.append(number)

    ended = JobRunner(context, Job("paged", work, 60), "test:1", stopping)()
    assert (ended.outcome, begun) == ("stopped", [0])


def test_a_statement_that_takes_too_long_is_cancelled(context: AppContext) -> None:
    stopping, sleeping = threading.Event(), threading.Event()

    def work(own: AppContext) -> None:
        with session_scope(own.engine) as session:
            session.add(AuditEvent(user_id=None, action="half.done", object_type="case", object_id=1))
            session.flush()
            sleeping.set()
            session.execute(text("SELECT pg_sleep(25)"))

    runner = JobRunner(context, Job("slow", work, 60), "test:1", stopping)
    ended: list[str | None] = []
    thread = threading.Thread(target=lambda: ended.append(runner().error))
    thread.start()
    assert sleeping.wait(5)
    stopping.set()
    time.sleep(0.3)
    runner.cut()
    thread.join(5)
    assert ended == ["cut_off"]
    with Session(context.engine) as session:
        assert session.scalars(select(AuditEvent.id).where(AuditEvent.action == "half.done")).all() == []


def test_the_history_is_bounded_and_counters_never_fall(context: AppContext) -> None:
    with session_scope(context.engine) as session:
        for days in range(40):
            began = datetime.now(UTC) - timedelta(days=days, minutes=1)
            finish_job_run(
                session, create_job_run(session, "nineveh", "one", "w:1", began), JobOutcome.OK, began
            )
    with session_scope(context.engine) as session:
        assert delete_old_runs(session, "nineveh", datetime.now(UTC) - timedelta(days=30), limit=4) == 4
    ran = run_watch(context)
    assert ran.figures["forgotten"] == 40 - 4 - 14
    with session_scope(context.engine) as session:
        page = list_job_runs(session, "nineveh", job="one")
        assert (page.total, len(page.rows), page.pages) == (14, 14, 1)
        assert [tally.runs for tally in list_tallies(session, "nineveh")] == [40]


def give_address(context: AppContext, language: str = "ar") -> None:
    """An administrator who can be reached."""
    with session_scope(context.engine) as session:
        user = User(
            login=f"admin-{language}",
            password_hash="-",
            role=Role.ADMIN,
            governorate="nineveh",
            language=language,
        )
        session.add(user)
        session.flush()
        vault = Vault(session, context.masters)
        key = vault.create_key()
        address = vault.seal(key, ADDRESS_FIELD, "admin@example.org")
        assert address is not None
        create_contact_point(session, Channel.EMAIL, address, key, user_id=user.id)


def set_read(context: AppContext, minutes: float) -> None:
    """Every form was read so many minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    with session_scope(context.engine) as session:
        for form_id in (*context.settings.central_form_ids, "not_read_any_more"):
            state = SyncState(governorate="nineveh", source="central:7", form_id=form_id, index={}, version=0)
            state = session.merge(state)
            state.last_success_at = at if form_id != "not_read_any_more" else NOW


def templates(context: AppContext) -> list[str]:
    with Session(context.engine) as session:
        return list(session.scalars(select(OutboxMessage.template).order_by(OutboxMessage.id)))


def test_an_outage_is_told_once_and_its_end_once(context: AppContext) -> None:
    give_address(context)
    set_read(context, 2)
    assert run_watch(context).figures["late"] == 0
    assert templates(context) == []
    for minutes in (16, 20, 90):
        set_read(context, minutes)
        assert run_watch(context).figures["late"] == 2
    assert templates(context) == ["lag_alert"]
    with Session(context.engine) as session:
        assert session.scalars(select(OutboxMessage.params)).one() == {"forms": 2, "minutes": 16}
    set_read(context, 1)
    for _ in range(3):
        run_watch(context)
    assert templates(context) == ["lag_alert", "lag_over"]
    set_read(context, 30)
    run_watch(context)
    assert templates(context) == ["lag_alert", "lag_over", "lag_alert"]
    with Session(context.engine) as session:
        assert [
            outage.ended_at is None for outage in session.scalars(select(Outage).order_by(Outage.id))
        ] == [
            False,
            True,
        ]


def test_watchers_side_by_side_tell_once(context: AppContext) -> None:
    give_address(context)
    set_read(context, 60)
    barrier = threading.Barrier(4)

    def watch() -> None:
        barrier.wait()
        run_watch(context)

    threads = [threading.Thread(target=watch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert templates(context) == ["lag_alert"]


def test_what_was_never_read_is_late_from_the_first_run(context: AppContext) -> None:
    with session_scope(context.engine) as session:
        assert [lag.seconds(datetime.now(UTC)) for lag in read_lags(session, context)] == [0, 0]
        began = datetime.now(UTC) - timedelta(minutes=40)
        create_job_run(session, "nineveh", "sync", "w:1", began)
    with session_scope(context.engine) as session:
        lags = read_lags(session, context)
    assert [lag.form_id for lag in lags] == ["follow_up", "needs_assessment"]
    assert all(2300 < lag.seconds(datetime.now(UTC)) < 2500 for lag in lags)


def test_what_waits_in_the_inbox_is_late_too(context: AppContext) -> None:
    inbox_only = replace(context, settings=Settings(data_folder=context.settings.data_folder))
    with session_scope(context.engine) as session:
        store_submission(session, Vault(session, context.masters))
        waiting = store_submission(session, Vault(session, context.masters))
        waiting.received_at = datetime.now(UTC) - timedelta(minutes=20)
    with session_scope(context.engine) as session:
        (lag,) = read_lags(session, inbox_only)
    assert (lag.source, lag.waiting, lag.read_at) == ("inbox", 2, None)
    assert 1190 < lag.seconds(datetime.now(UTC)) < 1300
    assert run_watch(inbox_only).figures["late"] == 1
