"""Support letters of a case: ask for one, and print it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api import plan_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.case_frame import require_case
from api.letters_pdf import draw_letter
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.spoken_consents import Spoken, consent_values
from api.texts import text_of
from casework import letters as acts
from db.consents import list_consent_facts
from db.letters import list_letters, list_sent_referrals
from governorates import letter_texts

router = APIRouter(prefix="/cases/{code}/letters")

Issuer = Annotated[CurrentUser, Depends(Require(Permission.LETTER_ISSUE))]
Code = Annotated[str, Form(max_length=40)]


@router.get("")
def letters_page(request: Request, session: Database, user: Issuer, code: str) -> Response:
    """Show the letters issued so far, by number, and the form for another one."""
    case, language = require_case(request, session, user, code), language_of(request)
    governorate = request.app.state.context.governorate
    issued = list_letters(session, case.id)
    values = {
        "case": case,
        "letters": [letter for letter, _ in issued],
        "printable": {letter.id for letter, consent in issued if consent.in_force_at(datetime.now(UTC))},
        "kinds": letter_texts().kinds,
        "fields": {
            name: text_of(plan_texts.LETTER_FIELDS, name, language) for name in plan_texts.LETTER_FIELDS
        },
        "referrals": list_sent_referrals(session, case.id),
    }
    is_child = list_consent_facts(session, [case.id], governorate.consent.adult_age)[case.id].is_child
    asking = consent_values(governorate, acts.CONSENT_KIND, case, language, is_child=is_child)
    return render(request, "letters.html", values | asking)


@router.post("")
def issue_letter(
    request: Request,
    session: Database,
    keys: Keys,
    user: Issuer,
    spoken: Spoken,
    code: str,
    kind: Code = "",
    requested: Annotated[str, Form(max_length=3)] = "",
    with_name: Annotated[str, Form(max_length=3)] = "",
    referral_id: Annotated[int | None, Form()] = None,
) -> Response:
    """Issue a letter at the person's request."""
    case = require_case(request, session, user, code)
    acts.issue_letter(
        session,
        keys,
        case.id,
        user.actor,
        kind=kind,
        requested_by_person=requested == "yes",
        with_name=with_name == "yes",
        spoken=spoken,
        referral_id=referral_id,
        now=datetime.now(UTC),
    )
    return see(f"/cases/{case.code}/letters", "letter_issued")


@router.get("/{letter_id}")
def letter_pdf(
    request: Request, session: Database, keys: Keys, user: Issuer, code: str, letter_id: int
) -> Response:
    """The letter as a PDF, drawn now and kept nowhere. Reading it is audited."""
    case = require_case(request, session, user, code)
    content = acts.read_letter(session, keys, case, letter_id, user.actor, datetime.now(UTC))
    offset = request.app.state.context.governorate.utc_offset_hours
    return Response(
        draw_letter(content, offset),
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="letter-{content.number}.pdf"',
            "Cache-Control": "no-store",
        },
    )
