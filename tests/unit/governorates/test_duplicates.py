"""Points of duplicates.toml are complete, in order, and wrong ones are refused with their place."""

import copy
from typing import Any

import pytest

from governorates import DUPLICATE_PARTS, GovernorateDataError, duplicate_weights
from governorates.duplicates import DUPLICATES_FILE, read_duplicate_weights
from governorates.reader import HOME
from governorates.tables import Row, read_toml


def changed(**values: Any) -> Row:
    table = read_toml(HOME / DUPLICATES_FILE)
    return Row(table.file, table.where, copy.deepcopy(dict(table.values)) | values)


def test_full_agreement_is_a_hundred_or_more() -> None:
    weights = duplicate_weights()
    assert sum(weights.points[part]["same"] for part in DUPLICATE_PARTS) >= 100


def test_no_part_alone_and_no_family_name_alone_brings_a_pair_up() -> None:
    weights = duplicate_weights()
    best = sorted(weights.points[part]["same"] for part in DUPLICATE_PARTS)
    assert best[-1] < weights.ask_from
    family = weights.points["father_name"]["same"] + weights.points["grandfather_name"]["same"]
    assert family < weights.ask_from


def test_words_follow_the_thresholds() -> None:
    weights = duplicate_weights()
    assert weights.word(weights.very_likely_from) == "very_likely"
    assert weights.word(weights.likely_from) == "likely"
    assert weights.word(weights.likely_from - 1) == "possible"


def test_names_are_paired_in_both_orders_and_folded() -> None:
    different = duplicate_weights().different_names
    assert ("حسن", "حسين") in different
    assert ("حسين", "حسن") in different
    assert all(" " not in name for pair in different for name in pair)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"points": {}}, "must have exactly"),
        ({"ask_from": 90}, "must rise"),
        ({"block_limit": 1}, "block_limit"),
        ({"names": {"different": [["حسن", "حسن"]]}}, "twice"),
    ],
)
def test_wrong_data_are_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(GovernorateDataError, match=complaint):
        read_duplicate_weights(changed(**change))


def test_points_must_fall_with_the_level() -> None:
    table = changed()
    table.values["points"]["sex"] = {"same": 0, "close": 5, "different": 1}
    with pytest.raises(GovernorateDataError, match="sex"):
        read_duplicate_weights(table)
