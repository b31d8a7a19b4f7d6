"""Scheduled jobs as an administrator sees them: who runs them, how far behind we are, what ran and what failed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import job_texts
from api.auth import CurrentUser, Database, Require
from api.jobs.table import list_jobs
from api.lags import read_lags
from api.permissions import Permission
from api.rendering import language_of, render
from api.texts import text_of
from api.worker import leader_lock_name
from db.jobs import list_job_runs, list_job_standings
from db.lags import get_open_outage
from db.locks import get_lock_holder
from db.models import JobOutcome, JobRun
from ingest.sources.inbox import SOURCE as INBOX

router = APIRouter(prefix="/jobs")

LATE_FACTOR = 3
"""A job is late when it has not ended well for so many of its intervals, and the limit of lag has passed."""


@router.get("")
def jobs_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.JOB_READ))],
    job: Annotated[str | None, Query(max_length=40)] = None,
    outcome: JobOutcome | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the jobs of the user's governorate, the lag of each form, and the history, newest first."""
    context, language, now = request.app.state.context, language_of(request), datetime.now(UTC)
    settings = context.settings
    jobs = {one.name: one for one in list_jobs(settings)}
    limit = settings.lag_minutes * 60
    lags = read_lags(session, context)
    standings = list_job_standings(session, user.governorate, jobs)
    history = list_job_runs(session, user.governorate, job=job, outcome=outcome, page=page)
    names = {
        name: text_of(job_texts.JOBS, name, language) for name in {*jobs, *(r.job for r in history.rows)}
    }
    values = {
        "leader": get_lock_holder(session, leader_lock_name(user.governorate)),
        "outage": get_open_outage(session, user.governorate),
        "limit": settings.lag_minutes,
        "names": names,
        "lags": [
            {
                "form": lag.form_id,
                "source": lag.source,
                "is_inbox": lag.source == INBOX,
                "read_at": lag.read_at,
                "waiting": lag.waiting,
                "seconds": lag.seconds(now),
                "since": min(
                    (at for at in (lag.read_at or lag.unread_since, lag.waiting_since) if at), default=now
                ),
                "is_late": lag.seconds(now) > limit,
                "error": lag.error,
                "why": error_in_words(lag.error, language),
            }
            for lag in lags
        ],
        "jobs": [
            {
                "name": one.job,
                "last": _in_words(one.last, language) if one.last else None,
                "is_running": one.is_running,
                "last_ok_at": one.last_ok_at,
                "next_run_at": one.next_run_at,
                "is_late": one.last_ok_at is not None
                and (now - one.last_ok_at).total_seconds() > max(limit, LATE_FACTOR * jobs[one.job].every),
            }
            for one in standings
        ],
        "history": history,
        "runs": [_in_words(run, language) for run in history.rows],
        "chosen": job if job in names else None,
        "outcome": outcome,
        "outcomes": {code: text_of(job_texts.OUTCOMES, code, language) for code in JobOutcome},
    }
    return render(request, "jobs.html", values)


def error_in_words(code: str | None, language: str) -> str | None:
    """Why a run failed; a code without words of its own is shown beside a general sentence."""
    if code is None:
        return None
    known = code if code in job_texts.ERRORS else "other"
    return text_of({**job_texts.ERRORS, "other": job_texts.OTHER_ERROR}, known, language)


def _in_words(run: JobRun, language: str) -> Mapping[str, object]:
    seconds = (
        None
        if run.finished_at is None or run.error == "worker_died"  # nobody knows when it ended
        else (run.finished_at - run.started_at).total_seconds()
    )
    return {
        "id": run.id,
        "job": run.job,
        "worker": run.worker,
        "started_at": run.started_at,
        "seconds": seconds,
        "outcome": run.outcome,
        "outcome_text": text_of(job_texts.OUTCOMES, run.outcome, language) if run.outcome else None,
        "error": run.error,
        "why": error_in_words(run.error, language),
        "figures": [
            (text_of(job_texts.FIGURES, name, language), value)
            for name in job_texts.FIGURES
            if (value := run.figures.get(name))
        ],
    }
