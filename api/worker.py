"""The worker: one leads and runs the jobs, the others stand by and take over within seconds.

Who leads holds a lock on a connection of its own (docs/architecture.md). A leader that lost that connection runs
nothing more; each run has a lock of its own besides, so that not even two leaders could run one job at once.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from api.bell import Bell
from api.context import AppContext
from api.jobs.kinds import ARRIVAL, Job
from api.jobs.runs import JobRunner
from api.jobs.table import list_jobs
from api.scheduler import Due, Schedule
from db.jobs import upsert_job_plans
from db.locks import NamedLock
from db.notifications import listen
from db.session import session_scope

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
"""So often a leader looks whether it still leads, and the others whether anybody does."""
PAGE_SECONDS = 2.5
"""So long a run may take to its next page after a stop was asked for; then it is cut off."""
CUT_SECONDS = 1.0
GIVE_UP_SECONDS = 0.5


def leader_lock_name(governorate: str) -> str:
    """Name of the lock that the leading worker holds."""
    return f"leader {governorate}"


def worker_name() -> str:
    """This process, as the history and the page name it."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}"


class Worker:
    """Runs the jobs of an installation on threads while it leads."""

    def __init__(self, context: AppContext, jobs: Sequence[Job] | None = None) -> None:
        self.name = worker_name()
        self._context = context
        self._jobs = list_jobs(context.settings) if jobs is None else jobs
        self._stopping = threading.Event()
        self._leads = threading.Event()
        self._runners = {job.name: JobRunner(context, job, self.name, self._stopping) for job in self._jobs}
        self._thread = threading.Thread(target=self._live, name="worker", daemon=True)

    @property
    def is_leading(self) -> bool:
        """Whether this process runs the jobs now."""
        return self._leads.is_set()

    def start(self) -> None:
        """Lead, or stand by until nobody else does."""
        self._thread.start()

    def stop(self) -> bool:
        """End within five seconds, with nothing half done; False when some run is left behind, its work rolled back.

        A run ends at its next transaction. One that takes longer is cut off, and one that hangs in the network is
        rolled back by the end of the process, which the caller must then not wait for.
        """
        started = time.monotonic()
        self._stopping.set()
        if not self._wait_for_runs(started + PAGE_SECONDS):
            for runner in self._running():
                runner.cut()
        ended = self._wait_for_runs(started + PAGE_SECONDS + CUT_SECONDS)
        if not ended:
            left = threading.Thread(target=self._give_up, daemon=True)
            left.start()
            left.join(GIVE_UP_SECONDS)
        self._thread.join(max(0.1, started + PAGE_SECONDS + CUT_SECONDS - time.monotonic()))
        return ended

    def _running(self) -> list[JobRunner]:
        return [runner for runner in self._runners.values() if runner.is_running]

    def _wait_for_runs(self, until: float) -> bool:
        while running := self._running():
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        return not running

    def _give_up(self) -> None:
        for runner in self._running():
            try:
                runner.give_up()
            except SQLAlchemyError as error:
                logger.warning("a run could not be written down: %s", type(error).__name__)

    def _live(self) -> None:
        lock = NamedLock(self._context.engine, leader_lock_name(self._context.governorate.code), self.name)
        is_away = False
        while not self._stopping.is_set():
            try:
                leads = lock.take()
                is_away = False
            except SQLAlchemyError as error:
                if not is_away:
                    logger.warning("the database is away: %s", type(error).__name__)
                leads, is_away = False, True
            if leads:
                self._lead(lock)
            self._stopping.wait(BEAT_SECONDS)
        lock.release()

    def _lead(self, lock: NamedLock) -> None:
        logger.info("worker %s leads", self.name)
        schedule = Schedule(self._jobs, self._runners, self._note)
        hears, over = threading.Event(), threading.Event()
        threading.Thread(
            target=self._listen, args=(schedule, hears, over), name="listener", daemon=True
        ).start()
        hears.wait(BEAT_SECONDS)  # so that nothing arrives between the first runs and the first word
        schedule.start()
        self._leads.set()
        try:
            while not self._stopping.wait(BEAT_SECONDS) and lock.is_held():
                pass
        finally:
            self._leads.clear()
            over.set()
            schedule.stop()
            logger.info("worker %s leads no more", self.name)

    def _listen(self, schedule: Schedule, hears: threading.Event, over: threading.Event) -> None:
        """Wake jobs as words come in; what was said while nobody heard it is made up for by waking all.

        All run at the start of a lead anyway, so that only a second beginning wakes them.
        """

        def hear(word: str) -> None:
            governorate, _, rest = word.partition(" ")
            if governorate == self._context.governorate.code:
                schedule.wake(rest)

        def began() -> None:
            if hears.is_set() and not over.is_set():
                schedule.wake()
            hears.set()

        while not over.is_set():
            try:
                listen(self._context.engine, hear, lambda: not over.is_set(), began=began)
            except psycopg.Error as error:
                if not over.is_set():
                    logger.warning("listening stopped: %s", type(error).__name__)
                over.wait(BEAT_SECONDS)

    def _note(self, due: Due) -> None:
        """Keep for the page when jobs are due; it does without while the database is away."""
        try:
            with session_scope(self._context.engine) as session:
                upsert_job_plans(session, self._context.governorate.code, self.name, due)
        except SQLAlchemyError as error:
            logger.warning("the plan could not be written down: %s", type(error).__name__)


@contextmanager
def running_bell(context: AppContext) -> Iterator[None]:
    """Connect `context.wake` with whichever process leads, for the block."""
    bell, before = Bell(context.engine, f"{context.governorate.code} {ARRIVAL}"), context.wake
    context.wake = bell.ring
    try:
        yield
    finally:
        context.wake = before
        bell.stop()


@contextmanager
def running_worker(context: AppContext, jobs: Sequence[Job] | None = None) -> Iterator[Worker]:
    """A worker beside something else, for the block: it leads unless another does."""
    with running_bell(context):
        worker = Worker(context, jobs)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()
