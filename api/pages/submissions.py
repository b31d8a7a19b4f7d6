"""Submissions that need a person: in quarantine, or taken in with an issue."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api import intake_texts, texts
from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from db import accounts
from db.errors import DomainError
from db.intake_health import list_open_issues, list_quarantined
from ingest.sync import sync

router = APIRouter()


@router.get("/submissions")
def submissions_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.SUBMISSION_READ))],
) -> Response:
    """Show what waits in quarantine and which issues are open, with the reason in words."""
    language = language_of(request)
    quarantined, issues = list_quarantined(session, user), list_open_issues(session, user)
    values = {
        "quarantined": quarantined,
        "issues": issues,
        "reasons": {
            row.reason: texts.text_of(intake_texts.QUARANTINE_REASONS, row.reason, language)
            for row in quarantined
        },
        "issue_texts": {row.code: texts.text_of(intake_texts.ISSUES, row.code, language) for row in issues},
        "field_texts": {row.field: texts.text_of(intake_texts.FIELDS, row.field, language) for row in issues},
    }
    return render(request, "submissions.html", values)


@router.post("/submissions/reprocess")
def reprocess(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.SUBMISSION_REPROCESS))],
) -> Response:
    """Try the submissions in quarantine once more."""
    context = request.app.state.context
    accounts.record_audit(session, user.user_id, "submission.reprocess", "submission", [None])
    report = sync(
        context.engine,
        context.masters,
        context.governorate,
        context.settings.sync_settings(),
        reprocess=True,
    )
    if report.busy:
        raise DomainError("busy")
    return see("/submissions", "reprocessed")
