"""`ihala messages`: what waits to be sent, sending it now, and the addresses of work accounts."""

import json
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """Count messages by state, way and kind, and show the newest failures; never an address or a text."""
    from api.context import open_context
    from api.delivery import summary
    from api.settings import Settings
    from db.outbox import count_all_messages, list_newest_failures
    from db.session import session_scope

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        counts = summary(count_all_messages(session))
        failures = [
            {"id": row.id, "template": row.template, "channel": row.channel, "error": row.last_error}
            for row in list_newest_failures(session)
        ]
    if as_json:
        typer.echo(json.dumps({"counts": counts, "failures": failures}))
        return
    for row in counts:
        typer.echo(f"{row['messages']:>8}  {row['state']:10} {row['channel']:6} {row['template']}")
    for failure in failures:
        typer.echo(
            f"failed {failure['id']}: {failure['template']} by {failure['channel']}: {failure['error']}"
        )


@app.command()
def send(as_json: Json = False) -> None:
    """Write the day's digests when their hour has come, and send what is due; safe to run at any time."""
    from datetime import UTC, datetime

    from api.context import open_context
    from api.delivery import deliver_messages
    from api.settings import Settings
    from casework.digests import queue_digests
    from db.session import session_scope

    with open_context(Settings()) as context:
        with session_scope(context.engine) as session:
            written = queue_digests(session, context.governorate, datetime.now(UTC))
        figures = {"digests": written} | deliver_messages(context).as_dict()
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        shown = ", ".join(value) or "-" if isinstance(value, list) else value
        typer.echo(f"{name:>14}  {shown}")


@app.command()
def address(
    user: Annotated[str | None, typer.Option(help="Login of the account.")] = None,
    organization: Annotated[
        str | None, typer.Option(help="Code of the organization (`ihala directory list`).")
    ] = None,
    channel: Annotated[str, typer.Option(help="email or sms")] = "email",
    language: Annotated[str, typer.Option(help="Language of an organization's messages.")] = "ar",
    remove: Annotated[bool, typer.Option("--remove", help="Forget the address.")] = False,
) -> None:
    """Keep the work address of an account or an organization, sealed. It is asked for, so that no history has it."""
    from api.context import open_context
    from api.settings import Settings
    from casework.contact_points import Owner, remove_contact_point, set_contact_point
    from db.accounts import get_user_by_login
    from db.directory import get_organization_by_code
    from db.errors import DomainError
    from db.models import Channel
    from db.session import session_scope
    from db.vault import Vault
    from governorates import LANGUAGES

    if (user is None) == (organization is None):
        raise typer.BadParameter("name either --user or --organization")
    if channel not in list(Channel) or language not in LANGUAGES:
        raise typer.BadParameter("channel is email or sms; language is ar, ckb, kmr or en")
    plain = "" if remove else typer.prompt("Address")
    with open_context(Settings()) as context, session_scope(context.engine) as session:
        if user is not None:
            account = get_user_by_login(session, user)
            owner = Owner(user_id=account.id) if account else None
        else:
            found = get_organization_by_code(session, context.governorate.code, organization or "")
            owner = Owner(organization_id=found.id, language=language) if found else None
        if owner is None:
            raise typer.BadParameter("there is no such account or organization")
        vault = Vault(session, context.masters)
        if remove:
            remove_contact_point(session, vault, owner, channel, None)
        else:
            try:
                set_contact_point(session, vault, owner, channel, plain, None)
            except DomainError:
                raise typer.BadParameter("this is no address of that kind") from None
    typer.echo("Forgotten." if remove else "Kept.")
