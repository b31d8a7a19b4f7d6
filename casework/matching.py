"""Match all open needs at once: read, let the engine decide, reserve slots, write proposals and reasons.

One transaction. The number of statements does not grow with needs or services.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from casework.consent_gate import is_complete
from casework.deadlines import ClockedReferral, start_clocks
from casework.frames import consent_bounds, needs_frame, offers_frame, rules_of
from casework.unmet_periods import register_unmet
from db import matching as query
from db import open_days
from db import referrals as referral_query
from db import unmet as unmet_query
from db.errors import DomainError
from db.models import Case, MatchRun, Need
from db.session import lock_in_transaction
from db.vault import Vault
from geo.geodesic import GeodesicTravel
from governorates import Governorate
from governorates.calendar import local_day
from referral_engine.reasons import Unmet
from referral_engine.sop import ReferralState

if TYPE_CHECKING:
    from pandas import DataFrame

    from referral_engine.eligibility import Rule
    from referral_engine.engine import MatchResult


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What one run did. `run_id` is None when nothing had changed since the last run."""

    run_id: int | None
    needs: int = 0
    proposed: int = 0
    unmet: dict[str, int] = field(default_factory=dict)


def match_open_needs(
    session: Session, vault: Vault, governorate: Governorate, *, now: datetime, seed: int = 0
) -> MatchReport:
    """Propose a service at a location, with a reserved slot, for every open need, or record why not.

    Does nothing when the inputs are those of the last run, so that an idle system writes nothing.
    Runs of one governorate follow one another (a lock of the transaction). Raises DomainError `busy`
    when another run is under way.
    """
    from referral_engine.engine import match
    from referral_engine.frames import check_needs, check_offers

    if not lock_in_transaction(session, f"match {governorate.code}"):
        raise DomainError("busy")
    rows = query.list_open_needs(session, governorate.code)
    if not rows:
        return MatchReport(run_id=None)
    offer_rows = query.list_offers(session, governorate.code, now.date())
    declined = query.list_declined(session, [row.Need.id for row in rows])
    needs = needs_frame(rows, declined, vault, governorate, now)
    offers = offers_frame(offer_rows, governorate, now)
    rules = rules_of(query.list_rules(session, governorate.code))
    travel = GeodesicTravel(governorate)
    settings = _settings(governorate, seed)
    checked, offers = check_needs(needs), check_offers(offers)
    last = query.get_last_rest_digest(session, governorate.code)
    if last is not None and last == _digest(checked, offers, rules, settings):
        return MatchReport(run_id=None, needs=len(rows))
    result = match(
        checked,
        offers,
        rules,
        travel.pairs,
        floor_minutes_per_km=travel.minutes_per_km_floor,
        seed=seed,
        governorate=governorate.pcode,
    )
    run = MatchRun(
        governorate=governorate.code,
        engine_version=result.engine_version,
        seed=seed,
        digest=result.digest,
        digests=dict(result.digests),
        started_at=now,
        needs=len(rows),
        proposed=0,
        unmet={},
    )
    session.add(run)
    session.flush()
    capacity_of = {row.id: row.capacity_id for row in offer_rows}
    query.delete_superseded(session, [row.Need.id for row in rows])
    query.insert_candidates(session, _candidate_rows(run.id, result))
    held = _hold_unchanged(session, governorate, rows, needs, now)
    proposed = _propose(session, governorate, run, held, result, capacity_of, now)
    run.proposed, run.unmet = len(proposed), _record_unmet(session, held, result, proposed, now)
    left = checked.loc[~checked.index.isin(proposed)]
    taken = result.assigned.loc[result.assigned.index.isin(proposed)].value_counts()
    offers["free_slots"] -= taken.reindex(offers.index, fill_value=0).astype("int64")
    all_done = proposed == set(result.assigned.index.tolist()) and len(held) == len(rows)
    run.rest_digest = _digest(left, offers, rules, settings) if all_done else None
    run.finished_at = now
    session.flush()
    return MatchReport(run.id, len(rows), len(proposed), dict(run.unmet))


def _hold_unchanged(
    session: Session, governorate: Governorate, rows: Sequence[Any], needs: "DataFrame", now: datetime
) -> list[Any]:
    """Those of the rows that are still as the engine saw them, their cases held until the transaction ends.

    A person may have taken consent back, or said whom to leave out, while the engine was thinking. What changed
    or is being acted on waits for the next run.
    """
    held = query.hold_cases(session, (row.Case.id for row in rows))
    bounds = ("consent_categories", "consent_kinds", "excluded_organizations", "exclusion_open")
    seen = dict(
        zip(needs.index.tolist(), needs[list(bounds)].itertuples(index=False, name=None), strict=True)
    )
    return [
        row
        for row in query.list_open_needs(session, governorate.code)
        if row.Case.id in held and seen.get(row.Need.id) == _bounds(row, bounds, now)
    ]


def _bounds(row: Any, names: Sequence[str], now: datetime) -> tuple[Any, ...]:
    found = consent_bounds(row.Consent, row.Case.governorate, now)
    return tuple(found[name] for name in names)


def _settings(governorate: Governorate, seed: int) -> dict[str, Any]:
    """What a run depends on besides its frames and rules."""
    from referral_engine.engine import ENGINE_VERSION

    crossings = {crossing.code: crossing.open for crossing in governorate.crossings}
    return {
        "engine_version": ENGINE_VERSION,
        "seed": seed,
        "governorate": governorate.code,
        "open": crossings,
    }


def _digest(
    needs: "DataFrame", offers: "DataFrame", rules: Sequence["Rule"], settings: dict[str, Any]
) -> str:
    """Digest of inputs, the frames checked, which puts their rows in order."""
    from referral_engine import digests

    return digests.digest_all(
        {
            "needs": digests.digest_frame(needs),
            "offers": digests.digest_frame(offers),
            "rules": digests.digest_rules(rules),
            "settings": digests.digest_settings(settings),
        }
    )


def _candidate_rows(run_id: int, result: "MatchResult") -> list[dict[str, Any]]:
    frame = result.candidates.drop(columns="assigned").astype(object)
    rows = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    for row in rows:
        row["match_run_id"] = run_id
        for name in ("minutes", "km"):
            row[name] = _finite(row[name])
    return rows


def _finite(value: float | None) -> float | None:
    return round(float(value), 2) if value is not None and math.isfinite(value) else None


def _propose(
    session: Session,
    governorate: Governorate,
    run: MatchRun,
    rows: Sequence[Any],
    result: "MatchResult",
    capacity_of: dict[int, int],
    now: datetime,
) -> set[int]:
    """Reserve and insert. A capacity that somebody took from meanwhile gives nothing: those needs wait."""
    pairs = zip(result.assigned.index.tolist(), result.assigned.tolist(), strict=True)
    cases = {row.Need.id: (row.Need, row.Case) for row in rows}
    assigned: dict[int, int] = {need_id: offer for need_id, offer in pairs if need_id in cases}
    granted = referral_query.reserve_slots(
        session, Counter(capacity_of[offer] for offer in assigned.values())
    )
    chosen = result.candidates.loc[result.candidates["assigned"].astype(bool)]
    columns = (chosen[name].tolist() for name in ("need_id", "minutes", "km"))
    travel = {need_id: (minutes, km) for need_id, minutes, km in zip(*columns, strict=True)}
    today = open_days.list_open_day_ids(session, run.governorate, local_day(governorate, now))
    referrals = []
    for need_id, offer in assigned.items():
        if capacity_of[offer] not in granted:
            continue
        need, case = cases[need_id]
        minutes, km = travel[need_id]
        referrals.append(
            {
                "need_id": need_id,
                "case_id": case.id,
                "service_at_location_id": offer,
                "capacity_id": capacity_of[offer],
                "match_run_id": run.id,
                "submission_id": case.submission_id,
                "state": ReferralState.PROPOSED,
                "state_since": now,
                "urgency": need.urgency,
                "minutes": _finite(minutes),
                "km": _finite(km),
                "created_at": now,
                "open_day_id": case.open_day_id if case.open_day_id in today else None,
            }
        )
    ids = referral_query.insert_referrals(session, referrals)
    referral_query.insert_events(
        session,
        [
            {
                "referral_id": referral_id,
                "move": "propose",
                "from_state": None,
                "to_state": ReferralState.PROPOSED,
                "actor_role": "system",
                "at": now,
            }
            for referral_id in ids.values()
        ],
    )
    unmet_query.close_unmet_periods(session, list(ids), now)
    _start_clocks(session, governorate, ids, cases, now)
    query.set_referred(session, list(ids))
    return set(ids)


def _start_clocks(
    session: Session,
    governorate: Governorate,
    ids: Mapping[int, int],
    cases: Mapping[int, tuple[Need, Case]],
    now: datetime,
) -> None:
    proposed = [
        ClockedReferral(referral_id, ReferralState.PROPOSED, need.urgency, need.service_type, case.office_id)
        for referral_id, (need, case) in ((ids[need_id], cases[need_id]) for need_id in ids)
    ]
    start_clocks(session, governorate, proposed, now)


def _record_unmet(
    session: Session, rows: Sequence[Any], result: "MatchResult", proposed: set[int], now: datetime
) -> dict[str, int]:
    known = {row.Need.id: row.Need for row in rows}
    why = {row.Need.id: _consent_reason(row, now) for row in rows}
    reasons: dict[int, tuple[str, list[Any]]] = {
        need_id: ("slot_taken_meanwhile", []) for need_id in known.keys() - proposed
    }
    for need_id, reason, details in result.unmet.loc[result.unmet.index.isin(known)].itertuples():
        code = why[need_id] if reason == Unmet.CONSENT else str(reason)
        reasons[int(need_id)] = (code, list(details))
    query.set_unmet(
        session,
        [
            {
                "id": need_id,
                "unmet_reason": reason,
                "unmet_details": {"reasons": details},
                "unmet_since": known[need_id].unmet_since or now,
            }
            for need_id, (reason, details) in sorted(reasons.items())
        ],
    )
    register_unmet(session, reasons, now)
    return dict(Counter(reason for reason, _ in reasons.values()))


def _consent_reason(row: Any, now: datetime) -> str:
    """Why the person's word leaves no provider: too narrow or taken back, grown old, or not asked properly."""
    if row.Consent.in_force and not row.Consent.in_force_at(now):
        return "consent_expired"
    if row.Consent.in_force and not is_complete(row.Consent, row.Case.governorate):
        return "consent_incomplete"
    return str(Unmet.CONSENT)
