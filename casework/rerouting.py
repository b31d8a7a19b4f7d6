"""A need whose provider did not answer in time: the next-best provider is reserved in the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter

from sqlalchemy.orm import Session

from casework.consent_gate import counts, covers_recipient, may_be_excluded_place
from casework.deadlines import start_clock
from casework.moves import SYSTEM, Actor, lock_referral, record_event, take_slot
from casework.open_day_marks import open_day_of
from casework.tasks import TRACING, end_tracing, trace_person
from db import cases as case_query
from db import matching as match_query
from db import rerouting as query
from db import unmet as unmet_query
from db.errors import DomainError
from db.models import Referral
from db.referrals import ReferralParts
from db.rerouting import NextCandidate
from db.vault import Vault
from governorates import load
from referral_engine import sop
from referral_engine.capacity_states import FRESHNESS

NOBODY_NEXT = "no_next_provider"
"""Why a need waits for the next matching run: no other option of the last one has a free slot."""

NOBODY_WENT_ON = "nobody_went_on"
"""Why a need waits for the next matching run: at the office nobody went on with its referral in time."""


def choose_next(session: Session, parts: ReferralParts, now: datetime) -> NextCandidate | None:
    """The best-ranked option of the newest run that has a free slot and may still be proposed.

    A provider whose word on its places is stale comes after all fresh ones, one whose word is too old not at all.
    Not one of the organization that lets the person wait, nor of any where the need was in vain before, nor one
    that the consent as it stands now does not cover. Holds the slots to choose from and the one to give back. An
    assessment that was edited since leaves the choice to the next matching run.
    """
    if parts.need.same_as_id is not None or parts.case.submission_id != parts.referral.submission_id:
        return None
    in_vain = set(match_query.list_declined(session, [parts.need.id]).get(parts.need.id, ()))
    left = [
        one
        for one in _by_freshness(parts, query.list_next_candidates(session, parts.need.id, now.date()), now)
        if one.organization_id != parts.organization.id and one.service_at_location_id not in in_vain
    ]
    covered = _covered(session, parts, left, now)
    if not covered:
        return None
    ids = [one.service_at_location_id for one in covered]
    free = query.lock_free_slots(session, ids, now.date(), parts.referral.capacity_id)
    return next((one for one in covered if one.service_at_location_id in free), None)


def _by_freshness(
    parts: ReferralParts, candidates: Sequence[NextCandidate], now: datetime
) -> list[NextCandidate]:
    """Fresh before stale, each by rank; without the hidden ones."""
    ages = load(parts.case.governorate).capacity_ages
    known = [
        (FRESHNESS.index("fresh" if one.confirmed_at is None else ages.freshness(one.confirmed_at, now)), one)
        for one in candidates
    ]
    shown = [row for row in known if FRESHNESS[row[0]] != "hidden"]
    return [one for _, one in sorted(shown, key=itemgetter(0))]


def _covered(
    session: Session, parts: ReferralParts, candidates: Sequence[NextCandidate], now: datetime
) -> list[NextCandidate]:
    bounds = case_query.get_assessment_consent(session, parts.case.id)
    if bounds is None or not counts(bounds, parts.case.governorate, now) or bounds.exclusion_open:
        return []
    return [
        one
        for one in candidates
        if covers_recipient(bounds, parts.need.category, one.organization_kind, one.organization_id)
        and not may_be_excluded_place(bounds, parts.case, one.subdistrict)
    ]


def propose_next(
    session: Session, vault: Vault, parts: ReferralParts, chosen: NextCandidate, now: datetime
) -> int:
    """Propose the chosen provider for the need of a referral that has just ended; its slot is reserved.

    Raises DomainError `no_slot` when there is none, which `choose_next` has ruled out.
    """
    referral = Referral(
        need_id=parts.need.id,
        case_id=parts.case.id,
        service_at_location_id=chosen.service_at_location_id,
        match_run_id=chosen.match_run_id,
        submission_id=parts.case.submission_id,
        state=sop.ReferralState.PROPOSED,
        state_since=now,
        urgency=parts.need.urgency,
        minutes=chosen.minutes,
        km=chosen.km,
        created_at=now,
        open_day_id=open_day_of(session, parts.case, now),
    )
    take_slot(session, referral, now)
    session.add(referral)
    session.flush()
    proposed = lock_referral(session, referral.id, SYSTEM)
    record_event(session, vault, proposed, "propose", None, referral.state, SYSTEM, None, None, now)
    match_query.set_referred(session, [parts.need.id])
    start_clock(session, proposed, now)
    return referral.id


def leave_open(session: Session, parts: ReferralParts, source: str, now: datetime) -> str:
    """Record why the need of an expired referral waits; returns the reason.

    After so many consents that nobody asked for in time, proposing again would only lock slots: the office gets a
    task to trace the person, and the need waits until somebody has reached them (`look_again`).
    """
    reason = NOBODY_NEXT
    if source == sop.ReferralState.AWAITING_CONSENT:
        attempts = query.count_consent_expiries(session, parts.need.id)
        if attempts >= load(parts.case.governorate).deadline_rules.consent_attempts:
            reason = match_query.NOT_REACHED
        else:
            reason = NOBODY_WENT_ON
    elif source == sop.ReferralState.DRAFT:
        reason = NOBODY_WENT_ON
    need = parts.need
    if need.status == "open":
        need.unmet_reason, need.unmet_details, need.unmet_since = reason, None, need.unmet_since or now
        session.flush()
        unmet_query.record_unmet_periods(session, {need.id: (reason, None)}, now)
        if reason == match_query.NOT_REACHED:
            trace_person(session, parts.case, need, now)
    return reason


def trace_unreached(session: Session, governorate: str, now: datetime) -> int:
    """Open the tracing tasks that needs without one wait for; how many. Code of another release left them out."""
    untraced = query.list_untraced(session, governorate, TRACING)
    for need, case in untraced:
        trace_person(session, case, need, now)
    return len(untraced)


def look_again(session: Session, need_id: int, actor: Actor, now: datetime) -> None:
    """The person was reached: matching looks for a provider again, and the task to trace them is done.

    The caller has seen to who may say so.

    Raises DomainError `not_found`, or `changed_meanwhile` when the need does not wait for that.
    """
    found = case_query.lock_need(session, need_id)
    if found is None:
        raise DomainError("not_found", need_id=need_id)
    need, _ = found
    if need.status != "open" or need.unmet_reason != match_query.NOT_REACHED:
        raise DomainError("changed_meanwhile", need_id=need_id)
    end_tracing(session, need, actor, now)
