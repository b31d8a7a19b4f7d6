"""The sample directory of Nineveh, and what its reader refuses."""

import csv
import datetime as dt
import math
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from governorates import LANGUAGES, Governorate, choice_codes, load
from governorates.directory import (
    ATTRIBUTES,
    NEVER_ASKED,
    Directory,
    DirectoryError,
    ServiceAtLocationRow,
    read_directory,
)

MINISTRY_OF_INTERIOR_CATEGORIES = {"hlp", "womens_legal_counselling", "family_protection"}
NEEDED_IN_EVERY_DISTRICT = {"housing", "civil_documentation", "health", "mhpss", "livelihoods"}

Change = Callable[[list[dict[str, str]]], None]


@pytest.fixture(scope="module")
def nineveh() -> Governorate:
    return load("nineveh")


@pytest.fixture(scope="module")
def directory(nineveh: Governorate) -> Directory:
    return read_directory(nineveh.directory_path, nineveh)


@pytest.fixture
def copied(nineveh: Governorate, tmp_path: Path) -> Path:
    return Path(shutil.copytree(nineveh.directory_path, tmp_path / "directory"))


def change(folder: Path, file: str, how: Change) -> None:
    """Rewrite a file of a copied directory after `how` has changed its rows."""
    with (folder / file).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = list(rows[0])
    how(rows)
    with (folder / file).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def cell(row: int, column: str, value: str) -> Change:
    """Return a change of one cell; `row` counts from 0 below the heading."""

    def put(rows: list[dict[str, str]]) -> None:
        rows[row][column] = value

    return put


def problems(folder: Path, governorate: Governorate) -> list[tuple[str, str, str]]:
    with pytest.raises(DirectoryError) as refused:
        read_directory(folder, governorate)
    return [(problem.file, problem.where, problem.problem) for problem in refused.value.problems]


def category(directory: Directory, nineveh: Governorate, offer: ServiceAtLocationRow) -> str:
    return nineveh.service_types[directory.services[offer.service].service_type].category


def test_forty_organizations_of_every_kind(directory: Directory) -> None:
    kinds = Counter(organization.kind for organization in directory.organizations.values())
    assert len(directory.organizations) >= 46
    least = {
        "state_programme": 8,
        "moi_office": 6,
        "local_cso": 12,
        "national_ngo": 8,
        "international_ngo": 8,
        "international_organisation": 4,
    }
    assert set(least) == set(choice_codes("organization_kind"))
    assert {kind for kind, count in least.items() if kinds[kind] < count} == set()


def test_services_at_locations_over_all_nine_districts(directory: Directory, nineveh: Governorate) -> None:
    assert len(directory.services_at_locations) >= 170
    found = {
        nineveh.ancestor_at(directory.locations[offer.location].place, "district")
        for offer in directory.services_at_locations
    }
    assert found == {place.pcode for place in nineveh.children(nineveh.pcode)}
    assert len(found) == 9


def test_every_row_is_used(directory: Directory) -> None:
    assert {offer.location for offer in directory.services_at_locations} == set(directory.locations)
    assert {offer.service for offer in directory.services_at_locations} == set(directory.services)
    assert {service.organization for service in directory.services.values()} == set(directory.organizations)


def test_every_service_type_is_present_with_slots(directory: Directory, nineveh: Governorate) -> None:
    slots: Counter[str] = Counter()
    for offer in directory.services_at_locations:
        slots[directory.services[offer.service].service_type] += offer.slots
    assert {code for code in nineveh.service_types if slots[code] == 0} == set()


def test_slots_are_scarce_but_enough_to_serve_most(directory: Directory) -> None:
    slots = [offer.slots for offer in directory.services_at_locations]
    assert 900 <= sum(slots) <= 1300
    assert max(slots) <= 60
    assert 0 in slots


def test_what_every_district_needs_is_within_its_area(directory: Directory, nineveh: Governorate) -> None:
    covered = defaultdict(set)
    for offer in directory.services_at_locations:
        if offer.slots:
            for pcode in offer.area:
                covered[pcode].add(category(directory, nineveh, offer))
    for district in nineveh.children(nineveh.pcode):
        assert covered[district.pcode] >= NEEDED_IN_EVERY_DISTRICT, district.pcode


def test_gaps_are_left_open(directory: Directory, nineveh: Governorate) -> None:
    baaj = {place.pcode for place in nineveh.children("IQG15Q02")} | {"IQG15Q02", "IQG15"}
    offers = directory.services_at_locations
    specialised = [
        offer for offer in offers if "specialised" in directory.services[offer.service].service_type
    ]
    assert specialised
    assert not any(baaj & set(offer.area) for offer in specialised)
    hatra = [
        offer.slots
        for offer in offers
        if directory.services[offer.service].service_type == "catch_up_classes" and "IQG15Q04" in offer.area
    ]
    assert hatra == [0]


def test_ministry_of_interior_categories_are_of_its_offices_alone(
    directory: Directory, nineveh: Governorate
) -> None:
    for service in directory.services.values():
        owned = nineveh.service_types[service.service_type].category in MINISTRY_OF_INTERIOR_CATEGORIES
        assert owned == (directory.organizations[service.organization].kind == "moi_office"), service.code


def test_locations_lie_close_to_a_town_quarter_or_camp(directory: Directory, nineveh: Governorate) -> None:
    for location in directory.locations.values():
        place = nineveh.places[location.place]
        assert place.level in ("town", "neighbourhood", "camp")
        north = (location.latitude - place.latitude) * 111.2
        east = (location.longitude - place.longitude) * 111.2 * math.cos(math.radians(place.latitude))
        assert math.hypot(north, east) < 1, location.code


def test_some_locations_are_confidential(directory: Directory) -> None:
    hidden = [location for location in directory.locations.values() if location.confidential]
    assert 0 < len(hidden) < 20


def test_names_tell_organizations_and_services_apart_in_every_language(directory: Directory) -> None:
    for table in (directory.organizations, directory.services):
        for language in LANGUAGES:
            assert len({row.names[language] for row in table.values()}) == len(table), language


def test_rules_use_only_agreed_attributes(directory: Directory) -> None:
    asked = {rule.attribute for rule in directory.eligibility}
    assert asked <= set(ATTRIBUTES)
    assert not asked & NEVER_ASKED
    assert not set(ATTRIBUTES) & NEVER_ASKED
    assert 70 <= len(directory.eligibility) <= 130


@pytest.mark.parametrize(
    ("file", "column", "value", "problem"),
    [
        ("organizations.csv", "code", "Bad Code", "code 'Bad Code' is no code of"),
        ("organizations.csv", "kind", "company", "kind 'company' is no kind of organization"),
        ("organizations.csv", "ministry", "moi", "ministry 'moi' does not go with kind state_programme"),
        ("organizations.csv", "name_kmr", " ", "name_kmr is empty"),
        ("locations.csv", "organization", "nobody", "organization 'nobody' is no organization of"),
        ("locations.csv", "place", "DTM-0", "place 'DTM-0' is no place of ours"),
        ("locations.csv", "place", "IQG09", "place 'IQG09' is no place of ours"),
        ("locations.csv", "latitude", "36.9", "km from place DTM-17703"),
        ("locations.csv", "longitude", "east", "longitude is not a number"),
        ("locations.csv", "confidential", "maybe", "confidential 'maybe' is no yes or no"),
        ("services.csv", "service_type", "tourism", "service_type 'tourism' is no service type"),
        ("services.csv", "service_type", "hlp_legal_aid", "hlp_legal_aid is in the mandate of moi"),
        ("services.csv", "languages", "ar xx", "languages 'xx' is no language"),
        ("services.csv", "languages", "", "languages is empty"),
        ("service_at_locations.csv", "service", "nothing", "service 'nothing' is no service"),
        ("service_at_locations.csv", "location", "nowhere", "location 'nowhere' is no location"),
        ("service_at_locations.csv", "area", "IQG15Q99", "area 'IQG15Q99' is no governorate, district"),
        ("service_at_locations.csv", "area", "DTM-17703", "area 'DTM-17703' is no governorate, district"),
        ("service_at_locations.csv", "area", "IQG15 IQG15", "area names the same twice"),
        ("service_at_locations.csv", "slots", "-1", "slots '-1' is no whole number"),
        ("service_at_locations.csv", "intake_end", "2020-01-01", "intake ends before it starts"),
        ("service_at_locations.csv", "assured_date", "1/11/2026", "assured_date '1/11/2026' is no date"),
        ("eligibility.csv", "service", "nothing", "service 'nothing' is no service"),
        ("eligibility.csv", "attribute", "shoe_size", "attribute 'shoe_size' is unknown"),
        ("eligibility.csv", "attribute", "ethnicity", "attribute 'ethnicity' may never decide"),
        ("eligibility.csv", "attribute", "security_status", "may never decide"),
        ("eligibility.csv", "operator", "between", "operator 'between' is unknown for housing_damage"),
        ("eligibility.csv", "operator", "like", "operator 'like' is unknown for housing_damage"),
        ("eligibility.csv", "values", "minor huge", "values 'huge' is no choice of housing_damage"),
        ("eligibility.csv", "values", "", "values is empty"),
    ],
)
def test_a_wrong_cell_is_named_with_file_and_line(
    *, copied: Path, nineveh: Governorate, file: str, column: str, value: str, problem: str
) -> None:
    change(copied, file, cell(0, column, value))
    found = problems(copied, nineveh)
    assert [text for named, where, text in found if (named, where) == (file, "line 2") and problem in text], (
        found
    )


@pytest.mark.parametrize("values", ["45 16", "16", "* *", "16 45 60", "young old", ""])
def test_a_range_that_is_none_is_refused(copied: Path, nineveh: Governorate, values: str) -> None:
    def spoil(rows: list[dict[str, str]]) -> None:
        next(row for row in rows if row["operator"] == "between")["values"] = values

    change(copied, "eligibility.csv", spoil)
    assert [text for _, _, text in problems(copied, nineveh)] == [
        f"values {values!r} are no range like '16 45' or '18 *'"
    ]


def test_a_flag_takes_no_values(copied: Path, nineveh: Governorate) -> None:
    def spoil(rows: list[dict[str, str]]) -> None:
        next(row for row in rows if row["operator"] == "is_true")["values"] = "yes"

    change(copied, "eligibility.csv", spoil)
    assert [text[:20] for _, _, text in problems(copied, nineveh)] == ["values must be empty"]


def test_an_office_of_the_interior_offers_nothing_else(copied: Path, nineveh: Governorate) -> None:
    def give_away(rows: list[dict[str, str]]) -> None:
        next(row for row in rows if row["service_type"] == "counselling")["organization"] = "hlp_centre_mosul"

    change(copied, "services.csv", give_away)
    assert any("counselling is in the mandate of momd" in text for *_, text in problems(copied, nineveh))


def test_a_ministry_above_a_charity_is_refused(copied: Path, nineveh: Governorate) -> None:
    change(copied, "organizations.csv", cell(-1, "ministry", "moh"))
    assert [text for *_, text in problems(copied, nineveh)] == [
        "ministry 'moh' is only for bodies of the state"
    ]


def test_a_location_of_another_organization_is_refused(copied: Path, nineveh: Governorate) -> None:
    change(copied, "service_at_locations.csv", cell(0, "location", "hlp_centre_mosul_nabi_younis"))
    assert [text for *_, text in problems(copied, nineveh)] == [
        "location hlp_centre_mosul_nabi_younis is not of organization housing_recovery_committee"
    ]


@pytest.mark.parametrize(
    "file",
    ["organizations.csv", "locations.csv", "services.csv", "service_at_locations.csv", "eligibility.csv"],
)
def test_a_row_given_twice_is_refused(copied: Path, nineveh: Governorate, file: str) -> None:
    change(copied, file, lambda rows: rows.append(rows[0]))
    with (copied / file).open(encoding="utf-8") as stream:
        last = sum(1 for _ in stream)
    [(named, where, text)] = problems(copied, nineveh)
    assert (named, where) == (file, f"line {last}")
    assert text.endswith("occurs twice")


def test_all_faults_of_all_files_are_told_at_once(copied: Path, nineveh: Governorate) -> None:
    change(copied, "locations.csv", cell(3, "place", "DTM-0"))
    change(copied, "service_at_locations.csv", cell(5, "slots", "many"))
    change(copied, "eligibility.csv", cell(0, "operator", "like"))
    change(copied, "eligibility.csv", cell(1, "attribute", "religion"))
    change(copied, "eligibility.csv", cell(1, "name_ar", ""))
    assert [(file, where) for file, where, _ in problems(copied, nineveh)] == [
        ("locations.csv", "line 5"),
        ("service_at_locations.csv", "line 7"),
        ("eligibility.csv", "line 2"),
        ("eligibility.csv", "line 3"),
        ("eligibility.csv", "line 3"),
    ]


def test_the_message_names_file_and_line(copied: Path, nineveh: Governorate) -> None:
    change(copied, "locations.csv", cell(0, "place", "DTM-0"))
    with pytest.raises(DirectoryError, match=r"locations\.csv, line 2: place 'DTM-0' is no place of ours"):
        read_directory(copied, nineveh)


def test_files_that_are_no_tables_are_all_named(copied: Path, nineveh: Governorate) -> None:
    (copied / "services.csv").unlink()
    (copied / "eligibility.csv").write_text("service,attribute\n", encoding="utf-8")
    assert [(file, text.split(":")[0]) for file, _, text in problems(copied, nineveh)] == [
        ("services.csv", "is missing"),
        ("eligibility.csv", "columns missing"),
    ]


def test_dates_stay_while_today_lies_in_an_intake(directory: Directory) -> None:
    assert directory.starting(dt.date(2026, 11, 23)) is directory


def test_dates_move_together_once_every_intake_is_over(directory: Directory) -> None:
    today = dt.date(2031, 5, 6)
    moved = directory.starting(today)
    assert min(row.intake_start for row in moved.services_at_locations) == today
    shifts = {
        after.intake_start - before.intake_start
        for before, after in zip(directory.services_at_locations, moved.services_at_locations, strict=True)
    }
    assert len(shifts) == 1
    for before, after in zip(directory.services_at_locations, moved.services_at_locations, strict=True):
        assert after.intake_end - after.intake_start == before.intake_end - before.intake_start
        assert after.assured_date - after.intake_start == before.assured_date - before.intake_start
        assert after.slots == before.slots
