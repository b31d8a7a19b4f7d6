"""When a message may go to a returnee's phone. Pure; asked when it is written and again when it is sent.

The wording of such a message is neutral whoever may answer the phone: somebody else may read it. So the answer
to "Who may answer?" bounds calls, not messages.
"""

import enum
import re
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from governorates import Governorate, local_zone


class Verdict(enum.StrEnum):
    """What becomes of a message."""

    SEND = "send"
    POSTPONE = "postpone"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict; `code` says why not now, `not_before` (aware) when to ask again."""

    verdict: Verdict
    code: str | None = None
    not_before: datetime | None = None


SEND_NOW = Decision(Verdict.SEND)

IN_CONFLICT = Decision(Verdict.POSTPONE, "contact_in_conflict")
"""An edit contradicts how the person may be reached: neither number is written to before somebody has settled it."""

ASK_AGAIN_AFTER = timedelta(minutes=30)

_DIALLED = re.compile(r"\+[1-9][0-9]{7,14}")


def dialled(phone: str | None, prefix: str) -> str | None:
    """A phone number as it is dialled from anywhere (+9647701234567); None when it cannot be one.

    `prefix` is the country's, for national numbers: with their trunk zero, or without it as tablets keep them.
    """
    digits = (str(int(sign)) if sign.isdecimal() else sign for sign in phone or "")
    plain = re.sub(r"[^0-9+]", "", "".join(digits))
    country = prefix.removeprefix("+")
    if plain.startswith("00"):
        plain = "+" + plain.removeprefix("00")
    elif plain.startswith("0"):
        plain = prefix + plain.removeprefix("0")
    elif plain.startswith(country):
        plain = "+" + plain
    elif not plain.startswith("+"):
        plain = prefix + plain
    return plain if _DIALLED.fullmatch(plain) else None


def decide(
    governorate: Governorate,
    now: datetime,
    *,
    agreed: bool,
    has_phone: bool,
    hours: str | None,
    in_conflict: bool = False,
) -> Decision:
    """Whether a message may go out now.

    `agreed`: the newest assessment's consent is in force and says yes to contact. `hours`: the code that the
    person gave for when it is safe (contact_hours); who gave none is not written to, because no hour is known
    to be safe. Outside the hours a message waits for their next beginning; `in_conflict`, until that is settled.
    """
    if not agreed:
        return Decision(Verdict.CANCEL, "contact_not_agreed")
    if in_conflict:
        return replace(IN_CONFLICT, not_before=now + ASK_AGAIN_AFTER)
    if not has_phone:
        return Decision(Verdict.CANCEL, "no_phone")
    span = governorate.contact.hours.get(hours or "")
    if span is None:
        return Decision(Verdict.CANCEL, "hours_unknown")
    first, end = span
    local = now.astimezone(local_zone(governorate))
    if first <= local.hour < end:
        return SEND_NOW
    day = local.date() if local.hour < first else local.date() + timedelta(days=1)
    return Decision(
        Verdict.POSTPONE, "outside_hours", datetime.combine(day, time(first), tzinfo=local.tzinfo)
    )
