"""Making a complaint, alone or at the desk, and looking at the answer with code and phrase.

The public pages need no account and no JavaScript. What was typed is never in an address; the phrase is shown
once. Whoever records for somebody gets the same receipt whatever the complaint is about.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api import complaint_brake as brake
from api import complaint_texts, texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.rendering import language_of, render
from casework import complaints as acts
from casework.complaints import LONGEST_ADDRESS, LONGEST_TEXT, Statement
from db.case_sheets import list_active_organizations
from db.complaints import get_referral_facts
from db.errors import DomainError
from db.models import Role
from db.offices import list_offices

router = APIRouter(prefix="/complaints")

Recorder = Annotated[CurrentUser, Depends(Require(Permission.COMPLAINT_RECORD))]

CLERK_CHANNELS = ("desk", "phone")


class ComplaintForm(BaseModel):
    """The fields of both forms; texts are checked by the act, so that nothing typed is lost."""

    subject: str = ""
    kind: str = ""
    text: str = ""
    reply_address: str = ""
    organization: str = ""
    office: str = ""
    referral: str = ""
    language: str = ""
    channel: str = ""


Filled = Annotated[ComplaintForm, Form()]


def _id(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit()):
        raise DomainError("complaint_choice_unknown")
    return int(text) if text else None


def _form_page(
    request: Request, values: Mapping[str, Any], form: ComplaintForm, problem: DomainError | None = None
) -> Response:
    """The form again, with what was typed."""
    shown = {
        "form": form,
        "problem": None if problem is None else problem.code,
        "longest_text": LONGEST_TEXT,
        "longest_address": LONGEST_ADDRESS,
        "hotline": request.app.state.context.governorate.complaints.hotline,
        **values,
    }
    return render(request, "complaint_form.html", shown, status=200 if problem is None else problem.status)


def _receipt_page(request: Request, receipt: acts.Receipt, *, is_clerk: bool) -> Response:
    groups = [receipt.phrase[start : start + 4] for start in range(0, len(receipt.phrase), 4)]
    values = {"code": receipt.code, "phrase": " ".join(groups), "is_clerk": is_clerk}
    return render(request, "complaint_receipt.html", values)


PUBLIC: Mapping[str, Any] = {
    "target": "/complaints/new",
    "is_clerk": False,
    "organizations": (),
    "offices": (),
    "channels": {},
}


@router.get("/new")
def new_page(request: Request) -> Response:
    """Show the public form."""
    return _form_page(request, PUBLIC, ComplaintForm())


@router.post("/new")
def receive(request: Request, session: Database, keys: Keys, form: Filled) -> Response:
    """Take a complaint in from whoever posts it. Who is signed in is not looked at."""
    now, governorate = datetime.now(UTC), request.app.state.context.governorate
    index = brake.new_complaints_index(request, keys)
    if brake.is_braked(session, index, brake.COMPLAINTS_ALLOWED, now):
        return _form_page(request, PUBLIC, form, DomainError("complaint_too_many"))
    try:
        said = Statement(
            form.subject, form.kind, form.text, language_of(request), "page", form.reply_address or None
        )
        receipt = acts.receive_complaint(session, keys, governorate, said, now)
    except DomainError as problem:
        return _form_page(request, PUBLIC, form, problem)
    brake.count_one(session, index, now)
    return _receipt_page(request, receipt, is_clerk=False)


def _clerk_values(request: Request, session: Session, user: CurrentUser) -> dict[str, Any]:
    """What the form of somebody who records offers; a provider complains of its own matches."""
    governorate, language = request.app.state.context.governorate, language_of(request)
    meets_people = user.role != Role.PROVIDER
    channels = CLERK_CHANNELS if meets_people else ()
    return {
        "target": "/complaints/record",
        "is_clerk": True,
        "organizations": list_active_organizations(session, governorate.code) if meets_people else (),
        "offices": list_offices(session, governorate.code) if meets_people else (),
        "channels": {code: texts.text_of(complaint_texts.CHANNELS, code, language) for code in channels},
    }


@router.get("/record")
def record_page(
    request: Request,
    session: Database,
    user: Recorder,
    referral: Annotated[int | None, Query()] = None,
) -> Response:
    """Show the form for a person at the desk or on the phone, or for a provider; `referral` must be visible."""
    if referral is not None and get_referral_facts(session, user, referral) is None:
        raise DomainError("not_found", referral_id=referral)
    form = ComplaintForm(
        referral=str(referral or ""), subject="match" if referral else "", language=language_of(request)
    )
    return _form_page(request, _clerk_values(request, session, user), form)


@router.post("/record")
def record(request: Request, session: Database, keys: Keys, user: Recorder, form: Filled) -> Response:
    """Record a complaint for somebody; the answer is the receipt, whatever it is about."""
    now, governorate = datetime.now(UTC), request.app.state.context.governorate
    values = _clerk_values(request, session, user)
    try:
        said = Statement(
            form.subject,
            form.kind,
            form.text,
            form.language,
            form.channel if values["channels"] else "page",
            form.reply_address or None,
            organization_id=_id(form.organization),
            office_id=_id(form.office),
            referral_id=_id(form.referral),
        )
        receipt = acts.receive_complaint(session, keys, governorate, said, now, user.actor)
    except DomainError as problem:
        if problem.code == "not_found":
            raise
        return _form_page(request, values, form, problem)
    return _receipt_page(request, receipt, is_clerk=True)


@router.get("/status")
def status_page(request: Request) -> Response:
    """Ask for code and phrase."""
    return _status_page(request)


def _status_page(
    request: Request, problem: DomainError | None = None, found: Mapping[str, Any] | None = None
) -> Response:
    values = {"problem": None if problem is None else problem.code, "found": found}
    return render(request, "complaint_status.html", values, status=200 if problem is None else problem.status)


@router.post("/status")
def look(
    request: Request,
    session: Database,
    keys: Keys,
    code: Annotated[str, Form(max_length=60)] = "",
    phrase: Annotated[str, Form(max_length=100)] = "",
    text: Annotated[str | None, Form()] = None,
) -> Response:
    """Show where the complaint stands and its answers; with a text, appeal against the answer first."""
    now, governorate = datetime.now(UTC), request.app.state.context.governorate
    index = brake.wrong_phrases_index(request, keys, code)
    if brake.is_braked(session, index, brake.WRONG_PHRASES_ALLOWED, now):
        return _status_page(request, DomainError("complaint_too_many"))
    problem = None
    try:
        if text is not None:
            acts.appeal(session, keys, governorate, code, phrase, text, now)
    except DomainError as refused:
        problem = refused
    try:
        complaint, answers = acts.follow_up(session, keys, governorate, code, phrase)
    except DomainError as refused:
        brake.count_one(session, index, now)
        return _status_page(request, refused)
    language = language_of(request)
    found = {
        "complaint": complaint,
        "state": texts.text_of(complaint_texts.STATES, complaint.state, language),
        "answers": answers,
        "code": code,
        "phrase": phrase,
        "text": text if problem else "",
        "may_appeal": complaint.state == "answered",
        "appealed": text is not None and problem is None,
        "longest_text": LONGEST_TEXT,
    }
    return _status_page(request, problem, found)
