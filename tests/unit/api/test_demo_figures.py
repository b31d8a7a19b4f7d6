"""The demo may call itself complete only when nothing is missing anywhere."""

from dataclasses import replace

import pytest

from api.demo import DemoFigures

COMPLETE = DemoFigures(
    received=10, stored=10, cases=9, refusals=1, needs=20, proposed=15, unmet=5, lost=0, seconds=1.0
)


def test_complete() -> None:
    assert COMPLETE.is_complete
    assert replace(COMPLETE, proposed=12, informed=3).is_complete


@pytest.mark.parametrize(
    "flaw",
    [
        {"received": 9, "stored": 9, "cases": 8, "lost": 1},
        {"cases": 8},
        {"cases": 10},
        {"stored": 11},
        {"unmet": 4, "undecided": 1},
        {"proposed": 14},
        {"informed": 1},
        {"slot_mismatches": 1},
        {"refusals_with_content": 1},
    ],
)
def test_not_complete(flaw: dict[str, int]) -> None:
    assert not replace(COMPLETE, **flaw).is_complete  # type: ignore[arg-type]
