"""Every text of the pages exists in every language, and none keeps a known mistranslation."""

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import api
from api import complaint_texts, duplicate_texts, i18n, intake_texts, open_day_texts, texts
from api.error_texts import ERRORS
from api.provider_sheet import FIELDS
from casework.complaints import CHANNELS
from casework.merged_needs import MERGED
from casework.reconciliation import TabletStanding
from casework.rerouting import NOBODY_NEXT, NOBODY_WENT_ON
from db.errors import ERROR_CODES
from db.matching import NOT_REACHED
from db.models import OpenDayState, PairState, Role, SubmissionStatus, TokenState
from governorates import DISCLOSED_FIELDS, DUPLICATE_LEVELS, DUPLICATE_PARTS, LANGUAGES, choice_lists
from ingest.quarantine import REASONS
from referral_engine.complaints import MOVES as COMPLAINT_MOVES
from referral_engine.complaints import ComplaintActor, ComplaintState
from referral_engine.eligibility import ATTRIBUTES
from referral_engine.reasons import REASON_CODES
from referral_engine.sop import MOVES, Actor, ReferralState

API = Path(api.__file__).parent
ROOT = API.parent
TRANSLATED = [language for language in LANGUAGES if language != "en"]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")

# Glossary traps (found in other systems' locales): what the word must never be, by the English term.
FORBIDDEN_ARABIC = {
    "معلّق": "reads 'suspended'; closed is مغلقة",
    "معلق": "reads 'suspended'; closed is مغلقة",
    "مُعلّق": "reads 'suspended'; closed is مغلقة",
    "قضاء فرعي": "a sub-district is ناحية",
    "إمارة": "a governorate is محافظة",
}


@cache
def extracted() -> frozenset[str]:
    """Every msgid of templates and code; for plural texts the singular."""
    found = extract_from_dir(
        str(API),
        [("templates/**.html", "jinja2"), ("**.py", "python")],
        {"templates/**.html": {"silent": "false", "trimmed": "true"}},
        keywords={"_": None, "mark": None, "gettext": None, "ngettext": (1, 2)},
    )
    return frozenset(message if isinstance(message, str) else message[0] for _, _, message, _, _ in found)


@cache
def catalogue(language: str) -> Catalog:
    with (i18n.LOCALE_FOLDER / language / i18n.CATALOGUE).open("rb") as source:
        return read_po(source, locale=None)


def messages(language: str) -> dict[str, tuple[str, ...]]:
    """Singular msgid -> its translations (one, or one a plural form)."""
    found = {}
    for message in catalogue(language):
        if message.id:
            key = message.id if isinstance(message.id, str) else message.id[0]
            found[key] = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return found


def test_the_extractor_sees_templates_and_code() -> None:
    assert {"Queue", "Skip to the content", "Choose…"} <= extracted()  # templates and macros
    assert {"Proposed", "%(number)s day", "Nobody offers this service"} <= extracted()  # code


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_text_is_missing_fuzzy_or_stale(language: str) -> None:
    known = messages(language)
    assert extracted() - known.keys() == set(), "missing"
    assert known.keys() - extracted() == set(), "stale"
    assert [key for key, forms in known.items() if not all(forms)] == []
    assert [message.id for message in catalogue(language) if message.id and message.fuzzy] == []
    assert list(catalogue(language).obsolete) == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_placeholders_survive_translation(language: str) -> None:
    for key, forms in messages(language).items():
        wanted = set(PLACEHOLDER.findall(key))
        for form in forms:
            found = set(PLACEHOLDER.findall(form))
            # "يوم واحد" says the number itself; nothing else may drop a figure.
            assert found == wanted or (len(forms) > 1 and found < wanted), (language, key, form)


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_are_in_the_script_of_their_language(language: str) -> None:
    latin = [
        key
        for key, forms in messages(language).items()
        for form in forms
        if not re.search(r"[\u0600-\u06FF]", form)
    ]
    assert latin == []


def test_arabic_avoids_the_known_traps() -> None:
    for key, forms in messages("ar").items():
        for form in forms:
            for trap, why in FORBIDDEN_ARABIC.items():
                assert trap not in form, f"{key}: {why}"


def test_arabic_says_the_glossary_words() -> None:
    arabic = messages("ar")
    assert arabic["Closed"] == ("مغلقة",)
    assert arabic["District"] == ("القضاء",)  # never الحي, which is a neighbourhood
    assert arabic["Sub-district"] == ("الناحية",)
    assert arabic["Governorate"] == ("المحافظة",)
    assert arabic["Free and confidential"] == ("مجانية وسرية",)


def test_kurdish_is_written_with_kurdish_letters() -> None:
    for language in ("ckb", "kmr"):
        wrong = [key for key, forms in messages(language).items() if re.search("[يكىة]", " ".join(forms))]
        assert wrong == []


def codes_in(folders: tuple[str, ...], pattern: str) -> set[str]:
    return {
        code
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for code in re.findall(pattern, path.read_text(encoding="utf-8"))
    }


def test_every_code_has_a_text_and_no_text_is_idle() -> None:
    assert texts.STATES.keys() == {str(state) for state in ReferralState}
    assert texts.EVENTS.keys() == MOVES.keys()
    assert texts.OPTION_REASONS.keys() == REASON_CODES["option"].keys()
    assert texts.EXCLUSION_REASONS.keys() == REASON_CODES["excluded"].keys()
    assert texts.UNMET_REASONS.keys() == REASON_CODES["unmet"].keys() | {
        "slot_taken_meanwhile",
        "consent_expired",
        "consent_incomplete",
        NOBODY_NEXT,
        NOBODY_WENT_ON,
        NOT_REACHED,
    }
    assert texts.DISCLOSURE_FIELDS.keys() == set(DISCLOSED_FIELDS)
    assert set(FIELDS) == set(DISCLOSED_FIELDS) - {"case_code"}
    assert ERRORS.keys() >= ERROR_CODES.keys()
    assert texts.SUBMISSION_STATES.keys() == {str(status) for status in SubmissionStatus}
    assert texts.ROLES.keys() >= {str(role) for role in Role} | {str(actor) for actor in Actor}
    assert intake_texts.QUARANTINE_REASONS.keys() == REASONS
    assert tuple(duplicate_texts.PARTS) == DUPLICATE_PARTS
    assert duplicate_texts.LEVELS.keys() == {*DUPLICATE_LEVELS, "unknown"}
    assert duplicate_texts.STATES.keys() == {str(state) for state in PairState}
    assert open_day_texts.DAY_STATES.keys() == {str(state) for state in OpenDayState}
    assert open_day_texts.TOKEN_STATES.keys() == {str(state) for state in TokenState}
    assert open_day_texts.TABLET_STANDINGS.keys() == {str(standing) for standing in TabletStanding}
    assert complaint_texts.STATES.keys() == {str(state) for state in ComplaintState}
    assert complaint_texts.EVENTS.keys() == COMPLAINT_MOVES.keys()
    assert complaint_texts.CHANNELS.keys() == set(CHANNELS)
    assert texts.ROLES.keys() >= {str(actor) for actor in ComplaintActor}
    assert texts.NEED_STATES.keys() >= {MERGED}
    assert intake_texts.FIELDS.keys() >= {attribute.settle for attribute in ATTRIBUTES.values()}


def test_every_issue_that_intake_raises_has_a_text() -> None:
    raised = codes_in(("ingest", "casework"), r'(?:\.add|\bIssue)\(\s*"([a-z_]+)"')
    named = codes_in(("ingest",), r'issue(?::\s*str)?\s*=\s*"([a-z_]+)"')
    raised = {code for code in raised if not code.startswith("central_")}  # said as errors of a job
    assert {"answer_missing", "case_code_collision"} <= raised
    assert intake_texts.ISSUES.keys() == raised | named


def test_every_done_code_is_said_by_some_route() -> None:
    said = codes_in(("api/pages",), r'see\([^)]*?"([a-z_]+)"\)')
    assert said == texts.DONE.keys()


def test_reason_lists_are_those_of_the_moves() -> None:
    assert {move.name: move.reason_list for move in MOVES.values() if move.reason_list} == texts.REASON_LISTS
    assert set(texts.FACT_LISTS.values()) <= set(choice_lists())
