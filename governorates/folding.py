"""Folding of names, so that one spelling of Arabic or Kurdish finds the other."""

import re
import unicodedata

LETTERS = str.maketrans(
    {
        **dict.fromkeys("أإآٱ", "ا"),
        **dict.fromkeys("ىیێئ", "ي"),
        **dict.fromkeys("ؤۆ", "و"),
        **dict.fromkeys("ةەۀھہ", "ه"),
        **dict.fromkeys("کڪ", "ك"),
        "ڕ": "ر",
        "ڵ": "ل",
        "ڤ": "ف",
        "ء": None,
        "ـ": None,
    }
)
NOT_WORDS = re.compile(r"[^\w]+")


def fold(text: str) -> str:
    """Return text for comparing, never for showing.

    Lower case, Arabic and Kurdish letter variants made one (also Kurdish letters that Arabic keyboards lack),
    no diacritics, tatweel or invisible marks, Eastern digits as ASCII, words parted by single spaces.
    """
    letters = []
    plain = text.replace("ئا", "ا")  # Kurdish writes a hamza seat before an initial alif
    for symbol in unicodedata.normalize("NFKD", plain.translate(LETTERS)).translate(LETTERS):
        if unicodedata.category(symbol) in ("Mn", "Cf"):
            continue
        digit = unicodedata.decimal(symbol, None)
        letters.append(symbol if digit is None else str(digit))
    return " ".join(NOT_WORDS.split("".join(letters).casefold())).strip()
