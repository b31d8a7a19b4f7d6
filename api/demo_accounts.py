"""Accounts and tablets of the demo, with a password made anew at each start."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.auth import hasher
from api.context import AppContext
from db.accounts import create_user, get_user_by_login, has_users_elsewhere, list_all_users
from db.directory import list_organizations
from db.models import Role
from db.offices import list_offices
from db.session import session_scope
from db.tablets import create_tablet
from governorates import Governorate
from governorates.directory_rows import Directory


class DemoRefusedError(Exception):
    """The installation has accounts that are not the demo's."""

    def __init__(self) -> None:
        super().__init__(
            "This installation has accounts of its own, so the demo does not touch it. "
            "Set IHALA_DATA_FOLDER to a new folder (and unset IHALA_DATABASE_URL) to see the demo."
        )


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """A login of the demo and who it stands for."""

    login: str
    role: Role
    who: str
    office_id: int | None = None
    ministry: str | None = None
    organization_id: int | None = None


def refuse_real_installation(session: Session, governorate: Governorate, directory: Directory) -> None:
    """Raise DemoRefusedError where somebody works already: invented people must not get among real ones."""
    own = {
        "admin",
        "data-protection",
        "psea-focal-point",
        *(f"coordinator-{code}" for code in governorate.ministries),
        *(f"supervisor-{code}" for code in governorate.ministries),
        *(f"officer-{office.code}" for office in governorate.offices),
        *(_provider_login(code) for code in directory.organizations),
    }
    # The demo's logins are the same in every governorate, so a database with accounts of another one is not for it.
    if has_users_elsewhere(session, governorate.code) or any(
        user.login not in own for user in list_all_users(session, governorate.code)
    ):
        raise DemoRefusedError


def _provider_login(organization_code: str) -> str:
    return f"provider-{organization_code.replace('_', '-')}"


def provide_accounts(context: AppContext) -> tuple[list[DemoAccount], str]:
    """Create an account for every ministry, office and organization, and one administrator.

    Returns the accounts and the one password that they share until the next start.
    """
    password = secrets.token_urlsafe(9)
    password_hash = hasher.hash(password)
    with session_scope(context.engine) as session:
        accounts = list(_accounts(session, context.governorate))
        for account in accounts:
            user = get_user_by_login(session, account.login)
            if user is not None:
                user.password_hash = password_hash
                continue
            create_user(
                session,
                login=account.login,
                password_hash=password_hash,
                role=account.role,
                governorate=context.governorate.code,
                office_id=account.office_id,
                ministry=account.ministry,
                organization_id=account.organization_id,
            )
    return accounts, password


def _accounts(session: Session, governorate: Governorate) -> Iterator[DemoAccount]:
    for ministry in governorate.ministries.values():
        yield DemoAccount(
            f"coordinator-{ministry.code}", Role.COORDINATOR, ministry.names["en"], ministry=ministry.code
        )
        yield DemoAccount(
            f"supervisor-{ministry.code}", Role.SUPERVISOR, ministry.names["en"], ministry=ministry.code
        )
    for office in list_offices(session, governorate.code):
        yield DemoAccount(f"officer-{office.code}", Role.OFFICER, office.names["en"], office_id=office.id)
    yield DemoAccount("admin", Role.ADMIN, "accounts and tablets, no case content")
    yield DemoAccount("data-protection", Role.DATA_PROTECTION, "audit, consent and overrides")
    yield DemoAccount("psea-focal-point", Role.PSEA_FOCAL_POINT, "complaints of exploitation and abuse")
    for organization in list_organizations(session, governorate.code):
        login = _provider_login(organization.code)
        yield DemoAccount(login, Role.PROVIDER, organization.names["en"], organization_id=organization.id)


def provide_tablets(context: AppContext) -> list[str]:
    """Add one tablet an office and return their tokens."""
    with session_scope(context.engine) as session:
        return [
            create_tablet(session, f"demo-{office.code}-{secrets.token_hex(2)}", office.id)[1]
            for office in list_offices(session, context.governorate.code)
        ]
