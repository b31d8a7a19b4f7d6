"""The matching of all open needs at once: `match`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from referral_engine import digests
from referral_engine.assignment import UNASSIGNED, assign
from referral_engine.blocks import Block, Limits, blocks
from referral_engine.eligibility import CompiledRules, Rule, compile_rules
from referral_engine.explain import CANDIDATE_COLUMNS, candidate_rows
from referral_engine.frames import check_needs, check_offers
from referral_engine.travel import Travel
from referral_engine.unmet import unmet_rows

ENGINE_VERSION = "1.2"
"""Changes whenever the same inputs could give another result."""

Decided = list[tuple[Block, NDArray[np.intp]]]
"""Blocks with the position of the offer given to each need, `UNASSIGNED` for none."""


@dataclass(frozen=True, slots=True)
class MatchResult:
    """What one run decided and why.

    ``candidates``: a row a pair, columns `CANDIDATE_COLUMNS`, sorted by need, options first by rank, then
    exclusions by minutes (NaN where there is no way). ``assigned``: need_id -> service_at_location_id.
    ``unmet``: index need_id, columns reason and details. Every need is in exactly one of the two.
    ``digest`` is that of all ``digests`` (needs, offers, rules, settings, travel), which tell a replay what
    has changed.
    """

    candidates: pd.DataFrame
    assigned: "pd.Series[int]"
    unmet: pd.DataFrame
    engine_version: str
    digest: str
    digests: Mapping[str, str]


def match(
    needs: pd.DataFrame,
    offers: pd.DataFrame,
    rules: Iterable[Rule],
    travel: Travel,
    *,
    floor_minutes_per_km: float,
    seed: int,
    options: int = 5,
    exclusions: int = 40,
    governorate: str | None = None,
) -> MatchResult:
    """Match every need to at most one offer within the offers' free slots.

    ``needs`` and ``offers``: frames as in `NEEDS_COLUMNS` and `OFFERS_COLUMNS`, in any row order.
    ``travel``: minutes of (k, 2) origins to (k, 2) destinations, none quicker than ``floor_minutes_per_km``
    times the straight line. ``seed`` settles what all goals leave equal. ``options``: how many are listed a
    need, the nearest suitable first. ``exclusions``: for how many of the nearest offers of the type the
    exclusion is recorded. ``governorate``: P-code of the governorate served, which tells "outside the
    governorate" from "outside the area".

    The same inputs give the same result bit for bit. Raises `FrameError`, `TravelError`, or ValueError for
    a bad setting.
    """
    if options < 1 or exclusions < 0 or not floor_minutes_per_km >= 0:
        raise ValueError("options must be at least 1, exclusions and floor_minutes_per_km at least 0")
    settings = {
        "engine_version": ENGINE_VERSION,
        "floor_minutes_per_km": float(floor_minutes_per_km),
        "seed": seed,
        "options": options,
        "exclusions": exclusions,
        "governorate": governorate,
    }
    rules = tuple(rules)
    needs, offers = check_needs(needs), check_offers(offers)
    compiled = compile_rules(rules, needs)
    decided = [
        (block, assign(block, seed))
        for block in blocks(
            needs,
            offers,
            compiled,
            travel=travel,
            floor_minutes_per_km=floor_minutes_per_km,
            limits=Limits(options, exclusions),
        )
    ]
    parts = {
        "needs": digests.digest_frame(needs),
        "offers": digests.digest_frame(offers),
        "rules": digests.digest_rules(rules),
        "settings": digests.digest_settings(settings),
        "travel": digests.digest_travel(block.table for block, _ in decided),
    }
    return MatchResult(
        _candidates(decided, compiled),
        _assigned(decided),
        _unmet(decided, compiled, governorate),
        ENGINE_VERSION,
        digests.digest_all(parts),
        parts,
    )


def _candidates(decided: Decided, rules: CompiledRules) -> pd.DataFrame:
    filled = [rows for block, given in decided if len(rows := candidate_rows(block, given, rules))]
    if not filled:
        return pd.DataFrame(columns=list(CANDIDATE_COLUMNS))
    whole = pd.concat(filled, ignore_index=True)
    keys = ("service_at_location_id", "minutes", "rank", "need_id")
    by_offer, by_minutes, by_rank, by_need = (whole[key].to_numpy() for key in keys)
    excluded = (whole["status"] == "excluded").to_numpy()
    order = np.lexsort((by_offer, by_minutes, by_rank, excluded, by_need))
    return whole.iloc[order].reset_index(drop=True)


def _assigned(decided: Decided) -> "pd.Series[int]":
    pairs: list[tuple[int, int]] = []
    for block, given in decided:
        served = given != UNASSIGNED
        needs, offers = block.needs.index.to_numpy()[served], block.offers.index.to_numpy()[given[served]]
        pairs += zip(needs.tolist(), offers.tolist(), strict=True)
    table = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return pd.Series(table[:, 1], index=pd.Index(table[:, 0], name="need_id"), name="service_at_location_id")


def _unmet(decided: Decided, rules: CompiledRules, governorate: str | None) -> pd.DataFrame:
    rows = [
        row for block, given in decided for row in unmet_rows(block, given == UNASSIGNED, rules, governorate)
    ]
    rows.sort(key=lambda row: row[0])
    index = pd.Index(np.array([row[0] for row in rows], dtype=np.int64), name="need_id")
    reason = pd.Series([row[1] for row in rows], index=index, dtype=object)
    details = pd.Series([row[2] for row in rows], index=index, dtype=object)
    return pd.DataFrame({"reason": reason, "details": details}, index=index)
