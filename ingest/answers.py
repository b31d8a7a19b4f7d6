"""Reading single answers from a field tree: every odd one becomes an issue, none is an error.

Issue codes raised here: answer_missing, type_unexpected, choice_unknown, number_out_of_range,
age_out_of_range, date_unreadable, date_in_future. Their details hold codes that are known here and small
figures, never what a person typed: a name or a phone number in the wrong box must not become plaintext.
"""

import re
from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta, tzinfo

from casework.assessment import Issue
from governorates import choice_codes
from ingest.trees import Node, Tree

_INTEGER = re.compile(r"[+-]?\d{1,9}(?:\.0{1,6})?")
_OTHER_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫", "01234567890123456789.")
_EARLIEST = date(1900, 1, 1)
_LARGEST_FIGURE_SHOWN = 999
"""Larger ones may be a phone or document number in the wrong box."""


def western_digits(text: str) -> str:
    """Return the text with Eastern Arabic and Persian digits as 0 to 9."""
    return text.translate(_OTHER_DIGITS)


class Answers:
    """The answers of one submission or of one row of a repeat, and the issues found while reading them.

    `prefix` is the path of the row in the form, for issues. `received` and `zone` say which day it was for
    the people there when the submission arrived.
    """

    def __init__(
        self,
        tree: Tree,
        received: datetime,
        zone: tzinfo,
        *,
        prefix: str = "",
        issues: list[Issue] | None = None,
    ) -> None:
        self.tree = tree
        self.received = received
        self.zone = zone
        self.prefix = prefix
        self.issues: list[Issue] = [] if issues is None else issues

    def add(self, code: str, path: str, **details: str | int | float | None) -> None:
        """Record an issue of the answer at `path`."""
        self.issues.append(Issue(code, f"{self.prefix}{path}", details))

    def missing(self, path: str) -> None:
        """Record that a mandatory answer is missing."""
        self.add("answer_missing", path)

    def node(self, path: str) -> Node | None:
        """Find a node; None where the path leads nowhere, whatever stands in its way."""
        node: Node = self.tree
        for name in path.split("/"):
            child = node.get(name) if isinstance(node, dict) else None
            if child is None:
                return None
            node = child
        return node

    def text(self, path: str, *, mandatory: bool = False) -> str | None:
        """Read one answer as text."""
        node = self.node(path)
        if isinstance(node, str):
            return node.strip() or None
        if node is not None:
            self.add("type_unexpected", path, expected="text")
        elif mandatory:
            self.missing(path)
        return None

    def code(
        self, path: str, allowed: Collection[str], *, mandatory: bool = False, issue: str = "choice_unknown"
    ) -> str | None:
        """Read one code out of `allowed`."""
        value = self.text(path, mandatory=mandatory)
        if value is None or value in allowed:
            return value
        self.add(issue, path)
        return None

    def choice(self, path: str, list_name: str, *, mandatory: bool = False) -> str | None:
        """Read one choice of a list in choices.toml."""
        return self.code(path, choice_codes(list_name), mandatory=mandatory)

    def codes(
        self, path: str, allowed: Collection[str], *, mandatory: bool = False, issue: str = "choice_unknown"
    ) -> tuple[str, ...]:
        """Read a select_multiple: known codes in their order, each once; the others become one issue."""
        given = dict.fromkeys((self.text(path, mandatory=mandatory) or "").split())
        known = tuple(code for code in given if code in allowed)
        if len(known) < len(given):
            self.add(issue, path, count=len(given) - len(known))
        return known

    def flag(self, path: str, *, mandatory: bool = False) -> bool | None:
        """Read a yes or no; `unknown` and a missing answer are None."""
        value = self.choice(path, "yes_no_unknown", mandatory=mandatory)
        return None if value in {None, "unknown"} else value == "yes"

    def integer(
        self,
        path: str,
        low: int,
        high: int,
        *,
        mandatory: bool = False,
        issue: str = "number_out_of_range",
    ) -> int | None:
        """Read a whole number from `low` to `high`, in any digits."""
        value = self.text(path, mandatory=mandatory)
        if value is None:
            return None
        plain = western_digits(value).replace(" ", "")
        if not _INTEGER.fullmatch(plain):
            self.add("type_unexpected", path, expected="integer")
            return None
        number = int(plain.partition(".")[0])
        if not low <= number <= high:
            shown = {"value": number} if abs(number) <= _LARGEST_FIGURE_SHOWN else {}
            self.add(issue, path, **shown, low=low, high=high)
            return None
        return number

    def age(self, path: str, *, mandatory: bool = False) -> int | None:
        """Read an age in years, 0 to 110 (the form's own bounds)."""
        return self.integer(path, 0, 110, mandatory=mandatory, issue="age_out_of_range")

    def day(self, path: str, *, mandatory: bool = False) -> date | None:
        """Read a date that is not in the future where the people are."""
        value = self.text(path, mandatory=mandatory)
        if value is None:
            return None
        try:
            day = date.fromisoformat(western_digits(value)[:10])
        except ValueError:
            self.add("date_unreadable", path)
            return None
        if day < _EARLIEST:
            self.add("date_unreadable", path)
            return None
        if day > self.received.astimezone(self.zone).date():
            self.add("date_in_future", path)
            return None
        return day

    def instant(self, path: str) -> datetime | None:
        """Read a date and time; without an offset it is local time there."""
        value = self.text(path)
        if value is None:
            return None
        try:
            instant = datetime.fromisoformat(western_digits(value))
            instant = instant if instant.tzinfo else instant.replace(tzinfo=self.zone)
            late = instant > self.received + timedelta(days=1)
            early = instant.astimezone(self.zone).date() < _EARLIEST
        except (ValueError, OverflowError):
            self.add("date_unreadable", path)
            return None
        if late or early:
            self.add("date_in_future" if late else "date_unreadable", path)
            return None
        return instant

    def rows(self, path: str) -> Iterator["Answers"]:
        """Walk the rows of a repeat; a row that is no group becomes an issue."""
        node = self.node(path)
        if node is None:
            return
        for position, row in enumerate(node if isinstance(node, list) else [node], start=1):
            prefix = f"{self.prefix}{path}[{position}]/"
            if not isinstance(row, dict):
                self.add("type_unexpected", f"{path}[{position}]", expected="group")
                continue
            yield Answers(row, self.received, self.zone, prefix=prefix, issues=self.issues)
