"""Keys of names and phone numbers, for equality look-ups through blind indexes.

Letters are folded by `governorates.folding`; عبد joins the name that follows it (domain facts, section 9).
"""

import re

from governorates.folding import fold

_ABD = re.compile(r"\bعبد\s+(?=\S)")
_TRUNK = re.compile(r"^(00964|964|0)")
_SHORTEST_PHONE = 7


def fold_name(*parts: str | None) -> str:
    """One key of the given name parts; empty when any part is missing."""
    if not all(parts):
        return ""
    return "|".join(_ABD.sub("عبد", fold(part)) for part in parts if part)


def fold_phone(text: str | None) -> str:
    """An Iraqi phone number as digits without trunk or country prefix; empty when there are too few digits."""
    digits = _TRUNK.sub("", re.sub(r"\D", "", fold(text or "")))
    return digits if len(digits) >= _SHORTEST_PHONE else ""
