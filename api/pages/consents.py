"""Consent taken back or said again: forms on a case's page, the receipt, and the list of what is due."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.asked_form import asked_form
from api.auth import CurrentUser, Database, Keys, Require
from api.consent_words import receipt_languages, receipt_side
from api.permissions import Permission
from api.redirects import see
from api.rendering import render
from api.waking import Wake
from casework import renewals
from casework import withdrawals as acts
from casework.named_consents import Asked
from db import accounts
from db.case_sheets import list_visible_cases
from db.consents import list_expiring
from db.errors import DomainError
from db.models import Case
from db.options import is_referral_visible
from db.withdrawals import get_receipt
from governorates import Governorate, normalise_code

router = APIRouter()

Withdrawer = Annotated[CurrentUser, Depends(Require(Permission.CONSENT_WITHDRAW))]
BoundsRenewer = Annotated[CurrentUser, Depends(Require(Permission.BOUNDS_RENEW))]
Renewer = Annotated[CurrentUser, Depends(Require(Permission.CONSENT_RENEW))]
AskedAnswers = Annotated[Asked, Depends(asked_form)]
Code = Annotated[str, Form(max_length=40)]
Codes = Annotated[list[Annotated[str, Form(max_length=60)]] | None, Form()]

YES_NO = {"yes": True, "no": False}


def _code_of(request: Request, text: str) -> str:
    governorate: Governorate = request.app.state.context.governorate
    code = normalise_code(text, governorate.code_alphabet, governorate.code_length)
    if code is None:
        raise DomainError("not_found")
    return code


def _visible_case(request: Request, session: Session, user: CurrentUser, code: str, case_id: int) -> Case:
    """The case on whose page the form stood; two cases may hold one code."""
    cases = list_visible_cases(session, user, _code_of(request, code))
    found = [case for case in cases if case.id == case_id]
    if not found:
        raise DomainError("not_found", case_id=case_id)
    return found[0]


@router.post("/cases/{code}/withdraw")
def withdraw(
    request: Request,
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Withdrawer,
    code: str,
    case_id: Annotated[int, Form()] = 0,
    channel: Code = "",
    scope: Code = "",
    category: Codes = None,
    referral_id: Annotated[int | None, Form()] = None,
) -> Response:
    """Record that the person took consent back; everything that follows happens at once. Then the receipt."""
    case = _visible_case(request, session, user, code, case_id)
    now = datetime.now(UTC)
    withdrawal_id = acts.withdraw(
        session, keys, case.id, user.actor,
        channel=channel, scope=scope, categories=category or [], referral_id=referral_id, now=now,
    )  # fmt: skip
    accounts.record_audit(session, user.user_id, "consent.withdraw", "case_file", [case.id], scope)
    wake()
    return see(f"/cases/{case.printed_code}/withdrawals/{withdrawal_id}", "withdrawn")


@router.get("/cases/{code}/withdrawals/{withdrawal_id}")
def receipt_page(
    request: Request, session: Database, user: Withdrawer, code: str, withdrawal_id: int
) -> Response:
    """Show the receipt as it is printed: in Arabic and in the person's language, with no name of a person."""
    governorate: Governorate = request.app.state.context.governorate
    receipt = get_receipt(session, user, _code_of(request, code), withdrawal_id)
    if receipt is None:
        raise DomainError("not_found", withdrawal_id=withdrawal_id)
    accounts.record_audit(session, user.user_id, "withdrawal.read", "withdrawal", [withdrawal_id])
    languages = receipt_languages(receipt.case.contact_language)
    sides = [receipt_side(governorate, receipt, language) for language in languages]
    return render(request, "withdrawal_receipt.html", {"receipt": receipt, "sides": sides})


@router.post("/cases/{code}/renew")
def renew(
    request: Request,
    session: Database,
    keys: Keys,
    wake: Wake,
    user: BoundsRenewer,
    asked: AskedAnswers,
    code: str,
    case_id: Annotated[int, Form()] = 0,
    agreed: Code = "",
    category: Codes = None,
    recipient: Codes = None,
    contact: Code = "",
    statistics: Code = "",
) -> Response:
    """Record that the person says yes again, to the same or to less; then the matching runs at once."""
    case = _visible_case(request, session, user, code, case_id)
    if agreed != "yes":
        raise DomainError("consent_required", case_id=case.id)
    renewals.renew_consent(
        session, keys, case.id, user.actor, asked,
        now=datetime.now(UTC), categories=category or [], recipients=recipient or [],
        contact=YES_NO.get(contact), statistics=YES_NO.get(statistics),
    )  # fmt: skip
    accounts.record_audit(session, user.user_id, "consent.renew", "case_file", [case.id])
    wake()
    return see(f"/cases/{case.printed_code}", "renewed")


@router.post("/referrals/{referral_id}/renew-consent")
def renew_for_referral(
    session: Database,
    keys: Keys,
    user: Renewer,
    asked: AskedAnswers,
    referral_id: int,
    agreed: Code = "",
) -> Response:
    """Record that the person still agrees to the provider who works with the referral."""
    if not is_referral_visible(session, user, referral_id):
        raise DomainError("not_found", referral_id=referral_id)
    if agreed != "yes":
        raise DomainError("consent_required", referral_id=referral_id)
    renewals.renew_referral_consent(session, keys, referral_id, user.actor, asked, now=datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "consent.renew", "referral", [referral_id])
    return see(f"/referrals/{referral_id}", "renewed")


@router.get("/consents/expiring")
def expiring_page(
    request: Request,
    session: Database,
    user: Renewer,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """List the consents of the office's cases that end soon or have ended: the people to ask again."""
    now, rules = datetime.now(UTC), request.app.state.context.governorate.consent
    listed = list_expiring(session, user, now + timedelta(days=rules.renewal_days), page=page)
    return render(request, "consents_expiring.html", {"listed": listed, "now": now, "rules": rules})
