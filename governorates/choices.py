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
            code: Choice(code, Row(CHOICES_FILE, f"[{name}] {code}", {"names": names}).names())
            for code, names in items.items()
        }
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


def choice_name(list_name: str, code: str, language: str) -> str:
    """Return what a choice is called; KeyError for an unknown list or code."""
    return name_in(_lists()[list_name][code].names, language)
