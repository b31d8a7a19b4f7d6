"""How two cases are weighed against each other: points, thresholds, and names that only look alike."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from types import MappingProxyType

from governorates.errors import GovernorateDataError
from governorates.folding import fold
from governorates.reader import HOME
from governorates.tables import Row, read_toml

DUPLICATES_FILE = "duplicates.toml"
DUPLICATE_PARTS = (
    "given_name",
    "father_name",
    "grandfather_name",
    "phone",
    "birth_year",
    "sex",
    "place",
    "household",
)
DUPLICATE_LEVELS = ("same", "close", "different")


@dataclass(frozen=True, slots=True)
class DuplicateWeights:
    """What duplicates.toml says.

    `points`: part, then level -> points. `different_names`: pairs of folded names, in either order, that are two
    names however alike they look. `close_name`: similarity 0 to 1. `version`: digest of all of it.
    """

    ask_from: int
    likely_from: int
    very_likely_from: int
    block_limit: int
    close_name: float
    points: Mapping[str, Mapping[str, int]]
    different_names: frozenset[tuple[str, str]]
    version: str

    def word(self, score: int) -> str:
        """How a score is called on the pages: very_likely, likely or possible."""
        if score >= self.very_likely_from:
            return "very_likely"
        return "likely" if score >= self.likely_from else "possible"


@cache
def duplicate_weights() -> DuplicateWeights:
    """Return the weights that every governorate shares; raises `GovernorateDataError` where they are wrong."""
    return read_duplicate_weights(read_toml(HOME / DUPLICATES_FILE))


def read_duplicate_weights(table: Row) -> DuplicateWeights:
    """Check the table of duplicates.toml."""
    weights = DuplicateWeights(
        ask_from=int(table.number("ask_from", 1, 100)),
        likely_from=int(table.number("likely_from", 1, 100)),
        very_likely_from=int(table.number("very_likely_from", 1, 100)),
        block_limit=int(table.number("block_limit", 2, 1000)),
        close_name=table.number("close_name", 0.5, 1),
        points=_points(table),
        different_names=_different_names(table),
        version=hashlib.sha256(json.dumps(table.values, sort_keys=True).encode()).hexdigest()[:16],
    )
    if not weights.ask_from <= weights.likely_from <= weights.very_likely_from:
        raise table.error("ask_from, likely_from and very_likely_from must rise")
    return weights


def _points(table: Row) -> Mapping[str, Mapping[str, int]]:
    found = table.values.get("points")
    if not isinstance(found, dict) or set(found) != set(DUPLICATE_PARTS):
        raise table.error(f"[points] must have exactly {', '.join(DUPLICATE_PARTS)}")
    points = {}
    for part in DUPLICATE_PARTS:
        row = Row(table.file, f"[points] {part}", found[part])
        one = {level: int(row.number(level, -100, 100)) for level in DUPLICATE_LEVELS}
        if not one["same"] >= one["close"] >= one["different"]:
            raise row.error("same must not give less than close, nor close than different")
        points[part] = MappingProxyType(one)
    return MappingProxyType(points)


def _different_names(table: Row) -> frozenset[tuple[str, str]]:
    names = table.values.get("names")
    rows = names.get("different") if isinstance(names, dict) else None
    if not isinstance(rows, list):
        raise table.error("[names] different is missing")
    pairs: set[tuple[str, str]] = set()
    for row in rows:
        folded = [fold(str(name)).replace(" ", "") for name in row]
        if len(set(folded)) != len(folded):
            raise GovernorateDataError(table.file, "[names] different", "a row holds one name twice")
        for one, other in combinations(folded, 2):
            pairs |= {(one, other), (other, one)}
    return frozenset(pairs)
