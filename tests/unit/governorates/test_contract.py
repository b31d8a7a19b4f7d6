"""What every governorate folder must pass; a new folder is tested without a line of code."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from governorates import (
    LANGUAGES,
    POPULATED_LEVELS,
    Barrier,
    Category,
    Crossing,
    Governorate,
    Ministry,
    ServiceType,
    available,
    choice_lists,
    choices,
    load,
)
from governorates.model import CLOCK_STATES, URGENCIES
from governorates.reader import HOME

TRAPS = {
    "قضاء فرعي": "sub-district is ناحية",
    "إمارة": "governorate is محافظة",
    "مُعلّق": "closed is مغلقة",
    "معلّق": "closed is مغلقة",
}
ARABIC_SCRIPT = re.compile(r"[\u0621-\u06ff]")


@pytest.fixture(params=available())
def governorate(request: pytest.FixtureRequest) -> Governorate:
    return load(request.param)


def named(governorate: Governorate) -> list[tuple[str, dict[str, str]]]:
    """Every record whose names must be complete."""
    records: list[Category | ServiceType | Ministry | Crossing | Barrier] = [
        *governorate.categories.values(),
        *governorate.service_types.values(),
        *governorate.ministries.values(),
        *governorate.crossings,
        *governorate.barriers,
    ]
    return [(record.code, dict(record.names)) for record in records] + [
        (f"holiday {day.month}-{day.day}", dict(day.names)) for day in governorate.holidays
    ]


def test_nineveh_is_available() -> None:
    assert "nineveh" in available()


def test_every_name_is_there_in_every_language(governorate: Governorate) -> None:
    assert set(governorate.languages) <= set(LANGUAGES)
    for code, names in named(governorate):
        assert tuple(names) == LANGUAGES, code


def test_arabic_script_languages_are_written_in_it(governorate: Governorate) -> None:
    for code, names in named(governorate):
        for language in ("ar", "ckb", "kmr"):
            assert ARABIC_SCRIPT.search(names[language]), (code, language)
        assert not ARABIC_SCRIPT.search(names["en"]), code


def test_places_form_one_tree_of_known_levels(governorate: Governorate) -> None:
    for pcode, place in governorate.places.items():
        chain = governorate.ancestors(pcode)
        assert governorate.places[chain[-1]].level == "governorate"
        assert place.names["ar"]
        assert ARABIC_SCRIPT.search(place.names["ar"]), pcode
        assert place.names["en"]
    assert governorate.level_of(governorate.pcode) == "governorate"


def test_own_places_lie_in_the_governorate_and_beside_each_other(governorate: Governorate) -> None:
    own = governorate.populated(governorate.pcode)
    assert own
    west, south, east, north = governorate.bbox
    assert east - west < 6
    assert north - south < 6
    assert len({(place.longitude, place.latitude) for place in own}) == len(own)
    for place in governorate.places.values():
        if place.level in POPULATED_LEVELS:
            assert governorate.ancestor_at(place.pcode, "governorate") == governorate.pcode


def test_choice_of_places_stays_inline(governorate: Governorate) -> None:
    # Above 2,000 rows Collect needs an external list, which shows one label for all languages.
    assert len(governorate.places) < 2000


def test_every_category_has_a_mandate_and_a_service_type(governorate: Governorate) -> None:
    used = {kind.category for kind in governorate.service_types.values()}
    assert used == set(governorate.categories)
    for category in governorate.categories.values():
        assert category.ministry in governorate.ministries


def test_every_state_in_use_has_a_clock_for_every_urgency(governorate: Governorate) -> None:
    for state in CLOCK_STATES:
        hours = [governorate.clocks[state, urgency].hours for urgency in URGENCIES]
        assert hours == sorted(hours), f"{state}: the more urgent, the sooner"
    assert all(clock.source for clock in governorate.clocks.values())


def test_code_alphabet_has_31_symbols_without_look_alikes(governorate: Governorate) -> None:
    alphabet = governorate.code_alphabet
    assert len(set(alphabet)) == len(alphabet) == 31
    assert not set("01ILO") & set(alphabet)
    assert alphabet == alphabet.upper()


def test_barriers_and_crossings_fit(governorate: Governorate) -> None:
    for barrier in governorate.barriers:
        west, south, east, north = barrier.complete_bbox
        assert west < east
        assert south < north
        own = [crossing for crossing in governorate.crossings if crossing.barrier == barrier.code]
        assert own, "a barrier without a crossing has no known banks"
        for crossing in own:
            for longitude, latitude in (crossing.midpoint, crossing.west, crossing.east):
                assert west < longitude < east
                assert south < latitude < north
            assert crossing.west[0] < crossing.east[0]
            assert kilometres_to_line(crossing.midpoint, barrier.line) < 0.5


def kilometres_to_line(point: tuple[float, float], line: tuple[tuple[float, float], ...]) -> float:
    """Distance on a flat map around the point: fair for a few kilometres."""
    scale = 111.2, 111.2 * 0.8
    best = float("inf")
    for (x1, y1), (x2, y2) in pairwise(line):
        ax, ay = (x1 - point[0]) * scale[1], (y1 - point[1]) * scale[0]
        dx, dy = (x2 - x1) * scale[1], (y2 - y1) * scale[0]
        length = dx * dx + dy * dy
        share = min(1.0, max(0.0, -(ax * dx + ay * dy) / length)) if length else 0.0
        best = min(best, ((ax + share * dx) ** 2 + (ay + share * dy) ** 2) ** 0.5)
    return best


def test_sources_are_written_down(governorate: Governorate) -> None:
    assert (governorate.folder / "SOURCES.md").exists()
    assert all(place.source for place in governorate.places.values())


def data_files() -> list[Path]:
    return sorted(path for pattern in ("**/*.toml", "**/*.csv") for path in HOME.glob(pattern))


@pytest.mark.parametrize("path", data_files(), ids=lambda path: path.name)
def test_no_word_of_the_glossarys_traps(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for trap, better in TRAPS.items():
        assert trap not in text, better


@pytest.mark.parametrize("name", choice_lists())
def test_choice_lists_are_complete(name: str) -> None:
    for choice in choices(name):
        assert re.fullmatch(r"[a-z][a-z_]*", choice.code)
        assert tuple(choice.names) == LANGUAGES, choice.code
        for language in ("ar", "ckb", "kmr"):
            assert ARABIC_SCRIPT.search(choice.names[language]), choice.code
    for language in LANGUAGES:
        shown = [choice.names[language] for choice in choices(name)]
        assert len(set(shown)) == len(shown), f"{name}: two choices look alike in {language}"
