"""Clocks of the tasks that offices and coordinators are given."""

from collections.abc import Collection
from pathlib import Path

from governorates.model import URGENCIES, Clock
from governorates.tables import Row, read_toml, rows_of

LONGEST_HOURS = 366 * 24


def read_task_clocks(path: Path, kinds: Collection[str]) -> dict[tuple[str, str], Clock]:
    """Read [[task_clock]] of sop.toml: one row a kind with a clock for each urgency; none may be missing."""
    table = read_toml(path)
    clocks: dict[tuple[str, str], Clock] = {}
    for row in rows_of(table, "task_clock"):
        kind = row.text("kind", sorted(kinds))
        if (kind, URGENCIES[0]) in clocks:
            raise row.error(f"{kind} has two rows")
        for urgency in URGENCIES:
            clocks[kind, urgency] = read_clock(row, kind, urgency)
    missing = sorted(set(kinds) - {kind for kind, _ in clocks})
    if missing:
        raise table.error(f"no task_clock for {', '.join(missing)}")
    return clocks


def read_clock(row: Row, kind: str, urgency: str) -> Clock:
    """Read the clock of one urgency from a row with a key for each."""
    values = row.values.get(urgency)
    if not isinstance(values, dict):
        raise row.error(f"{kind} has no clock for {urgency}")
    own = Row(row.file, f"{row.where} {kind}, {urgency}", values)
    hours = own.number("hours", 0.25, LONGEST_HOURS)
    return Clock(kind, urgency, hours, row.text("source"), own.flag("working", default=False))
