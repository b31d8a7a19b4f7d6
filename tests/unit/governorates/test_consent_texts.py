"""The archive of consent texts and the rules around them: complete, and the same words that the form asks."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from governorates import (
    CONSENT_KINDS,
    LANGUAGES,
    GovernorateDataError,
    available,
    consent_text,
    consent_text_version,
    load,
)
from governorates.consent_rules import read_consent_rules
from governorates.consent_texts import CONSENT_TEXTS_FILE, read_consent_texts
from governorates.reader import HOME
from governorates.tables import Row
from xlsforms.compile import read_source

LABELS = {"ar": "Arabic (ar)", "ckb": "Sorani (ckb)", "kmr": "Badini (kmr)", "en": "English (en)"}
ASKED = {
    "registration": ("read_purpose", "read_rights", "given"),
    "assessment": ("read_recipients", "categories", "recipients", "moi", "exclusions"),
    "statistics": ("statistics",),
    "contact": ("contact",),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ASKED)
def test_the_form_asks_in_the_words_that_are_kept(kind: str, language: str) -> None:
    rows = {
        str(row.get("name")): row
        for row in read_source("needs_assessment")["survey"]
        if row.get("type") != "begin_group"
    }
    version = str(rows["text_version"]["calculation"]).strip("'")
    words = "\n".join(str(rows[name][f"label::{LABELS[language]}"]) for name in ASKED[kind])
    assert consent_text(kind, version, language).text == words
    assert consent_text_version(kind) == version


def test_every_kind_has_a_text_and_a_referrals_names_the_recipient() -> None:
    for kind in CONSENT_KINDS:
        for language in LANGUAGES:
            text = consent_text(kind, consent_text_version(kind), language)
            assert ("{organization}" in text.text) is (kind == "referral")
    with pytest.raises(GovernorateDataError, match="is not kept"):
        consent_text("referral", "1999-01", "ar")
    with pytest.raises(KeyError):
        consent_text_version("marriage")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('language = "ckb"', 'language = "kmr"', "stands twice"),
        ('language = "ckb"', 'language = "fr"', "is none of"),
        ('kind = "contact"', 'kind = "calls"', "is none of"),
        ("reviewed = true", "reviewed = false", "must be reviewed"),
        ("reviewed = true", 'reviewed = "perhaps"', "neither yes nor no"),
        ('version = "2026-11"', 'version = "2026-12"', "has no text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = (HOME / CONSENT_TEXTS_FILE).read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / CONSENT_TEXTS_FILE
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(GovernorateDataError, match=problem):
        read_consent_texts(path)


RULES = {
    "months": 12,
    "renewal_days": 30,
    "adult_age": 18,
    "assent_age": 6,
    "deletion_days": 7,
    "override_hours": 24,
}


@pytest.mark.parametrize(
    "change",
    [
        {"months": 0}, {"months": "x"}, {"override_hours": 25}, {"adult_age": 3}, {"assent_age": 19},
        {"deletion_days": 0}, {"renewal_days": None}, {"phone": 7},
    ],
)  # fmt: skip
def test_rules_are_checked(change: dict[str, object]) -> None:
    with pytest.raises(GovernorateDataError, match=r"sop\.toml"):
        read_consent_rules(Row("sop.toml", "top level", {"consent": RULES | change}))


def test_rules_must_be_there() -> None:
    with pytest.raises(GovernorateDataError, match="consent"):
        read_consent_rules(Row("sop.toml", "top level", {}))
    for code in available():
        assert load(code).consent.months


@pytest.mark.parametrize(
    ("given", "months", "end"),
    [
        ("2026-11-23", 12, "2027-11-23"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-01-31", 1, "2026-02-28"),
    ],
)
def test_when_consent_ends(given: str, months: int, end: str) -> None:
    rules = read_consent_rules(Row("sop.toml", "top level", {"consent": RULES | {"months": months}}))
    assert rules.end_of(datetime.fromisoformat(given).replace(tzinfo=UTC)).date().isoformat() == end
