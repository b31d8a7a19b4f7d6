"""Support letters: kinds, and their words in the languages that one letter carries."""

import hashlib
import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from governorates.languages import Names
from governorates.reader import HOME
from governorates.tables import Row, read_toml, rows_of

LETTERS_FILE = "letters.toml"
LETTER_LANGUAGES = ("ar", "en")
ALWAYS = frozenset({"bearer", "code", "office"})
ABOUT_REFERRAL = frozenset({"service", "organization"})


@dataclass(frozen=True, slots=True)
class LetterKind:
    """A kind of letter. `body`: language -> text with {places}; `referral`: it is about one referral."""

    code: str
    names: Names
    referral: bool
    body: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LetterTexts:
    """What letters.toml says; `bearer` stands for a name that the person did not ask to have written.

    `version`: digest of all of it, so that a letter says which words were read to the person.
    """

    bearer: Mapping[str, str]
    heading: Mapping[str, str]
    closing: Mapping[str, str]
    kinds: Mapping[str, LetterKind]
    version: str


@cache
def letter_texts() -> LetterTexts:
    """Return the letters that every governorate shares; raises `GovernorateDataError` where they are wrong."""
    return read_letter_texts(read_toml(HOME / LETTERS_FILE))


def read_letter_texts(table: Row) -> LetterTexts:
    """Check the table of letters.toml."""
    kinds = {row.text("code"): _kind(row) for row in rows_of(table, "letter")}
    if len(kinds) != len(list(rows_of(table, "letter"))):
        raise table.error("two letters have one code")
    return LetterTexts(
        bearer=_both(table, "bearer"),
        heading=_both(table, "heading"),
        closing=_both(table, "closing"),
        kinds=MappingProxyType(kinds),
        version=hashlib.sha256(json.dumps(dict(table.values), sort_keys=True).encode()).hexdigest()[:12],
    )


def _both(table: Row, key: str) -> Mapping[str, str]:
    values = table.values.get(key)
    row = Row(table.file, f"[{key}]", values if isinstance(values, dict) else {})
    return MappingProxyType({language: row.text(language) for language in LETTER_LANGUAGES})


def _kind(row: Row) -> LetterKind:
    about_referral = row.flag("referral")
    body = {language: row.text(language) for language in LETTER_LANGUAGES}
    wanted = ALWAYS | ABOUT_REFERRAL if about_referral else ALWAYS
    for language, text in body.items():
        found = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        if found != wanted:
            raise row.error(f"{language} must name exactly {', '.join(sorted(wanted))}")
    return LetterKind(row.text("code"), row.names(), about_referral, MappingProxyType(body))
