"""APScheduler over the table of jobs, for as long as this process leads (`api.worker`)."""

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from api.jobs.kinds import Job
from api.jobs.runs import Ended

logger = logging.getLogger(__name__)

Runners = Mapping[str, Callable[[], Ended]]
Due = Mapping[str, datetime | None]


class DaemonThreads(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """A thread for each run, which does not keep the process: a run that hangs in the network is left behind.

    There are as many at once as there are jobs, since no job runs twice at once.
    """

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        threading.Thread(target=self._work, args=(job, run_times), name=job.id, daemon=True).start()

    def _work(self, job: Any, run_times: Sequence[datetime]) -> None:
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        except BaseException:
            self._run_job_error(job.id, *sys.exc_info()[1:])
        else:
            self._run_job_success(job.id, events)


class Schedule:
    """The jobs on their clocks. `runners` run them; `note` is told when a job is due next."""

    def __init__(self, jobs: Sequence[Job], runners: Runners, note: Callable[[Due], None]) -> None:
        self._jobs = jobs
        self._note = note
        self._wanted = {job.name: threading.Event() for job in jobs}
        self._scheduler: Any = BackgroundScheduler(executors={"default": DaemonThreads()}, timezone=UTC)
        now = datetime.now(UTC)
        for job in jobs:
            first = {} if job.after is None else {"next_run_time": now + timedelta(seconds=job.after)}
            self._scheduler.add_job(
                self._turn,
                "interval",
                args=[job, runners[job.name]],
                id=job.name,
                seconds=job.every,
                jitter=job.jitter or None,
                max_instances=1,
                coalesce=True,  # runs that fell due while this one could not start are one run
                misfire_grace_time=None,  # late is better than never
                **first,
            )
        self._scheduler.add_listener(self._look_again, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

    def start(self) -> None:
        """Begin; jobs run on threads of their own."""
        self._scheduler.start()
        self._note({job.id: job.next_run_time for job in self._scheduler.get_jobs()})

    def stop(self) -> None:
        """Start no other run; those under way go on."""
        self._scheduler.shutdown(wait=False)

    def wake(self, word: str | None = None) -> None:
        """Run the jobs that a word wakes at once, or all that any word wakes."""
        for job in self._jobs:
            if job.woken_by if word is None else word in job.woken_by:
                self._wanted[job.name].set()
                self._run_at(job.name, datetime.now(UTC))

    def _turn(self, job: Job, run: Callable[[], Ended]) -> None:
        self._wanted[job.name].clear()
        ended = run()
        if ended.ran.again_after is not None:
            self._run_at(job.name, datetime.now(UTC) + timedelta(seconds=ended.ran.again_after), sooner=True)

    def _look_again(self, event: Any) -> None:
        """After a run, when its place is free: what was asked for meanwhile is done now, not by the clock."""
        if self._wanted[event.job_id].is_set():
            self._run_at(event.job_id, datetime.now(UTC))
        found = self._scheduler.get_job(event.job_id)
        if found is not None:
            self._note({found.id: found.next_run_time})

    def _run_at(self, name: str, moment: datetime, *, sooner: bool = False) -> None:
        try:
            found = self._scheduler.get_job(name)
            if found is None or (sooner and found.next_run_time and found.next_run_time <= moment):
                return
            self._scheduler.modify_job(name, next_run_time=moment)
        except JobLookupError:
            return  # stopped meanwhile
