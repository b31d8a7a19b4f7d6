"""A referral's page: the person's need, the options side by side, why, and what can be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api import texts
from api.auth import CurrentUser, Database, Keys, Require
from api.consent_words import SpokenText, spoken_texts, unreviewed_languages
from api.maps import referral_map
from api.permissions import Permission, permits
from api.referral_view import ReferralView, reason_of_event, view_referral
from api.rendering import language_of, render
from casework.consent_gate import may_contact
from casework.disclosure import preview, read_out_mark
from db import accounts
from db.conflicts import VersionRow, get_sent_version, list_versions
from db.models import Case
from db.overrides import get_override_of_referral
from db.vault import Vault
from governorates import Governorate
from referral_engine.sop import DISCLOSED

router = APIRouter()


def facts_in_words(
    keys: Vault, view: ReferralView, governorate: Governorate, language: str
) -> list[tuple[str, str]]:
    """The facts that conditions are checked against, without names, contact or free text."""
    case = view.sheet.case
    facts: Mapping[str, Any] = _sealed_facts(keys, case)
    return [
        (
            texts.text_of(texts.FACTS, name, language),
            texts.value_text(name, facts[name], governorate, language),
        )
        for name in texts.FACTS
        if facts.get(name) not in (None, "", [])
    ]


def _sealed_facts(keys: Vault, case: Case) -> Mapping[str, Any]:
    if case.facts is None or case.data_key_id is None:
        return {}
    return keys.open_json("case_file.facts", case.facts) or {}


def _preview_in_words(
    session: Session, keys: Vault, view: ReferralView, governorate: Governorate, language: str
) -> dict[str, Any]:
    """What will be sent, field by field, as it must be read out."""
    fields = preview(session, keys, view.sheet.referral.id)
    return {
        "fields": [
            (
                texts.text_of(texts.DISCLOSURE_FIELDS, name, language),
                texts.value_text(name, value, governorate, language),
                name,
            )
            for name, value in fields
        ],
        "mark": read_out_mark(keys, fields),
        "spoken": _spoken(governorate, view),
    }


def _spoken(governorate: Governorate, view: ReferralView) -> Sequence[SpokenText]:
    """The words in which the person is asked about this provider."""
    own = view.sheet.case.contact_language
    return spoken_texts(governorate, "referral", own, view.sheet.organization.names)


@dataclass(frozen=True, slots=True)
class UsedVersions:
    """Versions of the form that a referral used: for its match, for what was sent, and the newest there is."""

    matched: VersionRow | None
    sent: VersionRow | None
    newest: VersionRow


def _versions(session: Session, view: ReferralView) -> UsedVersions | None:
    """Which versions these are; None where the form is not there any more."""
    referral = view.sheet.referral
    by_id = {row.submission_id: row for row in list_versions(session, referral.submission_id)}
    if not by_id:
        return None
    sent = get_sent_version(session, referral.id)
    newest = max(by_id.values(), key=lambda row: row.number)
    return UsedVersions(by_id.get(referral.submission_id), by_id.get(sent or 0), newest)


@router.get("/referrals/{referral_id}")
def referral_page(
    request: Request,
    session: Database,
    keys: Keys,
    user: Annotated[CurrentUser, Depends(Require(Permission.REFERRAL_READ))],
    referral_id: int,
) -> Response:
    """Show one referral. Its facts and what will be sent are personal data, so that reading is audited."""
    context, language = request.app.state.context, language_of(request)
    governorate: Governorate = context.governorate
    view = view_referral(session, user, governorate, referral_id, language)
    facts = facts_in_words(keys, view, governorate, language)
    disclosure, is_erased = None, view.sheet.case.data_key_id is None
    if "send" in view.moves and permits(user.role, Permission.REFERRAL_CONSENT) and not is_erased:
        disclosure = _preview_in_words(session, keys, view, governorate, language)
    may_renew = permits(user.role, Permission.CONSENT_RENEW) and view.sheet.referral.state in DISCLOSED
    was_overridden = any(event.move == "override" for event in view.events)
    action = "disclosure.preview" if disclosure else "referral.read"
    accounts.record_audit(session, user.user_id, action, "referral", [referral_id])
    values = {
        "view": view,
        "sheet": view.sheet,
        "facts": facts,
        "is_erased": is_erased,
        "disclosure": disclosure,
        "unreviewed": unreviewed_languages(governorate, "referral", language),
        "own_language": view.sheet.case.contact_language,
        "is_child": view.sheet.age_years is not None and view.sheet.age_years < governorate.consent.adult_age,
        "override": get_override_of_referral(session, referral_id) if was_overridden else None,
        "may_renew": may_renew,
        "may_call": may_contact(session, view.sheet.case.id),
        "spoken": _spoken(governorate, view) if may_renew or "answer_info" in view.moves else [],
        "history": [
            {
                "event": event,
                "text": texts.text_of(texts.EVENTS, event.move, language),
                "reason": reason_of_event(event, language),
                "note": keys.open_many("referral_event.note", [event.note])[0] if event.note else None,
            }
            for event in view.events
        ],
        "versions": _versions(session, view),
        "basis": texts.text_of(texts.LOCATION_BASES, view.sheet.case.location_basis, language),
        "map_data": referral_map(
            governorate,
            view.sheet.case,
            view.all_options,
            view.sheet.referral.service_at_location_id,
            language,
            context.settings.tile_url,
        ),
    }
    return render(request, "referral.html", values)
