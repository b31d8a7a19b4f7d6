"""One's own account: who is signed in, as what, for whom, and where messages go."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api import texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from casework.contact_points import Owner, remove_contact_point, set_contact_point
from db.contact_points import get_contact_point
from db.models import Channel, Role

router = APIRouter(prefix="/account")

SignedIn = Annotated[CurrentUser, Depends(Require(Permission.SESSION_USE))]


def owner_of(user: CurrentUser) -> Owner:
    """Whose address this user keeps: a provider the organization's, anybody else their own."""
    if user.role == Role.PROVIDER and user.organization_id is not None:
        return Owner(organization_id=user.organization_id, language=user.language)
    return Owner(user_id=user.user_id)


@router.get("")
def account_page(request: Request, session: Database, user: SignedIn) -> Response:
    """Show the user's own login, role and ministry, and since when an address is known, but not the address."""
    owner = owner_of(user)
    kept = get_contact_point(
        session, Channel.EMAIL, user_id=owner.user_id, organization_id=owner.organization_id
    )
    values = {
        "role": texts.text_of(texts.ROLES, user.role, language_of(request)),
        "ministry": request.app.state.context.governorate.ministries.get(user.ministry),
        "kept_since": kept.set_at if kept else None,
        "for_organization": owner.organization_id is not None,
    }
    return render(request, "account.html", values)


@router.post("/address")
def keep_address(
    session: Database, keys: Keys, user: SignedIn, address: Annotated[str, Form(max_length=254)]
) -> Response:
    """Keep the e-mail address to which messages go, in place of the former one."""
    set_contact_point(session, keys, owner_of(user), Channel.EMAIL, address, user.user_id)
    return see("/account", "addressed")


@router.post("/address/forget")
def forget_address(session: Database, keys: Keys, user: SignedIn) -> Response:
    """Delete the address; no more messages go out."""
    remove_contact_point(session, keys, owner_of(user), Channel.EMAIL, user.user_id)
    return see("/account", "forgotten")
