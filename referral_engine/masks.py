"""The hard conditions of one service type as bits: (needs, offers), one bit an `Exclusion`, zero means open.

The journey's bits (`unreachable`, `too_far`) are added by `referral_engine.blocks`, once minutes are known.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from governorates import KIND_ASKED_APART
from referral_engine.eligibility import NOT_ELIGIBLE, Verdicts
from referral_engine.frames import UNSURE
from referral_engine.reasons import Exclusion

Bits = NDArray[np.uint16]
Bools = NDArray[np.bool_]

LEVELS = ("governorate", "district", "subdistrict")


def hard_masks(needs: pd.DataFrame, offers: pd.DataFrame, verdicts: Verdicts) -> Bits:
    """Give the bits (needs, offers) of all conditions but the journey, for checked frames of one type."""
    bits = np.zeros((len(needs), len(offers)), dtype=np.uint16)

    def mark(code: Exclusion, where: Bools) -> None:
        bits[...] |= np.where(where, np.uint16(code.bit), np.uint16(0))

    kind_ok = membership(needs["consent_kinds"], offers["organization_kind"].tolist())
    is_moi = (offers["organization_kind"] == KIND_ASKED_APART).to_numpy(dtype=bool)
    mark(Exclusion.CONSENT_OPEN_EXCLUSION, needs["exclusion_open"].to_numpy(dtype=bool)[:, None])
    mark(Exclusion.CONSENT_CATEGORY, ~membership(needs["consent_categories"], offers["category"].tolist()))
    mark(Exclusion.CONSENT_MOI, ~kind_ok & is_moi)
    mark(Exclusion.CONSENT_KIND, ~kind_ok & ~is_moi)
    mark(
        Exclusion.EXCLUDED_ORGANIZATION,
        membership(needs["excluded_organizations"], offers["organization_id"].tolist()),
    )
    mark(Exclusion.OWN_SUBDISTRICT, _own_subdistrict(needs, offers))
    mark(Exclusion.AREA, ~_in_area(needs, offers))
    mark(Exclusion.NOT_ELIGIBLE, verdicts == NOT_ELIGIBLE)
    mark(Exclusion.DECLINED_BEFORE, membership(needs["declined"], offers.index.tolist()))
    mark(Exclusion.CAPACITY_STALE, (offers["freshness"] == "hidden").to_numpy(dtype=bool)[None, :])
    mark(Exclusion.NO_CAPACITY_REPORTED, capacity_is(offers, "no_capacity")[None, :])
    full = (offers["free_slots"].to_numpy() <= 0) & ~capacity_is(offers, "waitlist")
    mark(Exclusion.NO_SLOT, full[None, :])
    return bits


def capacity_is(offers: pd.DataFrame, status: str) -> Bools:
    """Give bool (offers,): the provider reported this status of `referral_engine.capacity_states.CAPACITY_STATES`."""
    return (offers["capacity_status"] == status).to_numpy(dtype=bool)


def standing(offers: pd.DataFrame) -> NDArray[np.intp]:
    """Give (offers,) the order in which open offers are listed, before their minutes count.

    0 fresh, 1 stale, 2 fresh with a waiting list only, 3 stale with a waiting list only.
    """
    stale = (offers["freshness"] != "fresh").to_numpy(dtype=bool)
    return stale.astype(np.intp) + 2 * capacity_is(offers, "waitlist").astype(np.intp)


def membership(tuples: "pd.Series[Any]", wanted: Sequence[Any]) -> Bools:
    """Give bool (rows, wanted): whether the tuple of the row contains the wanted value."""
    position = {value: place for place, value in enumerate(dict.fromkeys(wanted))}
    lengths = tuples.map(len).to_numpy(dtype=np.intp)
    rows = np.repeat(np.arange(len(tuples)), lengths)
    places = np.array([position.get(value, -1) for values in tuples for value in values], dtype=np.intp)
    found = np.zeros((len(tuples), len(position)), dtype=bool)
    found[rows[places >= 0], places[places >= 0]] = True
    return found[:, [position[value] for value in wanted]]


def _own_subdistrict(needs: pd.DataFrame, offers: pd.DataFrame) -> Bools:
    """Keep to the wish "nobody in my own sub-district"; one that is not known could be the same."""
    home, other = (
        needs[name].to_numpy(dtype=object)[:, None] for name in ("subdistrict", "other_subdistrict")
    )
    theirs = offers["subdistrict"].to_numpy(dtype=object)[None, :]
    same = (home == theirs) | (other == theirs)
    unsure = needs["subdistrict"].isna() | (needs["other_subdistrict"] == UNSURE)
    either_unknown = unsure.to_numpy(dtype=bool)[:, None] | offers["subdistrict"].isna().to_numpy()[None, :]
    wish = needs["exclude_own_subdistrict"].to_numpy(dtype=bool)[:, None]
    kept_away: Bools = wish & (same | either_unknown)
    return kept_away


def _in_area(needs: pd.DataFrame, offers: pd.DataFrame) -> Bools:
    """Is the residence, at any level of `LEVELS`, named in the offer's area? An empty area is no limit."""
    inside = np.zeros((len(needs), len(offers)), dtype=bool)
    for level in LEVELS:
        codes, names = pd.factorize(needs[level], use_na_sentinel=True)
        served = membership(offers["area"], list(names)).T
        known = codes >= 0
        inside[known] |= served[codes[known]]
    return inside | (offers["area"].map(len) == 0).to_numpy(dtype=bool)[None, :]
