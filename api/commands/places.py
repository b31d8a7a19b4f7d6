"""`ihala places`: the gazetteer, and the import of official lists."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


class Source(StrEnum):
    """Kinds of official files."""

    COD_AB = "cod-ab"
    DTM = "dtm"


@app.command("list")
def list_all(
    text: Annotated[str, typer.Argument(help="Part of a name in any language; empty lists the levels.")] = "",
    governorate: Annotated[str | None, typer.Option(help="Its code; else IHALA_GOVERNORATE.")] = None,
) -> None:
    """Find places by name, or count what is known by level."""
    from collections import Counter

    from api.settings import Settings
    from geo.gazetteer import Gazetteer
    from governorates import load, name_in

    known = load(governorate or Settings().governorate)
    if not text:
        for level, number in Counter(place.level for place in known.places.values()).items():
            typer.echo(f"{level:14} {number}")
        return
    for place in Gazetteer(known).search(text, limit=20):
        typer.echo(
            f"{place.pcode:14} {place.level:14} {name_in(place.names, 'ar')} / {name_in(place.names, 'en')}"
        )


@app.command("import")
def import_file(
    path: Annotated[
        Path, typer.Argument(exists=True, help="Official file: GeoJSON, shapefile, CSV or XLSX.")
    ],
    source: Annotated[Source, typer.Option(help="cod-ab (OCHA boundaries) or dtm (IOM master list).")],
    governorate: Annotated[str | None, typer.Option(help="Its code; else IHALA_GOVERNORATE.")] = None,
    target: Annotated[
        Path | None, typer.Option(help="Write here instead of into the governorate's places.csv.")
    ] = None,
) -> None:
    """Merge official places: new ones are added, changed ones brought up to date, bad rows reported."""
    from api.settings import Settings
    from geo.imports import import_places
    from governorates import load

    report = import_places(path, source, load(governorate or Settings().governorate), target)
    typer.echo(
        f"added {len(report.added)}, changed {len(report.changed)}, unchanged {report.unchanged}, "
        f"of other governorates {report.elsewhere}, rejected {len(report.rejected)}"
    )
    for rejection in report.rejected:
        typer.echo(f"  {rejection.where}: {rejection.reason}", err=True)
    if report.rejected:
        raise typer.Exit(1)
