"""Case codes: a slip of pen or ear is noticed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governorates import check_character, format_code, is_valid_code, load, new_code, normalise_code

ALPHABET = load().code_alphabet
LENGTH = load().code_length
bodies = st.text(alphabet=ALPHABET, min_size=LENGTH, max_size=LENGTH)


def with_check(body: str) -> str:
    return body + check_character(body, ALPHABET)


@given(bodies, st.integers(0, LENGTH), st.sampled_from(ALPHABET))
def test_every_wrong_symbol_is_noticed(body: str, position: int, symbol: str) -> None:
    code = with_check(body)
    wrong = code[:position] + symbol + code[position + 1 :]
    assert is_valid_code(wrong) == (wrong == code)


@given(bodies, st.integers(0, LENGTH - 1))
def test_every_swap_of_neighbours_is_noticed(body: str, position: int) -> None:
    code = with_check(body)
    swapped = code[:position] + code[position + 1] + code[position] + code[position + 2 :]
    assert is_valid_code(swapped) == (swapped == code)


@given(bodies, st.integers(0, LENGTH), st.integers(0, LENGTH))
def test_every_swap_of_any_two_is_noticed(body: str, first: int, second: int) -> None:
    symbols = list(with_check(body))
    symbols[first], symbols[second] = symbols[second], symbols[first]
    swapped = "".join(symbols)
    assert is_valid_code(swapped) == (swapped == with_check(body))


@given(bodies)
def test_check_character_is_the_sum_that_the_form_computes(body: str) -> None:
    expected = 0
    for weight in range(1, 9):
        expected += weight * len(ALPHABET.partition(body[weight - 1])[0])  # substring-before in XPath
    assert check_character(body, ALPHABET) == ALPHABET[expected % 31]


def test_a_known_code() -> None:
    # symbols 2 and 3 are numbers 0 and 1: 1*8 mod 31 = 8 -> A
    assert check_character("22222223", ALPHABET) == "A"


@given(st.integers())
def test_new_codes_are_valid_and_printed_codes_read_back(seed: int) -> None:
    code = new_code(random.Random(seed))
    assert is_valid_code(code)
    assert len(code) == 9
    printed = format_code(code)
    assert printed.count("-") == 2
    assert normalise_code(printed) == code
    assert normalise_code(f" \u200f{printed.lower()}\u200e ") == code


def test_eastern_digits_count_as_digits() -> None:
    code = with_check("23456789")
    eastern = code.translate(str.maketrans("23456789", "٢٣٤٥٦٧٨٩"))
    persian = code.translate(str.maketrans("23456789", "۲۳۴۵۶۷۸۹"))
    assert normalise_code(eastern) == normalise_code(persian) == code


@pytest.mark.parametrize(
    "text", ["", "ABCD", "22222222222", "0OIL0OIL0", "'; drop table", "حالة", "²²²²²²²²²x"]
)
def test_what_is_no_code(text: str) -> None:
    assert normalise_code(text) is None
