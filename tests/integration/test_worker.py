"""Workers as processes: one leads, another takes over; a stop leaves nothing half done; a database that is away."""

import base64
import multiprocessing
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.context import AppContext
from api.jobs.kinds import Job
from api.jobs.runs import JobRunner
from api.settings import Settings
from api.worker import Worker, leader_lock_name, running_bell
from db.embedded import EmbeddedPostgres
from db.keyfile import MasterKeys
from db.locks import get_lock_holder
from db.models import Case, JobPlan, JobRun, Office, Submission
from db.session import make_engine, session_scope
from db.submissions import count_waiting
from db.tablets import create_tablet
from db.vault import Vault
from governorates import Governorate
from tests.conftest import Database
from tests.factories.cases import store_submission
from tests.integration.test_sync_kill import check, finish, invent, post

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from api.cli import main; main()", "worker"]
STOP_SECONDS = 5.0
TAKE_OVER_SECONDS = 5.0
SUBMISSIONS = 120

Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def spawn(fresh_database: Database, tmp_path: Path) -> Iterator[Spawn]:
    """Start `ihala worker` on this test's database; whatever is left is killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**settings: str) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IHALA_")}
        environment |= {
            "IHALA_DATABASE_URL": fresh_database.app_url,
            "IHALA_OWNER_DATABASE_URL": fresh_database.owner_url,
            "IHALA_DATA_FOLDER": str(tmp_path),
            "IHALA_MASTER_KEY": "test:" + base64.b64encode(b"t" * 32).decode(),
            **settings,
        }
        log = (tmp_path / f"worker-{len(started)}.log").open("wb")
        with log:
            process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> float:
    """Wait, and return for how long."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - started


def leader(engine: Engine) -> int | None:
    """The process that leads."""
    with session_scope(engine) as session:
        holder = get_lock_holder(session, leader_lock_name("nineveh"))
    return None if holder is None else int(holder.rpartition(":")[2])


def planner(engine: Engine) -> int | None:
    """The process that last scheduled anything."""
    with session_scope(engine) as session:
        found = session.scalars(select(JobPlan.worker).limit(1)).first()
    return None if found is None else int(found.rpartition(":")[2])


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> float:
    """Ask a process to stop; returns how long it took."""
    started = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=30)
    return time.monotonic() - started


def test_one_leads_and_another_takes_over(spawn: Spawn, fresh_engine: Engine) -> None:
    workers = {process.pid: process for process in (spawn() for _ in range(2))}
    wait_for(lambda: planner(fresh_engine) is not None)
    first = leader(fresh_engine)
    assert first in workers
    time.sleep(2.5)  # the other has looked more than once
    assert leader(fresh_engine) == planner(fresh_engine) == first
    workers[first].send_signal(signal.SIGKILL)
    taken = wait_for(lambda: leader(fresh_engine) not in {None, first}, TAKE_OVER_SECONDS)
    (second,) = workers.keys() - {first}
    wait_for(lambda: planner(fresh_engine) == second, TAKE_OVER_SECONDS)
    print(f"taken over after {taken:.2f} s")
    assert leader(fresh_engine) == second
    assert stop(workers[second]) < STOP_SECONDS
    assert workers[second].returncode == 0
    assert leader(fresh_engine) is None


def test_an_arrival_elsewhere_wakes_the_leader(
    spawn: Spawn, fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, tmp_path: Path
) -> None:
    """The web server is another process, and the clock of the worker an hour away."""
    spawn(IHALA_SYNC_MINUTES="60")
    wait_for(lambda: ("ok", None) in outcomes(fresh_engine))
    time.sleep(3)  # it compiles the forms
    context = make_context(fresh_database, fresh_engine, masters, tmp_path)

    def is_taken_in() -> bool:
        with Session(fresh_engine) as session:
            return count_waiting(session, "nineveh") == 0

    with running_bell(context):
        for _ in range(3):
            with session_scope(fresh_engine) as session:
                store_submission(session, Vault(session, masters))
            context.wake()
            print(f"taken in after {wait_for(is_taken_in, 2):.2f} s")


@pytest.fixture
def waiting(fresh_engine: Engine, masters: MasterKeys, governorate: Governorate) -> list[int]:
    """Submissions in the inbox; how many needs each has."""
    rng = random.Random(4)
    with session_scope(fresh_engine) as session:
        tablet, _ = create_tablet(session, "mosul-1", session.scalars(select(Office.id)).first() or 0)
    needs = []
    for _ in range(SUBMISSIONS):
        xml, number = invent(rng, governorate)
        assert post(fresh_engine, masters, tablet, xml) == "created"
        needs.append(number)
    return needs


def outcomes(engine: Engine, job: str = "sync") -> list[tuple[str | None, str | None]]:
    with Session(engine) as session:
        rows = session.execute(
            select(JobRun.outcome, JobRun.error).where(JobRun.job == job).order_by(JobRun.id)
        )
        return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_of_a_sync(
    spawn: Spawn,
    waiting: list[int],
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    number: signal.Signals,
) -> None:
    def left() -> int:
        with Session(fresh_engine) as session:
            return count_waiting(session, "nineveh")

    process = spawn()
    wait_for(lambda: left() < SUBMISSIONS)
    assert stop(process, number) < STOP_SECONDS
    assert process.returncode == 0
    assert 0 < left() < SUBMISSIONS, "it was not stopped in the middle"
    assert (SUBMISSIONS - left()) % 50 == 0, "half a page"
    assert outcomes(fresh_engine) == [("stopped", None)]
    finish(fresh_engine, masters, governorate)
    check(fresh_engine, waiting)


def test_a_page_that_takes_too_long_is_rolled_back(
    spawn: Spawn,
    waiting: list[int],
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
) -> None:
    owner = create_engine(fresh_database.owner_url)
    with owner.begin() as blocker:
        blocker.execute(text("LOCK TABLE person IN EXCLUSIVE MODE"))
        process = spawn()

        def is_blocked() -> bool:
            with Session(fresh_engine) as session:
                found = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL")
                return (session.scalar(found) or 0) > 0

        wait_for(is_blocked)
        assert 2 < stop(process) < STOP_SECONDS
    assert process.returncode == 0
    with Session(fresh_engine) as session:
        assert count_waiting(session, "nineveh") == SUBMISSIONS
        assert session.scalar(select(func.count()).select_from(Case)) == 0
    assert outcomes(fresh_engine) == [("stopped", "cut_off")]
    owner.dispose()
    finish(fresh_engine, masters, governorate)
    check(fresh_engine, waiting)


def test_a_silent_central_does_not_keep_a_worker(spawn: Spawn, fresh_engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = threading.Event()

        def accept() -> None:
            connections = []
            with suppress(OSError):
                while True:
                    connections.append(silent.accept()[0])
                    asked.set()

        threading.Thread(target=accept, daemon=True).start()
        process = spawn(
            IHALA_CENTRAL_URL=f"http://127.0.0.1:{silent.getsockname()[1]}",
            IHALA_CENTRAL_EMAIL="viewer@example.org",
            IHALA_CENTRAL_PASSWORD="not a secret",
            IHALA_CENTRAL_PROJECT_ID="1",
        )
        assert asked.wait(30)
        assert stop(process) < STOP_SECONDS
    assert process.returncode == 0
    assert outcomes(fresh_engine)[-1] == ("stopped", "cut_off")


def tick(_: AppContext) -> None:
    """A run so short that hundreds go by."""
    time.sleep(0.003)


def watched(folder: Path) -> Callable[[AppContext], None]:
    """A job that notes when another run of it is under way."""

    def run(context: AppContext) -> None:
        mine = folder / "under-way"
        try:
            mine.touch(exist_ok=False)
        except FileExistsError:
            (folder / f"overlap-{secrets.token_hex(4)}").touch()
            return
        tick(context)
        mine.unlink()
        (folder / f"done-{secrets.token_hex(8)}").touch()

    return run


def run_again_and_again(context: AppContext, job: Job, url: str, until: float) -> None:
    """What several processes do at once."""
    context.engine = make_engine(url)
    runner = JobRunner(context, job, f"test:{os.getpid()}", threading.Event())
    while time.time() < until:
        runner()


def make_context(database: Database, engine: Engine, masters: MasterKeys, folder: Path) -> AppContext:
    from governorates import load

    return AppContext(Settings(data_folder=folder), engine, database.owner_url, masters, load())


def test_a_job_runs_once_at_a_time(
    fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, tmp_path: Path
) -> None:
    context = make_context(fresh_database, fresh_engine, masters, tmp_path)
    job, until = Job("watched", watched(tmp_path), 60), time.time() + 4
    fork = multiprocessing.get_context("fork")
    fresh_engine.dispose()
    children = [
        fork.Process(target=run_again_and_again, args=(context, job, fresh_database.app_url, until))
        for _ in range(4)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    done = len(list(tmp_path.glob("done-*")))
    assert list(tmp_path.glob("overlap-*")) == []
    assert done > 20
    with Session(fresh_engine) as session:
        counted = dict(
            session.execute(select(JobRun.outcome, func.count()).group_by(JobRun.outcome)).all()  # type: ignore[arg-type]
        )
    assert counted["ok"] == done
    assert counted["busy"] > 0
    assert set(counted) == {"ok", "busy"}


def test_a_leader_without_its_connection_leads_no_more(
    fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, tmp_path: Path
) -> None:
    first, second = (
        Worker(make_context(fresh_database, fresh_engine, masters, tmp_path), [Job("tick", tick, 0.1)])
        for _ in range(2)
    )
    first.start()
    wait_for(lambda: first.is_leading)
    second.start()
    end_backends(fresh_engine, "ihala lock%")
    wait_for(lambda: not first.is_leading or second.is_leading, TAKE_OVER_SECONDS)
    wait_for(lambda: first.is_leading != second.is_leading, TAKE_OVER_SECONDS)
    assert first.stop()
    assert second.stop()


def end_backends(engine: Engine, like: str) -> int:
    """End the connections of this database, but for our own."""
    ended = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE :like "
        "AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        return int(connection.scalar(ended, {"like": like}) or 0)


def test_a_database_that_is_away_is_survived(
    server: EmbeddedPostgres,
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    tmp_path: Path,
) -> None:
    worker = Worker(make_context(fresh_database, fresh_engine, masters, tmp_path), [Job("tick", tick, 0.1)])
    elsewhere = create_engine(server.owner_url("postgres"), isolation_level="AUTOCOMMIT")

    def let_in(*, yes: bool) -> None:
        with elsewhere.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {fresh_database.name} ALLOW_CONNECTIONS {yes}"))

    def runs() -> int:
        with Session(fresh_engine) as session:
            return session.scalar(select(func.count()).where(JobRun.outcome == "ok")) or 0

    worker.start()
    wait_for(lambda: runs() > 3)
    with fresh_engine.connect() as own:  # opened before the door is shut
        let_in(yes=False)
        own.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND usename = current_user AND pid <> pg_backend_pid()"
            )
        )
        own.invalidate()
    with pytest.raises(SQLAlchemyError):
        runs()
    wait_for(lambda: not worker.is_leading, TAKE_OVER_SECONDS)
    time.sleep(2)
    let_in(yes=True)
    wait_for(lambda: worker.is_leading, 10)
    before = runs()
    wait_for(lambda: runs() > before + 3, 10)
    assert worker.stop()
    elsewhere.dispose()


@pytest.mark.deep
def test_leaders_killed_for_a_minute(
    fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, tmp_path: Path
) -> None:
    """Three workers; whichever leads is killed at a random moment, again and again. No run overlaps another."""
    rng, fork = random.Random(41), multiprocessing.get_context("fork")
    context = make_context(fresh_database, fresh_engine, masters, tmp_path)

    def work() -> None:
        context.engine = make_engine(fresh_database.app_url)
        job = Job("noted", note_run, 0.05)
        Worker(context, [job]).start()
        threading.Event().wait()

    with session_scope(fresh_engine) as session:
        session.execute(text("SELECT 1"))
    fresh_engine.dispose()
    workers = [fork.Process(target=work, daemon=True) for _ in range(3)]
    for one in workers:
        one.start()
    until, kills, longest = time.monotonic() + 60, 0, 0.0
    while time.monotonic() < until:
        time.sleep(rng.uniform(0.2, 3))
        number = leader(fresh_engine)
        victim = next((one for one in workers if one.pid == number), None)
        if victim is None or victim.pid is None:
            continue
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        kills += 1
        workers[workers.index(victim)] = replacement = fork.Process(target=work, daemon=True)
        replacement.start()
        gone = number
        longest = max(longest, wait_for(lambda gone=gone: leader(fresh_engine) not in {None, gone}, 10))
    for one in workers:
        one.kill()
        one.join()
    print(f"{kills} leaders killed, the longest time without one {longest:.2f} s")
    assert kills > 10
    assert longest < TAKE_OVER_SECONDS
    with Session(fresh_engine) as session:
        spans = session.execute(
            select(JobRun.started_at, JobRun.finished_at, JobRun.error).order_by(JobRun.id)
        ).all()
    assert len(spans) > 100
    ended = [(row[0], row[1]) for row in spans if row[2] is None and row[1] is not None]
    assert all(later[0] >= earlier[1] for earlier, later in pairwise(ended))


def note_run(context: AppContext) -> None:
    """A run that uses the database, too."""
    with session_scope(context.engine) as session:
        session.scalar(select(func.count()).select_from(Submission))
    time.sleep(0.01)
