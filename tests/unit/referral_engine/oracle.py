"""The hard conditions said again, one pair at a time in plain Python, to compare the arrays with."""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from referral_engine.eligibility import Rule
from tests.unit.referral_engine.worlds import CrookedTravel, World


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def rule_verdict(rule: Rule, need: Any) -> int:
    """1, 0 or -1 for one rule and one need."""
    value = need[rule.attribute]
    if _is_missing(value):
        return 0
    low, high = rule.values if rule.operator == "between" else (None, None)
    met = {
        "between": lambda: (low is None or value >= low) and (high is None or value <= high),
        "in": lambda: value in rule.values,
        "not_in": lambda: value not in rule.values,
        "has_all": lambda: all(code in value for code in rule.values),
        "has_any": lambda: any(code in value for code in rule.values),
        "is_true": lambda: value is True or value is np.True_,
        "is_false": lambda: value is False or value is np.False_,
    }[rule.operator]()
    return 1 if met else -1


def verdict(world: World, need: Any, offer: Any) -> int:
    """1, 0 or -1 for one need and one offer."""
    verdicts = [rule_verdict(rule, need) for rule in world.rules if rule.service_id == offer["service_id"]]
    return min(verdicts, default=1)


def minutes(travel: CrookedTravel, need: Any, offer: Any) -> float:
    """Minutes of one pair."""
    pair = [np.array([[row["longitude"], row["latitude"]]]) for row in (need, offer)]
    return float(travel(*pair).minutes[0])


def blockers(world: World, need: Any, offer: Any) -> set[str]:
    """Codes of all that stands between one need and one offer of its service type."""
    kind = offer["organization_kind"]
    home, theirs = need["subdistrict"], offer["subdistrict"]
    other = need["other_subdistrict"]
    levels = {need["governorate"], need["district"], need["subdistrict"]}
    found = {
        "consent_open_exclusion": need["exclusion_open"],
        "consent_category": offer["category"] not in need["consent_categories"],
        "consent_moi": kind == "moi_office" and kind not in need["consent_kinds"],
        "consent_kind": kind != "moi_office" and kind not in need["consent_kinds"],
        "excluded_organization": offer["organization_id"] in need["excluded_organizations"],
        "own_subdistrict": need["exclude_own_subdistrict"]
        and (_is_missing(home) or other == "unknown" or theirs in {home, other}),
        "area": bool(offer["area"]) and not levels & set(offer["area"]),
        "not_eligible": verdict(world, need, offer) == -1,
        "declined_before": offer.name in need["declined"],
        "capacity_stale": offer["freshness"] == "hidden",
        "no_capacity_reported": offer["capacity_status"] == "no_capacity",
        "no_slot": offer["free_slots"] <= 0 and offer["capacity_status"] != "waitlist",
    }
    if math.isnan(need["longitude"]):
        found["unreachable"] = True
    else:
        journey = minutes(world.travel, need, offer)
        found["unreachable"] = math.isinf(journey)
        found["too_far"] = not math.isinf(journey) and journey > offer["max_minutes"]
    return {code for code, holds in found.items() if holds}


def open_pairs(world: World, service_type: str) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Needs, offers and bool (needs, offers) of one service type."""
    needs = world.needs[world.needs["service_type"] == service_type]
    offers = world.offers[world.offers["service_type"] == service_type]
    table = [
        [not blockers(world, need, offer) for _, offer in offers.iterrows()] for _, need in needs.iterrows()
    ]
    return needs, offers, np.array(table, dtype=bool).reshape(len(needs), len(offers))


def assignable_pairs(world: World, service_type: str) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """The open pairs that a run may use by itself: not those of a waiting list."""
    needs, offers, usable = open_pairs(world, service_type)
    return needs, offers, usable & (offers["capacity_status"] != "waitlist").to_numpy(dtype=bool)[None, :]


def standing(offer: Any) -> int:
    """What stands before the minutes: waiting lists come last, and of each kind the stale after the fresh."""
    return (offer["freshness"] == "stale") + 2 * (offer["capacity_status"] == "waitlist")


def most_served(usable: np.ndarray, slots: np.ndarray) -> int:
    """Largest number of needs that can be served at once (scipy's bipartite matching on slots)."""
    places = np.repeat(np.arange(len(slots)), slots)
    if not places.size or not len(usable):
        return 0
    matched = maximum_bipartite_matching(csr_matrix(usable[:, places].astype(int)), perm_type="column")
    return int((matched >= 0).sum())


def least_cost(cost: np.ndarray, usable: np.ndarray, slots: np.ndarray, unserved: int) -> int:
    """Least total cost by scipy's assignment on slots; exact while the sums stay below 2**53."""
    places = np.repeat(np.arange(len(slots)), slots)
    wide = np.where(usable, cost, 4 * unserved)[:, places]
    square = np.hstack([wide, np.full((len(cost), len(cost)), unserved)]).astype(float)
    rows, columns = linear_sum_assignment(square)
    return int(square[rows, columns].sum())
