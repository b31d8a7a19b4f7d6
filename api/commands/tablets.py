"""`ihala tablets`: which tablets may send, and the QR code that sets one up."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command()
def add(
    label: Annotated[str, typer.Argument(help="What is written on the tablet's back, such as MOS-07.")],
    office: Annotated[str, typer.Option(help="Code of the office it belongs to: mosul, sinjar, ...")],
    png: Annotated[
        Path | None, typer.Option(help="Write the QR code as a picture here instead of showing it.")
    ] = None,
) -> None:
    """Add a tablet and show the QR code that ODK Collect scans. The code is shown once: it is the key."""
    from api.collect_qr import collect_settings, qr_png, qr_terminal
    from api.context import open_context
    from api.settings import Settings
    from db.offices import get_office_by_code
    from db.session import session_scope
    from db.tablets import create_tablet, get_tablet_by_label

    settings = Settings()
    with open_context(settings) as context, session_scope(context.engine) as session:
        found = get_office_by_code(session, office)
        if found is None:
            raise typer.BadParameter(f"there is no office {office!r}; run `ihala migrate` to load them")
        if get_tablet_by_label(session, label) is not None:
            raise typer.BadParameter(f"a tablet {label!r} exists already; revoke it and use a new label")
        _, token = create_tablet(session, label, found.id)
    address = settings.public_url or f"http://{settings.host}:{settings.port}"
    collect = collect_settings(address, token, context.governorate.names["ar"])
    if png is None:
        typer.echo(qr_terminal(collect))
    else:
        png.touch(mode=0o600)
        png.write_bytes(qr_png(collect))
    typer.echo(f"Tablet {label} of {office}: scan with ODK Collect. Server: {address}")


@app.command("list")
def list_all() -> None:
    """List all tablets with their office and when each was last heard of."""
    from api.context import open_context
    from api.settings import Settings
    from db.offices import list_offices
    from db.session import session_scope
    from db.tablets import list_tablets

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        offices = {office.id: office.code for office in list_offices(session, context.governorate.code)}
        for tablet in list_tablets(session):
            state = "revoked" if tablet.revoked_at else "active"
            seen = tablet.last_seen_at.isoformat(timespec="minutes") if tablet.last_seen_at else "never"
            typer.echo(
                f"{tablet.label:30} {offices.get(tablet.office_id, '?'):12} {state:8} last seen {seen}"
            )


@app.command()
def revoke(label: Annotated[str, typer.Argument(help="Label of the lost or retired tablet.")]) -> None:
    """Shut a tablet out at once."""
    from datetime import UTC, datetime

    from api.context import open_context
    from api.settings import Settings
    from db.session import session_scope
    from db.tablets import get_tablet_by_label, revoke_tablet

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        tablet = get_tablet_by_label(session, label)
        if tablet is None:
            raise typer.BadParameter(f"there is no tablet {label!r}")
        changed = revoke_tablet(session, tablet.id, datetime.now(UTC))
    typer.echo(f"Tablet {label} is shut out." if changed else f"Tablet {label} was shut out already.")
