"""`ihala jobs`: the scheduled jobs, their last runs, and running one by hand."""

import json
import threading
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

EXIT_CODES = {"ok": 0, "failed": 1, "busy": 3, "stopped": 4}

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """List the jobs: how often each runs, how its last run ended, when it is due."""
    from api.context import open_context
    from api.jobs.table import list_jobs
    from api.settings import Settings
    from db.jobs import list_job_standings
    from db.session import session_scope

    settings = Settings()
    jobs = list_jobs(settings)
    with open_context(settings) as context, session_scope(context.engine) as session:
        standings = list_job_standings(session, context.governorate.code, [job.name for job in jobs])
    rows = [
        {
            "job": job.name,
            "every_seconds": job.every,
            "outcome": one.last.outcome if one.last else None,
            "error": one.last.error if one.last else None,
            "started_at": one.last.started_at.isoformat() if one.last else None,
            "next_run_at": one.next_run_at.isoformat() if one.next_run_at else None,
        }
        for job, one in zip(jobs, standings, strict=True)
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        last = f"{row['outcome'] or '-':8} {row['error'] or '':20} {row['started_at'] or 'never'}"
        typer.echo(f"{row['job']:12} every {row['every_seconds']:>6.0f} s  {last}")


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="JOB", help="Its name, as `ihala jobs list` shows it.")],
    as_json: Json = False,
) -> None:
    """Run one job now, beside the worker. Exit code: 0 done, 1 failed, 3 under way elsewhere, 4 stopped."""
    from api.context import open_context
    from api.jobs.runs import JobRunner
    from api.jobs.table import list_jobs
    from api.settings import Settings
    from api.worker import running_bell, worker_name

    settings = Settings()
    found = {job.name: job for job in list_jobs(settings)}.get(name)
    if found is None:
        raise typer.BadParameter(f"There is no job {name}.", param_hint="JOB")
    with open_context(settings) as context, running_bell(context):
        ended = JobRunner(context, found, worker_name(), threading.Event())()
    if as_json:
        figures = dict(ended.ran.figures)
        typer.echo(json.dumps({"outcome": ended.outcome, "error": ended.error, "figures": figures}))
    else:
        typer.echo(f"{name}: {ended.outcome} {ended.error or ''}".rstrip())
        for figure, value in ended.ran.figures.items():
            typer.echo(f"{figure:>14}  {value}")
    raise typer.Exit(EXIT_CODES[ended.outcome])
