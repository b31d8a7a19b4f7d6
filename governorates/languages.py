"""Languages of everything that people read, and how a name falls back."""

from collections.abc import Mapping

LANGUAGES = ("ar", "ckb", "kmr", "en")
"""Arabic, Sorani, Badini (Kurmanji in Arabic script), English."""

FALLBACK_LANGUAGE = "ar"
"""The language in which every name is there. What people see first is the pack's own (`default_language`)."""

Names = Mapping[str, str]
"""Language code to text. Place names may lack a Kurdish one; every other name has all four."""


def name_in(names: Names, language: str) -> str:
    """Return the name in `language`, or the Arabic one where it is missing."""
    return names.get(language) or names[FALLBACK_LANGUAGE]
