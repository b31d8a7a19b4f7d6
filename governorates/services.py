"""Service categories and types, and which ministry owns which category."""

from pathlib import Path

from governorates.model import DIMENSIONS, Category, Ministry, ServiceType
from governorates.tables import read_toml, rows_of

LONGEST_JOURNEY_MINUTES = 24 * 60


def read_mandates(path: Path) -> tuple[dict[str, Ministry], dict[str, str]]:
    """Return the ministries by code, and the owning ministry's code by category.

    Exactly one ministry is asked for apart: the form has one question for it.
    """
    table = read_toml(path)
    ministries: dict[str, Ministry] = {}
    for row in rows_of(table, "ministry"):
        code = row.text("code")
        if code in ministries:
            raise row.error("occurs twice")
        ministries[code] = Ministry(code, row.names(), row.flag("asked_apart", default=False))
    if sum(ministry.asked_apart for ministry in ministries.values()) != 1:
        raise table.error("exactly one [[ministry]] must have asked_apart = true")
    owners: dict[str, str] = {}
    for row in rows_of(table, "mandate"):
        category = row.text("category")
        if category in owners:
            raise row.error(f"category {category} has two mandates")
        owners[category] = row.text("ministry", tuple(ministries))
    return ministries, owners


def read_taxonomy(path: Path, owners: dict[str, str]) -> tuple[dict[str, Category], dict[str, ServiceType]]:
    """Return categories and service types by code, in the order of the file."""
    table = read_toml(path)
    categories: dict[str, Category] = {}
    for row in rows_of(table, "category"):
        code = row.text("code")
        if code in categories:
            raise row.error("occurs twice")
        if code not in owners:
            raise row.error("no ministry has a mandate for it")
        categories[code] = Category(code, row.text("dimension", DIMENSIONS), owners[code], row.names())
    for code in owners.keys() - categories.keys():
        raise table.error(f"the mandate for {code!r} has no category")
    types: dict[str, ServiceType] = {}
    for row in rows_of(table, "service_type"):
        code = row.text("code")
        if code in types:
            raise row.error("occurs twice")
        minutes = int(row.number("max_minutes", 1, LONGEST_JOURNEY_MINUTES))
        types[code] = ServiceType(code, row.text("category", tuple(categories)), minutes, row.names())
    return categories, types
