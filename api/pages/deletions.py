"""What providers were told to delete, their word that they did, and who looks after those that are silent."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import render
from casework.withdrawals import confirm_deletion
from db import accounts
from db.withdrawals import list_deletion_requests, list_visible_open_deletions

router = APIRouter()


@router.get("/provider/deletions")
def deletions_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.PROVIDER_LIST_READ))],
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """List what people took back and this organization must delete, by code."""
    listed = list_deletion_requests(session, user.organization_id, page=page)
    return render(request, "deletions.html", {"listed": listed})


@router.post("/provider/deletions/{deletion_id}/confirm")
def confirm(
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.PROVIDER_LIST_ANSWER))],
    deletion_id: int,
) -> Response:
    """Record that the organization deleted it."""
    confirm_deletion(session, deletion_id, user.actor, datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "deletion.confirm", "deletion_request", [deletion_id])
    return see("/provider/deletions", "deleted")


@router.get("/deletions")
def open_deletions_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.DELETION_OVERSEE))],
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """List what providers have not said that they deleted: referral numbers and organizations, nobody's code."""
    listed = list_visible_open_deletions(session, user, page=page)
    return render(request, "open_deletions.html", {"listed": listed, "now": datetime.now(UTC)})
