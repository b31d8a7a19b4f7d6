"""`ihala forms`: the questionnaires."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_all() -> None:
    """List the questionnaires with their versions."""
    from xlsforms.compile import list_forms, source_version

    for name in list_forms():
        typer.echo(f"{name:24} {source_version(name)}")


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Where the files are written.")],
    governorate: Annotated[str | None, typer.Option(help="Its code; else IHALA_GOVERNORATE.")] = None,
) -> None:
    """Write .xlsx, XForm XML and media of every questionnaire, to upload to ODK Central or to read."""
    from api.settings import Settings
    from xlsforms.compile import list_forms, write_form

    for name in list_forms():
        for path in write_form(name, folder, governorate or Settings().governorate):
            typer.echo(str(path))
