"""The procedure's data: clocks, calendar and the shape of case codes."""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from governorates.codes import CHECK_MODULUS
from governorates.consent_rules import ConsentRules, read_consent_rules
from governorates.follow_ups import read_attempts, read_follow_ups
from governorates.model import (
    BREACHES,
    CLOCK_STATES,
    ESCALATION_ROLES,
    URGENCIES,
    WEEKDAYS,
    Clock,
    ContactTimes,
    DeadlineRules,
    FollowUpAttempts,
    FollowUpClock,
    Holiday,
)
from governorates.tables import Row, read_toml, rows_of

LOOK_ALIKES = frozenset("01ILO")
LONGEST_CLOCK_HOURS = 366 * 24
MONITORED_STATE = "service_started"
HOLIDAY_DATE = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
LEAP_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Procedures:
    """What sop.toml says."""

    clocks: dict[tuple[str, str], Clock]
    follow_ups: dict[tuple[str, str], FollowUpClock]
    follow_up_attempts: FollowUpAttempts
    deadline_rules: DeadlineRules
    weekend: tuple[str, ...]
    holidays: tuple[Holiday, ...]
    utc_offset_hours: float
    code_alphabet: str
    code_length: int
    contact: ContactTimes
    consent: ConsentRules


def read_procedures(path: Path, service_types: Collection[str]) -> Procedures:
    """Read and check sop.toml; `service_types` are those of the taxonomy."""
    table = read_toml(path)
    calendar = _table(table, "calendar")
    codes = _table(table, "codes")
    clocks = _clocks(table)
    return Procedures(
        clocks=clocks,
        follow_ups=read_follow_ups(table, clocks),
        follow_up_attempts=read_attempts(table),
        deadline_rules=_deadline_rules(table, service_types),
        weekend=_weekend(calendar),
        holidays=tuple(_holiday(row) for row in rows_of(table, "holiday")),
        utc_offset_hours=calendar.number("utc_offset_hours", -12, 14),
        code_alphabet=_alphabet(codes),
        code_length=int(codes.number("length", 4, CHECK_MODULUS - 2)),
        contact=_contact(_table(table, "contact")),
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
        breach, escalate_to = _breach(row)
        clocks[key] = Clock(
            *key,
            hours,
            row.text("source"),
            row.flag("working", default=False),
            breach,
            escalate_to,
            _expire_hours(row, hours, breach),
        )
    for state in CLOCK_STATES:
        for urgency in URGENCIES:
            if (state, urgency) not in clocks:
                raise table.error(f"no clock for {state}, {urgency}")
    return clocks


def _breach(row: Row) -> tuple[str, str | None]:
    breach = row.text("breach", [one for one in BREACHES if one != "monitor"])
    if breach not in ("remind", "escalate") and "escalate_to" in row.values:
        raise row.error(f"escalate_to stands beside {breach}, which tells nobody")
    if breach == "escalate" or "escalate_to" in row.values:
        return breach, row.text("escalate_to", ESCALATION_ROLES)
    return breach, None


def _expire_hours(row: Row, hours: float, breach: str) -> float | None:
    if "expire_hours" not in row.values:
        return None
    if breach not in ("remind", "escalate"):
        raise row.error(f"expire_hours stands beside {breach}, which ends the referral at once")
    expire = row.number("expire_hours", 0, LONGEST_CLOCK_HOURS)
    if expire <= hours:
        raise row.error("expire_hours must be more than hours")
    return expire


def _deadline_rules(table: Row, service_types: Collection[str]) -> DeadlineRules:
    rules = _table(table, "deadlines")
    told = rules.values.get("supervisor_told")
    if not isinstance(told, list) or not set(told) <= set(URGENCIES):
        raise rules.error(f"supervisor_told must be a list of {', '.join(URGENCIES)}")
    pauses = _table(rules, "max_pause_days")
    return DeadlineRules(
        reminders=int(rules.number("reminders", 1, 20)),
        consent_attempts=int(rules.number("consent_attempts", 1, 20)),
        max_pause_days=MappingProxyType({code: pauses.number(code, 0, 366) for code in URGENCIES}),
        supervisor_told=tuple(told),
        monitoring=MappingProxyType(_monitoring(table, service_types)),
    )


def _monitoring(table: Row, service_types: Collection[str]) -> dict[str, Clock]:
    found: dict[str, Clock] = {}
    for row in rows_of(table, "monitoring"):
        service_type = row.text("service_type")
        if service_type not in service_types:
            raise row.error(f"service_type {service_type!r} is not in the taxonomy")
        if service_type in found:
            raise row.error(f"{service_type} has two intervals")
        hours, working = row.number("hours", 24, LONGEST_CLOCK_HOURS), row.flag("working", default=False)
        found[service_type] = Clock(MONITORED_STATE, "", hours, row.text("source"), working, "monitor")
    return found


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


def _contact(row: Row) -> ContactTimes:
    from governorates.choices import choice_codes  # the reader of choice lists imports this reader's folder

    hours = _table(row, "hours")
    wanted = choice_codes("contact_hours")
    if set(hours.values) != set(wanted):
        raise hours.error(f"must have exactly {', '.join(wanted)}")
    found: dict[str, tuple[int, int]] = {}
    for code in wanted:
        span = hours.values[code]
        if not isinstance(span, list) or [type(hour) for hour in span] != [int, int]:
            raise hours.error(f"{code} must be two full hours")
        if not 0 <= span[0] < span[1] <= 24:
            raise hours.error(f"{code} must be two hours of one day, the earlier first")
        found[code] = span[0], span[1]
    prefix = row.text("phone_prefix")
    if not re.fullmatch(r"\+[1-9]\d{0,2}", prefix):
        raise row.error("phone_prefix must be a plus and the country's number")
    return ContactTimes(int(row.number("digest_hour", 0, 23)), prefix, MappingProxyType(found))
