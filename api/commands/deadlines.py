"""`ihala deadlines`: act on the clocks that ran out, or list them."""

import json
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command()
def run(
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Act on every clock that ran out; safe to run at any time. What waits again is matched by `ihala match`."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from api.context import open_context
    from api.settings import Settings
    from casework.deadline_runs import run_deadlines

    with open_context(Settings()) as context:
        report = run_deadlines(context.engine, context.masters, context.governorate, now=datetime.now(UTC))
    figures = asdict(report)
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        typer.echo(f"{name:>10}  {value}")


@app.command("list")
def list_all(
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
) -> None:
    """List the clocks that ran out, the most urgent first: referral, state, urgency, due, what a breach does."""
    from datetime import UTC, datetime

    from api.context import open_context
    from api.settings import Settings
    from db.deadlines import list_of_governorate
    from db.session import session_scope

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        for row in list_of_governorate(session, context.governorate.code, datetime.now(UTC), limit):
            due = f"{row.due_at:%Y-%m-%d %H:%M}"
            typer.echo(f"{row.referral_id:>8}  {row.state:18} {row.urgency:10} {due}  {row.breach_action}")
