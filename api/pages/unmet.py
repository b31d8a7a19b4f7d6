"""The register of unmet needs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import texts
from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.rendering import language_of, render
from db.unmet import list_unmet

router = APIRouter()


@router.get("/unmet")
def unmet_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.UNMET_READ))],
    reason: Annotated[str | None, Query(max_length=40)] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the needs for which nobody suitable was found, and why."""
    language = language_of(request)
    unmet = list_unmet(session, user, reason=reason or None, page=page)
    codes = {*unmet.by_reason, *(row.reason for row in unmet.rows)}
    values = {
        "unmet": unmet,
        "reason": reason or None,
        "reasons": {code: texts.text_of(texts.UNMET_REASONS, code, language) for code in codes},
    }
    return render(request, "unmet.html", values)
