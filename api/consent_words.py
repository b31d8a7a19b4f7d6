"""The words of consent as a screen shows them, and those of the receipt, which speaks two languages at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api import texts
from api.i18n import PROFILES, LanguageProfile, format_day, translate
from api.i18n import mark as _
from db.withdrawals import Receipt
from governorates import (
    FALLBACK_LANGUAGE,
    LANGUAGES,
    Governorate,
    Names,
    choice_name,
    consent_text,
    consent_text_version,
    name_in,
)
from xlsforms.choice_lists import names_in_texts

RECEIPT: Mapping[str, str] = {
    "title": _("Receipt: consent taken back"),
    "code": _("Case code"),
    "date": _("Date"),
    "what": _("What you took back"),
    "channel": _("How you told us"),
    "told": _("Organizations that were told to delete what they had received from us"),
    "nobody": _("Nothing had been sent to any organization."),
    "until": _("They must delete it by %(day)s."),
    "effect": _(
        "It took effect at once. Taking consent back takes nothing away from your rights and entitlements."
    ),
    "again": _("You may give your consent again whenever you wish."),
    "call": _("If you have questions"),
    "office": _("Ask at the office: %(office)s"),
    "phone": _("Or call: %(phone)s"),
    "others": _(
        "Other organizations were told to delete too, if they had received anything. Your office names them."
    ),
}

CALLS_BACK = frozenset({"everything", "categories", "referral"})
"""What is taken back from organizations; of the rest a receipt says nothing about what they received."""


@dataclass(frozen=True, slots=True)
class SpokenText:
    """A text to be read aloud; `reviewed`: a native reader has confirmed the words."""

    language: str
    direction: str
    html_code: str
    endonym: str
    reviewed: bool
    text: str


def spoken_texts(
    governorate: Governorate, kind: str, own_language: str | None, organization: Names | None = None
) -> Sequence[SpokenText]:
    """The Arabic text, then the person's own language, then the others: all in the version in use."""
    version = consent_text_version(kind)
    first = [FALLBACK_LANGUAGE, *([own_language] if own_language in LANGUAGES else [])]
    ordered = dict.fromkeys([*first, *LANGUAGES])
    found = [(code, consent_text(kind, version, code)) for code in ordered]
    return [
        SpokenText(
            language=code,
            direction=PROFILES[code].direction,
            html_code=PROFILES[code].html_code,
            endonym=PROFILES[code].endonym,
            reviewed=text.reviewed and governorate.language_details[code].reviewed,
            text=_with_names(text.text, governorate, code, organization),
        )
        for code, text in found
        if code in governorate.language_details
    ]


def _with_names(text: str, governorate: Governorate, language: str, organization: Names | None) -> str:
    """The words with the names that the governorate and the referral fill in."""
    for name, value in names_in_texts(governorate, language).items():
        text = text.replace("{{" + name + "}}", value)
    return text.replace("{organization}", name_in(organization, language) if organization else "")


def receipt_languages(own_language: str | None) -> Sequence[str]:
    """Arabic, and the person's own language where we have it."""
    own = own_language if own_language in LANGUAGES else FALLBACK_LANGUAGE
    return list(dict.fromkeys([FALLBACK_LANGUAGE, str(own)]))


@dataclass(frozen=True, slots=True)
class ReceiptSide:
    """One language's side of a receipt. `told`: organization and service; `nobody`: that nothing had been sent."""

    profile: LanguageProfile
    word: Mapping[str, str]
    what: str
    channel: str
    day: str
    told: Sequence[tuple[str, str]]
    nobody: str | None
    until: str | None
    office: str | None
    phone: str | None


def receipt_side(governorate: Governorate, receipt: Receipt, language: str) -> ReceiptSide:
    """A receipt in one language: codes, dates and organizations, never a name of the person."""
    record, offset = receipt.withdrawal, governorate.utc_offset_hours
    word = {code: translate(language, text) for code, text in RECEIPT.items()}
    categories = [name_in(governorate.categories[one].names, language) for one in record.categories]
    due = max((one.due_at for one in receipt.told), default=None)
    office, phone = receipt.office, governorate.consent.phone
    return ReceiptSide(
        profile=PROFILES[language],
        word=word,
        what=texts.joined([choice_name("withdrawal_scope", record.scope, language), *categories], language),
        channel=choice_name("withdrawal_channel", record.channel, language),
        day=format_day(record.at, language, offset),
        told=[
            (
                name_in(one.organization, language),
                texts.service_type_name(governorate, one.service_type, language),
            )
            for one in receipt.told
        ],
        nobody=word["nobody"] if record.scope in CALLS_BACK and not receipt.told else None,
        until=word["until"] % {"day": format_day(due, language, offset)} if due else None,
        office=word["office"] % {"office": name_in(office, language)} if office else None,
        phone=word["phone"] % {"phone": phone} if phone else None,
    )


def unreviewed_languages(governorate: Governorate, kind: str, language: str) -> Sequence[str]:
    """Names of the languages in which this text may only be read with an interpreter."""
    return [
        choice_name("language", one.language, language)
        for one in spoken_texts(governorate, kind, None)
        if not one.reviewed
    ]
