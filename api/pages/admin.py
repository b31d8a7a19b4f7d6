"""What an administrator looks after: accounts, tablets and the state of intake. No case content."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api import tablet_texts, texts
from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.tablet_revocation import revoke_by_id
from db import accounts
from db.intake_health import list_visible_tablets
from db.models import SubmissionStatus
from db.submissions import count_by_status
from db.sync_states import list_sync_states

router = APIRouter(prefix="/admin")


@router.get("")
def admin_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.ACCOUNT_READ))],
    left: str = "",
) -> Response:
    """Show accounts, tablets and intake figures."""
    language = language_of(request)
    counts = count_by_status(session, user.governorate)
    values = {
        "users": list_users_in_words(session, user, language),
        "tablets": list_visible_tablets(session, user),
        "figures": [
            (texts.text_of(texts.SUBMISSION_STATES, status, language), counts.get(status, 0))
            for status in SubmissionStatus
        ],
        "sources": list_sync_states(session, user.governorate),
        "has_central": bool(request.app.state.context.settings.central_url),
        "left_open": texts.text_of(tablet_texts.LEFT_OPEN, left, language)
        if left in tablet_texts.LEFT_OPEN
        else None,
    }
    return render(request, "admin.html", values)


def list_users_in_words(session: Database, viewer: CurrentUser, language: str) -> list[dict[str, object]]:
    """Accounts with their role in words."""
    return [
        {
            "login": account.login,
            "role": texts.text_of(texts.ROLES, account.role, language),
            "organization": organization,
            "ministry": account.ministry,
            "active": account.active,
        }
        for account, organization in accounts.list_users(session, viewer)
    ]


@router.post("/tablets/{tablet_id}/revoke")
def revoke(
    request: Request,
    user: Annotated[CurrentUser, Depends(Require(Permission.TABLET_REVOKE))],
    tablet_id: int,
) -> Response:
    """Stop a tablet, for example one that was lost, here and in ODK Central; again for what Central kept open."""
    done = revoke_by_id(request.app.state.context, user, user.user_id, tablet_id, datetime.now(UTC))
    if done.central is not None and done.central.left is not None:
        return see(f"/admin?left={done.central.left}#tablets")
    return see("/admin", "revoked")
