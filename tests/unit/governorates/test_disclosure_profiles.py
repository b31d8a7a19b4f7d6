"""Every service has one profile, minimal, and a wrong one is refused with its place."""

import copy
from typing import Any

import pytest

from governorates import DISCLOSED_FIELDS, GovernorateDataError, available, disclosure_profiles, load
from governorates.disclosure_profiles import PROFILES_FILE, read_disclosure_profiles
from governorates.reader import HOME
from governorates.tables import Row, read_toml


def changed(profiles: list[dict[str, Any]] | None = None, **values: Any) -> Row:
    table = read_toml(HOME / PROFILES_FILE)
    content = copy.deepcopy(dict(table.values)) | values
    if profiles is not None:
        content["profile"] = profiles
    return Row(table.file, table.where, content)


@pytest.mark.parametrize("code", available())
def test_every_service_type_of_every_governorate_has_a_profile(code: str) -> None:
    profiles = disclosure_profiles()
    for service in load(code).service_types.values():
        fields = profiles.fields_for(service.code, service.category)
        assert [name for name in DISCLOSED_FIELDS if name in fields] == list(fields), "order of reading out"
        assert {"case_code", "given_name"} <= set(fields)
        assert set(profiles.contact) <= set(fields)


def test_no_profile_is_idle() -> None:
    profiles, known = disclosure_profiles(), [load(code) for code in available()]
    assert profiles.by_category.keys() <= {code for found in known for code in found.categories}
    assert profiles.by_service_type.keys() <= {code for found in known for code in found.service_types}


def test_sensitive_services_receive_nothing_that_names_the_family() -> None:
    profiles = disclosure_profiles()
    for category in ("mhpss", "womens_legal_counselling", "family_protection"):
        fields = profiles.by_category[category]
        assert not {"father_name", "grandfather_name", "place", "household_size", "documents"} & set(fields)


def test_disability_goes_only_where_access_is_prepared() -> None:
    profiles = disclosure_profiles()
    given = {code for code, fields in profiles.by_service_type.items() if "disability" in fields}
    assert given == {"physical_rehabilitation"}
    assert not any("disability" in fields for fields in profiles.by_category.values())


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        ([{"category": "health", "fields": ["notes"], "source": "x"}], "notes is not a field"),
        ([{"category": "health", "fields": ["phone"], "source": "x"}], "phone is in every profile"),
        ([{"category": "health", "fields": ["sex", "sex"], "source": "x"}], "names a field twice"),
        (
            [{"category": "health", "service_type": "x", "fields": [], "source": "x"}],
            "one service_type or one",
        ),
        ([{"category": "health", "fields": [], "source": "x"}] * 2, "health has two profiles"),
        ([{"category": "health", "fields": []}], "source"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_place(profiles: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(GovernorateDataError, match=said):
        read_disclosure_profiles(changed(profiles))
