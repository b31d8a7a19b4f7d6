"""`/metrics` for Prometheus: how the jobs do and how far behind we are. Totals only, never of a place or a person.

All is read from the database when it is asked for, so that it says the same in every process, and nothing is kept
in this one.
"""

import hmac
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from api.auth import Database
from api.context import AppContext
from api.jobs.table import list_jobs
from api.lags import read_lags
from api.settings import LOOPBACK
from api.worker import leader_lock_name
from db.errors import DomainError
from db.jobs import JobStanding, list_job_standings, list_tallies
from db.lags import Lag, count_backlog, get_open_outage
from db.locks import get_lock_holder
from db.models import JobOutcome, JobTally

router = APIRouter()

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@router.get("/metrics")
def metrics(request: Request, session: Database) -> Response:
    """Give the figures to who shows the token, or asks from this machine; to others there is nothing here."""
    context: AppContext = request.app.state.context
    if not may_read(request, context):
        raise DomainError("not_found")
    registry = CollectorRegistry()
    registry.register(Figures(session, context, datetime.now(UTC)))
    return Response(
        generate_latest(registry), media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"}
    )


def may_read(request: Request, context: AppContext) -> bool:
    """Whether this request shows the token, or comes from a program of this machine.

    A proxy on this machine speaks for the whole world: what it passes on needs the token. So does what names
    another host, for a page from elsewhere may make a browser of this machine ask.
    """
    token = context.settings.metrics_token
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if token is not None and kind.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    is_passed_on = any(name in request.headers for name in FORWARDED)
    is_here = request.client is not None and request.client.host in LOOPBACK
    return is_here and not is_passed_on and request.url.hostname in LOOPBACK


class Figures(Collector):
    """What the database says now."""

    def __init__(self, session: Session, context: AppContext, now: datetime) -> None:
        self._session = session
        self._context = context
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Every figure, a dozen statements in all."""
        session, code = self._session, self._context.governorate.code
        names = [job.name for job in list_jobs(self._context.settings)]
        yield from _tallies(list_tallies(session, code))
        yield from _standings(list_job_standings(session, code, names))
        lags = read_lags(session, self._context)
        yield from _lags(lags, self._now, self._context.settings.lag_minutes * 60)
        backlog = count_backlog(session, code)
        waiting = sum(lag.waiting for lag in lags)
        yield _gauge("ihala_submissions_waiting", "Submissions that are stored and not taken in yet", waiting)
        yield _gauge("ihala_submissions_quarantined", "Submissions in quarantine", backlog["quarantined"])
        yield _gauge("ihala_messages_waiting", "Messages that wait to be sent", backlog["messages_waiting"])
        yield _gauge("ihala_messages_failed", "Messages that were given up", backlog["messages_failed"])
        leads = get_lock_holder(session, leader_lock_name(code)) is not None
        yield _gauge("ihala_worker_leads", "Whether any process runs the jobs", float(leads))
        outage = get_open_outage(session, code) is not None
        yield _gauge("ihala_outage", "Whether administrators were told of a delay that lasts", float(outage))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _tallies(tallies: Sequence[JobTally]) -> Iterator[Metric]:
    runs = CounterMetricFamily("ihala_job_runs", "Runs of a job by outcome", labels=["job", "outcome"])
    took = CounterMetricFamily("ihala_job_seconds", "Seconds that runs took", labels=["job", "outcome"])
    success = GaugeMetricFamily(
        "ihala_job_last_success_timestamp_seconds", "When a job was last done", labels=["job"]
    )
    for tally in tallies:
        runs.add_metric([tally.job, tally.outcome], tally.runs)
        took.add_metric([tally.job, tally.outcome], tally.seconds)
        if tally.outcome == JobOutcome.OK:
            success.add_metric([tally.job], tally.last_at.timestamp())
    yield from (runs, took, success)


def _standings(standings: Sequence[JobStanding]) -> Iterator[Metric]:
    took = GaugeMetricFamily(
        "ihala_job_last_duration_seconds", "How long the last run of a job took", labels=["job"]
    )
    running = GaugeMetricFamily("ihala_job_running", "Whether a job is under way", labels=["job"])
    for one in standings:
        running.add_metric([one.job], float(one.is_running))
        if one.last is not None and one.last.finished_at is not None:
            took.add_metric([one.job], (one.last.finished_at - one.last.started_at).total_seconds())
    yield from (took, running)


def _lags(lags: Sequence[Lag], now: datetime, limit: float) -> Iterator[Metric]:
    behind = GaugeMetricFamily(
        "ihala_lag_seconds", "How far behind a form of a source is", labels=["source", "form"]
    )
    for lag in lags:
        behind.add_metric([lag.source, lag.form_id], lag.seconds(now))
    yield behind
    late = sum(lag.seconds(now) > limit for lag in lags)
    yield _gauge("ihala_forms_late", "Forms that are further behind than the limit", late)
