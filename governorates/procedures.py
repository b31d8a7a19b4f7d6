"""The procedure's data: clocks, calendar and the shape of case codes."""

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from governorates.codes import CHECK_MODULUS
from governorates.consent_rules import ConsentRules, read_consent_rules
from governorates.model import CLOCK_STATES, URGENCIES, WEEKDAYS, Clock, Holiday
from governorates.tables import Row, read_toml, rows_of

LOOK_ALIKES = frozenset("01ILO")
LONGEST_CLOCK_HOURS = 366 * 24
HOLIDAY_DATE = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
LEAP_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Procedures:
    """What sop.toml says."""

    clocks: dict[tuple[str, str], Clock]
    weekend: tuple[str, ...]
    holidays: tuple[Holiday, ...]
    utc_offset_hours: float
    code_alphabet: str
    code_length: int
    consent: ConsentRules


def read_procedures(path: Path) -> Procedures:
    """Read and check sop.toml."""
    table = read_toml(path)
    calendar = _table(table, "calendar")
    codes = _table(table, "codes")
    return Procedures(
        clocks=_clocks(table),
        weekend=_weekend(calendar),
        holidays=tuple(_holiday(row) for row in rows_of(table, "holiday")),
        utc_offset_hours=calendar.number("utc_offset_hours", -12, 14),
        code_alphabet=_alphabet(codes),
        code_length=int(codes.number("length", 4, CHECK_MODULUS - 2)),
        consent=read_consent_rules(table),
    )


def _table(parent: Row, key: str) -> Row:
    values = parent.values.get(key)
    if not isinstance(values, dict):
        raise parent.error(f"[{key}] is missing")
    return Row(parent.file, f"[{key}]", values)


def _clocks(table: Row) -> dict[tuple[str, str], Clock]:
    clocks: dict[tuple[str, str], Clock] = {}
    for row in rows_of(table, "clock"):
        key = row.text("state", CLOCK_STATES), row.text("urgency", URGENCIES)
        if key in clocks:
            raise row.error(f"{key[0]}, {key[1]} has two clocks")
        hours = row.number("hours", 0.25, LONGEST_CLOCK_HOURS)
        clocks[key] = Clock(*key, hours, row.text("source"), row.flag("working", default=False))
    for state in CLOCK_STATES:
        for urgency in URGENCIES:
            if (state, urgency) not in clocks:
                raise table.error(f"no clock for {state}, {urgency}")
    return clocks


def _weekend(calendar: Row) -> tuple[str, ...]:
    days = calendar.values.get("weekend")
    if not isinstance(days, list) or not set(days) < set(WEEKDAYS):
        raise calendar.error("weekend must be a list of days of the week, and not all of them")
    return tuple(days)


def _holiday(row: Row) -> Holiday:
    match = HOLIDAY_DATE.fullmatch(row.text("date"))
    if match is None:
        raise row.error("date must be MM-DD or YYYY-MM-DD")
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        date = dt.date(year or LEAP_YEAR, month or 0, day or 0)
    except ValueError as fault:
        raise row.error(f"date: {fault}") from None
    return Holiday(date.month, date.day, year, row.names())


def _alphabet(codes: Row) -> str:
    alphabet = codes.text("alphabet")
    if len(alphabet) != CHECK_MODULUS or len(set(alphabet)) != CHECK_MODULUS:
        raise codes.error(f"alphabet must have {CHECK_MODULUS} different symbols")
    if not (alphabet.isascii() and alphabet.isalnum() and alphabet == alphabet.upper()):
        raise codes.error("alphabet must be ASCII digits and capitals")
    if LOOK_ALIKES & set(alphabet):
        raise codes.error(f"alphabet holds look-alikes: {', '.join(sorted(LOOK_ALIKES & set(alphabet)))}")
    return alphabet
