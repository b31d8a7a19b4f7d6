"""Choice lists that every governorate shares."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from governorates.errors import GovernorateDataError
from governorates.languages import name_in
from governorates.model import Choice
from governorates.tables import Row, read_toml

HOME = Path(__file__).parent
CHOICES_FILE = "choices.toml"

AGES = ("child", "adult")
"""Of whom a choice can be said, where it is not said of everybody."""

MARKS = ("by_system", "with_words", "fits")

KIND_ASKED_APART = "moi_office"
"""Kind of organization of the ministry that is asked for apart: the consent has a question of its own for it."""


@cache
def _lists() -> Mapping[str, Mapping[str, Choice]]:
    table = read_toml(HOME / CHOICES_FILE)
    return MappingProxyType({name: _one_list(name, items) for name, items in table.values.items()})


def _one_list(name: str, items: object) -> Mapping[str, Choice]:
    if not isinstance(items, dict) or not items:
        raise GovernorateDataError(CHOICES_FILE, f"[{name}]", "is no list of choices")
    return MappingProxyType(
        {
            code: _one_choice(Row(CHOICES_FILE, f"[{name}] {code}", {}), code, entry)
            for code, entry in items.items()
        }
    )


def _one_choice(row: Row, code: str, entry: object) -> Choice:
    """A line is names by language, and where it says so `by_system`, `with_words` (true) or `fits` (of whom)."""
    if not isinstance(entry, dict):
        raise row.error("names are missing")
    marks = Row(row.file, row.where, {mark: entry[mark] for mark in MARKS if mark in entry})
    names = {language: name for language, name in entry.items() if language not in MARKS}
    fits = entry.get("fits")
    if fits is not None and (not isinstance(fits, list) or not fits or any(one not in AGES for one in fits)):
        raise row.error(f"fits must name some of {', '.join(AGES)}")
    return Choice(
        code,
        Row(row.file, row.where, {"names": names}).names(),
        fits=tuple(fits or ()),
        by_system=marks.flag("by_system", default=False),
        with_words=marks.flag("with_words", default=False),
    )


def choice_lists() -> tuple[str, ...]:
    """Return the names of the choice lists."""
    return tuple(_lists())


def choices(list_name: str) -> tuple[Choice, ...]:
    """Return a list's choices in the order in which people see them; KeyError for an unknown list."""
    return tuple(_lists()[list_name].values())


def choice_codes(list_name: str) -> tuple[str, ...]:
    """Return a list's codes in the same order; KeyError for an unknown list."""
    return tuple(_lists()[list_name])


def fits_age(list_name: str, code: str, *, is_child: bool) -> bool:
    """Whether a choice may be said of a person of this age; KeyError for an unknown list or code."""
    fits = _lists()[list_name][code].fits
    return not fits or ("child" if is_child else "adult") in fits


def offered_choices(list_name: str) -> tuple[Choice, ...]:
    """Return the choices that people may make; the others the system itself writes. KeyError for an unknown list."""
    return tuple(choice for choice in _lists()[list_name].values() if not choice.by_system)


def offered_codes(list_name: str) -> tuple[str, ...]:
    """Return the codes of `offered_choices`."""
    return tuple(choice.code for choice in offered_choices(list_name))


def codes_with_words(list_name: str) -> tuple[str, ...]:
    """Return the codes of a list that mean nothing without words beside them."""
    return tuple(choice.code for choice in _lists()[list_name].values() if choice.with_words)


def choice_name(list_name: str, code: str, language: str) -> str:
    """Return what a choice is called; KeyError for an unknown list or code."""
    return name_in(_lists()[list_name][code].names, language)
