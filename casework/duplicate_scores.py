"""How likely two cases are one household: pure, records in, points and their reasons out.

Every part is compared on its own (given, father's and grandfather's name, phone, birth year, sex, place,
household) and gives the points of `governorates/duplicates.toml`. Reasons are codes only. Nothing here decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rapidfuzz.distance import OSA, JaroWinkler

from casework.names import UNKNOWN_NAME, FoldedName
from governorates import DuplicateWeights

Level = Literal["same", "close", "different", "unknown"]

_SHORTEST_FUZZY = 4  # one letter makes another name of عمر or علي
_YEARS_SAME, _YEARS_CLOSE, _YEARS_CLOSE_ESTIMATED = 1, 3, 6  # ages are told in round figures
_MEMBERS_SAME, _MEMBERS_CLOSE = 0.6, 0.3
_SIZE_DIFFERENT = 3


@dataclass(frozen=True, slots=True)
class HouseholdMember:
    """Somebody listed in a household, the head included: given name and birth year."""

    given_name: FoldedName
    birth_year: int | None = None


@dataclass(frozen=True, slots=True)
class CaseTraits:
    """What of a case is compared; phones are folded (`casework.names.fold_phone`).

    `places` are P-codes from the place of residence upward to the district; None where a level is not known.
    """

    given_name: FoldedName = UNKNOWN_NAME
    father_name: FoldedName = UNKNOWN_NAME
    grandfather_name: FoldedName = UNKNOWN_NAME
    phones: frozenset[str] = field(default=frozenset(), repr=False)
    birth_year: int | None = None
    birth_year_estimated: bool = False
    sex: str | None = None
    places: tuple[str | None, str | None, str | None] = (None, None, None)
    household_size: int | None = None
    members: tuple[HouseholdMember, ...] = ()


@dataclass(frozen=True, slots=True)
class PartScore:
    """What one part says: how the two values compare and the points that gives."""

    part: str
    level: Level
    points: int


@dataclass(frozen=True, slots=True)
class DuplicateScore:
    """Points from 0 to 100, and the parts that make them up."""

    score: int
    parts: tuple[PartScore, ...]


def score_pair(one: CaseTraits, other: CaseTraits, weights: DuplicateWeights) -> DuplicateScore:
    """Weigh two cases against each other; the order does not matter."""
    levels: dict[str, Level] = {
        "given_name": compare_names(one.given_name, other.given_name, weights),
        "father_name": compare_names(one.father_name, other.father_name, weights),
        "grandfather_name": compare_names(one.grandfather_name, other.grandfather_name, weights),
        "phone": compare_phones(one.phones, other.phones),
        "birth_year": _compare_years(one, other),
        "sex": _equal(one.sex, other.sex),
        "place": compare_places(one.places, other.places),
        "household": compare_households(one, other, weights),
    }
    parts = tuple(
        PartScore(part, level, 0 if level == "unknown" else weights.points[part][level])
        for part, level in levels.items()
    )
    return DuplicateScore(max(0, min(100, sum(part.points for part in parts))), parts)


def compare_names(one: FoldedName, other: FoldedName, weights: DuplicateWeights) -> Level:
    """Compare one part of two names: equal letters, equal sounds or few slips, else different."""
    a, b = one.letters, other.letters
    if not a or not b:
        return "unknown"
    if a == b:
        return "same"
    if (a, b) in weights.different_names:
        return "different"
    if one.sounds == other.sounds:
        return "close"
    if min(len(a), len(b)) < _SHORTEST_FUZZY:
        return "different"
    alike = JaroWinkler.similarity(a, b, score_cutoff=weights.close_name)
    return "close" if alike >= weights.close_name else "different"


def compare_phones(one: frozenset[str], other: frozenset[str]) -> Level:
    """Compare the nearest two of the numbers: one digit wrong, missing or swapped is close."""
    if not one or not other:
        return "unknown"
    slips = min(OSA.distance(a, b, score_cutoff=1) for a in one for b in other)
    return "same" if slips == 0 else "close" if slips == 1 else "different"


def _compare_years(one: CaseTraits, other: CaseTraits) -> Level:
    if one.birth_year is None or other.birth_year is None:
        return "unknown"
    apart = abs(one.birth_year - other.birth_year)
    estimated = one.birth_year_estimated or other.birth_year_estimated
    if apart <= _YEARS_SAME:
        return "same"
    return "close" if apart <= (_YEARS_CLOSE_ESTIMATED if estimated else _YEARS_CLOSE) else "different"


def _equal(one: str | None, other: str | None) -> Level:
    if one is None or other is None:
        return "unknown"
    return "same" if one == other else "different"


def compare_places(one: Sequence[str | None], other: Sequence[str | None]) -> Level:
    """Compare place, sub-district, district: the same place, the same area, or another district."""
    if one[0] is not None and one[0] == other[0]:
        return "same"
    if any(a is not None and a == b for a, b in zip(one[1:], other[1:], strict=True)):
        return "close"
    return "unknown" if one[-1] is None or other[-1] is None else "different"


def compare_households(one: CaseTraits, other: CaseTraits, weights: DuplicateWeights) -> Level:
    """Compare the people listed, else the number of people."""
    if one.members and other.members:
        share = _shared(one.members, other.members, weights) / max(len(one.members), len(other.members))
        return "same" if share >= _MEMBERS_SAME else "close" if share >= _MEMBERS_CLOSE else "different"
    if one.household_size is None or other.household_size is None:
        return "unknown"
    apart = abs(one.household_size - other.household_size)
    return "close" if apart == 0 else "different" if apart >= _SIZE_DIFFERENT else "unknown"


def _shared(
    one: Sequence[HouseholdMember], other: Sequence[HouseholdMember], weights: DuplicateWeights
) -> int:
    """How many people of the one household have a counterpart of their own in the other."""
    left, found = list(other), 0
    for member in one:
        for at, candidate in enumerate(left):
            if _are_alike(member, candidate, weights):
                del left[at]
                found += 1
                break
    return found


def _are_alike(one: HouseholdMember, other: HouseholdMember, weights: DuplicateWeights) -> bool:
    a, b = one.birth_year, other.birth_year
    if a is not None and b is not None and abs(a - b) > _YEARS_CLOSE:
        return False
    return compare_names(one.given_name, other.given_name, weights) in {"same", "close"}
