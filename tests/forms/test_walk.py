"""Two hundred invented people go through the form: none gets stuck, and the form allows each result."""

import random

import pytest
from lxml import etree

from governorates import choices, form_needs_interpreter, load
from tests.unit.xlsforms.reading import paths, value
from xlsforms.compile import CompiledForm
from xlsforms.fill import FilledForm, check_filled, fill_form
from xlsforms.profiles import PROFILES
from xlsforms.walk.xform import read_definition


def test_every_filled_form_is_valid(compiled: CompiledForm, batch: list[FilledForm]) -> None:
    faults = {form.instance_id: check_filled(compiled, form.xml) for form in batch}
    assert not [found for found in faults.values() if found]


def test_every_profile_is_valid_for_other_seeds(compiled: CompiledForm) -> None:
    for profile in PROFILES:
        for seed in range(1000, 1010):
            assert check_filled(compiled, fill_form(compiled, random.Random(seed), profile).xml) == []


def test_every_question_is_reached_by_somebody(compiled: CompiledForm, batch: list[FilledForm]) -> None:
    """A question that nobody reaches is a dead branch of the form."""
    questions = {path.split("/", 2)[2] for path in read_definition(compiled.xml).controls}
    assert questions - set().union(*(paths(form.xml) for form in batch)) == set()


@pytest.mark.parametrize("language", ["ar", "ckb", "kmr", "tr", "syr"])
def test_the_interpreter_is_needed_where_nobody_reviewed_the_words(
    compiled: CompiledForm, language: str
) -> None:
    needed = form_needs_interpreter(load(compiled.governorate_code), "2026-11", language)
    xml = _filled(compiled, "ordinary", language=language)
    assert ("read_in_arabic" in _shown(xml)) is needed
    faults = check_filled(compiled, _without(xml, "interpreter"))
    assert bool(faults) is needed
    assert all("interpreter" in fault for fault in faults)
    assert check_filled(compiled, _with(xml, "interpreter", "دلشاد، معلم")) == []
    assert check_filled(compiled, _with(xml, "interpreter", "   "))


@pytest.mark.parametrize(("profile", "age"), [("minor_caregiver", "child"), ("proxy", "adult")])
def test_who_speaks_for_another_shows_what_fits(compiled: CompiledForm, profile: str, age: str) -> None:
    xml = _filled(compiled, profile)
    assert any("proxy_evidence" in fault for fault in check_filled(compiled, _without(xml, "proxy_evidence")))
    for choice in choices("proxy_evidence"):
        changed = _with(xml, "proxy_evidence", choice.code)
        if choice.code == "none":
            continue  # opens a note, which this submission does not have
        assert (check_filled(compiled, changed) == []) is (age in choice.fits), choice.code


def test_who_answers_alone_is_asked_for_no_evidence(compiled: CompiledForm) -> None:
    assert "proxy_evidence" not in _shown(_filled(compiled, "ordinary"))


def _filled(compiled: CompiledForm, profile: str, **answers: str) -> bytes:
    """A form of this profile with these answers, and with evidence where it is asked for."""
    for seed in range(400):
        xml = fill_form(compiled, random.Random(seed), profile).xml
        said = {name: value(xml, f"consent/{name}") for name in answers}
        if said == answers and value(xml, "consent/proxy_evidence") != "none":
            return xml
    raise AssertionError(answers)


def _shown(xml: bytes) -> set[str]:
    return {path.split("/")[1] for path in paths(xml) if path.startswith("consent/")}


def _with(xml: bytes, name: str, text: str) -> bytes:
    tree = etree.fromstring(xml)
    [group] = tree.xpath("*[local-name()='consent']")
    [found] = group.xpath(f"*[local-name()='{name}']")
    found.text = text
    return bytes(etree.tostring(tree))


def _without(xml: bytes, name: str) -> bytes:
    return _with(xml, name, "")
