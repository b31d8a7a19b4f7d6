"""Direction, numbers, dates and waiting times in the four languages."""

from datetime import UTC, datetime, timedelta

import pytest

from api import i18n
from governorates import LANGUAGES

NOW = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)


def test_our_own_table_says_the_direction() -> None:
    assert {code: profile.direction for code, profile in i18n.PROFILES.items()} == {
        "ar": "rtl",
        "ckb": "rtl",
        "kmr": "rtl",  # CLDR takes Kurmanji for left-to-right; Badini is written in Arabic script
        "en": "ltr",
    }
    assert tuple(i18n.PROFILES) == LANGUAGES


def test_unknown_language_is_the_default() -> None:
    assert i18n.known_language("xx", "ckb") == "ckb"
    assert i18n.known_language(None, "ar") == "ar"
    assert i18n.known_language("kmr", "ar") == "kmr"


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_are_local_and_in_latin_digits(language: str) -> None:
    text = i18n.format_moment(NOW, language, 3)
    assert "24" in text  # half past midnight in Mosul is the next day
    assert "2026" in text
    assert "00:30" in text
    assert not set(text) & set("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹")


def test_arabic_months_are_those_of_iraq() -> None:
    assert "تشرين الثاني" in i18n.format_day(NOW, "ar", 3)


@pytest.mark.parametrize(
    ("waited", "arabic", "english"),
    [
        (timedelta(days=1), "يوم واحد", "1 day"),
        (timedelta(days=2), "يومان", "2 days"),
        (timedelta(days=5), "5 أيام", "5 days"),
        (timedelta(days=12), "12 يوماً", "12 days"),
        (timedelta(days=100), "100 يوم", "100 days"),
        (timedelta(hours=3), "3 ساعات", "3 hours"),
        (timedelta(minutes=2), "دقيقتان", "2 minutes"),
        (timedelta(seconds=-5), "0 دقيقة", "0 minutes"),
    ],
)
def test_waiting_times_use_the_plural_forms(waited: timedelta, arabic: str, english: str) -> None:
    assert i18n.format_wait(NOW - waited, "ar", NOW) == arabic
    assert i18n.format_wait(NOW - waited, "en", NOW) == english


def test_figures_keep_latin_digits_and_are_isolated() -> None:
    assert i18n.format_number(12345.6, 1) == "12,345.6"
    assert i18n.isolate("<b>") == "<bdi>&lt;b&gt;</bdi>"
