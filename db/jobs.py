"""Queries on scheduled jobs: what ran and how it ended, how often, and what is due next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, String, delete, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, aliased

from db.models import JobOutcome, JobPlan, JobRun, JobTally
from db.paging import PAGE_SIZE, Paged

DIED = "worker_died"
"""Error of a run whose process ended without a word."""


def create_job_run(session: Session, governorate: str, job: str, worker: str, now: datetime) -> int:
    """Write down that a job begins; the caller holds its lock. Returns the run's id."""
    run = JobRun(governorate=governorate, job=job, worker=worker, started_at=now, figures={})
    session.add(run)
    session.flush()
    return run.id


def create_busy_run(session: Session, governorate: str, job: str, worker: str, now: datetime) -> None:
    """Write down that a job did not run because it was under way elsewhere. Whole at once: nobody holds it open."""
    outcome = JobOutcome.BUSY
    session.add(
        JobRun(
            governorate=governorate,
            job=job,
            worker=worker,
            started_at=now,
            finished_at=now,
            outcome=outcome,
            figures={},
        )
    )
    _count(session, governorate, job, outcome, now)


def close_dead_runs(session: Session, governorate: str, job: str, now: datetime) -> int:
    """Close the runs of a job whose process died; how many. The caller holds the job's lock, so none is alive."""
    dead = session.scalars(
        update(JobRun)
        .where(JobRun.governorate == governorate, JobRun.job == job, JobRun.outcome.is_(None))
        .values(outcome=JobOutcome.STOPPED, error=DIED, finished_at=now)
        .returning(JobRun.id)
        .execution_options(synchronize_session=False)
    ).all()
    if dead:
        _count(session, governorate, job, JobOutcome.STOPPED, now, runs=len(dead))
    return len(dead)


def finish_job_run(
    session: Session,
    run_id: int,
    outcome: JobOutcome,
    now: datetime,
    *,
    error: str | None = None,
    figures: Mapping[str, float] | None = None,
) -> bool:
    """Write down how a run ended, and count it; False when it is closed already."""
    row = session.execute(
        update(JobRun)
        .where(JobRun.id == run_id, JobRun.outcome.is_(None))
        .values(outcome=outcome, finished_at=now, error=error, figures=dict(figures or {}))
        .returning(JobRun.governorate, JobRun.job, JobRun.started_at)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return False
    _count(session, row.governorate, row.job, outcome, now, seconds=(now - row.started_at).total_seconds())
    return True


def _count(
    session: Session,
    governorate: str,
    job: str,
    outcome: JobOutcome,
    now: datetime,
    *,
    runs: int = 1,
    seconds: float = 0.0,
) -> None:
    values = {
        "governorate": governorate,
        "job": job,
        "outcome": outcome,
        "runs": runs,
        "seconds": max(seconds, 0.0),
        "last_at": now,
    }
    made = insert(JobTally).values(values)
    session.execute(
        made.on_conflict_do_update(
            index_elements=[JobTally.governorate, JobTally.job, JobTally.outcome],
            set_={
                "runs": JobTally.runs + made.excluded.runs,
                "seconds": JobTally.seconds + made.excluded.seconds,
                "last_at": func.greatest(JobTally.last_at, made.excluded.last_at),
            },
        )
    )


def delete_old_runs(session: Session, governorate: str, before: datetime, limit: int = 1000) -> int:
    """Forget runs that began before a moment, the oldest first; how many."""
    old = (
        select(JobRun.id)
        .where(JobRun.governorate == governorate, JobRun.started_at < before, JobRun.outcome.is_not(None))
        .order_by(JobRun.started_at)
        .limit(limit)
    )
    gone = session.scalars(
        delete(JobRun)
        .where(JobRun.id.in_(old))
        .returning(JobRun.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def upsert_job_plans(
    session: Session, governorate: str, worker: str, due: Mapping[str, datetime | None]
) -> None:
    """Keep when the leading worker runs its jobs next."""
    if not due:
        return
    rows = [
        {"governorate": governorate, "job": job, "worker": worker, "next_run_at": at}
        for job, at in sorted(due.items())
    ]
    made = insert(JobPlan).values(rows)
    session.execute(
        made.on_conflict_do_update(
            index_elements=[JobPlan.governorate, JobPlan.job],
            set_={"worker": made.excluded.worker, "next_run_at": made.excluded.next_run_at},
        )
    )


@dataclass(frozen=True, slots=True)
class JobStanding:
    """A job as it stands: its newest run, whether it is under way, and when it is due."""

    job: str
    last: JobRun | None
    last_ok_at: datetime | None
    next_run_at: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether the newest run has not ended."""
        return self.last is not None and self.last.outcome is None


def list_job_standings(session: Session, governorate: str, jobs: Iterable[str]) -> list[JobStanding]:
    """The standing of these jobs, in their order; one statement."""
    names = list(jobs)
    job = select(func.unnest(literal(names, ARRAY(String))).label("name")).subquery("job")
    newest = (
        select(JobRun)
        .where(JobRun.governorate == governorate, JobRun.job == job.c.name)
        .order_by(JobRun.id.desc())
        .limit(1)
        .lateral("newest")
    )
    run = aliased(JobRun, newest)
    statement = (
        select(job.c.name, run, JobTally.last_at, JobPlan.next_run_at)
        .select_from(job)
        .outerjoin(run, true())
        .outerjoin(
            JobTally,
            (JobTally.governorate == governorate)
            & (JobTally.job == job.c.name)
            & (JobTally.outcome == JobOutcome.OK),
        )
        .outerjoin(JobPlan, (JobPlan.governorate == governorate) & (JobPlan.job == job.c.name))
    )
    found = {row[0]: JobStanding(*row) for row in session.execute(statement)}
    return [found[name] for name in names]


@dataclass(frozen=True, slots=True)
class JobRunPage(Paged):
    """One page of the history."""

    rows: Sequence[JobRun]
    total: int
    page: int


def list_job_runs(
    session: Session,
    governorate: str,
    *,
    job: str | None = None,
    outcome: str | None = None,
    page: int = 1,
) -> JobRunPage:
    """Runs, newest first, of one job or all, that ended in one way or any; two statements."""
    wanted: list[ColumnElement[bool]] = [JobRun.governorate == governorate]
    if job is not None:
        wanted.append(JobRun.job == job)
    if outcome is not None:
        wanted.append(JobRun.outcome == outcome)
    total = session.scalar(select(func.count()).select_from(JobRun).where(*wanted)) or 0
    rows = session.scalars(
        select(JobRun)
        .where(*wanted)
        .order_by(JobRun.id.desc())
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    ).all()
    return JobRunPage(rows, total, page)


def list_tallies(session: Session, governorate: str) -> list[JobTally]:
    """How often each job ended how, since ever."""
    return list(
        session.scalars(
            select(JobTally)
            .where(JobTally.governorate == governorate)
            .order_by(JobTally.job, JobTally.outcome)
        )
    )


def get_first_run_at(session: Session, governorate: str, job: str) -> datetime | None:
    """When the oldest run of a job that is still kept began."""
    return session.scalar(
        select(JobRun.started_at)
        .where(JobRun.governorate == governorate, JobRun.job == job)
        .order_by(JobRun.id)
        .limit(1)
    )
