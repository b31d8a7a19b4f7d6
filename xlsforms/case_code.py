"""The XPath that draws a case code on the tablet, offline, the way `governorates.codes` checks it.

A tablet cannot ask a server for a number, so the form draws eight symbols once and adds the check symbol:
`sum((i + 1) * index(symbol_i)) mod len(alphabet)`. Alphabet and length are the governorate's (sop.toml).
"""

LEFT_TO_RIGHT_MARK = "\u200e"
"""Keeps a code such as 2345-678A-B in one piece inside a right-to-left paragraph."""


def case_code_formulas(alphabet: str, length: int) -> dict[str, str]:
    """Write the calculations that needs_assessment.yaml names in double braces.

    Args:
        alphabet: distinct symbols, none of them a quote; their position is their value.
        length: symbols before the check symbol.

    Returns:
        `case_body` (random, kept once drawn), `case_code` (with its check symbol) and `case_code_shown`
        (grouped for reading aloud), each an XPath expression in XLSForm notation.

    """
    return {
        "case_body": f"once(concat({', '.join([_random_symbol(alphabet)] * length)}))",
        "case_code": f"concat(${{case_body}}, {_symbol_at(alphabet, _weighted_sum(alphabet, length))})",
        "case_code_shown": _grouped("${case_code}", length + 1),
    }


def _symbol_at(alphabet: str, index: str) -> str:
    # The inner substr is a tail, the outer one its first symbol: `index` is written, and so drawn, once.
    return f"substr(substr('{alphabet}', {index}), 0, 1)"


def _random_symbol(alphabet: str) -> str:
    return _symbol_at(alphabet, f"int(random() * {len(alphabet)})")


def _weighted_sum(alphabet: str, length: int) -> str:
    index = "string-length(substring-before('{a}', substr(${{case_body}}, {i}, {j})))"
    terms = [f"{i + 1} * {index.format(a=alphabet, i=i, j=i + 1)}" for i in range(length)]
    return f"({' + '.join(terms)}) mod {len(alphabet)}"


def _grouped(code: str, length: int, size: int = 4) -> str:
    parts = [f"substr({code}, {at}, {min(at + size, length)})" for at in range(0, length, size)]
    between = ", '-', "
    return f"concat('{LEFT_TO_RIGHT_MARK}', {between.join(parts)})"
