"""Signing in and out, and the page where each role begins."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Keys, MaybeUser, Require, check_password, hash_token, open_session
from api.cookies import LANGUAGE_COOKIE, LANGUAGE_KEPT, SESSION_COOKIE, set_cookie
from api.errors import PageError
from api.i18n import known_language
from api.permissions import Permission
from api.redirects import own_path, see
from api.rendering import render
from db import accounts
from db.models import Role

router = APIRouter()

HOME_OF_ROLE: Mapping[str, str] = {
    Role.COORDINATOR: "/queue",
    Role.OFFICER: "/cases",
    Role.PROVIDER: "/provider",
    Role.ADMIN: "/admin",
    Role.SUPERVISOR: "/escalations",
    Role.DATA_PROTECTION: "/overrides",
    Role.PSEA_FOCAL_POINT: "/complaints",
}


@router.get("/")
def home(user: Annotated[CurrentUser, Depends(Require(Permission.SESSION_USE))]) -> Response:
    """Go to the page where this role's work begins."""
    return see(HOME_OF_ROLE[user.role])


@router.get("/login")
def login_page(request: Request, user: MaybeUser, next: str | None = None) -> Response:  # noqa: A002
    """Show the form to sign in."""
    if user is not None:
        return see(own_path(next))
    return render(request, "login.html", {"next": own_path(next), "error": None, "login": ""})


@router.post("/login")
def login(
    request: Request,
    session: Database,
    keys: Keys,
    login: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str | None, Form()] = None,  # noqa: A002
) -> Response:
    """Sign in; on failure say so without saying which half was wrong."""
    try:
        user = check_password(session, keys, request.app.state.context.governorate.code, login, password)
    except PageError as error:
        values = {"next": own_path(next), "error": error.code, "login": login}
        return render(request, "login.html", values, status=error.status)
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    default = request.app.state.context.governorate.default_language
    if chosen:  # what the person has just chosen on this browser goes before what the account remembers
        accounts.set_language(session, user.id, known_language(chosen, default))
    response = see(own_path(next))
    set_cookie(request, response, SESSION_COOKIE, open_session(session, user))
    language = known_language(chosen or user.language, default)
    set_cookie(request, response, LANGUAGE_COOKIE, language, LANGUAGE_KEPT)
    return response


@router.post("/logout")
def logout(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.SESSION_USE))],
) -> Response:
    """Sign this browser out."""
    accounts.delete_session(session, hash_token(request.cookies[SESSION_COOKIE]))
    accounts.record_audit(session, user.user_id, "session.close", "user_account", [user.user_id])
    response = see("/login")
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response
