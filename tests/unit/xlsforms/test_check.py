"""The check finds every way in which a submission can differ from what the form allows."""

import random
from collections.abc import Callable

import pytest
from lxml import etree

from tests.unit.xlsforms.reading import elements
from xlsforms.compile import CompiledForm
from xlsforms.fill import check_filled, fill_form

Change = Callable[[etree._Element], None]


def _find(root: etree._Element, path: str) -> etree._Element:
    return root.xpath("/".join(f"*[local-name()='{name}']" for name in path.split("/")))[0]


def _set(path: str, text: str) -> Change:
    def change(root: etree._Element) -> None:
        _find(root, path).text = text

    return change


def _remove(path: str) -> Change:
    def change(root: etree._Element) -> None:
        found = _find(root, path)
        found.getparent().remove(found)

    return change


def _add(path: str, name: str, text: str = "x") -> Change:
    def change(root: etree._Element) -> None:
        above = _find(root, path) if path else root
        etree.SubElement(above, name).text = text

    return change


@pytest.fixture(scope="module")
def ordinary(compiled: CompiledForm) -> bytes:
    """Fill a form for somebody of Nineveh who has a phone, may be called and has a household."""
    for seed in range(100):
        form = fill_form(compiled, random.Random(seed), "ordinary").xml
        wanted = (
            "contact/phone",
            "displacement/return_date",
            "residence/subdistrict",
            "household/member/sex",
        )
        if all(elements(form, path) and elements(form, path)[0].text for path in wanted):
            return form
    raise AssertionError("no seed gives such a form")


def _changed(xml: bytes, change: Change) -> bytes:
    root = etree.fromstring(xml)
    change(root)
    return etree.tostring(root)


def test_the_form_itself_is_clean(compiled: CompiledForm, ordinary: bytes) -> None:
    assert check_filled(compiled, ordinary) == []
    assert check_filled(compiled, _changed(ordinary, lambda root: None)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_set("person/age_years", "300"), "/data/person/age_years: constraint not met"),
        (_set("person/age_years", "old"), "/data/person/age_years: no int"),
        (_set("person/given_name", ""), "/data/person/given_name: required, but empty"),
        (_set("person/given_name", "علي 2"), "/data/person/given_name: constraint not met"),
        (_set("person/sex", "other"), "/data/person/sex: no such choice"),
        (_remove("person/sex"), "/data/person/sex: relevant, but not there"),
        (_remove("person"), "/data/person: relevant, but not there"),
        (_add("person", "nickname"), "/data/person: unknown element"),
        (_add("person", "sex", "male"), "/data/person/sex: more than once"),
        (_add("person", "caregiver_name"), "/data/person/caregiver_name: not relevant, but there"),
        (_set("consent/given", "no"), "/data/person: not relevant, but there"),
        (_set("consent/moi", ""), "/data/consent/moi: required, but empty"),
        (_set("consent/categories", "housing moi"), "/data/consent/categories: no such choice"),
        (_set("consent/categories", "housing housing"), "/data/consent/categories: a choice twice"),
        (_set("consent/read_rights", "yes"), "/data/consent/read_rights: a note cannot be answered"),
        (_set("consent/text_version", "1"), "/data/consent/text_version: not what the form calculates"),
        (_set("case_code", "AAAAAAAAA"), "/data/case_code: not what the form calculates"),
        (_set("case_body", ""), "/data/case_body: not what the form calculates"),
        (_set("contact/phone", "12"), "/data/contact/phone: constraint not met"),
        (
            _set("displacement/return_date", "2031-01-01"),
            "/data/displacement/return_date: constraint not met",
        ),
        (_set("displacement/return_date", "1.5.2020"), "/data/displacement/return_date: no date"),
        (_set("residence/district", "IQG01Q01"), "/data/residence/district: no such choice"),
        (_set("residence/place", "DTM-0"), "/data/residence/place: no such choice"),
        (_set("profile/documents", "none unified_card"), "/data/profile/documents: constraint not met"),
        (_set("household/size", "31"), "/data/household/size: constraint not met"),
        (
            _remove("household/member"),
            "/data/household/member: another number of times than the form asks for",
        ),
        (_set("needs/need/service_type", "x"), "service_type: not what the form calculates"),
        (_set("meta/instanceID", "uuid:1"), "/data/meta/instanceID: no string"),
        (_set("start", "yesterday"), "/data/start: no dateTime"),
        (_set("deviceid", ""), "/data/deviceid: required, but empty"),
        (_set("consent", "text"), "/data/consent: text in a group"),
        (lambda root: root.set("version", "1"), "the form version is another one"),
        (lambda root: root.set("id", "other"), "the form id is another one"),
    ],
)
def test_finds_what_is_wrong(compiled: CompiledForm, ordinary: bytes, change: Change, fault: str) -> None:
    faults = check_filled(compiled, _changed(ordinary, change))
    assert any(fault in found for found in faults), faults


def test_a_cut_body_is_not_well_formed(compiled: CompiledForm, ordinary: bytes) -> None:
    assert check_filled(compiled, ordinary[: len(ordinary) // 2]) == ["the XML is not well-formed"]


def test_a_point_off_the_earth_is_found(compiled: CompiledForm) -> None:
    for seed in range(100):
        xml = fill_form(compiled, random.Random(seed), "ordinary").xml
        if elements(xml, "residence/point") and elements(xml, "residence/point")[0].text:
            broken = _changed(xml, _set("residence/point", "136.1 43.1 0 5"))
            assert check_filled(compiled, broken) == ["/data/residence/point: no geopoint"]
            return
    raise AssertionError("no seed gives a point")


def test_messages_hold_no_answer(compiled: CompiledForm, ordinary: bytes) -> None:
    broken = _changed(ordinary, _set("person/given_name", "زليخة 7"))
    assert "زليخة" not in " ".join(check_filled(compiled, broken))
