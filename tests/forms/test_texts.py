"""Every text of every questionnaire: four languages, Iraqi usage, the punctuation of its script."""

import re
from collections.abc import Iterator

import pytest

from governorates import available, load
from xlsforms.choice_lists import LANGUAGE_TITLES
from xlsforms.compile import CompiledForm, list_forms, read_source
from xlsforms.walk.xform import read_definition

TEXT_COLUMNS = ("label", "hint", "required_message", "constraint_message")
RIGHT_TO_LEFT = ("ar", "ckb", "kmr")

FORBIDDEN = {
    "قضاء فرعي": "a sub-district is ناحية",
    "إمارة": "a governorate is محافظة",
    "مُعلّق": "a closed case is مغلقة",
    "معلّق": "a closed case is مغلقة",
}
"""Wrong Arabic found in other systems of the field, and what Iraq says instead."""


def _texts(name: str, language: str) -> Iterator[tuple[str, str]]:
    title = LANGUAGE_TITLES[language]
    source = read_source(name)
    for row in (*source["survey"], *source["choices"]):
        for column in TEXT_COLUMNS:
            if f"{column}::{title}" in row:
                yield f"{row['name']} {column}", row[f"{column}::{title}"]
    yield "required_message", source["required_message"][title]


@pytest.mark.parametrize("name", list_forms())
def test_each_text_is_there_in_every_language(name: str) -> None:
    for row in read_source(name)["survey"]:
        for column in TEXT_COLUMNS:
            present = [
                title for title in LANGUAGE_TITLES.values() if row.get(f"{column}::{title}", "").strip()
            ]
            assert len(present) in (0, len(LANGUAGE_TITLES)), (row.get("name"), column, present)


@pytest.mark.parametrize("name", list_forms())
def test_what_is_shown_has_a_label_and_what_can_fail_a_message(name: str) -> None:
    title = LANGUAGE_TITLES["ar"]
    for row in read_source(name)["survey"]:
        silent = ("start", "end", "today", "deviceid", "calculate", "end_group", "end_repeat")
        assert row["type"] in silent or f"label::{title}" in row, row.get("name")
        assert ("constraint" in row) == (f"constraint_message::{title}" in row), row.get("name")


def test_no_compiled_text_is_empty_in_any_language(compiled: CompiledForm) -> None:
    texts = read_definition(compiled.xml).texts
    assert tuple(texts) == tuple(LANGUAGE_TITLES.values())
    ids = [set(translation) for translation in texts.values()]
    assert all(other == ids[0] for other in ids)
    empty = [
        (title, key)
        for title, translation in texts.items()
        for key, text in translation.items()
        if text.strip() in ("", "-")
    ]
    assert not empty


def test_the_governorates_first_language_is_the_default(compiled: CompiledForm) -> None:
    title = LANGUAGE_TITLES[load(compiled.governorate_code).default_language]
    assert read_definition(compiled.xml).default_language == title
    assert compiled.title == read_source("needs_assessment")["form_title"][title]


def test_default_languages_differ() -> None:
    """Else the test above would pass for a constant."""
    assert {load(code).default_language for code in available()} == {"ar", "ckb"}


def test_texts_name_the_governorates_own_bodies(compiled: CompiledForm) -> None:
    governorate = load(compiled.governorate_code)
    for language, title in LANGUAGE_TITLES.items():
        texts = read_definition(compiled.xml).texts[title]
        refused, apart = texts["/data/consent/refused:label"], texts["/data/consent/moi:label"]
        assert governorate.operator.names[language] in refused
        assert governorate.asked_apart.names[language] in apart
        for code in governorate.categories_of(governorate.asked_apart.code):
            assert governorate.categories[code].names[language] in texts["/data/consent/moi:hint"]
        assert not [text for text in texts.values() if "{{" in text]


def test_another_governorates_bodies_are_not_named(compiled: CompiledForm) -> None:
    own = load(compiled.governorate_code)
    for other in map(load, available()):
        foreign = {m.names["en"] for m in other.ministries.values()} - {
            m.names["en"] for m in own.ministries.values()
        }
        texts = read_definition(compiled.xml).texts["English (en)"].values()
        # "Ministry of Interior of the Kurdistan Region" holds the federal ministry's name.
        allowed = " ".join(m.names["en"] for m in own.ministries.values())
        assert not [
            (name, text) for name in foreign for text in texts if name in text and name not in allowed
        ]


@pytest.mark.parametrize("name", list_forms())
@pytest.mark.parametrize("language", RIGHT_TO_LEFT)
def test_right_to_left_texts_use_their_own_punctuation(name: str, language: str) -> None:
    wrong = [where for where, text in _texts(name, language) if re.search(r"[?,;%]", text)]
    assert not wrong


@pytest.mark.parametrize("name", list_forms())
def test_english_texts_use_theirs(name: str) -> None:
    assert not [where for where, text in _texts(name, "en") if re.search(r"[؟،؛\u0600-\u06ff]", text)]


@pytest.mark.parametrize("name", list_forms())
@pytest.mark.parametrize("language", ["ckb", "kmr"])
def test_kurdish_is_written_with_kurdish_letters(name: str, language: str) -> None:
    """Arabic kaf, ya and ta marbuta look alike, but sort, search and join differently."""
    assert not [where for where, text in _texts(name, language) if re.search(r"[يكةىإأؤ]", text)]


@pytest.mark.parametrize("name", list_forms())
def test_sorani_and_badini_are_two_languages(name: str) -> None:
    same = [
        where
        for (where, sorani), (_, badini) in zip(_texts(name, "ckb"), _texts(name, "kmr"), strict=True)
        if sorani == badini and len(sorani.split()) > 2
    ]
    assert not same


@pytest.mark.parametrize("name", list_forms())
def test_questions_end_as_questions_in_every_language(name: str) -> None:
    for row in read_source(name)["survey"]:
        marks = {row.get(f"label::{title}", "").endswith(("?", "؟")) for title in LANGUAGE_TITLES.values()}
        assert len(marks) == 1, row.get("name")


def test_no_trap_words_of_other_systems(compiled: CompiledForm) -> None:
    for title, translation in read_definition(compiled.xml).texts.items():
        for key, text in translation.items():
            for word, reason in FORBIDDEN.items():
                assert word not in text, (title, key, reason)


@pytest.mark.parametrize("name", list_forms())
def test_the_district_question_does_not_say_quarter(name: str) -> None:
    row = next(row for row in read_source(name)["survey"] if row.get("name") == "district")
    assert "قضاء" in row["label::Arabic (ar)"]
    assert "حي" not in row["label::Arabic (ar)"].split()


@pytest.mark.parametrize("language", LANGUAGE_TITLES)
def test_consent_says_what_it_must_before_any_question(compiled: CompiledForm, language: str) -> None:
    """Purpose, who may receive, free and confidential, no loss by refusing, withdrawal at any time."""
    title = LANGUAGE_TITLES[language]
    survey = [row for row in read_source("needs_assessment")["survey"] if f"label::{title}" in row]
    first_question = next(at for at, row in enumerate(survey) if row["type"] not in ("note", "begin_group"))
    texts = read_definition(compiled.xml).texts[title]
    notes = [row["name"] for row in survey[:first_question] if row["type"] == "note"]
    spoken = " ".join(texts[f"/data/consent/{name}:label"] for name in notes)
    apart = load(compiled.governorate_code).asked_apart.names[language]
    words = {
        "ar": ("الغرض", "مجانية وسرية", apart, "استحقاقاتك", "تسحب موافقتك"),
        "ckb": ("مەبەست", "بێبەرامبەر و نهێنی", apart, "شایستەکانت", "بکشێیتەوە"),
        "kmr": ("مەرەم", "بێ بەرامبەر و نهێنی", apart, "شایستەیێن تە", "ڤەکێشی"),
        "en": (
            "purpose",
            "free and confidential",
            apart,
            "entitlements",
            "withdraw your consent",
        ),
    }
    assert not [word for word in words[language] if word not in spoken]


@pytest.mark.parametrize("language", LANGUAGE_TITLES)
def test_the_code_stands_on_a_line_of_its_own(language: str) -> None:
    """A heading by itself: shown large, and no right-to-left word beside it can turn its parts round."""
    row = next(row for row in read_source("needs_assessment")["survey"] if row.get("name") == "farewell")
    assert "# ${case_code_shown}" in row[f"label::{LANGUAGE_TITLES[language]}"].splitlines()
