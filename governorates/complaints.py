"""What sop.toml says of complaints: their clocks and the hotline."""

from pathlib import Path
from types import MappingProxyType

from governorates.model import COMPLAINT_CLOCK_STATES, ComplaintClock, ComplaintProcedure
from governorates.procedures import LONGEST_CLOCK_HOURS
from governorates.tables import Row, read_toml, rows_of


def read_complaint_procedure(path: Path) -> ComplaintProcedure:
    """Read and check what sop.toml says of complaints. Every state in which something is due has a clock."""
    table = read_toml(path)
    values = table.values.get("complaints", {})
    if not isinstance(values, dict):
        raise table.error("complaints must be a table")
    row = Row(table.file, "[complaints]", values)
    return ComplaintProcedure(
        hotline=row.text("hotline") if "hotline" in values else None,
        clocks=MappingProxyType(_clocks(table)),
    )


def _clocks(table: Row) -> dict[tuple[str, str], ComplaintClock]:
    from governorates.choices import choice_codes  # the lists lie beside the reader, which reads this module

    kinds = choice_codes("complaint_kind")
    clocks: dict[tuple[str, str], ComplaintClock] = {}
    for row in rows_of(table, "complaint_clock"):
        kind = row.text("kind", kinds) if "kind" in row.values else ""
        key = row.text("state", COMPLAINT_CLOCK_STATES), kind
        if key in clocks:
            raise row.error(f"{key[0]}, {kind or 'every kind'} has two clocks")
        hours = row.number("hours", 0.25, LONGEST_CLOCK_HOURS)
        clocks[key] = ComplaintClock(*key, hours, row.text("source"), row.flag("working"))
    for state in COMPLAINT_CLOCK_STATES:
        if (state, "") not in clocks:
            raise table.error(f"no complaint_clock for {state}")
    return clocks
