"""The command line: `ihala --help`. Each command is a few lines over a function that jobs and pages call too."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands import (
    central,
    deadlines,
    directory,
    forms,
    jobs,
    messages,
    open_days,
    places,
    tablets,
    users,
    worker,
)

app = typer.Typer(
    name="ihala",
    help="Referral and case management for the people who help Iraq's returnees.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.add_typer(tablets.app, name="tablets", help="Tablets that may send: add, list, revoke.")
app.add_typer(users.app, name="users", help="Accounts: add, list, set a password, switch off.")
app.add_typer(
    directory.app, name="directory", help="Services: load the files of a directory, list organizations."
)
app.add_typer(deadlines.app, name="deadlines", help="Clocks of referrals: act on what ran out, list it.")
app.add_typer(places.app, name="places", help="Places: list, import official lists.")
app.add_typer(forms.app, name="forms", help="Questionnaires: list, build files for Collect and Central.")
app.add_typer(open_days.app, name="open-days", help="Open days of the offices: list.")
app.add_typer(
    central.app, name="central", help="ODK Central: check, provision, codes of tablets, lost tablets."
)
app.add_typer(messages.app, name="messages", help="Messages: list, send, addresses of work accounts.")
app.add_typer(jobs.app, name="jobs", help="Scheduled jobs: list them with their last runs, run one now.")
app.command("worker")(worker.run)

Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


def main() -> None:
    """Run the command line; a refusal is one line on standard error and exit code 1."""
    from api.command_errors import explain

    try:
        app()
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        typer.echo(message, err=True)
        sys.exit(1)


@app.command()
def demo(
    check: Annotated[
        bool,
        typer.Option("--check", help="Do the whole job in a temporary folder, print the figures and stop."),
    ] = False,
    as_json: Json = False,
    count: Annotated[int, typer.Option(min=1, help="How many assessments are filled and sent.")] = 300,
    port: Annotated[int | None, typer.Option(help="Port of the web server.")] = None,
) -> None:
    """Show the main job: tablets send assessments, people are referred, the pages are served."""
    from api.demo import run_check, run_demo

    if not check:
        run_demo(count=count, port=port)
        return
    figures = run_check(count=count, quiet=as_json)
    if as_json:
        _print_json(figures.as_dict())
    if not figures.is_complete:
        raise typer.Exit(1)


@app.command()
def serve(
    scheduler: Annotated[
        bool | None,
        typer.Option(
            "--scheduler/--no-scheduler",
            help="Run the jobs too unless an `ihala worker` does; without it IHALA_SCHEDULER decides.",
        ),
    ] = None,
) -> None:
    """Serve the pages, the JSON interface and the tablets' OpenRosa interface."""
    from api.context import open_context
    from api.server import make_server
    from api.settings import Settings
    from api.worker import running_bell, running_worker

    settings = Settings()
    schedules = settings.scheduler == "auto" if scheduler is None else scheduler
    with (
        open_context(settings, migrate=True, progress=_say) as context,
        running_worker(context) if schedules else running_bell(context),
    ):
        make_server(context).run()


@app.command()
def migrate() -> None:
    """Bring the database schema up to date and load the governorate's offices."""
    from api.context import open_context
    from api.settings import Settings
    from db.directory import upsert_offices
    from db.session import session_scope

    with (
        open_context(Settings(), migrate=True, progress=_say) as context,
        session_scope(context.engine) as session,
    ):
        upsert_offices(session, context.governorate)
    typer.echo("The database is up to date.")


@app.command()
def sync(
    reprocess: Annotated[
        bool, typer.Option("--reprocess", help="Try the submissions in quarantine once more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take in what tablets and ODK Central have, then match; safe to run at any time."""
    from dataclasses import asdict

    from api.context import open_context
    from api.settings import Settings
    from ingest.sync import sync as run

    with open_context(Settings(), progress=_say) as context:
        report = run(
            context.engine,
            context.masters,
            context.governorate,
            context.settings.sync_settings(),
            reprocess=reprocess,
        )
    _report(asdict(report), as_json)


@app.command()
def match(as_json: Json = False) -> None:
    """Match the open needs now; does nothing when nothing has changed since the last run."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from api.context import open_context
    from api.settings import Settings
    from casework.matching import match_open_needs
    from db.session import session_scope
    from db.vault import Vault

    with open_context(Settings(), progress=_say) as context, session_scope(context.engine) as session:
        report = match_open_needs(
            session,
            Vault(session, context.masters),
            context.governorate,
            now=datetime.now(UTC),
            seed=context.settings.match_seed,
        )
    _report(asdict(report), as_json)


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="File to write; it must not exist.")]) -> None:
    """Write the whole database into one encrypted file. Keep the key file apart from it."""
    from api.context import open_context
    from api.settings import Settings
    from db.backup import create_backup

    with open_context(Settings(), progress=_say) as context:
        report = create_backup(context.owner_url, target, context.masters)
    typer.echo(f"Written: {target} ({report.file_bytes} bytes, key {report.master_key_id}).")


@app.command()
def restore(
    source: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="File written by `ihala backup`.")
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Replace what the database holds now.")] = False,
) -> None:
    """Restore a backup with the key file it was made under."""
    from api.context import open_context
    from api.settings import Settings
    from db.backup import restore_backup

    with open_context(Settings(), progress=_say) as context:
        restore_backup(source, context.owner_url, context.masters, replace=replace)
    typer.echo("Restored.")


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _print_json(figures: dict[str, Any]) -> None:
    typer.echo(json.dumps(figures, ensure_ascii=False, default=str))


def _report(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(figures)
        return
    for name, value in figures.items():
        typer.echo(f"{name:>14}  {value}")
