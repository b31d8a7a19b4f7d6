"""The register of unmet needs: the list, the same rows as a spreadsheet, and counts by place for planners."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import texts
from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.rendering import language_of, render
from api.spreadsheets import send_sheet
from api.unmet_sheet import TITLE, sheet_rows
from db import accounts
from db.unmet import PlaceCount, count_unmet_by_place, list_unmet

router = APIRouter()

Reader = Annotated[CurrentUser, Depends(Require(Permission.UNMET_READ))]
Reason = Annotated[str | None, Query(max_length=40)]


@router.get("/unmet")
def unmet_page(
    request: Request,
    session: Database,
    user: Reader,
    reason: Reason = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the needs for which nobody suitable was found, why, and how many there are at each place."""
    language = language_of(request)
    unmet = list_unmet(session, user, reason=reason or None, page=page)
    counts = count_unmet_by_place(session, user)
    codes = {*unmet.by_reason, *(row.reason for row in unmet.rows), *(count.reason for count in counts)}
    values = {
        "unmet": unmet,
        "reason": reason or None,
        "reasons": {code: texts.text_of(texts.UNMET_REASONS, code, language) for code in codes},
        "places": _by_place(counts),
        "columns": sorted({count.reason for count in counts}),
    }
    return render(request, "unmet.html", values)


def _by_place(counts: Sequence[PlaceCount]) -> Mapping[str | None, Mapping[str, int | None]]:
    """Place -> reason -> number, in the order of the counts."""
    places: dict[str | None, dict[str, int | None]] = {}
    for count in counts:
        places.setdefault(count.place, {})[count.reason] = count.number
    return places


@router.get("/unmet.xlsx")
def unmet_spreadsheet(request: Request, session: Database, user: Reader, reason: Reason = None) -> Response:
    """Download exactly the needs that the filter lists, without a name; the download is audited."""
    rows = list_unmet(session, user, reason=reason or None, page=None).rows
    accounts.record_audit(
        session, user.user_id, "unmet.export", "need", [row.need_id for row in rows], "spreadsheet"
    )
    governorate, language = request.app.state.context.governorate, language_of(request)
    lines = sheet_rows(rows, governorate, language, datetime.now(UTC))
    return send_sheet(lines, TITLE, language, "unmet.xlsx")
