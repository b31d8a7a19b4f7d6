"""Choice lists of a form, taken from the governorate reader so that no code is written down twice."""

from collections import Counter
from collections.abc import Iterable

from governorates import (
    KIND_ASKED_APART,
    POPULATED_LEVELS,
    Choice,
    Governorate,
    Names,
    choices,
    fold,
    name_in,
)

LANGUAGE_TITLES = {"ar": "Arabic (ar)", "ckb": "Sorani (ckb)", "kmr": "Badini (kmr)", "en": "English (en)"}
"""Language -> its name in the form's column headers and in Collect's language menu."""

CASCADE = {"governorate": None, "district": "governorate", "subdistrict": "district", "place": "subdistrict"}
"""List of the residence cascade -> the list, and filter column, in which its choices lie."""

ChoiceRow = dict[str, str]


def choice_rows(list_name: str, governorate: Governorate) -> list[ChoiceRow]:
    """Rows of the XLSForm's `choices` sheet for one list, in the order in which officers see them.

    Raises:
        KeyError: neither the governorate nor choices.toml has such a list.

    """
    if list_name in CASCADE:
        return _place_rows(list_name, governorate)
    return [_choice_row(list_name, item) for item in _codes(list_name, governorate)]


def names_in_texts(governorate: Governorate, language: str) -> dict[str, str]:
    """Names that the questions' texts leave to the governorate, in one language (`compile.PLACEHOLDER`)."""
    apart = governorate.asked_apart
    areas = [governorate.categories[code].names for code in governorate.categories_of(apart.code)]
    separator = "; " if language == "en" else "؛ "
    return {
        "operator": name_in(governorate.operator.names, language),
        "asked_apart": name_in(apart.names, language),
        "asked_apart_areas": separator.join(name_in(names, language) for names in areas),
    }


def _codes(list_name: str, governorate: Governorate) -> Iterable[Choice]:
    if list_name == "category":
        return [Choice(item.code, item.names) for item in governorate.categories.values()]
    if list_name == "service_type":
        return [Choice(item.code, item.names) for item in governorate.service_types.values()]
    if list_name == "organization_kind":
        return [item for item in choices(list_name) if item.code != KIND_ASKED_APART]
    return choices(list_name)


def _choice_row(list_name: str, item: Choice) -> ChoiceRow:
    """One row; whom a choice fits is a column by which a question can filter."""
    row = _row(list_name, item.code, item.names)
    return row | {"fits": " ".join(item.fits)} if item.fits else row


def _row(list_name: str, code: str, names: Names) -> ChoiceRow:
    texts = {f"label::{title}": name_in(names, language) for language, title in LANGUAGE_TITLES.items()}
    return {"list_name": list_name, "name": code, **texts}


def _place_rows(list_name: str, governorate: Governorate) -> list[ChoiceRow]:
    levels = POPULATED_LEVELS if list_name == "place" else (list_name,)
    parent = CASCADE[list_name]
    places = [place for place in governorate.places.values() if place.level in levels]
    rows = []
    for place in sorted(
        places, key=lambda place: (fold(name_in(place.names, governorate.default_language)), place.pcode)
    ):
        row = _row(list_name, place.pcode, place.names)
        if parent is not None:
            row[parent] = governorate.ancestor_at(place.pcode, parent) or ""
        rows.append(row)
    _tell_namesakes_apart(rows, parent)
    return rows


def _tell_namesakes_apart(rows: list[ChoiceRow], parent: str | None) -> None:
    """Add the English name, or for English the code, where two choices on one screen read the same.

    Mosul has the same quarter name on both banks, and people pick the first of two equal lines.
    """
    english = f"label::{LANGUAGE_TITLES['en']}"
    for title in LANGUAGE_TITLES.values():
        column = f"label::{title}"
        seen = Counter((row.get(parent or ""), row[column]) for row in rows)
        for row in rows:
            if seen[row.get(parent or ""), row[column]] > 1:
                row[column] += f" ({row['name'] if column == english else row[english]})"
