"""Complaints for those who handle them: the list, one complaint, and the acts. Who sees which is `db.visibility`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api import complaint_texts, texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from casework import complaints as acts
from casework.complaints import LONGEST_TEXT, ReadEvent
from db.complaints import get_about, get_visible_complaint, list_complaints
from db.errors import DomainError
from governorates import choice_name, format_complaint_code, normalise_complaint_code
from referral_engine.complaints import MOVES, OWED, moves_from

router = APIRouter(prefix="/complaints")

ComplaintView = Literal["open", "overdue", "closed"]

Reader = Annotated[CurrentUser, Depends(Require(Permission.COMPLAINT_READ))]
Answerer = Annotated[CurrentUser, Depends(Require(Permission.COMPLAINT_HANDLE))]


def _code(request: Request, reference: str) -> str:
    """The code in an address. Raises DomainError `not_found`, as for a complaint that is somebody else's."""
    alphabet = request.app.state.context.governorate.code_alphabet
    code = normalise_complaint_code(reference, alphabet)
    if code is None:
        raise DomainError("not_found")
    return code


@router.get("")
def complaints_page(
    request: Request,
    session: Database,
    user: Reader,
    view: Annotated[ComplaintView, Query()] = "open",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the complaints that this user handles."""
    return _list(request, session, user, view, page)


@router.post("")
def find_complaint(
    request: Request, session: Database, user: Reader, code: Annotated[str, Form(max_length=60)] = ""
) -> Response:
    """Go to the complaint with this code. A form by POST: people type names and phones into such fields."""
    wanted = normalise_complaint_code(code, request.app.state.context.governorate.code_alphabet)
    if wanted and get_visible_complaint(session, user, wanted):
        return see(f"/complaints/{format_complaint_code(wanted)}")
    return _list(request, session, user, "open", 1, unknown=code)


def _list(
    request: Request,
    session: Session,
    user: CurrentUser,
    view: ComplaintView,
    page: int,
    unknown: str | None = None,
) -> Response:
    """Render a list; with `unknown`, a code that was looked for in vain."""
    now, language = datetime.now(UTC), language_of(request)
    listed = list_complaints(session, user, view, now, page)
    values = {
        "listed": listed,
        "rows": [(row, _is_overdue(row.state, row.due_at, now)) for row in listed.rows],
        "states": _words(complaint_texts.STATES, language),
        "views": _words(complaint_texts.VIEWS, language),
        "view": view,
        "code": unknown,
    }
    return render(request, "complaints.html", values, status=200 if unknown is None else 404)


def _words(table: Any, language: str) -> dict[str, str]:
    return {code: texts.text_of(table, code, language) for code in table}


def _is_overdue(state: str, due_at: datetime | None, now: datetime) -> bool:
    return state in OWED and due_at is not None and due_at < now


@router.get("/{reference}")
def complaint_page(request: Request, session: Database, keys: Keys, user: Reader, reference: str) -> Response:
    """Show one complaint with its words. That it was read is recorded."""
    now, language = datetime.now(UTC), language_of(request)
    read = acts.read_complaint(session, keys, _code(request, reference), user.actor, now)
    complaint = read.complaint
    moves = [move.name for move in moves_from(complaint.state, user.role)]
    if MOVES["answer_appeal"].name in moves and complaint.answered_by == user.user_id:
        moves.remove("answer_appeal")
    values = {
        "read": read,
        "complaint": complaint,
        "about": get_about(session, user, complaint),
        "state": texts.text_of(complaint_texts.STATES, complaint.state, language),
        "channel": texts.text_of(complaint_texts.CHANNELS, complaint.channel, language),
        "overdue": _is_overdue(complaint.state, complaint.due_at, now),
        "moves": moves,
        "history": _history_in_words(read.history, language),
        "longest_text": LONGEST_TEXT,
    }
    return render(request, "complaint.html", values)


def _history_in_words(history: Sequence[ReadEvent], language: str) -> list[dict[str, Any]]:
    return [
        {
            "event": one.event,
            "text": texts.text_of(complaint_texts.EVENTS, one.event.move, language),
            "actor": texts.text_of(texts.ROLES, one.event.actor_role, language),
            "reason": None
            if one.event.reason is None
            else choice_name("complaint_outcome", one.event.reason, language),
            "note": one.note,
        }
        for one in history
    ]


@router.post("/{reference}/{move}")
def move(
    request: Request,
    session: Database,
    keys: Keys,
    user: Answerer,
    reference: str,
    move: Literal["acknowledge", "review", "answer", "appeal", "answer_appeal", "pass_on"],
    reason: Annotated[str | None, Form(max_length=40)] = None,
    text: Annotated[str | None, Form()] = None,
) -> Response:
    """Make one move of the table. After passing it on the complaint no longer exists for this user."""
    code = _code(request, reference)
    acts.move_complaint(
        session, keys, code, move, user.actor, datetime.now(UTC), reason=reason or None, text=text
    )
    if move == "pass_on":
        return see("/complaints", "passed")
    target = f"/complaints/{format_complaint_code(code)}"
    return see(target, "noted")
