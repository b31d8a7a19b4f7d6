"""One person's name in the spellings of two officers."""

import pytest

from casework.names import FoldedName, fold_name, fold_phone


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("أحمد", "احمد"),
        ("فاطمة", "فاطمه"),
        ("مصطفى", "مصطفي"),
        ("عبد الله", "عبدالله"),
        ("کریم", "كريم"),
        ("محـمد", "مُحَمَّد"),
        ("محمد", "محەمەد"),
        ("أحمد", "ئەحمەد"),
        ("علي", "عەلی"),
        ("حسن", "حەسەن"),
        ("نور الدين", "نورالدين"),
    ],
)
def test_spellings_of_one_name_are_the_same(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("فاطمة", "فاتمە"),
        ("إبراهيم", "ئیبراهیم"),
        ("عثمان", "عوسمان"),
        ("رضا", "ڕەزا"),
        ("مصطفى", "موستەفا"),
        ("هدى", "هدا"),
        ("عبد الرحمن", "عەبدولڕەحمان"),
    ],
)
def test_transliterations_sound_the_same(one: str, other: str) -> None:
    assert FoldedName.of(one).sounds == FoldedName.of(other).sounds != ""


def test_no_name_has_neither_letters_nor_sounds() -> None:
    assert {FoldedName.of(text) for text in (None, "", " ", "ـ")} == {FoldedName()}


def test_a_name_never_shows_in_repr() -> None:
    assert "زينب" not in repr(FoldedName.of("زينب"))


@pytest.mark.parametrize("text", ["07701234567", "+964 770 123 4567", "00964-770-1234567", "٠٧٧٠١٢٣٤٥٦٧"])
def test_phones_fold_to_one_form(text: str) -> None:
    assert fold_phone(text) == "7701234567"


def test_too_few_digits_are_no_phone() -> None:
    assert fold_phone("12345") == fold_phone(None) == ""
