"""How long an office or a ministry has to answer when another one offers it a case or a need."""

from collections.abc import Mapping
from pathlib import Path

from governorates.model import URGENCIES, Clock
from governorates.tables import Row, read_toml
from governorates.tasks import read_clock

OFFERS = ("transfer", "hand_over")
"""A whole case to another office; the decisions on a need to another ministry."""


def read_offer_clocks(path: Path) -> dict[tuple[str, str], Clock]:
    """Read [transfer] and [hand_over] of sop.toml, each with a clock for every urgency."""
    table = read_toml(path)
    return {
        (offer, urgency): read_clock(_table(table, offer), offer, urgency)
        for offer in OFFERS
        for urgency in URGENCIES
    }


def _table(table: Row, offer: str) -> Row:
    values = table.values.get(offer)
    if not isinstance(values, Mapping):
        raise table.error(f"[{offer}] is missing")
    return Row(table.file, f"[{offer}]", values)
