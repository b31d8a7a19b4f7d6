"""What each job does: a few lines over the function that commands and pages call too."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from api.context import AppContext
from api.jobs.kinds import Ran
from db.session import session_scope
from db.vault import Vault

BUSY_AGAIN_SECONDS = 5.0
DEADLINES_AGAIN_SECONDS = 10.0


def run_sync(context: AppContext) -> Ran:
    """Take in what waits, then match; in the database only one run goes on at a time."""
    from ingest.sync import sync

    report = sync(context.engine, context.masters, context.governorate, context.settings.sync_settings())
    if report.busy:
        return Ran(busy=True, again_after=BUSY_AGAIN_SECONDS)
    # `form: code`; what one form could not give, it gives next time.
    error = report.errors[0].rpartition(": ")[2] if report.errors else None
    return Ran(figures_of(asdict(report)), error=error)


def run_complaints(context: AppContext) -> None:
    """Close complaints whose time to appeal has run out, and tell of those that wait for too long.

    Without figures: they would count complaints that are outside the line.
    """
    from api.complaint_clock import run_complaint_clock

    run_complaint_clock(context)


def run_messages(context: AppContext) -> Ran:
    """Send what is due. Workers may do so side by side."""
    from api.delivery import deliver_messages

    return Ran(figures_of(dict(deliver_messages(context).outcomes)))


def run_digests(context: AppContext) -> Ran:
    """Write the day's digests when their hour has come; does nothing once they are written."""
    from casework.digests import queue_digests

    with session_scope(context.engine) as session:
        return Ran({"written": queue_digests(session, context.governorate, datetime.now(UTC))})


def run_follow_ups(context: AppContext) -> Ran:
    """Schedule the visits and calls whose clocks have started, a batch a transaction, until none is missing."""
    from casework.follow_ups import schedule_follow_ups

    total, made = 0, 1
    while made:
        with session_scope(context.engine) as session:
            made = schedule_follow_ups(session, context.governorate, datetime.now(UTC))
        total += made
    return Ran({"scheduled": total})


def run_deadlines(context: AppContext) -> Ran:
    """Act on the clocks that ran out; a need that waits again is matched at once.

    When somebody was acting on a case just then, its clock is left to a run soon after.
    """
    from casework.deadline_runs import run_deadlines as run

    report = run(context.engine, context.masters, context.governorate, now=datetime.now(UTC))
    if report.busy:
        return Ran(busy=True, again_after=BUSY_AGAIN_SECONDS)
    if report.reopened:
        context.wake()
    figures = figures_of(asdict(report)) | figures_of(report.outcomes)
    error = "clock_failed" if report.errors else None
    return Ran(figures, error=error, again_after=DEADLINES_AGAIN_SECONDS if report.left else None)


def run_consents(context: AppContext) -> Ran:
    """Recall what waits where consent has grown old, and what was sent without it and nobody confirmed.

    One transaction a batch, and nothing is done twice: it may be killed and run again, or run beside another.
    """
    from casework.overrides import lapse_overrides
    from casework.renewals import expire_consents

    figures: dict[str, float] = {}
    for name, act in (("expired", expire_consents), ("lapsed", lapse_overrides)):
        total, done = 0, 1
        while done:
            with session_scope(context.engine) as session:
                done = act(session, Vault(session, context.masters), datetime.now(UTC))
            total += done
        figures[name] = total
    return Ran(figures)


def run_watch(context: AppContext) -> Ran:
    """Tell administrators once when a form is read too late, and once when that is over; forget old runs."""
    from api.lags import read_lags
    from casework.outages import watch_lags
    from db.jobs import delete_old_runs

    now = datetime.now(UTC)
    limit = timedelta(minutes=context.settings.lag_minutes)
    with session_scope(context.engine) as session:
        lags = read_lags(session, context)
        late = watch_lags(session, context.governorate, lags, limit, now)
    before = now - timedelta(days=context.settings.job_history_days)
    total, gone = 0, 1
    while gone:
        with session_scope(context.engine) as session:
            gone = delete_old_runs(session, context.governorate.code, before)
        total += gone
    return Ran({"late": late, "forgotten": total})


def figures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a report, without its words, codes and lists."""
    return {
        name: value
        for name, value in report.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
