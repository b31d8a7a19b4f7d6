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
        {code: _choice(f"[{name}] {code}", code, values) for code, values in items.items()}
    )


def _choice(label: str, code: str, values: object) -> Choice:
    names = dict(values) if isinstance(values, dict) else values
    fits = names.pop("fits", None) if isinstance(names, dict) else None
    row = Row(CHOICES_FILE, label, {"names": names})
    if fits is not None and (not isinstance(fits, list) or not fits or any(one not in AGES for one in fits)):
        raise row.error(f"fits must name some of {', '.join(AGES)}")
    return Choice(code, row.names(), tuple(fits or ()))


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


def choice_name(list_name: str, code: str, language: str) -> str:
    """Return what a choice is called; KeyError for an unknown list or code."""
    return name_in(_lists()[list_name][code].names, language)
