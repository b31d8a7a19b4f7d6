"""Names and phone numbers in a form for comparing, never for showing.

Letters are folded by `governorates.folding`; عبد joins the name that follows it (domain facts, section 9).
"""

import re
from dataclasses import dataclass, field

from governorates.folding import fold

_TRUNK = re.compile(r"^(00964|964|0)")
_SHORTEST_PHONE = 7
_SHORTEST_SKELETON = 2

# Kurdish writes the short vowel that Arabic leaves out: حەسەن is حسن. At the end it is the Arabic ة.
_KURDISH_INITIAL = re.compile(r"\bئ(?=[ەا])")
_KURDISH_VOWEL = re.compile(r"ە(?!\b)")

# Vowels and breathings come and go between spellings; sounds that Kurdish does not tell apart are one letter.
_SOUNDS = str.maketrans(
    {
        **dict.fromkeys("اويه", None),
        **dict.fromkeys("ثص", "س"),
        **dict.fromkeys("ذضظژ", "ز"),
        "ط": "ت",
        "گ": "ك",
        "پ": "ب",
        "چ": "ج",
    }
)
_REPEATED = re.compile(r"(.)\1+")


@dataclass(frozen=True, slots=True)
class FoldedName:
    """One part of a name as letters and as sounds; both empty where it is not known."""

    letters: str = field(default="", repr=False)
    sounds: str = field(default="", repr=False)

    @classmethod
    def of(cls, name: str | None) -> "FoldedName":
        """Fold a name as it was typed."""
        letters = fold_name(name)
        return cls(letters, name_skeleton(letters))


def fold_name(name: str | None) -> str:
    """One part of a name without spaces, so that عبد الله is عبدالله; empty when there is none.

    Kurdish spelling of an Arabic name folds to the Arabic one where only short vowels differ.
    """
    plain = _KURDISH_INITIAL.sub("ا", (name or "").replace("\u200c", "").replace("ـ", ""))
    plain = _KURDISH_VOWEL.sub("", plain.replace("اە", "ا"))
    return fold(plain).replace(" ", "")


def name_skeleton(folded: str) -> str:
    """The consonants of a folded name as they sound; where too few are left, the name without its last vowel."""
    skeleton = _REPEATED.sub(r"\1", folded.translate(_SOUNDS))
    return skeleton if len(skeleton) >= _SHORTEST_SKELETON else folded.rstrip("ايه") or folded


UNKNOWN_NAME = FoldedName()


def fold_phone(text: str | None) -> str:
    """An Iraqi phone number as digits without trunk or country prefix; empty when there are too few digits."""
    digits = _TRUNK.sub("", re.sub(r"\D", "", fold(text or "")))
    return digits if len(digits) >= _SHORTEST_PHONE else ""
