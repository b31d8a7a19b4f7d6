"""`ihala central`: whether ODK Central has what it should, putting it there, tablets' codes, and lost tablets."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from api.context import AppContext
    from api.settings import Settings
    from ingest.central.account import CentralAccount
    from ingest.provisioning.wanted import Wanted, WantedTablet

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Tablets = Annotated[
    list[str] | None,
    typer.Option("--tablet", help="NAME or NAME=OFFICE, beside those of `ihala tablets list`. Repeatable."),
]
MARKS = {"ok": "ok     ", "warning": "WARNING", "missing": "MISSING"}


@app.command()
def check(as_json: Json = False) -> None:
    """Say which right, form, list, property or version is missing and how to mend it; exit code 1 where one is."""
    from api.central_texts import finding_words
    from api.context import open_context
    from api.settings import Settings
    from ingest.provisioning.check import check_central, is_complete

    settings = Settings()
    with open_context(settings) as context:
        findings = check_central(
            settings.central_account(),
            settings.central_manager_account(),
            _wanted(context, []),
            has_passphrase=bool(settings.central_passphrase),
            public_url=settings.central_public_url,
            form_ids=settings.central_form_ids,
        )
    rows = [
        {"level": one.level, "code": one.code, "subject": one.subject}
        | dict(zip(("words", "remedy"), finding_words(one), strict=True))
        for one in findings
    ]
    if as_json:
        typer.echo(json.dumps({"complete": is_complete(findings), "findings": rows}, ensure_ascii=False))
    else:
        for row in rows:
            typer.echo(f"{MARKS[str(row['level'])]}  {row['words']}")
            if row["remedy"]:
                typer.echo(f"{'':9}{row['remedy']}")
    if not is_complete(findings):
        raise typer.Exit(1)


@app.command()
def provision(
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without this the plan is only shown.")
    ] = False,
    tablet: Tablets = None,
    publish_over: Annotated[
        list[str] | None,
        typer.Option(
            help="Form to publish also over a version or draft that is not ours or newer. Repeatable."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is to be made in Central, as a diff: + made, ~ changed, = stands, - shut out, ! for a person to settle.

    Forms, entity lists with their properties and filters, app users of tablets with their forms. Safe to repeat, also
    after it was cut off. The project itself is made by an administrator: `ihala central project`.
    """
    from contextlib import closing

    from api.context import open_context
    from api.settings import Settings
    from db.session import exclusive
    from ingest.central.session import CentralSession
    from ingest.provisioning.apply import plan_project
    from ingest.provisioning.apply import provision as run
    from ingest.provisioning.errors import ProvisioningError
    from ingest.provisioning.plan import Sign

    settings = Settings()
    over = frozenset(publish_over or ())
    with (
        open_context(settings) as context,
        closing(CentralSession(_manager(settings))) as central,
        exclusive(context.engine, "central.provision") as is_ours,
    ):
        if not is_ours:
            raise ProvisioningError("under_way")
        wanted = _wanted(context, tablet or [])
        steps = plan_project(central, wanted, publish_over=over)
        _show_plan(steps, as_json=as_json, applied=apply)
        if apply and any(step.is_work for step in steps):
            run(central, wanted, steps, publish_over=over)
            if not as_json:
                typer.echo("Done.")
    if any(step.sign is Sign.BLOCKED for step in steps):
        raise typer.Exit(1)


def _show_plan(steps: list[Any], *, as_json: bool, applied: bool) -> None:
    from api.central_texts import step_words
    from ingest.provisioning.plan import Sign

    shown = [step for step in steps if step.sign is not Sign.SAME]
    same = len(steps) - len(shown)
    if as_json:
        rows = [
            {"sign": step.sign, "action": step.action, "subject": step.subject, "detail": step.detail}
            for step in shown
        ]
        typer.echo(json.dumps({"applied": applied, "same": same, "steps": rows}, ensure_ascii=False))
        return
    for step in shown:
        typer.echo(f"{step.sign} {step_words(step)}")
    if same:
        typer.echo(f"= {same} as they should be")
    if not any(step.is_work for step in steps):
        typer.echo("Nothing to do.")
    elif not applied:
        typer.echo("Nothing was changed. Run it again with --apply to do this.")


@app.command()
def tablets(
    sheet: Annotated[
        Path | None, typer.Option(help="Write a PDF with the QR code of every live tablet here.")
    ] = None,
    tablet: Annotated[list[str] | None, typer.Option("--tablet", help="Only this one. Repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """List the tablets of Central, or write the sheet of QR codes that sets them up. Each code is a key."""
    from contextlib import closing

    from api.commands.tablets import private_file
    from api.context import open_context
    from api.settings import Settings
    from api.tablet_sheet_pdf import draw_sheet
    from ingest.central.app_users import list_app_users
    from ingest.central.session import CentralSession
    from ingest.entity_lists import ACTOR_PROPERTY
    from ingest.provisioning.apply import check_rights

    settings = Settings()
    with (
        private_file(sheet) as file,
        open_context(settings) as context,
        closing(CentralSession(_manager(settings))) as central,
    ):
        project = check_rights(central)
        users = [user for user in list_app_users(central) if not tablet or user.name in tablet]
        absent = set(tablet or ()) - {user.name for user in users}
        if absent:
            raise typer.BadParameter(f"not in Central: {', '.join(sorted(absent))}")
        if file is not None:
            cards = _cards(context, [user for user in users if user.is_live], project.name)
            if not cards:
                raise typer.BadParameter(
                    "there is no live tablet; run `ihala central provision --apply` first"
                )
            file.write(draw_sheet(cards))
    rows = [
        {"name": user.name, "office": dict(user.properties).get(ACTOR_PROPERTY), "live": user.is_live}
        | {"last_used": user.last_used}
        for user in users
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        state = "active" if row["live"] else "revoked"
        typer.echo(
            f"{row['name']:30} {row['office'] or '-':12} {state:8} last used {row['last_used'] or 'never'}"
        )
    if sheet is not None:
        typer.echo(f"Written: {sheet}, readable by you alone. Print it, hand it out, and delete the file.")


def _cards(context: "AppContext", users: list[Any], project_name: str) -> list[Any]:
    from api.collect_qr import settings_of_server
    from api.tablet_sheet_pdf import TabletCard
    from db.offices import list_offices
    from db.session import session_scope
    from ingest.central.app_users import server_url
    from ingest.entity_lists import ACTOR_PROPERTY

    settings = context.settings
    address = settings.central_public_url or settings.central_url or ""
    with session_scope(context.engine) as session:
        offices = {one.code: one.names for one in list_offices(session, context.governorate.code)}
    return [
        TabletCard(
            user.name,
            offices.get(dict(user.properties).get(ACTOR_PROPERTY, "")),
            settings_of_server(
                server_url(address, settings.central_project_id or 0, user.token), project_name
            ),
        )
        for user in sorted(users, key=lambda one: one.name)
    ]


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Label of the lost or retired tablet.")]) -> None:
    """Shut a tablet out at once, here and in ODK Central. Repeat it when Central did not answer."""
    from datetime import UTC, datetime

    from api.central_texts import LEFT_OPEN
    from api.context import open_context
    from api.settings import Settings
    from api.tablet_revocation import revoke_by_label

    with open_context(Settings()) as context:
        done = revoke_by_label(context, name, datetime.now(UTC))
    if done.is_unknown:
        raise typer.BadParameter(f"there is no tablet {name!r}")
    if done.inbox is not None:
        typer.echo(f"Tablet {name} is shut out." if done.inbox else f"Tablet {name} was shut out already.")
    if done.central is None:
        return
    if done.central.left is not None:
        typer.echo(f"Its access to ODK Central may still be open. {LEFT_OPEN[done.central.left]}", err=True)
        raise typer.Exit(1)
    typer.echo("ODK Central: shut out." if done.central.closed else "ODK Central: no access is open.")


@app.command()
def project(
    name: Annotated[str, typer.Argument(help="Name of the project.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without this the plan is only shown.")
    ] = False,
) -> None:
    """Make the project and give our two accounts their roles. Asks for an administrator's account, kept nowhere."""
    import tempfile
    from contextlib import closing

    from api.settings import Settings
    from ingest.central.account import CentralAccount
    from ingest.central.session import CentralSession
    from ingest.provisioning.projects import prepare_project

    settings = Settings()
    if not settings.central_url:
        raise typer.BadParameter("set IHALA_CENTRAL_URL first")
    email = typer.prompt("Administrator's e-mail", err=True)
    password = typer.prompt("Password", hide_input=True, err=True)
    accounts = {"viewer": settings.central_email, "manager": settings.central_manager_email}
    with tempfile.TemporaryDirectory() as folder:
        account = CentralAccount(settings.central_url, email, password, 0, (), Path(folder))
        with closing(CentralSession(account)) as central:
            lines, project_id = prepare_project(central, name, accounts, apply=apply)
            if apply:
                central.send("DELETE", "sessions/current", expect=(200, 401, 403, 404))
    for line in lines:
        typer.echo(line)
    typer.echo(
        f"IHALA_CENTRAL_PROJECT_ID={project_id}" if project_id else "Run it again with --apply to do this."
    )


def _manager(settings: "Settings") -> "CentralAccount":
    account = settings.central_manager_account()
    if account is None:
        raise typer.BadParameter(
            "set IHALA_CENTRAL_URL, IHALA_CENTRAL_PROJECT_ID, IHALA_CENTRAL_MANAGER_EMAIL and "
            "IHALA_CENTRAL_MANAGER_PASSWORD: a web user with the role Project Manager"
        )
    return account


def _wanted(context: "AppContext", named: list[str]) -> "Wanted":
    """Our forms that this installation reads, and its tablets with those named on the command line."""
    from db.offices import list_offices
    from db.session import session_scope
    from db.tablets import list_tablets
    from ingest.forms import published_forms
    from ingest.provisioning.wanted import WantedTablet, make_wanted, wanted_form
    from xlsforms.contract import fields_of

    code, form_ids = context.governorate.code, context.settings.central_form_ids
    with session_scope(context.engine) as session:
        offices = {office.id: office.code for office in list_offices(session, code)}
        found = [
            WantedTablet(one.label, offices.get(one.office_id), one.revoked_at is not None)
            for one in list_tablets(session, code)
        ]
    known = {one.name for one in found}
    found += [one for one in map(_named_tablet, named) if one.name not in known]
    unknown = {one.office for one in found if one.office is not None} - set(offices.values())
    if unknown:
        raise typer.BadParameter(f"there is no office {', '.join(sorted(unknown))}")
    forms = [form for form_id, form in published_forms(code).items() if form_id in form_ids]
    return make_wanted((wanted_form(form, fields_of(form.form_id)) for form in forms), found)


def _named_tablet(text: str) -> "WantedTablet":
    from api.commands.tablets import check_label
    from ingest.provisioning.wanted import WantedTablet

    name, _, office = text.partition("=")
    return WantedTablet(check_label(name), office.strip() or None)
