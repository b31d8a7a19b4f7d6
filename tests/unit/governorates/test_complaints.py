"""Complaint clocks as data, and reference codes that nobody takes for case codes."""

import random
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governorates import (
    GovernorateDataError,
    available,
    format_complaint_code,
    load,
    new_code,
    new_complaint_code,
    normalise_code,
    normalise_complaint_code,
    read_governorate,
)
from governorates.model import COMPLAINT_CLOCK_STATES
from governorates.reader import HOME

ALPHABET = load().code_alphabet


@pytest.mark.parametrize("code", available())
def test_every_governorate_has_a_clock_for_every_state_and_a_day_for_the_gravest_kind(code: str) -> None:
    procedure = load(code).complaints
    for state in COMPLAINT_CLOCK_STATES:
        assert procedure.clock(state, "fee_asked").source
    urgent = procedure.clock("received", "sexual_exploitation")
    assert (urgent.hours <= 24, urgent.working) == (True, False)
    assert procedure.clock("received", "other").kind == ""
    with pytest.raises(KeyError):
        procedure.clock("closed", "other")


WRONG = [
    ('state = "appealed"\n', 'state = "appealing"\n', "state 'appealing' is none of received"),
    ('kind = "sexual_exploitation"', 'kind = "abuse"', "kind 'abuse' is none of"),
    ('kind = "sexual_exploitation"\n', "", "received, every kind has two clocks"),
    ('state = "under_review"', 'state = "answered"\nkind = "other"', "no complaint_clock for under_review"),
    ("[calendar]", "[complaints]\nhotline = 6\n\n[calendar]", "hotline is missing"),
    ("[calendar]", "complaints = 6\n\n[calendar]", "complaints must be a table"),
]


@pytest.mark.parametrize(("old", "new", "problem"), WRONG, ids=lambda value: str(value)[:24])
def test_a_wrong_row_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    folder = tmp_path / "nineveh"
    shutil.copytree(HOME / "nineveh", folder)
    text = (folder / "sop.toml").read_text(encoding="utf-8")
    assert old in text
    (folder / "sop.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(GovernorateDataError, match=re.escape(problem)):
        read_governorate(folder)


@given(st.integers())
def test_neither_code_is_taken_for_the_other(seed: int) -> None:
    rng = random.Random(seed)
    code, case_code = new_complaint_code(rng, ALPHABET), new_code(rng)
    printed = format_complaint_code(code)
    assert re.fullmatch(r"CMP-\w{3}-\w{4}", printed)
    assert normalise_complaint_code(f" \u200f{printed.lower()}\u200e", ALPHABET) == code
    assert normalise_code(printed) is None
    assert normalise_complaint_code(case_code, ALPHABET) is None


@given(st.integers(), st.integers(3, 9), st.sampled_from(ALPHABET))
def test_a_slip_is_noticed(seed: int, position: int, symbol: str) -> None:
    code = new_complaint_code(random.Random(seed), ALPHABET)
    wrong = code[:position] + symbol + code[position + 1 :]
    assert (normalise_complaint_code(wrong, ALPHABET) is None) == (wrong != code)
