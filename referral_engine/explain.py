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
    pairs = zip(needs.tolist(), offers.tolist(), assigned.tolist(), strict=True)
    option["reasons"] = pd.Series([said.of_option(*pair) for pair in pairs], dtype=object)
    needs, offers = np.nonzero(block.recorded & ~block.open)
    excluded = _frame(block, needs, offers, "excluded")
    excluded["rank"], excluded["assigned"] = 0, False
    closed = zip(needs.tolist(), offers.tolist(), strict=True)
    excluded["reasons"] = pd.Series([said.of_exclusion(*pair) for pair in closed], dtype=object)
    return pd.concat([option, excluded], ignore_index=True)[list(CANDIDATE_COLUMNS)]


def _nearest_open(block: Block) -> Places:
    """Give (needs,) the position of the open offer with the shortest journey; any where none is open."""
    nearest: Places = np.where(block.open, block.table.minutes, np.inf).argmin(axis=1)
    return nearest


def _options(block: Block, given: Places) -> tuple[Places, Places, Places]:
    """Add the assigned pair and the nearest open one where they lie beyond the list, with their true rank."""
    listed, wanted = np.zeros(block.bits.shape, dtype=bool), np.zeros(block.bits.shape, dtype=bool)
    listed[block.nearest.needs, block.nearest.offers] = True
    served = np.flatnonzero(given >= 0)
    wanted[served, given[served]] = True
    some = np.flatnonzero(block.open.any(axis=1))
    if some.size:
        wanted[some, _nearest_open(block)[some]] = True
    needs, offers = np.nonzero(wanted & ~listed)
    rank = _rank(block, needs, offers)
    nearest = block.nearest
    return (
        np.concatenate([nearest.needs, needs]),
        np.concatenate([nearest.offers, offers]),
        np.concatenate([nearest.rank, rank]),
    )


def _rank(block: Block, needs: Places, offers: Places) -> Places:
    """Give the rank of open pairs among all open ones of their need: standing, minutes, position."""
    usable = block.open[needs]
    minutes = np.where(usable, block.table.minutes[needs], np.inf)
    own = minutes[np.arange(len(needs)), offers][:, None]
    level, own_level = block.standing[None, :], block.standing[offers][:, None]
    nearer = (minutes < own) | ((minutes == own) & (np.arange(minutes.shape[1]) < offers[:, None]))
    before = usable & ((level < own_level) | ((level == own_level) & nearer))
    rank: Places = before.sum(axis=1) + 1
    return rank


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
        self._status = block.offers["capacity_status"].tolist()
        self._stale = (block.offers["freshness"] != "fresh").tolist()
        self._nearest = _nearest_open(block).tolist() if block.bits.size else []

    def of_option(self, need: int, offer: int, assigned: bool) -> list[Reason]:
        """List why an offer is open to the need, what is uncertain, and how it compares with the nearest."""
        reasons: list[Reason] = []
        if assigned:
            reasons.append({"code": "assigned"})
        if self._nearest[need] == offer:
            reasons.append({"code": "nearest"})
        if assigned:
            reasons += self._why_not_nearest(need, offer)
        reasons.append({"code": "minutes", "minutes": round(float(self._minutes[need, offer]))})
        reasons.append({"code": "slots", "free": self._slots[offer]})
        reasons += self._capacity_reasons(offer)
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

    def _capacity_reasons(self, offer: int) -> list[Reason]:
        said = {"waitlist": "waiting_list", "assessment_required": "assessment_first"}.get(
            self._status[offer]
        )
        codes = [said] if said else []
        return [{"code": code} for code in [*codes, *(["capacity_old"] if self._stale[offer] else [])]]

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
        elif self._status[nearest] == "waitlist":
            because = "waiting_list"
        elif self._stale[nearest] and not self._stale[offer]:
            because = "capacity_old"
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
