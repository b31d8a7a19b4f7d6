"""Case codes: eight random symbols and a check symbol that catches slips of pen and ear.

The check symbol is number `sum((i + 1) * index of symbol i) mod 31` of the alphabet, i from 0, so that the
form can compute it offline in XPath. 31 is prime and the weights 1..8 and -1 (the check symbol's own) are all
different and not zero modulo 31, hence every wrong symbol and every swap of two different symbols, adjacent
or not, is noticed.
"""

import unicodedata
from collections.abc import Sequence
from typing import Protocol

CHECK_MODULUS = 31
GROUP = 4
COMPLAINT_PREFIX = "CMP"
COMPLAINT_LENGTH = 6
SEPARATORS = frozenset("-‐‑‒–—_. \u00a0\u0640")


class Chooser(Protocol):
    """What draws symbols: the `secrets` module, or a seeded `random.Random` in tests."""

    def choice(self, seq: Sequence[str], /) -> str:
        """Return one of the sequence."""
        ...


def check_character(body: str, alphabet: str) -> str:
    """Return the check symbol of a code's body; ValueError for a symbol outside the alphabet."""
    total = sum(weight * alphabet.index(symbol) for weight, symbol in enumerate(body, start=1))
    return alphabet[total % CHECK_MODULUS]


def is_valid_code(code: str, alphabet: str | None = None, length: int | None = None) -> bool:
    """Tell whether a code without separators has the right length, symbols and check symbol."""
    alphabet, length = _shape(alphabet, length)
    if len(code) != length + 1 or not set(code) <= set(alphabet):
        return False
    return check_character(code[:-1], alphabet) == code[-1]


def new_code(rng: Chooser, alphabet: str | None = None, length: int | None = None) -> str:
    """Draw a code, check symbol included; alphabet and length are the default governorate's."""
    alphabet, length = _shape(alphabet, length)
    body = "".join(rng.choice(alphabet) for _ in range(length))
    return body + check_character(body, alphabet)


def normalise_code(text: str, alphabet: str | None = None, length: int | None = None) -> str | None:
    """Return the code that a person typed, or None if it is none.

    Case, spaces, dashes and the marks of right-to-left text do not matter; Eastern digits count as digits.
    """
    code = _plain(text)
    return code if is_valid_code(code, alphabet, length) else None


def _plain(text: str) -> str:
    symbols = []
    for symbol in unicodedata.normalize("NFKC", text):
        if symbol in SEPARATORS or symbol.isspace() or unicodedata.category(symbol) == "Cf":
            continue
        digit = unicodedata.decimal(symbol, None)
        symbols.append(symbol.upper() if digit is None else str(digit))
    return "".join(symbols)


def new_complaint_code(rng: Chooser, alphabet: str) -> str:
    """Draw the reference code of a complaint: a prefix, six symbols and their check symbol.

    It has another length than a case code, so that neither is ever taken for the other.
    """
    return COMPLAINT_PREFIX + new_code(rng, alphabet, COMPLAINT_LENGTH)


def normalise_complaint_code(text: str, alphabet: str) -> str | None:
    """Return the reference code of a complaint that a person typed, or None if it is none."""
    prefix, body = (code := _plain(text))[: len(COMPLAINT_PREFIX)], code[len(COMPLAINT_PREFIX) :]
    return code if prefix == COMPLAINT_PREFIX and is_valid_code(body, alphabet, COMPLAINT_LENGTH) else None


def format_complaint_code(code: str) -> str:
    """Return a complaint's code as it is printed: CMP-ABC-DEFG."""
    body = code.removeprefix(COMPLAINT_PREFIX)
    return "-".join((COMPLAINT_PREFIX, body[: COMPLAINT_LENGTH // 2], body[COMPLAINT_LENGTH // 2 :]))


def format_code(code: str) -> str:
    """Return a code as it is printed: ABCD-EFGH-K."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def _shape(alphabet: str | None, length: int | None) -> tuple[str, int]:
    if alphabet is not None and length is not None:
        return alphabet, length
    from governorates.reader import load  # the reader checks alphabets by this module's modulus

    governorate = load()
    return alphabet or governorate.code_alphabet, length or governorate.code_length
