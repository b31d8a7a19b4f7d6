"""`ihala tablets`: which tablets may send, and the QR code that sets one up."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from api.context import AppContext

app = typer.Typer(no_args_is_help=True)

MAX_LABEL = 60
OWN_ADDRESSES = frozenset({"127.0.0.1", "localhost", "0.0.0.0", "::1", "::"})  # noqa: S104  compared, not bound


def check_label(label: str) -> str:
    """Refuse a label that cannot be stored or read off a tablet's back."""
    label = label.strip()
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable():
        raise typer.BadParameter(f"a label has 1 to {MAX_LABEL} printable characters")
    return label


def _codes(session: "Session", context: "AppContext") -> str:
    from db.offices import list_offices

    return ", ".join(office.code for office in list_offices(session, context.governorate.code)) or "none yet"


@app.command()
def add(
    label: Annotated[
        str,
        typer.Argument(help="What is written on the tablet's back, such as MOS-07.", callback=check_label),
    ],
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
    from db.tablets import create_tablet, is_label_taken
    from governorates import name_in

    settings = Settings()
    with (
        private_file(png) as picture,  # before the tablet is made: its token cannot be shown again
        open_context(settings) as context,
        session_scope(context.engine) as session,
    ):
        found = get_office_by_code(session, context.governorate.code, office)
        if found is None:
            raise typer.BadParameter(f"there is no office {office!r}; there are: {_codes(session, context)}")
        if is_label_taken(session, label):
            raise typer.BadParameter(f"a tablet {label!r} exists already; revoke it and use a new label")
        _, token = create_tablet(session, label, found.id)
        address = settings.public_url or f"http://{settings.host}:{settings.port}"
        collect = collect_settings(
            address, token, name_in(context.governorate.names, context.governorate.default_language)
        )
        if picture is None:
            typer.echo(qr_terminal(collect))
        else:
            picture.write(qr_png(collect))
    typer.echo(f"Tablet {label} of {office}: scan with ODK Collect. Server: {address}")
    if urlsplit(address).hostname in OWN_ADDRESSES:
        typer.echo(
            "No tablet reaches that address: set IHALA_PUBLIC_URL to this machine's address in the network "
            "(and IHALA_HOST=0.0.0.0), revoke this tablet and add it anew.",
            err=True,
        )


@contextmanager
def private_file(path: Path | None) -> Iterator[BinaryIO | None]:
    """Open a new file that only its owner can read; it is removed again when the block fails."""
    if path is None:
        yield None
        return
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


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
        for tablet in list_tablets(session, context.governorate.code):
            state = "revoked" if tablet.revoked_at else "active"
            seen = tablet.last_seen_at.isoformat(timespec="minutes") if tablet.last_seen_at else "never"
            typer.echo(
                f"{tablet.label:30} {offices.get(tablet.office_id, '?'):12} {state:8} last seen {seen}"
            )


@app.command()
def revoke(label: Annotated[str, typer.Argument(help="Label of the lost or retired tablet.")]) -> None:
    """Shut a tablet out at once, here and in ODK Central; the same as `ihala central revoke`."""
    from api.commands.central import revoke as run

    run(label)
