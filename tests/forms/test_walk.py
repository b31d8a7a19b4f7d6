"""Two hundred invented people go through the form: none gets stuck, and the form allows each result."""

import random

from tests.unit.xlsforms.reading import paths
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
