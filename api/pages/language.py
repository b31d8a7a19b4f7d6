"""The switch between languages."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from api.auth import Database, MaybeUser
from api.cookies import LANGUAGE_COOKIE, LANGUAGE_KEPT, set_cookie
from api.i18n import known_language
from api.redirects import own_path, see
from db import accounts

router = APIRouter()


@router.post("/language")
def choose_language(
    request: Request,
    session: Database,
    user: MaybeUser,
    language: Annotated[str, Form()],
    next: Annotated[str | None, Form()] = None,  # noqa: A002
) -> Response:
    """Keep the language in the browser and, for who is signed in, in the account; go back to the same page."""
    chosen = known_language(language, request.app.state.context.governorate.default_language)
    if user is not None:
        accounts.set_language(session, user.user_id, chosen)
    response = see(own_path(next))
    set_cookie(request, response, LANGUAGE_COOKIE, chosen, LANGUAGE_KEPT)
    return response
