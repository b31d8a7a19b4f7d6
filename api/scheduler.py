"""The clock of the house: APScheduler runs the ingester and looks at the deadlines of referrals.

The ingester also runs whenever something arrives.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from api.context import AppContext
from db.session import session_scope
from db.vault import Vault

if TYPE_CHECKING:
    from apscheduler.schedulers.base import BaseScheduler

logger = logging.getLogger(__name__)

SYNC_JOB = "sync"
COMPLAINT_JOB = "complaints"
MESSAGES_JOB = "messages"
DIGESTS_JOB = "digests"
MESSAGES_MINUTES = 1
FOLLOW_UP_JOB = "follow_ups"
FOLLOW_UP_MINUTES = 15  # the first follow-up is due in days
DEADLINES_JOB = "deadlines"
DEADLINES_MINUTES = 5
DEADLINES_AGAIN_SECONDS = 10
CONSENT_JOB = "consents"
CONSENT_MINUTES = 15


def run_sync(context: AppContext) -> None:
    """Take in what waits, then match; in the database only one run goes on at a time."""
    from ingest.sync import sync

    report = sync(context.engine, context.masters, context.governorate, context.settings.sync_settings())
    logger.info("sync: %s", report)


def run_complaints(context: AppContext) -> None:
    """Close complaints whose time to appeal has run out, and tell of those that wait for too long."""
    from api.complaint_clock import run_complaint_clock

    run_complaint_clock(context)


def run_messages(context: AppContext) -> None:
    """Send what is due. Workers may do so side by side."""
    from api.delivery import deliver_messages

    deliver_messages(context)


def run_digests(context: AppContext) -> None:
    """Write the day's digests when their hour has come; does nothing once they are written."""
    from casework.digests import queue_digests
    from db.session import session_scope

    with session_scope(context.engine) as session:
        queue_digests(session, context.governorate, datetime.now(UTC))


def run_follow_ups(context: AppContext) -> None:
    """Schedule the visits and calls whose clocks have started, a batch a transaction, until none is missing."""
    from casework.follow_ups import schedule_follow_ups

    made = 1
    while made:
        with session_scope(context.engine) as session:
            made = schedule_follow_ups(session, context.governorate, datetime.now(UTC))


def run_deadlines(context: AppContext) -> bool:
    """Act on the clocks that ran out; a need that waits again is matched at once.

    True when somebody was acting on a case just then, so that its clock is left to a run soon after.
    """
    from casework.deadline_runs import run_deadlines as run

    report = run(context.engine, context.masters, context.governorate, now=datetime.now(UTC))
    logger.info("deadlines: %s", report)
    if report.reopened:
        context.wake()
    return report.left > 0


def run_consents(context: AppContext) -> None:
    """Recall what waits where consent has grown old, and what was sent without it and nobody confirmed.

    One transaction a batch, and nothing is done twice: it may be killed and run again, or run beside another.
    """
    from casework.overrides import lapse_overrides
    from casework.renewals import expire_consents

    for act in (expire_consents, lapse_overrides):
        done = 1
        while done:
            with session_scope(context.engine) as session:
                done = act(session, Vault(session, context.masters), datetime.now(UTC))
            logger.info("%s: %s", act.__name__, done)


class SyncJob:
    """Calls `run`, one call at a time; a wake during a run makes it run once more, so no arrival is left."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._pending = threading.Event()
        self._running = threading.Lock()

    def mark_pending(self) -> bool:
        """Ask for a run; True when it was not asked for already."""
        was_pending = self._pending.is_set()
        self._pending.set()
        return not was_pending

    def __call__(self) -> None:
        """Run until nobody has asked for another run meanwhile."""
        with self._running:
            again = True
            while again:
                self._pending.clear()
                self._run()
                again = self._pending.is_set()


def schedule_jobs(scheduler: "BaseScheduler", context: AppContext) -> None:
    """Add the jobs and connect `context.wake`. A run that falls due while one is under way is merged into it."""
    job = SyncJob(partial(run_sync, context))
    # Two instances: the second waits for the first and takes what arrived in its last moments.
    scheduler.add_job(
        job,
        "interval",
        minutes=context.settings.sync_minutes,
        id=SYNC_JOB,
        max_instances=2,
        coalesce=True,
        next_run_time=datetime.now(UTC),
    )
    scheduler.add_job(
        run_follow_ups,
        "interval",
        args=[context],
        minutes=FOLLOW_UP_MINUTES,
        id=FOLLOW_UP_JOB,
        max_instances=1,
        coalesce=True,
        next_run_time=datetime.now(UTC),
    )

    scheduler.add_job(
        partial(run_complaints, context),
        "interval",
        hours=1,
        id=COMPLAINT_JOB,
        coalesce=True,
        next_run_time=datetime.now(UTC),
    )

    for name, run in ((DIGESTS_JOB, run_digests), (MESSAGES_JOB, run_messages)):
        scheduler.add_job(
            partial(run, context),
            "interval",
            minutes=MESSAGES_MINUTES,
            id=name,
            max_instances=1,
            coalesce=True,
        )

    def look_at_deadlines() -> None:
        if run_deadlines(context):
            soon = datetime.now(UTC) + timedelta(seconds=DEADLINES_AGAIN_SECONDS)
            scheduler.modify_job(DEADLINES_JOB, next_run_time=soon)

    scheduler.add_job(
        look_at_deadlines,
        "interval",
        minutes=DEADLINES_MINUTES,
        id=DEADLINES_JOB,
        max_instances=1,
        coalesce=True,
        next_run_time=datetime.now(UTC),
    )
    scheduler.add_job(
        partial(run_consents, context), "interval", minutes=CONSENT_MINUTES, id=CONSENT_JOB, coalesce=True
    )

    def wake() -> None:
        if job.mark_pending():
            scheduler.modify_job(SYNC_JOB, next_run_time=datetime.now(UTC))

    context.wake = wake


def start_scheduler(context: AppContext) -> "BaseScheduler":
    """Start the jobs on a background thread; the caller shuts the scheduler down."""
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    options: dict[str, Any] = {"executors": {"default": ThreadPoolExecutor(3)}, "timezone": UTC}
    scheduler = BackgroundScheduler(**options)
    schedule_jobs(scheduler, context)
    scheduler.start()
    return scheduler
