"""Finding duplicates on an invented set: ``python -m benchmarks.duplicates``.

Prints precision and recall of our points at several thresholds. Peers of the same run: rapidfuzz's
`token_sort_ratio` on full names, as typed and folded, over the very same candidate pairs; and equality of the
three folded names over all cases. Peers know names only, so our points of the three names alone stand beside
them; these rows have the threshold that is best for them here, with hindsight. Seconds are processor time of
scoring. Points and thresholds were chosen on seed 1; the seed printed is another one. People and slips are
invented by the same hands as the folding: the figures compare ways, they do not promise what the field will give.
"""

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.fuzz import token_sort_ratio
from rich.console import Console
from rich.table import Table

from benchmarks.invented_people import Registration, make_registrations
from casework.duplicate_keys import KINDS, blocking_keys
from casework.duplicate_scores import CaseTraits, HouseholdMember, score_pair
from casework.names import FoldedName, fold_phone
from governorates import DuplicateWeights, duplicate_weights

YEAR = 2026
Pair = tuple[int, int]


@dataclass(frozen=True)
class Measured:
    """What one way found. `threshold` in its own measure; seconds of scoring."""

    way: str
    threshold: str
    found: int
    precision: float
    recall: float
    seconds: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def traits_of(case: Registration) -> CaseTraits:
    """Fold a registration as the system does."""
    phone = fold_phone(case.phone)
    return CaseTraits(
        given_name=FoldedName.of(case.given),
        father_name=FoldedName.of(case.father),
        grandfather_name=FoldedName.of(case.grandfather),
        phones=frozenset({phone} if phone else ()),
        birth_year=YEAR - case.age,
        sex=case.sex,
        places=case.place,
        household_size=case.size,
        members=tuple(HouseholdMember(FoldedName.of(name), YEAR - age) for name, age in case.members),
    )


def candidate_pairs(
    traits: Sequence[CaseTraits], limit: int, kinds: Sequence[str] = KINDS
) -> tuple[set[Pair], int]:
    """Pairs that share a block, at most the `limit` nearest in age for each case; and how many pairs blocks hold."""
    blocks: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, one in enumerate(traits):
        for key in blocking_keys(one):
            if key[0] in kinds:
                blocks[key].append(number)
    pairs: set[Pair] = set()
    uncut = 0
    for block in blocks.values():
        uncut += len(block) * (len(block) - 1) // 2
        for number in block:
            others = sorted(
                (other for other in block if other != number),
                key=lambda other: (abs(_year(traits[other]) - _year(traits[number])), other),
            )
            pairs |= {(min(number, other), max(number, other)) for other in others[:limit]}
    return pairs, uncut


def _year(one: CaseTraits) -> int:
    return one.birth_year or 0


def measure(way: str, threshold: str, found: set[Pair], truth: set[Pair], seconds: float) -> Measured:
    """Compare what was found with what is so."""
    right = len(found & truth)
    return Measured(way, threshold, len(found), right / max(len(found), 1), right / len(truth), seconds)


def best(way: str, scores: dict[Pair, float], truth: set[Pair], seconds: float) -> Measured:
    """The threshold from 1 to 100 at which this measure does best, with hindsight."""
    tried = [
        measure(way, str(at), {pair for pair, score in scores.items() if score >= at}, truth, seconds)
        for at in range(1, 101)
    ]
    return max(tried, key=lambda one: one.f1)


def run(
    households: int, seed: int, weights: DuplicateWeights
) -> tuple[list[Measured], list[Measured], dict[str, str]]:
    """Measure one invented set: our points at thresholds, the peers, and what blocking does."""
    rng = random.Random(seed)  # noqa: S311  an invented set, not a secret
    cases = make_registrations(rng, households)
    truth = _same_households(cases)
    traits = [traits_of(case) for case in cases]
    pairs, uncut = candidate_pairs(traits, weights.block_limit)
    start = time.process_time()
    points = {pair: score_pair(traits[pair[0]], traits[pair[1]], weights).score for pair in pairs}
    seconds = time.process_time() - start
    ours = [
        measure("ihala", str(at), {pair for pair, score in points.items() if score >= at}, truth, seconds)
        for at in sorted({30, 50, 90, weights.ask_from, weights.likely_from, weights.very_likely_from})
    ]
    typed = [" ".join((case.given, case.father, case.grandfather)).strip() for case in cases]
    folded = [" ".join(name for name in _letters(one) if name) for one in traits]
    peers = [
        _names_only(traits, pairs, truth, weights),
        _peer("token_sort_ratio, as typed", typed, pairs, truth),
        _peer("token_sort_ratio, folded", folded, pairs, truth),
        _exact(traits, truth),
    ]
    every = len(cases) * (len(cases) - 1) // 2
    figures = {
        "cases": str(len(cases)),
        "true pairs": str(len(truth)),
        "all pairs": str(every),
        "pairs compared": f"{len(pairs)} ({len(pairs) / every:.4%} of all; blocks hold {uncut})",
        "true pairs compared": f"{len(pairs & truth) / len(truth):.3f}",
    }
    for kind in KINDS:
        without, _ = candidate_pairs(traits, weights.block_limit, [one for one in KINDS if one != kind])
        figures[f"  without {kind}"] = f"{len(without & truth) / len(truth):.3f} ({len(without)} pairs)"
    return ours, peers, figures


def _same_households(cases: Sequence[Registration]) -> set[Pair]:
    seen: dict[int, int] = {}
    truth: set[Pair] = set()
    for number, case in enumerate(cases):
        if case.household in seen:
            truth.add((seen[case.household], number))
        seen.setdefault(case.household, number)
    return truth


def _names_only(
    traits: Sequence[CaseTraits], pairs: set[Pair], truth: set[Pair], weights: DuplicateWeights
) -> Measured:
    names = [CaseTraits(one.given_name, one.father_name, one.grandfather_name) for one in traits]
    start = time.process_time()
    scores: dict[Pair, float] = {
        pair: score_pair(names[pair[0]], names[pair[1]], weights).score for pair in pairs
    }
    return best("ihala, names only", scores, truth, time.process_time() - start)


def _peer(way: str, names: Sequence[str], pairs: set[Pair], truth: set[Pair]) -> Measured:
    start = time.process_time()
    scores = {pair: token_sort_ratio(names[pair[0]], names[pair[1]]) for pair in pairs}
    return best(way, scores, truth, time.process_time() - start)


def _letters(one: CaseTraits) -> tuple[str, str, str]:
    return one.given_name.letters, one.father_name.letters, one.grandfather_name.letters


def _exact(traits: Sequence[CaseTraits], truth: set[Pair]) -> Measured:
    start = time.process_time()
    blocks: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for number, one in enumerate(traits):
        blocks[_letters(one)].append(number)
    found = {(a, b) for block in blocks.values() for a in block for b in block if a < b}
    return measure("equal folded names", "-", found, truth, time.process_time() - start)


def show(
    ours: Sequence[Measured],
    peers: Sequence[Measured],
    figures: dict[str, str],
    title: str,
    weights: DuplicateWeights,
) -> None:
    """Print the figures; ratios in brackets are to our row at the threshold in use (marked)."""
    table = Table(title=title)
    for column in ("way", "threshold", "pairs shown", "precision", "recall", "F1", "seconds"):
        table.add_column(column, justify="left" if column == "way" else "right")
    used = next(row for row in ours if row.threshold == str(weights.ask_from))
    for row in [*ours, *peers]:
        table.add_row(
            f"{row.way} (in use)" if row is used else row.way,
            row.threshold,
            str(row.found),
            f"{row.precision:.3f} ({row.precision / used.precision:.2f})",
            f"{row.recall:.3f} ({row.recall / used.recall:.2f})",
            f"{row.f1:.3f} ({row.f1 / used.f1:.2f})",
            f"{row.seconds:.3f} ({row.seconds / used.seconds:.2f})",
        )
    console = Console(width=130)
    console.print(table)
    for name, value in figures.items():
        console.print(f"{name:24}{value}", highlight=False)


def main() -> None:
    """Read sizes and seed from the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=15)
    asked = parser.parse_args()
    weights = duplicate_weights()
    ours, peers, figures = run(asked.households, asked.seed, weights)
    show(ours, peers, figures, f"Duplicates among {figures['cases']} cases, seed {asked.seed}", weights)


if __name__ == "__main__":
    main()
