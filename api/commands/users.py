"""`ihala users`: accounts and their passwords."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

ROLES = (
    "officer",
    "coordinator",
    "provider",
    "admin",
    "supervisor",
    "data_protection",
    "psea_focal_point",
)


@app.command()
def add(
    login: Annotated[str, typer.Argument(help="A code, never a person's name, such as officer-sinjar-3.")],
    role: Annotated[str, typer.Option(help=", ".join(ROLES))],
    office: Annotated[str | None, typer.Option(help="Office code, for an officer.")] = None,
    ministry: Annotated[
        str | None, typer.Option(help="Code of mandates.toml, for a coordinator or supervisor.")
    ] = None,
    organization: Annotated[str | None, typer.Option(help="Organization code, for a provider.")] = None,
    language: Annotated[
        str | None, typer.Option(help="ar, ckb, kmr or en; else the governorate's first.")
    ] = None,
) -> None:
    """Add an account; its first password is printed once."""
    import secrets

    from api.auth import add_user, normalise_login
    from api.context import open_context
    from api.settings import Settings
    from db.accounts import get_user_by_login
    from db.directory import get_organization_by_code
    from db.models import Role
    from db.offices import get_office_by_code
    from db.session import session_scope

    if role not in ROLES:
        raise typer.BadParameter(f"role must be one of {', '.join(ROLES)}")
    password = secrets.token_urlsafe(12)
    with open_context(Settings()) as context, session_scope(context.engine) as session:
        governorate = context.governorate
        if get_user_by_login(session, normalise_login(login)) is not None:
            raise typer.BadParameter(f"the login {login!r} exists already")
        found_office = get_office_by_code(session, governorate.code, office) if office else None
        found_organization = (
            get_organization_by_code(session, governorate.code, organization) if organization else None
        )
        if role == "officer" and found_office is None:
            raise typer.BadParameter("an officer needs --office with a known code")
        if role == "provider" and found_organization is None:
            raise typer.BadParameter(
                "a provider needs --organization; `ihala directory list` shows the codes"
            )
        if role in {"coordinator", "supervisor"} and ministry not in governorate.ministries:
            raise typer.BadParameter(f"a {role} needs --ministry: {', '.join(governorate.ministries)}")
        add_user(
            session,
            login=login,
            password=password,
            role=Role(role),
            governorate=governorate.code,
            office_id=found_office.id if found_office else None,
            ministry=ministry,
            organization_id=found_organization.id if found_organization else None,
            language=language,
        )
    typer.echo(f"{login}: {password}")


@app.command("list")
def list_all() -> None:
    """List all accounts with their roles."""
    from api.context import open_context
    from api.settings import Settings
    from db.accounts import list_all_users
    from db.session import session_scope

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        for user in list_all_users(session, context.governorate.code):
            typer.echo(f"{user.login:40} {user.role:12} {'active' if user.active else 'off'}")


@app.command()
def password(login: Annotated[str, typer.Argument(help="Whose password is made anew.")]) -> None:
    """Give an account a new password, printed once, and sign it out everywhere."""
    import secrets

    from api.auth import hasher, normalise_login
    from api.context import open_context
    from api.settings import Settings
    from db.accounts import delete_sessions_of, get_user_by_login
    from db.session import session_scope

    new = secrets.token_urlsafe(12)
    with open_context(Settings()) as context, session_scope(context.engine) as session:
        user = get_user_by_login(session, normalise_login(login))
        if user is None or user.governorate != context.governorate.code:
            raise typer.BadParameter(f"there is no login {login!r}")
        user.password_hash = hasher.hash(new)
        delete_sessions_of(session, user.id)
    typer.echo(f"{login}: {new}")


@app.command()
def off(login: Annotated[str, typer.Argument(help="Who may no longer sign in.")]) -> None:
    """Switch an account off and sign it out everywhere."""
    from api.auth import normalise_login
    from api.context import open_context
    from api.settings import Settings
    from db.accounts import delete_sessions_of, get_user_by_login
    from db.session import session_scope

    with open_context(Settings()) as context, session_scope(context.engine) as session:
        user = get_user_by_login(session, normalise_login(login))
        if user is None or user.governorate != context.governorate.code:
            raise typer.BadParameter(f"there is no login {login!r}")
        user.active = False
        delete_sessions_of(session, user.id)
    typer.echo(f"{login} is switched off.")
