"""Visits and calls to the returnee: what is due for the office, and those of one case."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api import plan_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.case_frame import open_notes, require_case
from api.permissions import Permission, permits
from api.redirects import see
from api.rendering import language_of, render
from api.texts import text_of
from casework import follow_ups as acts
from casework.safe_calls import read_safe_contact
from db import accounts
from db.errors import DomainError
from db.follow_ups import list_due_follow_ups, list_follow_ups
from db.letters import list_sent_referrals
from governorates import name_in, score_questionnaire

router = APIRouter()

Reader = Annotated[CurrentUser, Depends(Require(Permission.FOLLOW_UP_READ))]
Writer = Annotated[CurrentUser, Depends(Require(Permission.FOLLOW_UP_WRITE))]
Code = Annotated[str, Form(max_length=40)]


def source_words(source: str, step: int, language: str) -> str:
    """Why a follow-up is due, in words."""
    text = text_of(plan_texts.FOLLOW_UP_SOURCES, source, language)
    if source == "score":
        rounds = score_questionnaire().rounds.values()
        return text % {
            "round": next((name_in(one.names, language) for one in rounds if one.months == step), step)
        }
    return text % {"step": step} if "%(step)s" in text else text


@router.get("/follow-ups")
def due_page(
    request: Request,
    session: Database,
    user: Reader,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show what waits for the office, the longest overdue first."""
    now, language = datetime.now(UTC), language_of(request)
    due = list_due_follow_ups(session, user, now, page=page)
    rows = [(row, source_words(row.source, row.step, language)) for row in due.rows]
    return render(request, "follow_ups.html", {"due": due, "rows": rows, "now": now})


@router.get("/cases/{code}/follow-ups")
def case_follow_ups(request: Request, session: Database, keys: Keys, user: Reader, code: str) -> Response:
    """Show the follow-ups of one case beside the person's safe-contact rules. Reading them is audited."""
    case, language = require_case(request, session, user, code), language_of(request)
    with_phone = permits(user.role, Permission.CASE_NAMES)
    contact = read_safe_contact(session, keys, case, with_phone=with_phone)
    found = list_follow_ups(session, case.id)
    purpose = "phone" if contact.phone else None
    accounts.record_audit(session, user.user_id, "follow_up.read", "case_file", [case.id], purpose)
    values = {
        "case": case,
        "contact": contact,
        "waiting": [one for one in found if one.done_at is None],
        "done_ones": [one for one in found if one.done_at is not None],
        "sources": {one.id: source_words(one.source, one.step, language) for one in found},
        "notes": open_notes(keys, "follow_up.note", [(one.id, one.note) for one in found]),
        "referrals": list_sent_referrals(session, case.id),
        "now": datetime.now(UTC),
    }
    return render(request, "case_follow_ups.html", values)


@router.post("/cases/{code}/follow-ups")
def plan_follow_up(
    request: Request,
    session: Database,
    user: Writer,
    code: str,
    kind: Code = "",
    due_on: Annotated[date | None, Form()] = None,
    referral_id: Annotated[int | None, Form()] = None,
) -> Response:
    """Plan a visit or call besides those of the clocks."""
    case = require_case(request, session, user, code)
    if due_on is None:
        raise DomainError("value_wrong", field="due_on")
    acts.plan_follow_up(
        session,
        case.id,
        user.actor,
        kind=kind,
        due_on=due_on,
        referral_id=referral_id,
        now=datetime.now(UTC),
    )
    return see(f"/cases/{case.code}/follow-ups", "follow_up_planned")


@router.post("/cases/{code}/follow-ups/record")
def record_follow_up(
    request: Request,
    session: Database,
    keys: Keys,
    user: Writer,
    code: str,
    follow_up_id: Annotated[int, Form()] = 0,
    kind: Code = "",
    result: Code = "",
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Record what came of a follow-up; who was not reached is tried again."""
    case = require_case(request, session, user, code)
    acts.record_follow_up(
        session,
        keys,
        case.id,
        follow_up_id,
        user.actor,
        result=result,
        kind=kind or None,
        note=note.strip() or None,
        now=datetime.now(UTC),
    )
    return see(f"/cases/{case.code}/follow-ups", "follow_up_recorded")
