"""What every governorate folder must pass; a new folder is tested without a line of code. See docs/governorates.md."""

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
    UnchartedBarrier,
    available,
    choice_lists,
    choices,
    load,
)
from governorates.directory import read_directory
from governorates.directory_rows import Directory
from governorates.model import CLOCK_STATES, URGENCIES, Office
from governorates.reader import HOME

TRAPS = {
    "قضاء فرعي": "sub-district is ناحية",
    "إمارة": "governorate is محافظة",
    "مُعلّق": "closed is مغلقة",
    "معلّق": "closed is مغلقة",
}
ARABIC_SCRIPT = re.compile(r"[\u0621-\u06ff]")


KURDISH_TRAPS = re.compile(r"[يكةىإأؤ]")
"""Arabic letters that look like Kurdish ones, but sort, search and join differently."""

FILES = {
    "SOURCES.md", "barriers.toml", "crossings.csv", "governorate.toml", "languages.toml", "mandates.toml",
    "offices.toml", "places.csv", "sop.toml", "taxonomy.toml",
}  # fmt: skip


@pytest.fixture(params=available())
def governorate(request: pytest.FixtureRequest) -> Governorate:
    return load(request.param)


@pytest.fixture
def directory(governorate: Governorate) -> Directory:
    return read_directory(governorate.directory_path, governorate)


def named(governorate: Governorate) -> list[tuple[str, dict[str, str]]]:
    """Every record whose names must be complete."""
    records: list[Category | ServiceType | Ministry | Crossing | Barrier | UnchartedBarrier | Office] = [
        *governorate.categories.values(),
        *governorate.service_types.values(),
        *governorate.ministries.values(),
        *governorate.crossings,
        *governorate.barriers,
        *governorate.uncharted,
        *governorate.offices,
    ]
    return [(record.code, dict(record.names)) for record in records] + [
        (f"holiday {day.month}-{day.day}", dict(day.names)) for day in governorate.holidays
    ]


def test_packs_are_available() -> None:
    assert {"nineveh", "anbar", "erbil"} <= set(available())


def test_a_folder_has_every_file(governorate: Governorate) -> None:
    assert {path.name for path in governorate.folder.iterdir() if path.is_file()} >= FILES
    assert governorate.directory_path.is_dir()


def test_somebody_runs_it_and_one_ministry_is_asked_apart(governorate: Governorate) -> None:
    apart = [ministry for ministry in governorate.ministries.values() if ministry.asked_apart]
    assert apart == [governorate.asked_apart]
    assert governorate.operator in governorate.ministries.values()
    assert governorate.operator not in apart
    for ministry in governorate.ministries:
        assert governorate.categories_of(ministry), f"{ministry} owns nothing, so nobody needs to know of it"


def test_all_languages_are_offered_and_the_first_is_the_default(governorate: Governorate) -> None:
    """Forms and pages are written in all four; a pack only says in which order people see them."""
    assert sorted(governorate.languages) == sorted(LANGUAGES)
    assert governorate.default_language == governorate.languages[0]
    for code, language in governorate.language_details.items():
        assert language.direction == ("ltr" if code == "en" else "rtl")


def test_kurdish_names_are_written_with_kurdish_letters(governorate: Governorate) -> None:
    names = named(governorate) + [(code, dict(place.names)) for code, place in governorate.places.items()]
    wrong = [
        (code, language)
        for code, found in names
        for language in ("ckb", "kmr")
        if KURDISH_TRAPS.search(found.get(language, ""))
    ]
    assert not wrong


def test_own_places_have_a_name_in_the_default_language(governorate: Governorate) -> None:
    for code in governorate.places:
        if governorate.pcode in governorate.ancestors(code):
            assert governorate.places[code].names.get(governorate.default_language), code


def test_packs_say_the_same_of_the_rest_of_the_country(governorate: Governorate) -> None:
    upper = {"governorate", "district"}
    own, first = (
        {code: place for code, place in pack.places.items() if place.level in upper}
        for pack in (governorate, load("nineveh"))
    )
    assert own == first


def test_own_districts_have_subdistricts_with_codes_of_theirs(governorate: Governorate) -> None:
    for district in governorate.children(governorate.pcode):
        inside = governorate.children(district.pcode)
        assert inside, district.pcode
        assert all(place.pcode.startswith(district.pcode) for place in inside)


def test_every_own_district_is_served_by_one_office_of_its_own(governorate: Governorate) -> None:
    served = [pcode for office in governorate.offices for pcode in office.districts]
    assert sorted(served) == sorted(place.pcode for place in governorate.children(governorate.pcode))


def test_the_sample_directory_offers_every_type_somewhere(
    governorate: Governorate, directory: Directory
) -> None:
    """The reader has checked each row: areas and places of ours, types of the taxonomy, kinds by mandate."""
    slots = dict.fromkeys(governorate.service_types, 0)
    for offer in directory.services_at_locations:
        slots[directory.services[offer.service].service_type] += offer.slots
    assert not [code for code, number in slots.items() if number == 0]


def test_the_sample_directory_stays_in_the_governorate(
    governorate: Governorate, directory: Directory
) -> None:
    for offer in directory.services_at_locations:
        for pcode in (*offer.area, directory.locations[offer.location].place):
            assert governorate.pcode in governorate.ancestors(pcode), (offer.service, pcode)


def test_every_category_can_be_had_in_every_district(governorate: Governorate, directory: Directory) -> None:
    """Apart from the gaps that Nineveh's sample leaves open on purpose."""
    covered = {
        (pcode, governorate.service_types[directory.services[offer.service].service_type].category)
        for offer in directory.services_at_locations
        for pcode in offer.area
    }
    if governorate.code == "nineveh":
        return
    for district in governorate.children(governorate.pcode):
        for category in governorate.categories:
            assert {(district.pcode, category), (governorate.pcode, category)} & covered, district.pcode


def test_names_of_the_directory_are_written_in_their_script(directory: Directory) -> None:
    for record in (
        *directory.organizations.values(), *directory.locations.values(), *directory.services.values(),
        *directory.eligibility,
    ):  # fmt: skip
        for language in ("ar", "ckb", "kmr"):
            assert ARABIC_SCRIPT.search(record.names[language]), record
        for language in ("ckb", "kmr"):
            assert not KURDISH_TRAPS.search(record.names[language]), (record, language)


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
    text = (governorate.folder / "SOURCES.md").read_text(encoding="utf-8")
    for place in governorate.places.values():
        first = place.source.partition(" ")[0]
        assert first in text, f"{place.pcode}: SOURCES.md says nothing of {first}"
    assert "CC BY" in text


def data_files() -> list[Path]:
    return sorted(path for pattern in ("**/*.toml", "**/*.csv") for path in HOME.glob(pattern))


@pytest.mark.parametrize("path", data_files(), ids=lambda path: path.name)
def test_no_word_of_the_glossarys_traps(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for trap, better in TRAPS.items():
        assert trap not in text, better


@pytest.mark.parametrize(
    "path", sorted(HOME.glob("*/*.toml")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_no_file_calls_a_district_a_quarter(path: Path) -> None:
    """A district is قضاء; the word for a quarter has no business in what a governorate states of itself."""
    assert "الحي" not in re.split(r"[^\u0621-\u064a]+", path.read_text(encoding="utf-8"))


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
