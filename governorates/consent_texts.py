"""The words in which consent is asked: every version that was ever read out, by kind and language."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from governorates.errors import GovernorateDataError
from governorates.languages import FALLBACK_LANGUAGE, LANGUAGES
from governorates.model import Governorate
from governorates.reader import HOME
from governorates.tables import read_toml, rows_of

CONSENT_TEXTS_FILE = "consent_texts.toml"
CONSENT_KINDS = (
    "registration",
    "assessment",
    "statistics",
    "contact",
    "referral",
    "transfer",
    "hand_over",
    "letter",
)
"""What is asked apart; each is an answer of its own that can be taken back alone."""

FORM_KINDS = ("registration", "assessment", "statistics", "contact")
"""What the needs assessment asks, all of it in one language."""


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One text as it was read out; `reviewed`: a native reader has confirmed the words."""

    kind: str
    version: str
    language: str
    reviewed: bool
    text: str


@cache
def _texts() -> Mapping[tuple[str, str, str], ConsentText]:
    return read_consent_texts(HOME / CONSENT_TEXTS_FILE)


def read_consent_texts(path: Path) -> Mapping[tuple[str, str, str], ConsentText]:
    """Read and check the file: every version of every kind in every language, exactly once."""
    table = read_toml(path)
    found: dict[tuple[str, str, str], ConsentText] = {}
    for row in rows_of(table, "text"):
        text = ConsentText(
            kind=row.text("kind", CONSENT_KINDS),
            version=row.text("version"),
            language=row.text("language", LANGUAGES),
            reviewed=row.flag("reviewed"),
            text=row.text("text"),
        )
        key = (text.kind, text.version, text.language)
        if key in found:
            raise row.error(f"{', '.join(key)} stands twice")
        found[key] = text
    for kind, version in {key[:2] for key in found}:
        for language in LANGUAGES:
            if (kind, version, language) not in found:
                raise table.error(f"{kind}, {version} has no text in {language}")
        if not found[kind, version, FALLBACK_LANGUAGE].reviewed:
            raise table.error(f"{kind}, {version}: the text in {FALLBACK_LANGUAGE} must be reviewed")
    missing = set(CONSENT_KINDS) - {key[0] for key in found}
    if missing:
        raise table.error(f"no text for {', '.join(sorted(missing))}")
    return MappingProxyType(found)


def consent_text_version(kind: str) -> str:
    """Return the version in use, which is the newest; KeyError for an unknown kind."""
    versions = [version for one, version, _ in _texts() if one == kind]
    if not versions:
        raise KeyError(kind)
    return max(versions)


def consent_text(kind: str, version: str, language: str) -> ConsentText:
    """Return the exact text that was read out.

    Raises `GovernorateDataError` when no such version is kept (a form older than this file).
    """
    found = _texts().get((kind, version, language))
    if found is None:
        raise GovernorateDataError(CONSENT_TEXTS_FILE, f"{kind}, {version}, {language}", "is not kept")
    return found


def is_reviewed(governorate: Governorate, kind: str, version: str, language: str) -> bool:
    """Whether a native reader has confirmed these words; where not, the Arabic is read and interpreted.

    Of a version that is not kept (a form in which it was overwritten) the one in use is asked.
    """
    details = governorate.language_details.get(language)
    if details is None or not details.reviewed:
        return False
    text = _texts().get((kind, version, language)) or consent_text(kind, consent_text_version(kind), language)
    return text.reviewed


def form_needs_interpreter(governorate: Governorate, version: str, language: str) -> bool:
    """Whether whoever is asked by the form in this language is asked through an interpreter, who is named."""
    return not all(is_reviewed(governorate, kind, version, language) for kind in FORM_KINDS)
