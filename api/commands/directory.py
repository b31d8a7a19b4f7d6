"""`ihala directory`: who offers what, where, to whom and for how many."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command()
def load(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder with the five CSV files.")
    ],
) -> None:
    """Load organizations, locations, services, slots and rules; all of it or nothing, and safe to repeat.

    The files are those of governorates/nineveh/directory, which is an invented sample: copy it and write your
    own. All faults are named at once, with file and line. Slots of an intake that exists are left as they are.
    """
    from api.context import open_context
    from api.settings import Settings
    from db.directory import upsert_directory
    from db.session import session_scope
    from governorates.directory import read_directory

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        directory = read_directory(folder, context.governorate)
        for name, number in upsert_directory(session, context.governorate, directory).items():
            typer.echo(f"{number:6} {name.replace('_', ' ')}")


@app.command("list")
def list_all() -> None:
    """List the organizations with the codes that `ihala users add --organization` takes."""
    from api.context import open_context
    from api.settings import Settings
    from db.directory import list_organizations
    from db.session import session_scope

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        for organization in list_organizations(session, context.governorate.code):
            typer.echo(f"{organization.code:40} {organization.kind:28} {organization.names['en']}")
