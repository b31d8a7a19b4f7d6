"""Invented submissions: what each profile holds, what they look like, that a seed repeats them."""

import datetime as dt
import random
import re
from collections import Counter

import pytest
from lxml import etree

from governorates import load
from tests.unit.xlsforms.reading import answered, elements, value
from xlsforms import contract
from xlsforms.compile import CompiledForm
from xlsforms.fill import FilledForm, fill_batch, fill_form
from xlsforms.profiles import PROFILES, SHARES


def _of(batch: list[FilledForm], profile: str) -> list[FilledForm]:
    return [form for form in batch if form.profile == profile]


def test_a_seed_gives_the_same_bytes(compiled: CompiledForm) -> None:
    first, again = (fill_form(compiled, random.Random(5)) for _ in range(2))
    assert (first.xml, first.instance_id) == (again.xml, again.instance_id)
    assert fill_form(compiled, random.Random(6)).xml != first.xml


def test_batch_is_mixed_and_all_different(batch: list[FilledForm]) -> None:
    count = Counter(form.profile for form in batch)
    assert {profile: count[profile] for profile in SHARES} == {
        profile: int(share * len(batch)) for profile, share in SHARES.items()
    }
    assert len({form.instance_id for form in batch}) == len(batch)
    assert len({re.sub(rb"uuid:[^<]*", b"", form.xml) for form in batch}) == len(batch)


def test_progress_is_told(compiled: CompiledForm) -> None:
    told: list[int] = []
    fill_batch(compiled, 7, 1, on_each=lambda: told.append(1))
    assert len(told) == 7


def test_small_batches_have_the_asked_size(compiled: CompiledForm) -> None:
    assert [len(fill_batch(compiled, count, 2)) for count in (0, 1, 3)] == [0, 1, 3]


def test_looks_as_collect_sends_it(compiled: CompiledForm, batch: list[FilledForm]) -> None:
    for form in batch[:30]:
        root = etree.fromstring(form.xml)
        assert form.xml.startswith(b"<?xml version='1.0' ?><data ")
        assert (root.tag, root.get("id"), root.get("version")) == ("data", compiled.form_id, compiled.version)
        assert root.find("{http://openrosa.org/xforms}meta/{http://openrosa.org/xforms}instanceID").text == (
            form.instance_id
        )
        assert value(form.xml, "deviceid").startswith("collect:")
        assert dt.datetime.fromisoformat(value(form.xml, "start")) < dt.datetime.fromisoformat(
            value(form.xml, "end")
        )


def test_refusal_holds_nothing_personal(batch: list[FilledForm]) -> None:
    refusals = _of(batch, "refusal")
    assert refusals
    for form in refusals:
        assert set(answered(form.xml)) <= set(contract.REFUSAL_FIELDS)
        assert not elements(form.xml, "person")
        assert value(form.xml, "consent/given") == "no"
    assert not set(contract.REFUSAL_FIELDS) & set(contract.PERSONAL_FIELDS)


def test_everybody_else_agreed(batch: list[FilledForm]) -> None:
    assert all(
        value(form.xml, "consent/given") == ("no" if form.profile == "refusal" else "yes") for form in batch
    )


def test_minors_have_a_caregiver(batch: list[FilledForm]) -> None:
    for form in _of(batch, "minor_caregiver"):
        assert int(value(form.xml, "person/age_years")) < 18
        assert value(form.xml, "consent/child_assent")
        assert value(form.xml, "person/caregiver_name")


def test_proxies_give_relation_and_reason(batch: list[FilledForm]) -> None:
    for form in _of(batch, "proxy"):
        assert value(form.xml, "consent/proxy_relation")
        assert value(form.xml, "consent/proxy_reason")


def test_unknown_places_are_described(batch: list[FilledForm]) -> None:
    for form in _of(batch, "unknown_place"):
        assert value(form.xml, "residence/place") == "unknown"
        assert value(form.xml, "residence/place_text")


def test_odd_forms_go_to_the_edges(compiled: CompiledForm) -> None:
    odd = [fill_form(compiled, random.Random(seed), "odd") for seed in range(40)]
    said = {
        path: {answer for form in odd for answer in answered(form.xml).get(path, [])}
        for path in contract.FIELDS
    }
    assert {"0", "110"} <= said["person/age_years"]
    assert {"1", "30"} <= said["household/size"]
    assert {"1980-01-01", "2026-11-15"} <= said["displacement/return_date"]
    assert 60 in {len(name) for name in said["person/given_name"]}
    assert any("٠٧٧" in phone for phone in said["contact/phone"])
    assert any("🏠" in note for note in said["notes"])


def test_ordinary_people_live_all_over_the_governorate(batch: list[FilledForm]) -> None:
    governorate = load()
    districts = Counter(value(form.xml, "residence/district") for form in batch if form.profile == "ordinary")
    own = {place.pcode for place in governorate.children(governorate.pcode)}
    assert own <= set(districts)
    assert districts.most_common(1)[0][0] == "IQG15Q05"
    assert sum(districts[pcode] for pcode in own) > 0.9 * sum(districts.values())


def test_points_lie_near_the_named_place(batch: list[FilledForm]) -> None:
    places = load().places
    seen = 0
    for form in batch:
        point, place = value(form.xml, "residence/point"), value(form.xml, "residence/place")
        if point and place in places:
            latitude, longitude, _, accuracy = map(float, point.split())
            assert abs(latitude - places[place].latitude) < 0.02
            assert abs(longitude - places[place].longitude) < 0.02
            assert 0 < accuracy <= 20
            seen += 1
    assert seen > 10


def test_needs_are_asked_once_for_each_type(batch: list[FilledForm]) -> None:
    for form in batch:
        types = value(form.xml, "needs/types").split()
        assert [need.text for need in elements(form.xml, "needs/need/service_type")] == types
        assert all(urgency.text for urgency in elements(form.xml, "needs/need/urgency"))


def test_some_agree_to_less_than_they_need(batch: list[FilledForm]) -> None:
    """Else consent would never block a need, and nobody would see that path."""
    types = load().service_types
    blocked = [
        form
        for form in batch
        if {types[code].category for code in value(form.xml, "needs/types").split()}
        - set(value(form.xml, "consent/categories").split())
    ]
    assert 0 < len(blocked) < len(batch) / 4


def test_unknown_profile_is_named(compiled: CompiledForm) -> None:
    with pytest.raises(ValueError, match="no profile 'nobody'"):
        fill_form(compiled, random.Random(1), "nobody")


def test_nothing_personal_in_the_representation(batch: list[FilledForm]) -> None:
    form = _of(batch, "ordinary")[0]
    assert value(form.xml, "person/given_name") not in repr(form)


def test_profiles_are_all_in_a_batch(batch: list[FilledForm]) -> None:
    assert {form.profile for form in batch} == set(PROFILES)
