"""Why a need stays without a proposal: the stage at which its last offer fell.

Precedence, from first to last:

1. ``no_service``: nobody offers this service type.
2. Each offer of the type fell at the first condition it failed, in the order of `Exclusion`; the reason is
   that of the offer that came furthest, since that is the condition closest to being the only obstacle:
   person's word (``exclusion_open``, ``consent``), area (``outside_area``, or ``outside_governorate`` when
   the residence lies in another governorate than the one served), rules (``not_eligible``), journey
   (``too_far``), earlier declines (``declined_by_all``), the provider's word on its places, when it is
   too old to count (``capacity_unconfirmed``) or says none, and slots (both ``no_slot``).
3. Where the person's word leaves offers but the residence has no point or no governorate, or the wish
   "nobody in my own sub-district" meets a sub-district that is not known: ``residence_unknown``.
4. Suitable offers whose slots all went to others in this run: ``no_slot``; that have no more than a waiting
   list: ``waiting_list_only``.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from referral_engine.blocks import Block
from referral_engine.eligibility import NOT_ELIGIBLE, CompiledRules
from referral_engine.reasons import Exclusion, Reason, Unmet

_STAGES = tuple(Exclusion)
_UNMET_OF = {
    Exclusion.CONSENT_OPEN_EXCLUSION: Unmet.EXCLUSION_OPEN,
    Exclusion.CONSENT_CATEGORY: Unmet.CONSENT,
    Exclusion.CONSENT_MOI: Unmet.CONSENT,
    Exclusion.CONSENT_KIND: Unmet.CONSENT,
    Exclusion.EXCLUDED_ORGANIZATION: Unmet.CONSENT,
    Exclusion.OWN_SUBDISTRICT: Unmet.CONSENT,
    Exclusion.AREA: Unmet.OUTSIDE_AREA,
    Exclusion.NOT_ELIGIBLE: Unmet.NOT_ELIGIBLE,
    Exclusion.UNREACHABLE: Unmet.TOO_FAR,
    Exclusion.TOO_FAR: Unmet.TOO_FAR,
    Exclusion.DECLINED_BEFORE: Unmet.DECLINED_BY_ALL,
    Exclusion.CAPACITY_STALE: Unmet.CAPACITY_UNCONFIRMED,
    Exclusion.NO_CAPACITY_REPORTED: Unmet.NO_SLOT,
    Exclusion.NO_SLOT: Unmet.NO_SLOT,
}
_OPEN = len(_STAGES)


def stages(block: Block) -> NDArray[np.intp]:
    """Give (needs, offers) the position of the first condition failed, `len(Exclusion)` where none was."""
    failed = (block.bits[..., None] & np.array([code.bit for code in _STAGES], dtype=np.uint16)) > 0
    return np.where(failed.any(axis=-1), failed.argmax(axis=-1), _OPEN).astype(np.intp)


def unmet_rows(
    block: Block,
    unserved: NDArray[np.bool_],
    rules: CompiledRules,
    governorate: str | None,
) -> list[tuple[int, str, list[Reason]]]:
    """List (need_id, unmet code, details) for the unserved needs of one block.

    Details count the offers by the stage at which they fell, in order, and name the rule that blocked most.
    """
    fell, assignable = stages(block), block.assignable
    rows: list[tuple[int, str, list[Reason]]] = []
    for row in np.flatnonzero(unserved).tolist():
        need_id = int(block.needs.index[row])
        if not len(block.offers):
            rows.append((need_id, Unmet.NO_SERVICE.value, []))
            continue
        taken = int(assignable[row].sum())
        reason = _reason(int(fell[row].max()), taken, block.needs.iloc[row], governorate)
        details = _counts(fell[row], taken)
        if reason is Unmet.NOT_ELIGIBLE:
            details.append(_worst_rule(block, row, fell[row], rules))
        rows.append((need_id, reason.value, details))
    return rows


def _reason(furthest: int, taken: int, need: "pd.Series[Any]", governorate: str | None) -> Unmet:
    if furthest == _OPEN:
        return Unmet.NO_SLOT if taken else Unmet.WAITING_LIST_ONLY
    stage = _STAGES[furthest]
    no_place = need["governorate"] is None or bool(np.isnan(need["longitude"]) or np.isnan(need["latitude"]))
    if furthest >= _STAGES.index(Exclusion.AREA) and no_place:
        return Unmet.RESIDENCE_UNKNOWN
    if stage is Exclusion.OWN_SUBDISTRICT and need["subdistrict"] is None:
        return Unmet.RESIDENCE_UNKNOWN
    if stage is Exclusion.AREA and governorate is not None and need["governorate"] != governorate:
        return Unmet.OUTSIDE_GOVERNORATE
    return _UNMET_OF[stage]


def _counts(fell: NDArray[np.intp], taken: int) -> list[Reason]:
    counts = np.bincount(fell, minlength=_OPEN + 1)
    details: list[Reason] = [
        {"code": code.value, "count": int(counts[place])}
        for place, code in enumerate(_STAGES)
        if counts[place]
    ]
    if taken:
        details.append({"code": "slots_taken", "count": taken})
    if counts[_OPEN] > taken:
        details.append({"code": "waiting_list", "count": int(counts[_OPEN]) - taken})
    return details


def _worst_rule(block: Block, row: int, fell: NDArray[np.intp], rules: CompiledRules) -> Reason:
    """Name the rule that blocked most of the offers that came so far (ties: the lower rule id)."""
    stopped = np.flatnonzero(fell == _STAGES.index(Exclusion.NOT_ELIGIBLE))
    services = block.offers["service_id"].to_numpy()[stopped]
    blocking = [
        rule.rule_id
        for service in services
        for rule, verdict in rules.outcomes(int(service), int(block.places[row]))
        if verdict == NOT_ELIGIBLE
    ]
    rule_ids, counts = np.unique(np.array(blocking, dtype=np.int64), return_counts=True)
    worst = int(counts.argmax())
    return {"code": "rule_blocks", "rule_id": int(rule_ids[worst]), "count": int(counts[worst])}
