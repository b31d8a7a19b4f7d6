"""`ihala open-days`: the open days of the offices."""

import json
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def open_days() -> None:
    """Keep `list` a command of its own while it is the only one."""


@app.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="Print the days as JSON.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 25,
) -> None:
    """List open days with their state, the numbers given out and the cases they received."""
    from api.context import open_context
    from api.settings import Settings
    from db.open_days import list_open_days_of_governorate
    from db.session import session_scope

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        rows = list_open_days_of_governorate(session, context.governorate.code, limit)
        days = [
            {
                "id": row.day.id,
                "office": row.office,
                "date": row.day.date.isoformat(),
                "state": str(row.day.state),
                "tokens": row.day.tokens,
                "cases": row.cases,
            }
            for row in rows
        ]
    if as_json:
        typer.echo(json.dumps(days, ensure_ascii=False))
        return
    for day in days:
        typer.echo(
            f"{day['date']} {day['office']:12} {day['state']:8} "
            f"{day['tokens']:5} numbers {day['cases']:5} cases"
        )
