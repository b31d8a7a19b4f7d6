"""Small invented worlds: needs and offers around one town, and a travel model with a known floor."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from referral_engine.capacity_states import CAPACITY_STATES, FRESHNESS
from referral_engine.eligibility import Rule
from referral_engine.travel import chord_km, unit_sphere

FLOOR = 1.0
NOW = pd.Timestamp("2026-11-01T08:00:00Z")
SUBDISTRICTS = ("IQG15Q01N01", "IQG15Q01N02", "IQG15Q02N01")
KINDS = ("state_programme", "local_cso", "national_ngo", "moi_office")
TYPES = {"shelter_repair": "housing", "counselling": "mhpss"}


@dataclass(frozen=True)
class Answer:
    """What a travel model gives back."""

    minutes: np.ndarray
    km: np.ndarray
    river_considered: np.ndarray


class CrookedTravel:
    """Straight line x floor x a factor from 1 to 4 that depends on the pair only; some pairs have no way."""

    def __init__(self, seed: int, blocked: float = 0.0, rounding: int | None = None) -> None:
        self.seed = seed
        self.blocked = blocked
        self.rounding = rounding
        self.asked = 0

    def __call__(self, origins: np.ndarray, destinations: np.ndarray) -> Answer:
        """Answer k pairs."""
        self.asked += len(origins)
        km = straight_km(origins, destinations)
        mixed = self._scatter(origins, destinations, 0)
        minutes = km * FLOOR * (1 + 3 * mixed)
        if self.rounding is not None:
            minutes = np.round(minutes, self.rounding)
        no_way = self._scatter(origins, destinations, 1) < self.blocked
        return Answer(np.where(no_way, np.inf, minutes), km, mixed > 0.5)

    def _scatter(self, origins: np.ndarray, destinations: np.ndarray, salt: int) -> np.ndarray:
        """Give a number from 0 to 1 a pair, in whole numbers, so that it is the same alone and in a batch."""
        whole = np.rint(np.column_stack([origins, destinations]) * 1e5).astype(np.int64)
        mixed = np.full(len(whole), self.seed * 7 + salt, dtype=np.int64)
        for column in whole.T:
            mixed = (mixed * 1_000_003 + column * 7_919) % 2_147_483_647
        return (mixed % 10_007) / 10_006


def straight_km(origins: np.ndarray, destinations: np.ndarray) -> np.ndarray:
    """Great-circle kilometres of k pairs."""
    return chord_km(np.linalg.norm(unit_sphere(origins) - unit_sphere(destinations), axis=1))


def need(**changes: Any) -> dict[str, Any]:
    """One need that nothing stands in the way of, with changes."""
    return {
        "case_id": 1,
        "service_type": "shelter_repair",
        "category": "housing",
        "urgency": "normal",
        "waiting_since": NOW,
        "longitude": 43.13,
        "latitude": 36.34,
        "radius_km": 0.0,
        "governorate": "IQG15",
        "district": "IQG15Q01",
        "subdistrict": "IQG15Q01N01",
        "other_subdistrict": None,
        "age": 34.0,
        "sex": "female",
        "displacement_status": "returned_idp",
        "months_since_return": 5.0,
        "household_size": 6.0,
        "female_headed": True,
        "disability": None,
        "housing_damage": "major",
        "tenure": "owner",
        "education_level": "primary",
        "work_status": "unemployed",
        "documents": ("civil_id",),
        "languages": ("ar",),
        "consent_categories": ("housing", "mhpss"),
        "consent_kinds": KINDS,
        "excluded_organizations": (),
        "exclude_own_subdistrict": False,
        "exclusion_open": False,
        "declined": (),
    } | changes


def offer(**changes: Any) -> dict[str, Any]:
    """One offer open to everybody, with changes."""
    return {
        "service_id": 1,
        "organization_id": 1,
        "organization_kind": "local_cso",
        "category": "housing",
        "service_type": "shelter_repair",
        "longitude": 43.15,
        "latitude": 36.35,
        "subdistrict": "IQG15Q01N01",
        "area": ("IQG15",),
        "free_slots": 5,
        "capacity_status": "has_capacity",
        "freshness": "fresh",
        "max_minutes": 120.0,
        "languages": ("ar",),
    } | changes


def needs_frame(rows: list[dict[str, Any]], first_id: int = 1) -> pd.DataFrame:
    """Make a needs frame with ids from ``first_id``."""
    return pd.DataFrame(rows, index=pd.RangeIndex(first_id, first_id + len(rows)), columns=list(need()))


def offers_frame(rows: list[dict[str, Any]], first_id: int = 101) -> pd.DataFrame:
    """Make an offers frame with ids from ``first_id``."""
    return pd.DataFrame(rows, index=pd.RangeIndex(first_id, first_id + len(rows)), columns=list(offer()))


@dataclass(frozen=True)
class World:
    """Inputs of one match."""

    needs: pd.DataFrame
    offers: pd.DataFrame
    rules: tuple[Rule, ...]
    travel: CrookedTravel


def random_world(
    seed: int, needs: int = 30, offers: int = 8, *, slots: int = 4, spread: float = 0.2
) -> World:
    """Make a world with every kind of obstacle in it, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    return World(
        needs_frame([_random_need(rng, spread) for _ in range(needs)]),
        offers_frame([_random_offer(rng, place, slots, spread) for place in range(offers)]),
        _rules(rng, offers),
        CrookedTravel(seed, blocked=0.05),
    )


def _random_need(rng: np.random.Generator, spread: float) -> dict[str, Any]:
    service_type = str(rng.choice(list(TYPES)))
    subdistrict = str(rng.choice(SUBDISTRICTS))
    known = rng.random() > 0.05
    return need(
        service_type=service_type,
        category=TYPES[service_type],
        urgency=str(rng.choice(["emergency", "urgent", "normal"])),
        waiting_since=NOW - pd.Timedelta(days=int(rng.integers(0, 6))),
        longitude=43.13 + rng.normal(0, spread) if known else np.nan,
        latitude=36.34 + rng.normal(0, spread) if known else np.nan,
        radius_km=float(rng.choice([0.0, 1.5])),
        subdistrict=subdistrict if rng.random() > 0.1 else None,
        district=subdistrict[:8],
        age=float(rng.integers(1, 90)) if rng.random() > 0.2 else np.nan,
        disability=[True, False, None][int(rng.integers(3))],
        documents=[("civil_id",), (), None, ("civil_id", "property_deed")][int(rng.integers(4))],
        languages=[("ar",), ("ckb",), ()][int(rng.integers(3))],
        consent_categories=[("housing", "mhpss"), ("housing",)][int(rng.random() < 0.1)],
        consent_kinds=[KINDS, KINDS[:3], KINDS[:1]][int(rng.choice(3, p=[0.6, 0.3, 0.1]))],
        excluded_organizations=[(), (2,)][int(rng.random() < 0.2)],
        exclude_own_subdistrict=bool(rng.random() < 0.15),
        other_subdistrict=[None, "IQG15Q01N02", "unknown"][int(rng.choice(3, p=[0.8, 0.15, 0.05]))],
        exclusion_open=bool(rng.random() < 0.05),
        declined=[(), (101, 103)][int(rng.random() < 0.2)],
    )


def _random_offer(rng: np.random.Generator, place: int, slots: int, spread: float) -> dict[str, Any]:
    service_type = list(TYPES)[place % 2]
    return offer(
        service_id=place + 1,
        organization_id=place % 3 + 1,
        organization_kind=str(rng.choice(KINDS)),
        category=TYPES[service_type],
        service_type=service_type,
        longitude=43.13 + rng.normal(0, spread),
        latitude=36.34 + rng.normal(0, spread),
        subdistrict=str(rng.choice(SUBDISTRICTS)),
        area=[("IQG15",), ("IQG15Q01",), ("IQG15Q02N01",), ()][int(rng.choice(4, p=[0.5, 0.2, 0.1, 0.2]))],
        free_slots=int(rng.integers(0, slots + 1)),
        capacity_status=str(rng.choice(CAPACITY_STATES, p=[0.55, 0.1, 0.15, 0.2])),
        freshness=str(rng.choice(FRESHNESS, p=[0.6, 0.3, 0.1])),
        max_minutes=float(rng.choice([45.0, 120.0, 240.0])),
        languages=[("ar",), ("ckb", "ar"), ()][int(rng.integers(3))],
    )


def _rules(rng: np.random.Generator, offers: int) -> tuple[Rule, ...]:
    shapes = (
        ("age", "between", (15, 60)),
        ("documents", "has_all", ("civil_id",)),
        ("disability", "is_true", ()),
        ("subdistrict", "not_in", (SUBDISTRICTS[2],)),
    )
    return tuple(
        Rule(10 * service + number, service, *shape)
        for service in range(1, offers + 1)
        for number, shape in enumerate(shapes)
        if rng.random() < 0.25
    )
