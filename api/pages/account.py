"""One's own account: who is signed in, as what, and for whom."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api import texts
from api.auth import CurrentUser, Require
from api.permissions import Permission
from api.rendering import language_of, render

router = APIRouter()


@router.get("/account")
def account_page(
    request: Request, user: Annotated[CurrentUser, Depends(Require(Permission.SESSION_USE))]
) -> Response:
    """Show the user's own login, role and ministry."""
    role = texts.text_of(texts.ROLES, user.role, language_of(request))
    ministry = request.app.state.context.governorate.ministries.get(user.ministry)
    return render(request, "account.html", {"role": role, "ministry": ministry})
