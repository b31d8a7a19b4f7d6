"""The history of a case; closing it, opening it again, and opening one of its needs again."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api import plan_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.case_frame import open_notes, require_case
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.texts import choice_or_code, text_of
from api.waking import Wake
from casework import reopening
from db import accounts
from db.case_events import is_need_of_case, list_case_events
from db.errors import DomainError
from db.models import CaseEvent, CaseEventKind
from governorates import letter_texts, name_in, score_questionnaire

router = APIRouter(prefix="/cases/{code}")

Reader = Annotated[CurrentUser, Depends(Require(Permission.PLAN_READ))]
Closer = Annotated[CurrentUser, Depends(Require(Permission.CASE_CLOSE))]
Reopener = Annotated[CurrentUser, Depends(Require(Permission.NEED_REOPEN))]
Reason = Annotated[str, Form(max_length=40)]
Note = Annotated[str, Form(max_length=2000)]


@router.get("/history")
def history_page(request: Request, session: Database, keys: Keys, user: Reader, code: str) -> Response:
    """Show what happened to the case, newest first. The notes are personal data: the reading is audited."""
    case, language = require_case(request, session, user, code), language_of(request)
    events = list_case_events(session, case.id)
    accounts.record_audit(session, user.user_id, "case.read_history", "case_file", [case.id])
    notes = open_notes(keys, "case_event.note", [(one.id, one.note) for one in events])
    values = {
        "case": case,
        "events": [
            {
                "at": one.at,
                "text": text_of(plan_texts.CASE_EVENTS, one.kind, language),
                "reason": _reason(one, language),
                "note": notes.get(one.id),
            }
            for one in events
        ],
    }
    return render(request, "case_history.html", values)


def _reason(event: CaseEvent, language: str) -> str | None:
    """The coded reason of an event in words."""
    if event.reason is None:
        return None
    if event.kind == CaseEventKind.SCORE_RECORDED:
        found = score_questionnaire().rounds.get(event.reason)
        return event.reason if found is None else name_in(found.names, language)
    if event.kind == CaseEventKind.LETTER_ISSUED:
        kind = letter_texts().kinds.get(event.reason)
        return event.reason if kind is None else name_in(kind.names, language)
    return choice_or_code(plan_texts.EVENT_LISTS[event.kind], event.reason, language)


@router.post("/close")
def close_case(
    request: Request,
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Closer,
    code: str,
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Close the case with a coded reason."""
    case = require_case(request, session, user, code)
    reopening.close_case(
        session, keys, case.id, user.actor, reason=reason, note=note.strip() or None, now=datetime.now(UTC)
    )
    wake()
    return see(f"/cases/{case.code}/history", "case_closed")


@router.post("/reopen")
def reopen_case(
    request: Request,
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Closer,
    code: str,
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Open a closed case again."""
    case = require_case(request, session, user, code)
    reopening.reopen_case(
        session, keys, case.id, user.actor, reason=reason, note=note.strip() or None, now=datetime.now(UTC)
    )
    wake()
    return see(f"/cases/{case.code}/history", "case_reopened")


@router.post("/needs/reopen")
def reopen_need(
    request: Request,
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Reopener,
    code: str,
    need_id: Annotated[int, Form()] = 0,
    reason: Reason = "",
) -> Response:
    """Look for a provider again for a need that was served or withdrawn; then the matching runs at once."""
    case = require_case(request, session, user, code)
    if not is_need_of_case(session, case.id, need_id):
        raise DomainError("not_found", need_id=need_id)
    reopening.reopen_need(session, keys, need_id, user.actor, reason=reason, now=datetime.now(UTC))
    wake()
    return see(f"/cases/{case.printed_code}", "need_reopened")
