"""When a message may go to a returnee's phone: the whole table, in local hours (UTC+3)."""

from datetime import UTC, datetime

import pytest

from casework.safe_contact import SEND_NOW, Verdict, decide, dialled
from governorates import choice_codes, load

NINEVEH = load("nineveh")

HOURS = [
    # hours named, local moment, verdict, local beginning of the next window
    ("morning", "2026-11-23T07:59", "postpone", "2026-11-23T08:00"),
    ("morning", "2026-11-23T08:00", "send", None),
    ("morning", "2026-11-23T11:59", "send", None),
    ("morning", "2026-11-23T12:00", "postpone", "2026-11-24T08:00"),
    ("afternoon", "2026-11-23T11:00", "postpone", "2026-11-23T12:00"),
    ("afternoon", "2026-11-23T15:30", "send", None),
    ("afternoon", "2026-11-23T16:00", "postpone", "2026-11-24T12:00"),
    ("evening", "2026-11-23T15:59", "postpone", "2026-11-23T16:00"),
    ("evening", "2026-11-23T19:59", "send", None),
    ("evening", "2026-11-30T20:00", "postpone", "2026-12-01T16:00"),
    ("any", "2026-11-23T02:00", "postpone", "2026-11-23T08:00"),
    ("any", "2026-11-23T13:00", "send", None),
    ("any", "2026-12-31T23:00", "postpone", "2027-01-01T08:00"),
]


def local(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}:00+03:00")


@pytest.mark.parametrize(("hours", "moment", "verdict", "then"), HOURS)
def test_hours(hours: str, moment: str, verdict: str, then: str | None) -> None:
    now = local(moment).astimezone(UTC)
    decision = decide(NINEVEH, now, agreed=True, has_phone=True, hours=hours)
    assert decision.verdict == verdict
    assert decision.not_before == (None if then is None else local(then))
    assert decision.code == (None if verdict == "send" else "outside_hours")
    if decision.not_before is not None:
        again = decide(NINEVEH, decision.not_before, agreed=True, has_phone=True, hours=hours)
        assert again == SEND_NOW


def test_every_answer_of_the_form_has_hours() -> None:
    assert {hours for hours, *_ in HOURS} == set(choice_codes("contact_hours"))


@pytest.mark.parametrize(
    ("agreed", "has_phone", "hours", "code"),
    [
        (False, True, "any", "contact_not_agreed"),
        (False, False, None, "contact_not_agreed"),
        (True, False, "any", "no_phone"),
        (True, True, None, "hours_unknown"),
        (True, True, "", "hours_unknown"),
        (True, True, "midnight", "hours_unknown"),
    ],
)
def test_nothing_is_sent_without_a_yes_a_phone_and_hours(
    agreed: bool, has_phone: bool, hours: str | None, code: str
) -> None:
    decision = decide(NINEVEH, local("2026-11-23T10:00"), agreed=agreed, has_phone=has_phone, hours=hours)
    assert (decision.verdict, decision.code, decision.not_before) == (Verdict.CANCEL, code, None)


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("07701234567", "+9647701234567"),
        ("7701234567", "+9647701234567"),
        ("٠٧٧٠١٢٣٤٥٦٧", "+9647701234567"),
        ("0770-123 45 67", "+9647701234567"),
        ("+9647701234567", "+9647701234567"),
        ("009647701234567", "+9647701234567"),
        ("9647701234567", "+9647701234567"),
        ("+90 532 123 45 67", "+905321234567"),
        ("12", None),
        ("ask my son", None),
        ("+", None),
        ("", None),
        (None, None),
    ],
)
def test_numbers_as_they_are_dialled(phone: str | None, number: str | None) -> None:
    assert dialled(phone, "+964") == number
