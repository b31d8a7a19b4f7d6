"""One batch matched three ways on the same invented Nineveh: ``python -m benchmarks.engine``.

Peers, given the very same open pairs and minutes: (a) nearest first come, where needs in order of urgency and
wait take the nearest open offer that has a slot; (b) one cost matrix of needs x slots a tier, solved by
`scipy.optimize.linear_sum_assignment`. Seconds of the peers include the masks and the travel, but no reasons
and no digests; those of the engine include everything.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from referral_engine import Rule, check_needs, check_offers, match
from referral_engine.assignment import burden
from referral_engine.blocks import Block, Limits, blocks
from referral_engine.eligibility import compile_rules
from referral_engine.frames import URGENCIES
from referral_engine.travel import Floats, chord_km, unit_sphere

FLOOR = 1.8  # minutes a kilometre: detour 1.35 at 45 km/h
NOW = pd.Timestamp("2026-11-01T08:00:00Z")

# Towns of Nineveh as public facts: longitude, latitude, district; Mosul weighs as much as all the others.
TOWNS = (
    (43.130, 36.340, "mosul"),
    (42.450, 36.376, "telafar"),
    (41.876, 36.321, "sinjar"),
    (43.378, 36.270, "hamdaniya"),
    (43.100, 36.495, "telkaif"),
    (43.350, 36.690, "shikhan"),
    (41.680, 36.040, "baaj"),
    (42.720, 35.580, "hatra"),
    (43.290, 35.930, "makhmur"),
)
WEIGHTS = np.array([8.0] + [1.0] * (len(TOWNS) - 1)) / (8 + len(TOWNS) - 1)
TYPES = 28


@dataclass(frozen=True)
class Answer:
    """Travel of k pairs."""

    minutes: Floats
    km: Floats
    river_considered: np.ndarray[tuple[int], np.dtype[np.bool_]]


def travel(origins: Floats, destinations: Floats) -> Answer:
    """Give great circle x detour at one speed, with no river."""
    km = 1.35 * chord_km(np.linalg.norm(unit_sphere(origins) - unit_sphere(destinations), axis=1))
    return Answer(km / 45 * 60, km, np.zeros(len(km), dtype=bool))


def _points(rng: np.random.Generator, count: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    town = rng.choice(len(TOWNS), size=count, p=WEIGHTS)
    centre = np.array([place[:2] for place in TOWNS])[town]
    return centre + rng.normal(0, spread, size=(count, 2)), town


def make_needs(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Make ``count`` needs spread over the towns."""
    points, town = _points(rng, count, 0.03)
    service = rng.integers(0, TYPES, count)
    return pd.DataFrame(
        {
            "case_id": np.arange(count),
            "service_type": [f"type_{number}" for number in service],
            "category": [f"category_{number // 3}" for number in service],
            "urgency": rng.choice(URGENCIES, size=count, p=[0.1, 0.3, 0.6]),
            "waiting_since": NOW - pd.to_timedelta(rng.integers(0, 2000, count), unit="h"),
            "longitude": points[:, 0],
            "latitude": points[:, 1],
            "radius_km": rng.choice([0.0, 1.0, 3.0], count),
            "governorate": "IQG15",
            "district": [TOWNS[place][2] for place in town],
            "subdistrict": [f"{TOWNS[place][2]}-1" for place in town],
            "age": np.where(rng.random(count) < 0.05, np.nan, rng.integers(1, 85, count)),
            "sex": rng.choice(["female", "male"], count),
            "displacement_status": rng.choice(["returned_idp", "returned_from_abroad"], count),
            "months_since_return": rng.integers(0, 60, count).astype(float),
            "household_size": rng.integers(1, 12, count).astype(float),
            "female_headed": rng.random(count) < 0.2,
            "disability": pd.Series(
                rng.choice(np.array([True, False, None], dtype=object), count), dtype=object
            ),
            "housing_damage": rng.choice(["none", "minor", "major"], count),
            "tenure": rng.choice(["owner", "tenant", "camp"], count),
            "education_level": rng.choice(["none", "primary", "secondary"], count),
            "work_status": rng.choice(["unemployed", "daily_labour"], count),
            "documents": [
                (("civil_id",), (), None)[pick] for pick in rng.choice(3, count, p=[0.8, 0.1, 0.1])
            ],
            "languages": [(("ar",), ("ckb",), ("kmr",))[pick] for pick in rng.integers(0, 3, count)],
            "consent_categories": [tuple(f"category_{number}" for number in range(10))] * count,
            "consent_kinds": [
                (("local_cso", "national_ngo", "state_programme"), ("local_cso",))[pick]
                for pick in rng.choice(2, count, p=[0.9, 0.1])
            ],
            "excluded_organizations": [()] * count,
            "exclude_own_subdistrict": rng.random(count) < 0.05,
            "other_subdistrict": [None] * count,
            "exclusion_open": rng.random(count) < 0.01,
            "declined": [()] * count,
        },
        index=pd.RangeIndex(1, count + 1, name="need_id"),
    )


def make_offers(rng: np.random.Generator, count: int, slots: int) -> pd.DataFrame:
    """Make ``count`` offers of all types with ``slots`` slots between them."""
    points, town = _points(rng, count, 0.02)
    service = np.arange(count) % TYPES
    return pd.DataFrame(
        {
            "service_id": np.arange(count),
            "organization_id": rng.integers(0, max(count // 4, 1), count),
            "organization_kind": rng.choice(["local_cso", "national_ngo", "state_programme"], count),
            "category": [f"category_{number // 3}" for number in service],
            "service_type": [f"type_{number}" for number in service],
            "longitude": points[:, 0],
            "latitude": points[:, 1],
            "subdistrict": [f"{TOWNS[place][2]}-1" for place in town],
            "area": [
                ("IQG15",) if wide else (TOWNS[place][2],)
                for place, wide in zip(town, rng.random(count) < 0.6, strict=True)
            ],
            "free_slots": rng.multinomial(slots, np.full(count, 1 / count)),
            "capacity_status": "has_capacity",
            "freshness": "fresh",
            "max_minutes": rng.choice([60.0, 120.0, 180.0], count),
            "languages": [("ar",)] * count,
        },
        index=pd.RangeIndex(10_001, 10_001 + count, name="service_at_location_id"),
    )


def make_rules(rng: np.random.Generator, offers: int) -> list[Rule]:
    """Make about one rule a service, of three kinds."""
    shapes = (
        ("age", "between", (15, 60)),
        ("documents", "has_any", ("civil_id",)),
        ("disability", "is_true", ()),
        ("sex", "in", ("female",)),
    )
    picks = rng.choice(len(shapes) + 2, offers)
    return [Rule(service, service, *shapes[pick]) for service, pick in enumerate(picks) if pick < len(shapes)]


Decide = Callable[[Block], np.ndarray[tuple[int], np.dtype[np.intp]]]


def nearest_first_come(block: Block) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Give each need, by urgency and wait, the nearest open offer that still has a slot."""
    given = np.full(len(block.needs), -1)
    slots = block.offers["free_slots"].to_numpy().copy()
    minutes = np.where(block.open, block.table.minutes, np.inf)
    tier = block.needs["urgency"].map(URGENCIES.index).to_numpy()
    for need in np.lexsort((block.needs["waiting_since"].astype("int64").to_numpy(), tier)):
        left = np.where(slots > 0, minutes[need], np.inf)
        if np.isfinite(left).any():
            given[need] = left.argmin()
            slots[given[need]] -= 1
    return given


def whole_matrix(block: Block) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Solve needs x slots of each tier as one dense assignment: most served, eligible first, least burden."""
    given = np.full(len(block.needs), -1)
    slots = np.maximum(block.offers["free_slots"].to_numpy(), 0)
    for tier in URGENCIES:
        rows = np.flatnonzero(block.needs["urgency"].to_numpy() == tier)
        places = np.repeat(np.arange(len(slots)), slots)
        usable = block.open[rows]
        load = burden(np.where(usable, block.table.minutes[rows], 0)).astype(float)
        weight = len(rows) * (load.max(initial=0) + 1)
        unserved = len(rows) * (2 * weight)
        cost = np.where(usable, load + weight * (block.verdicts[rows] == 0), 4 * unserved)[:, places]
        at, column = linear_sum_assignment(np.hstack([cost, np.full((len(rows), len(rows)), unserved)]))
        taken = column < len(places)
        given[rows[at[taken]]] = places[column[taken]]
        slots = slots - np.bincount(given[rows][given[rows] >= 0], minlength=len(slots))
    return given


@dataclass(frozen=True)
class Measured:
    """What one way of matching gave."""

    name: str
    served: int
    by_tier: tuple[int, ...]
    p50: float
    p90: float
    seconds: float


def _measure_peer(name: str, decide: Decide, make_blocks: Callable[[], list[Block]]) -> Measured:
    start = time.perf_counter()
    decided = [(block, decide(block)) for block in make_blocks()]
    seconds = time.perf_counter() - start
    minutes = np.concatenate([b.table.minutes[np.flatnonzero(g >= 0), g[g >= 0]] for b, g in decided])
    urgency = np.concatenate([b.needs["urgency"].to_numpy(dtype=object)[g >= 0] for b, g in decided])
    return _measured(name, minutes, urgency, seconds)


def _measured(name: str, minutes: Floats, urgency: np.ndarray, seconds: float) -> Measured:  # type: ignore[type-arg]
    by_tier = tuple(int((urgency == tier).sum()) for tier in URGENCIES)
    p50, p90 = np.percentile(minutes, [50, 90]) if len(minutes) else (0.0, 0.0)
    return Measured(name, len(minutes), by_tier, float(p50), float(p90), seconds)


def run(needs: int, offers: int, share: float, seed: int) -> list[Measured]:
    """Match one invented batch three ways; ``share`` is slots over needs."""
    rng = np.random.default_rng(seed)
    need_frame, offer_frame = make_needs(rng, needs), make_offers(rng, offers, round(needs * share))
    rules = make_rules(rng, offers)
    start = time.perf_counter()
    result = match(need_frame, offer_frame, rules, travel, floor_minutes_per_km=FLOOR, seed=seed)
    seconds = time.perf_counter() - start
    chosen = result.candidates[result.candidates["assigned"]]
    urgency = need_frame.loc[chosen["need_id"], "urgency"].to_numpy(dtype=object)

    def make_blocks() -> list[Block]:
        checked = check_needs(need_frame)
        compiled = compile_rules(rules, checked)
        return list(
            blocks(
                checked,
                check_offers(offer_frame),
                compiled,
                travel=travel,
                floor_minutes_per_km=FLOOR,
                limits=Limits(options=5, exclusions=40),
            )
        )

    return [
        _measured("referral_engine.match", chosen["minutes"].to_numpy(), urgency, seconds),
        _measure_peer("nearest first come", nearest_first_come, make_blocks),
        _measure_peer("whole cost matrix (scipy)", whole_matrix, make_blocks),
    ]


def show(rows: list[Measured], title: str) -> None:
    """Print figures, and in brackets the ratio of each peer to the engine."""
    table = Table(title=title)
    for column in ("way", "served", *URGENCIES, "minutes p50", "minutes p90", "seconds"):
        table.add_column(column, justify="left" if column == "way" else "right")
    ours = rows[0]
    for row in rows:
        table.add_row(
            row.name,
            f"{row.served} ({row.served / max(ours.served, 1):.3f})",
            *(str(count) for count in row.by_tier),
            f"{row.p50:.1f} ({row.p50 / max(ours.p50, 1e-9):.2f})",
            f"{row.p90:.1f} ({row.p90 / max(ours.p90, 1e-9):.2f})",
            f"{row.seconds:.2f} ({row.seconds / ours.seconds:.2f})",
        )
    Console(width=150).print(table)


def main() -> None:
    """Read the sizes from the command line and print a table for each share of slots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--needs", type=int, default=3000)
    parser.add_argument("--offers", type=int, default=400)
    parser.add_argument("--slots", type=float, nargs="+", default=[0.9, 1.15, 1.5], help="slots over needs")
    parser.add_argument("--seed", type=int, default=15)
    asked = parser.parse_args()
    run(50, 30, 1.0, asked.seed)  # first calls load libraries; not measured
    for share in asked.slots:
        rows = run(asked.needs, asked.offers, share, asked.seed)
        show(
            rows,
            f"{asked.needs} needs x {asked.offers} offers, slots {share:.0%} of needs, seed {asked.seed}",
        )


if __name__ == "__main__":
    main()
