"""A need's page: what was looked at for it and why not, a referral by hand, information only, a hand-over."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api import texts, transfer_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission, permits
from api.reason_words import ReasonWords, rule_ids
from api.redirects import see
from api.referral_view import option_view
from api.rendering import language_of, render
from api.spoken_consents import consent_values
from api.waking import Wake
from casework import hand_overs
from casework.drafts import draft, may_be_drafted
from casework.information import give_information
from db import accounts
from db.consents import list_consent_facts
from db.errors import DomainError
from db.hand_overs import list_need_hand_overs
from db.information import get_visible_slip
from db.needs import get_need_sheet, is_need_visible
from db.options import list_need_options, list_rule_names

router = APIRouter()

Reader = Annotated[CurrentUser, Depends(Require(Permission.NEED_READ))]


@router.get("/needs/{need_id}")
def need_page(request: Request, session: Database, user: Reader, need_id: int) -> Response:
    """Show one need, what the newest matching found for it, and what can be done by hand."""
    governorate, language = request.app.state.context.governorate, language_of(request)
    sheet = get_need_sheet(session, user, need_id)
    if sheet is None:
        raise DomainError("not_found", need_id=need_id)
    options = list_need_options(session, need_id, datetime.now(UTC))
    words = ReasonWords(language, list_rule_names(session, rule_ids(options)))
    views = [option_view(words, option, None, False) for option in options]
    is_open = sheet.need.status == "open" and sheet.live_referral_id is None and sheet.case.closed_at is None
    reason, offer_states = sheet.need.unmet_reason, transfer_texts.OFFER_STATES
    values = {
        "sheet": sheet,
        "state": texts.text_of(texts.NEED_STATES, sheet.need.status, language),
        "unmet": texts.text_of(texts.UNMET_REASONS, reason, language) if reason else None,
        "options": [view for view in views if view.option.status == "option"],
        "excluded": [view for view in views if view.option.status != "option"],
        "draftable": [view.option for view in views if may_be_drafted(view.option)] if is_open else [],
        "known": [view.option for view in views] if is_open else [],
        "hand_overs": list_need_hand_overs(session, user, need_id)
        if permits(user.role, Permission.HAND_OVER_READ)
        else [],
        "ministries": [one for one in governorate.ministries.values() if one.code != user.ministry],
        "states": {code: texts.text_of(offer_states, code, language) for code in offer_states},
    }
    facts = list_consent_facts(session, [sheet.case.id], governorate.consent.adult_age)[sheet.case.id]
    asking = consent_values(
        governorate, hand_overs.CONSENT_KIND, sheet.case, language, is_child=facts.is_child
    )
    return render(request, "need.html", values | asking)


@router.post("/needs/{need_id}/draft")
def draft_referral(
    session: Database,
    keys: Keys,
    user: Annotated[CurrentUser, Depends(Require(Permission.REFERRAL_DRAFT))],
    need_id: int,
    service_at_location_id: Annotated[int, Form()] = 0,
    reason: Annotated[str, Form(max_length=40)] = "",
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Draft a referral by hand, with the reason why matching did not or why this provider."""
    if not is_need_visible(session, user, need_id):
        raise DomainError("not_found", need_id=need_id)
    referral_id = draft(
        session, keys, need_id, service_at_location_id, user.actor, reason, note.strip() or None
    )
    return see(f"/referrals/{referral_id}", "drafted")


@router.post("/needs/{need_id}/inform")
def inform(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Annotated[CurrentUser, Depends(Require(Permission.INFORMATION_GIVE))],
    need_id: int,
    service_at_location_id: Annotated[int, Form()] = 0,
    language: Annotated[str, Form(max_length=8)] = "",
    channel: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Record that the person was told where to go and goes alone; then their slip can be printed."""
    if not is_need_visible(session, user, need_id):
        raise DomainError("not_found", need_id=need_id)
    information_id = give_information(
        session,
        keys,
        need_id,
        service_at_location_id,
        user.actor,
        language=language,
        channel=channel,
        now=datetime.now(UTC),
    )
    wake()
    return see(f"/information/{information_id}", "informed")


@router.get("/information/{information_id}")
def slip_page(request: Request, session: Database, user: Reader, information_id: int) -> Response:
    """Show the slip that the person takes along: where to go and what to bring, and nothing about them."""
    slip = get_visible_slip(session, user, information_id)
    if slip is None:
        raise DomainError("not_found", information_id=information_id)
    accounts.record_audit(session, user.user_id, "information.print", "information_given", [information_id])
    hotline = request.app.state.context.governorate.complaints.hotline
    return render(request, "information_slip.html", {"slip": slip, "hotline": hotline})
