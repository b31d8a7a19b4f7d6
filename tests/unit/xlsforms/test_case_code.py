"""Case codes that the form draws are the codes that the office accepts."""

from collections import Counter

import pytest

from governorates import is_valid_code, load, normalise_code
from tests.unit.xlsforms.reading import value
from xlsforms.case_code import LEFT_TO_RIGHT_MARK, case_code_formulas
from xlsforms.fill import FilledForm


def test_every_code_has_a_valid_check_symbol(batch: list[FilledForm]) -> None:
    codes = [value(form.xml, "case_code") for form in batch]
    assert all(is_valid_code(code) for code in codes)
    assert len(set(codes)) == len(codes)


def test_symbols_are_drawn_evenly(batch: list[FilledForm]) -> None:
    alphabet = load().code_alphabet
    drawn = Counter(symbol for form in batch for symbol in value(form.xml, "case_body"))
    expected = sum(drawn.values()) / len(alphabet)
    assert set(drawn) == set(alphabet)
    assert max(drawn.values()) < 2 * expected


def test_shown_code_is_grouped_and_reads_left_to_right(batch: list[FilledForm]) -> None:
    for form in batch[:20]:
        code, shown = value(form.xml, "case_code"), value(form.xml, "case_code_shown")
        assert shown == f"{LEFT_TO_RIGHT_MARK}{code[:4]}-{code[4:8]}-{code[8:]}"
        assert normalise_code(shown) == code


def test_instance_name_is_the_code_alone(batch: list[FilledForm]) -> None:
    assert all(value(form.xml, "meta/instanceName") == value(form.xml, "case_code") for form in batch)


@pytest.mark.parametrize("length", [4, 8])
def test_formulas_follow_the_governorate(length: int) -> None:
    formulas = case_code_formulas("ABC", length)
    assert formulas["case_body"].count("random() * 3") == length
    assert formulas["case_code"].count("mod 3") == 1
