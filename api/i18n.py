"""Languages of the pages: direction, texts, numbers and dates.

Texts come from the catalogues in `locale/`, read from `.po` at start-up; msgids are the English texts.
Names of choices, services and places come from the governorate's data and never stand in a catalogue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel.dates import format_date as babel_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from markupsafe import Markup

from governorates import LANGUAGES

LOCALE_FOLDER = Path(__file__).parent / "locale"
CATALOGUE = "LC_MESSAGES/messages.po"


@dataclass(frozen=True, slots=True)
class LanguageProfile:
    """How one language is written. Direction stands here because CLDR takes Kurmanji for left-to-right."""

    code: str
    endonym: str
    direction: str
    html_code: str
    date_locale: str | None


PROFILES: Mapping[str, LanguageProfile] = {
    "ar": LanguageProfile("ar", "العربية", "rtl", "ar", "ar_IQ"),
    "ckb": LanguageProfile("ckb", "سۆرانی", "rtl", "ckb", "ckb"),
    # CLDR writes Kurmanji in Latin script, so its month names cannot be used for Badini.
    "kmr": LanguageProfile("kmr", "بادینی", "rtl", "kmr-Arab", None),
    "en": LanguageProfile("en", "English", "ltr", "en", "en_GB"),
}


def known_language(code: str | None, default: str) -> str:
    """The language asked for, or the governorate's default when it is none of ours."""
    return code if code in LANGUAGES else default


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language; English is the text of the msgids itself."""
    if language == "en":
        return NullTranslations()
    with (LOCALE_FOLDER / language / CATALOGUE).open("rb") as source:
        catalogue = read_po(source, locale=None)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def mark(message: str) -> str:
    """Mark a text of a table for extraction; it is translated where it is shown."""
    return message


def translate(language: str, message: str) -> str:
    """The text in a language."""
    return translations(language).gettext(message)


def isolate(value: object) -> Markup:
    """A code or figure that keeps its own direction inside text of the other one."""
    return Markup("<bdi>{}</bdi>").format(value)


def comma(language: str) -> str:
    """The comma of the script, with the space after it."""
    return "، " if PROFILES[language].direction == "rtl" else ", "


def format_number(value: float, digits: int = 0) -> str:
    """A figure in Latin digits, as the offices write them in every language."""
    return f"{value:,.{digits}f}"


def _local(moment: datetime, offset_hours: float) -> datetime:
    return moment.astimezone(timezone(timedelta(hours=offset_hours)))


def format_day(moment: datetime, language: str, offset_hours: float) -> str:
    """A date in the governorate's time, month in words where the language has them, Latin digits."""
    return format_date(_local(moment, offset_hours).date(), language)


def format_date(day: date, language: str) -> str:
    """A day of the calendar, month in words where the language has them, Latin digits."""
    locale = PROFILES[language].date_locale
    if locale is None:
        return f"{day.day}/{day.month}/{day.year}"
    return str(babel_date(day, "d MMMM y", locale=locale))


def format_month(month: str, language: str) -> str:
    """A month given as 2026-11, in words where the language has them."""
    locale = PROFILES[language].date_locale
    day = date.fromisoformat(f"{month}-01")
    return f"{day.month}/{day.year}" if locale is None else str(babel_date(day, "MMMM y", locale=locale))


def format_iso_day(moment: datetime, offset_hours: float) -> str:
    """A date in the governorate's time as spreadsheets sort it: 2026-11-23."""
    return f"{_local(moment, offset_hours):%Y-%m-%d}"


def format_moment(moment: datetime, language: str, offset_hours: float) -> str:
    """Date and time of day in the governorate's time."""
    local = _local(moment, offset_hours)
    return f"{format_day(moment, language, offset_hours)}{comma(language)}{local:%H:%M}"


def format_wait(since: datetime, language: str, now: datetime | None = None) -> str:
    """How long something has waited, in the largest unit that says enough: minutes, hours or days."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - since).total_seconds())
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    ngettext = translations(language).ngettext
    if days:
        return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}
    if hours:
        return ngettext("%(number)s hour", "%(number)s hours", hours) % {"number": hours}
    return ngettext("%(number)s minute", "%(number)s minutes", minutes) % {"number": minutes}


def format_until(moment: datetime, language: str, now: datetime | None = None) -> str:
    """How long it is until a moment, as `format_wait` says how long something has waited."""
    at = now or datetime.now(UTC)
    return format_wait(at - (moment - at), language, at)
