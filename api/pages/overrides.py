"""What was sent without consent for a vital interest: the act, the second person, and the monthly list."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission, permits
from api.redirects import see
from api.rendering import render
from casework import overrides as acts
from db import accounts
from db.errors import DomainError
from db.options import is_referral_visible
from db.overrides import get_visible_override, list_overrides
from governorates import format_code, local_zone

router = APIRouter()

Reader = Annotated[CurrentUser, Depends(Require(Permission.OVERRIDE_READ))]
Month = Annotated[str | None, Query(max_length=10)]

MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
COLUMNS = (
    "case_code",
    "service_type",
    "reason",
    "made_by",
    "made_at",
    "due_at",
    "second_person",
    "confirmed_at",
    "lapsed_at",
)


@router.post("/referrals/{referral_id}/override")
def override(
    session: Database,
    keys: Keys,
    user: Annotated[CurrentUser, Depends(Require(Permission.CONSENT_OVERRIDE))],
    referral_id: int,
    reason: Annotated[str, Form(max_length=40)] = "",
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Send without consent because a life is in danger; a second person must confirm it."""
    if not is_referral_visible(session, user, referral_id):
        raise DomainError("not_found", referral_id=referral_id)
    now = datetime.now(UTC)
    acts.override_consent(session, keys, referral_id, user.actor, reason=reason, note=note, now=now)
    accounts.record_audit(session, user.user_id, "consent.override", "referral", [referral_id], reason)
    return see(f"/referrals/{referral_id}", "overridden")


@router.post("/overrides/{override_id}/confirm")
def confirm(
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.OVERRIDE_CONFIRM))],
    override_id: int,
) -> Response:
    """Confirm as the second person."""
    found = get_visible_override(session, user, override_id)
    if found is None:
        raise DomainError("not_found", override_id=override_id)
    acts.confirm_override(session, override_id, user.actor, datetime.now(UTC))
    accounts.record_audit(
        session, user.user_id, "consent.confirm_override", "consent_override", [override_id]
    )
    reads_list = permits(user.role, Permission.OVERRIDE_READ)
    return see("/overrides" if reads_list else f"/referrals/{found.referral_id}", "override_confirmed")


def _month(request: Request, text: str | None) -> tuple[datetime, datetime]:
    """The first moment of a month and of the next one, by the governorate's clock; this month where it is odd."""
    zone = local_zone(request.app.state.context.governorate)
    found = MONTH.fullmatch(text or "")
    today = datetime.now(zone)
    year, month = (int(found[1]), int(found[2])) if found else (today.year, today.month)
    start = datetime(year, month, 1, tzinfo=zone)
    return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)


@router.get("/overrides")
def overrides_page(
    request: Request,
    session: Database,
    user: Reader,
    month: Month = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """List a month's overrides: codes, reasons and logins, never a name."""
    start, end = _month(request, month)
    listed = list_overrides(session, user, start, end, page=page)
    values = {
        "listed": listed,
        "month": f"{start:%Y-%m}",
        "before": f"{start - timedelta(days=1):%Y-%m}",
        "after": f"{end:%Y-%m}",
        "now": datetime.now(UTC),
    }
    return render(request, "overrides.html", values)


@router.get("/overrides.csv")
def overrides_csv(request: Request, session: Database, user: Reader, month: Month = None) -> Response:
    """Download a month's overrides, codes only, for the records of data protection."""
    start, end = _month(request, month)
    rows = list_overrides(session, user, start, end, page=None).rows
    accounts.record_audit(session, user.user_id, "override.export", "consent_override", [r.id for r in rows])
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        moments = (row.made_at, row.due_at, row.confirmed_at, row.lapsed_at)
        made, due, confirmed, lapsed = (one.isoformat() if one else "" for one in moments)
        code, second = format_code(row.case_code), row.confirmed_by_login or ""
        writer.writerow(
            [code, row.service_type, row.reason, row.made_by_login, made, due, second, confirmed, lapsed]
        )
    name = f"overrides-{start:%Y-%m}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
