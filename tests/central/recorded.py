"""Recorded exchanges with ODK Central v2026.2.2, by name: one a line in `recordings`, long lists cut short."""

import json
from functools import cache
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent / "recordings"


@cache
def exchanges() -> dict[str, dict[str, Any]]:
    """All that are kept, by name."""
    lines = [
        line
        for path in sorted(RECORDINGS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return {exchange["name"]: exchange for exchange in map(json.loads, lines)}


@cache
def index() -> dict[str, str]:
    """All that were ever made: name -> folder. Those that are not kept are told by the test that replays them."""
    rows = (RECORDINGS / "INDEX.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {name: folder for folder, _, name in (row.split("\t")[0].partition("/") for row in rows)}


def recorded(name: str) -> dict[str, Any]:
    """The recorded answer of an exchange."""
    answer: dict[str, Any] = exchanges()[name]["response"]
    return answer
