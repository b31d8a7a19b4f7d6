"""One run of a job: once at a time in all processes, written down, stopped at the next page, or cut off."""

import logging
import threading
import traceback
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api.context import AppContext
from api.errors import WAITED_TOO_LONG
from api.jobs.kinds import Job, Ran
from db import jobs as query
from db.errors import DomainError
from db.guards import Guard, StopAsked
from db.locks import NamedLock
from db.models import JobOutcome
from db.session import session_scope
from ingest.central.errors import CentralError

logger = logging.getLogger(__name__)

BUSY_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: outcome, the code of its error, and what it said of itself."""

    outcome: JobOutcome
    error: str | None = None
    ran: Ran = field(default_factory=Ran)


def lock_name(governorate: str, job: str) -> str:
    """Name of the lock that a run of a job holds."""
    return f"job {governorate} {job}"


class JobRunner:
    """Runs one job for one worker, which sets `stopping` when it is to end. Calls wait for each other."""

    def __init__(self, context: AppContext, job: Job, worker: str, stopping: threading.Event) -> None:
        self.job = job
        self._base = context
        self._worker = worker
        self._stopping = stopping
        self._one = threading.Lock()
        self._lock: NamedLock | None = None
        self._run_id: int | None = None
        self._guard = Guard(context.engine, self._may_go_on)
        self._context = replace(context, engine=self._guard.engine)

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._one.locked()

    def cut(self) -> None:
        """End the run that takes too long: its transaction is rolled back."""
        self._guard.cut()

    def give_up(self) -> None:
        """Write down that the run under way is left: its process ends before it does."""
        if self._run_id is not None:
            self._write(self._run_id, Ended(JobOutcome.STOPPED, "cut_off"))

    def __call__(self) -> Ended:
        """Run once. Never raises an Exception: whatever goes wrong is the outcome, and the scheduler goes on."""
        with self._one:
            if self._stopping.is_set():
                return Ended(JobOutcome.STOPPED)
            lock = self._lock = NamedLock(self._base.engine, self._lock_name(), self._worker)
            try:
                return self._run(lock)
            except SQLAlchemyError as error:  # what writes the history down
                ended = Ended(JobOutcome.FAILED, error_code(error))
                logger.warning("job %s: %s %s", self.job.name, ended.error, place_of(error))
                return ended
            finally:
                self._run_id = None
                lock.release()

    def _lock_name(self) -> str:
        return lock_name(self._base.governorate.code, self.job.name)

    def _run(self, lock: NamedLock) -> Ended:
        is_free, code, name = lock.take(), self._base.governorate.code, self.job.name
        with session_scope(self._base.engine) as session:
            if not is_free:
                query.create_busy_run(session, code, name, self._worker, datetime.now(UTC))
                return Ended(JobOutcome.BUSY, ran=Ran(again_after=BUSY_AGAIN_SECONDS))
            query.close_dead_runs(session, code, name, datetime.now(UTC))
            self._run_id = run_id = query.create_job_run(session, code, name, self._worker, datetime.now(UTC))
        ended = self._act()
        self._write(run_id, ended)
        return ended

    def _act(self) -> Ended:
        try:
            ran = self.job.run(self._context) or Ran()
        except StopAsked:
            return Ended(JobOutcome.STOPPED, self._why_stopped())
        except Exception as error:
            # A run that is cut off fails in its own way, too. The text may quote what somebody said.
            if self._guard.is_cut:
                return Ended(JobOutcome.STOPPED, "cut_off")
            logger.error("job %s: %s %s", self.job.name, type(error).__name__, place_of(error))  # noqa: TRY400
            return Ended(JobOutcome.FAILED, error_code(error))
        if ran.busy:
            return Ended(JobOutcome.BUSY, ran=ran)
        return Ended(JobOutcome.FAILED if ran.error else JobOutcome.OK, ran.error, ran)

    def _why_stopped(self) -> str | None:
        if self._guard.is_cut:
            return "cut_off"
        return None if self._stopping.is_set() else "lock_lost"

    def _write(self, run_id: int, ended: Ended) -> None:
        with session_scope(self._base.engine) as session:
            query.finish_job_run(
                session,
                run_id,
                ended.outcome,
                datetime.now(UTC),
                error=ended.error,
                figures=ended.ran.figures,
            )
        logger.info("job %s: %s %s %s", self.job.name, ended.outcome, ended.error or "", ended.ran.figures)

    def _may_go_on(self) -> bool:
        """Asked before every transaction: not after a stop, and not without the lock that keeps others out."""
        return not self._stopping.is_set() and self._lock is not None and self._lock.is_held()


def error_code(error: Exception) -> str:
    """The code of an error, for the history: never its text."""
    if isinstance(error, DomainError | CentralError):
        return error.code
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        return "database_busy" if state in WAITED_TOO_LONG else _database_code(state)
    return "internal"


def _database_code(state: str | None) -> str:
    """Connections that broke (class 08, none), and a server that ends or is full (57P, 53), are its absence."""
    return "database_away" if state is None or state.startswith(("08", "57P", "53")) else "database_refused"


def place_of(error: BaseException) -> str:
    """File and line of an error."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
