"""Signing in and out, who is signed in, and the proof that a form came from our own page."""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from pwdlib import PasswordHash
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from api.cookies import FORM_COOKIE, SESSION_COOKIE, SESSION_LENGTH
from api.errors import PageError, SignInRequired
from api.i18n import known_language
from api.permissions import Permission, may
from casework.moves import Actor
from db import accounts
from db.errors import DomainError
from db.models import Role, User
from db.session import session_scope
from db.vault import Vault
from governorates import load

CSRF_FIELD = "csrf_token"
FAILURES_ALLOWED = 8
FAILURE_WINDOW = timedelta(minutes=15)

hasher = PasswordHash.recommended()


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """Who is signed in. Has what `db.visibility.Viewer` and `casework.moves.Actor` need."""

    user_id: int
    login: str
    role: str
    governorate: str
    office_id: int | None
    organization_id: int | None
    ministry: str | None
    language: str
    csrf_token: str = field(repr=False)

    @property
    def actor(self) -> Actor:
        """This user as the one who acts on a referral."""
        return Actor(
            self.user_id,
            self.role,
            self.governorate,
            office_id=self.office_id,
            organization_id=self.organization_id,
            ministry=self.ministry,
        )


def database(request: Request) -> Iterator[Session]:
    """One transaction a request, committed before the answer leaves, so that the next page sees what was done."""
    with session_scope(request.app.state.context.engine) as session:
        yield session


Database = Annotated[Session, Depends(database, scope="function")]


def vault(request: Request, session: Database) -> Vault:
    """The keys of this request's transaction."""
    return Vault(session, request.app.state.context.masters)


Keys = Annotated[Vault, Depends(vault)]


def hash_token(token: str) -> bytes:
    """What the database keeps of a session's token."""
    return hashlib.sha256(token.encode()).digest()


def signed_in_user(request: Request, session: Database) -> CurrentUser | None:
    """The user of this browser, or None; also what the page's frame shows."""
    token = request.cookies.get(SESSION_COOKIE)
    found = (
        accounts.get_signed_in(
            session, hash_token(token), request.app.state.context.governorate.code, datetime.now(UTC)
        )
        if token
        else None
    )
    if found is None:
        request.state.csrf_token = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
        return None
    account, browser = found
    user = CurrentUser(
        user_id=account.id,
        login=account.login,
        role=account.role,
        governorate=account.governorate,
        office_id=account.office_id,
        organization_id=account.organization_id,
        ministry=account.ministry,
        language=account.language,
        csrf_token=browser.csrf_token,
    )
    request.state.user, request.state.csrf_token = user, user.csrf_token
    return user


MaybeUser = Annotated[CurrentUser | None, Depends(signed_in_user)]


@dataclass(frozen=True, slots=True)
class Require:
    """A dependency that lets in only who may do this: 401 or the sign-in page for nobody, 403 for another role."""

    permission: Permission

    def __call__(self, user: MaybeUser) -> CurrentUser:
        """The signed-in user, who has the permission."""
        if user is None:
            raise SignInRequired
        if not may(user, self.permission):
            raise DomainError("forbidden")
        return user


def _says_same_site(request: Request) -> bool:
    """What the browser says. Over plain HTTP it may only say `null` (our Referrer-Policy): then the token decides."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin in {None, "null"} or urlsplit(origin).netloc == request.url.netloc


async def check_form(request: Request, user: MaybeUser) -> None:
    """Refuse a form that did not come from our own page.

    Twice checked: the browser's own word (`Sec-Fetch-Site`, else `Origin`) and the token in the form, which
    belongs to the session, or before sign-in to a cookie that no other site can read.
    """
    if request.method in {"GET", "HEAD"}:
        return
    if not _says_same_site(request):
        raise PageError("form_expired")
    expected = user.csrf_token if user else request.cookies.get(FORM_COOKIE)
    given = (await request.form()).get(CSRF_FIELD)
    if not expected or given is None or isinstance(given, UploadFile):
        raise PageError("form_expired")
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise PageError("form_expired")


def add_user(
    session: Session,
    *,
    login: str,
    password: str,
    role: Role,
    governorate: str,
    office_id: int | None = None,
    ministry: str | None = None,
    organization_id: int | None = None,
    language: str | None = None,
) -> User:
    """Add an account with a password, which is kept only as an argon2 hash.

    Without a language the account has its governorate's first one.
    """
    return accounts.create_user(
        session,
        login=normalise_login(login),
        password_hash=hasher.hash(password),
        role=role,
        governorate=governorate,
        office_id=office_id,
        ministry=ministry,
        organization_id=organization_id,
        language=known_language(language, load(governorate).default_language),
    )


def normalise_login(login: str) -> str:
    """A login as it is kept: logins are codes, and case or spaces around them do not matter."""
    return login.strip().casefold()


@cache
def _hash_of_nobody() -> str:
    return hasher.hash(secrets.token_urlsafe(16))


def check_password(session: Session, keys: Vault, governorate: str, login: str, password: str) -> User:
    """The account of this governorate that signs in.

    Takes as long for a login that does not exist; one of another governorate does not. Failures are counted by a
    keyed hash of the login; raises PageError `too_many_attempts` or `sign_in_failed`; the caller commits the
    count either way.
    """
    login = normalise_login(login)[:80]
    index = keys.blind("login", login)
    if accounts.count_login_failures(session, index, datetime.now(UTC) - FAILURE_WINDOW) >= FAILURES_ALLOWED:
        raise PageError("too_many_attempts")
    user = accounts.get_user_by_login(session, login)
    if user is not None and user.governorate != governorate:
        user = None
    right = hasher.verify(password, user.password_hash if user else _hash_of_nobody())
    if user is None or not right or not user.active:
        accounts.record_login_failure(session, index)
        raise PageError("sign_in_failed")
    accounts.clear_login_failures(session, index)
    return user


def open_session(session: Session, user: User) -> str:
    """Sign this user's browser in; the token goes into its cookie and nowhere else."""
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    accounts.delete_expired_sessions(session, now)
    accounts.create_session(
        session,
        user_id=user.id,
        token_hash=hash_token(token),
        csrf_token=secrets.token_urlsafe(24),
        expires_at=now + SESSION_LENGTH,
    )
    accounts.record_audit(session, user.id, "session.open", "user_account", [user.id])
    return token
