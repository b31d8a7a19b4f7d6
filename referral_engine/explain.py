"""Rows of the result: each option and each exclusion of a need, with its reasons as data."""

import math
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from referral_engine.assignment import burden
from referral_engine.blocks import Block
from referral_engine.eligibility import ELIGIBLE, NOT_ELIGIBLE, UNKNOWN, CompiledRules
from referral_engine.reasons import Exclusion, Reason

Places = NDArray[np.intp]

CANDIDATE_COLUMNS = (
    "need_id",
    "service_at_location_id",
    "status",
    "rank",
    "minutes",
    "km",
    "river_considered",
    "eligibility",
    "assigned",
    "reasons",
)


def candidate_rows(block: Block, given: Places, rules: CompiledRules) -> pd.DataFrame:
    """Give the options of one block (the assigned one among them at any rank) and its recorded exclusions."""
    needs, offers, rank = _options(block, given)
    assigned = given[needs] == offers
    option = _frame(block, needs, offers, "option")
    option["rank"], option["assigned"] = rank, assigned
    said = _Reasons(block, rules)
    pairs = zip(needs.tolist(), offers.tolist(), rank.tolist(), assigned.tolist(), strict=True)
    option["reasons"] = pd.Series([said.of_option(*pair) for pair in pairs], dtype=object)
    needs, offers = np.nonzero(block.recorded & ~block.open)
    excluded = _frame(block, needs, offers, "excluded")
    excluded["rank"], excluded["assigned"] = 0, False
    closed = zip(needs.tolist(), offers.tolist(), strict=True)
    excluded["reasons"] = pd.Series([said.of_exclusion(*pair) for pair in closed], dtype=object)
    return pd.concat([option, excluded], ignore_index=True)[list(CANDIDATE_COLUMNS)]


def _options(block: Block, given: Places) -> tuple[Places, Places, Places]:
    """Add to the nearest options those assigned pairs that lie beyond them, with their true rank."""
    nearest = block.nearest
    listed = np.zeros(block.bits.shape, dtype=bool)
    listed[nearest.needs, nearest.offers] = True
    served = np.flatnonzero(given >= 0)
    beyond = served[~listed[served, given[served]]]
    minutes = np.where(block.open[beyond], block.table.minutes[beyond], np.inf)
    own = minutes[np.arange(len(beyond)), given[beyond]][:, None]
    before = (minutes < own) | ((minutes == own) & (np.arange(minutes.shape[1]) < given[beyond][:, None]))
    needs = np.concatenate([nearest.needs, beyond])
    offers = np.concatenate([nearest.offers, given[beyond]])
    rank = np.concatenate([nearest.rank, before.sum(axis=1) + 1])
    return needs, offers, rank


def _frame(block: Block, needs: Places, offers: Places, status: str) -> pd.DataFrame:
    table = block.table
    minutes = table.minutes[needs, offers]
    reached = np.isfinite(minutes)
    return pd.DataFrame(
        {
            "need_id": block.needs.index.to_numpy()[needs],
            "service_at_location_id": block.offers.index.to_numpy()[offers],
            "status": status,
            "minutes": np.where(reached, minutes, np.nan),
            "km": np.where(reached, table.km[needs, offers], np.nan),
            "river_considered": table.river[needs, offers],
            "eligibility": block.verdicts[needs, offers],
        }
    )


class _Reasons:
    """Says the reasons of the pairs of one block; columns are read once, not once a pair."""

    def __init__(self, block: Block, rules: CompiledRules) -> None:
        self._block = block
        self._rules = rules
        self._minutes = block.table.minutes
        self._places = block.places.tolist()
        self._radius = block.needs["radius_km"].tolist()
        self._spoken = block.needs["languages"].tolist()
        self._served = block.offers["languages"].tolist()
        self._services = block.offers["service_id"].tolist()
        self._slots = block.offers["free_slots"].tolist()
        self._caps = block.offers["max_minutes"].tolist()

    def of_option(self, need: int, offer: int, rank: int, assigned: bool) -> list[Reason]:
        """List why an offer is open to the need, what is uncertain, and how it compares with the nearest."""
        reasons: list[Reason] = []
        if assigned:
            reasons.append({"code": "assigned"})
        if rank == 1:
            reasons.append({"code": "nearest"})
        if assigned:
            reasons += self._why_not_nearest(need, offer)
        reasons.append({"code": "minutes", "minutes": round(float(self._minutes[need, offer]))})
        reasons.append({"code": "slots", "free": self._slots[offer]})
        reasons += self._rule_reasons(need, offer)
        if not self._block.table.river[need, offer]:
            reasons.append({"code": "river_not_considered"})
        if self._radius[need] > 0:
            reasons.append({"code": "place_approximate", "radius_km": self._radius[need]})
        return reasons + self._language_reasons(need, offer)

    def of_exclusion(self, need: int, offer: int) -> list[Reason]:
        """List every condition that the pair fails, in the order of `Exclusion`."""
        reasons: list[Reason] = []
        for code in _codes(int(self._block.bits[need, offer])):
            if code is Exclusion.NOT_ELIGIBLE:
                outcomes = self._rules.outcomes(self._services[offer], self._places[need])
                failed = [rule.rule_id for rule, verdict in outcomes if verdict == NOT_ELIGIBLE]
                reasons += [{"code": code.value, "rule_id": rule_id} for rule_id in failed]
            elif code is Exclusion.TOO_FAR:
                # Upwards, so that 60.2 against a limit of 60 does not read as equal.
                minutes = math.ceil(self._minutes[need, offer])
                reasons.append({"code": code.value, "minutes": minutes, "max": self._caps[offer]})
            else:
                reasons.append({"code": code.value})
        return reasons

    def _rule_reasons(self, need: int, offer: int) -> list[Reason]:
        reasons: list[Reason] = []
        for rule, verdict in self._rules.outcomes(self._services[offer], self._places[need]):
            if verdict == ELIGIBLE:
                reasons.append({"code": "rule_met", "rule_id": rule.rule_id})
            else:
                reasons.append({"code": "rule_unknown", "rule_id": rule.rule_id, "settle": rule.attribute})
        if self._block.verdicts[need, offer] == UNKNOWN:
            reasons.append({"code": "needs_check"})
        return reasons

    def _language_reasons(self, need: int, offer: int) -> list[Reason]:
        spoken, served = self._spoken[need], self._served[offer]
        if not spoken or not served:
            return []
        shared = [language for language in spoken if language in served]
        return (
            [{"code": "language_shared", "languages": shared}] if shared else [{"code": "interpreter_needed"}]
        )

    def _why_not_nearest(self, need: int, offer: int) -> list[Reason]:
        """Say why the nearest offer of all, when its journey is clearly shorter, was passed over."""
        minutes = self._minutes[need]
        nearest = int(np.where(np.isnan(minutes), np.inf, minutes).argmin())
        if burden(minutes[nearest]) >= burden(minutes[offer]):
            return []
        verdicts = self._block.verdicts[need]
        codes = _codes(int(self._block.bits[need, nearest]))
        if codes:
            because = codes[0].value
        elif verdicts[nearest] == UNKNOWN and verdicts[offer] == ELIGIBLE:
            because = "needs_check"
        else:
            because = Exclusion.NO_SLOT.value
        return [
            {
                "code": "not_nearest",
                "because": because,
                "service_at_location_id": int(self._block.offers.index[nearest]),
                "minutes": round(float(minutes[nearest])),
            }
        ]


@cache
def _codes(bits: int) -> tuple[Exclusion, ...]:
    return tuple(code for code in Exclusion if bits & code.bit)
