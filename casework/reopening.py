"""Close a case and open it again, and open a need again: what was before stays, and the history says so."""

from datetime import datetime

from sqlalchemy.orm import Session

from casework import sending
from casework.case_events import add_case_event, hold_case
from casework.consent_gate import require_consent
from casework.information import INFORMED
from casework.moves import Actor, require_choice
from casework.tasks import settle_new_answers
from db import case_events
from db import cases as case_query
from db import follow_ups as follow_up_query
from db import referrals as referral_query
from db.errors import DomainError
from db.models import Case, CaseEventKind, Need
from db.vault import Vault
from referral_engine.sop import MOVES, ReferralState

REOPENABLE = frozenset({"served", "withdrawn", INFORMED})
"""Statuses of needs that nobody is looking for any more."""

RECALL_REASONS = {"person_left": "moved_away", "deceased": "deceased"}
"""Reasons that close a case whatever is under way -> the reason with which that is recalled."""


def close_case(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    *,
    reason: str,
    now: datetime,
    note: str | None = None,
) -> None:
    """Close a case for a coded reason. Needs that are still open end; later follow-ups are called off.

    While a referral is live or a follow-up due, only for `person_left` and `deceased`: what can still be recalled
    is (that needs a note), and what a provider has delivered stays with the coordinator. Raises what `hold_case`
    raises, `reason_required`, `reason_unknown`, `text_required` or `case_under_way`.
    """
    require_choice("case_close_reason", reason)
    case = hold_case(session, case_id, actor)
    live = referral_query.list_live_referral_ids(session, case.id)
    if reason in RECALL_REASONS:
        _recall(session, vault, live, actor, RECALL_REASONS[reason], note)
    elif live or follow_up_query.count_due(session, case.id, now):
        raise DomainError("case_under_way", case_id=case_id)
    ended = _end_open_needs(session, case)
    case.closed_at = now
    follow_up_query.cancel_all(session, case.id, now)
    details = {"need_ids": ended}
    add_case_event(
        session,
        vault,
        case,
        actor,
        CaseEventKind.CASE_CLOSED,
        now,
        reason=reason,
        details=details,
        note=note,
    )


def _recall(
    session: Session, vault: Vault, live: list[int], actor: Actor, reason: str, note: str | None
) -> None:
    for referral_id in live:
        parts = referral_query.get_referral_parts(session, referral_id, lock=True)
        if parts is not None and ReferralState(parts.referral.state) in MOVES["recall"].sources:
            sending.recall(session, vault, referral_id, actor, reason, note)


def _end_open_needs(session: Session, case: Case) -> list[int]:
    """Needs that nobody looks after any more; returns their ids, so that reopening can bring them back."""
    ended = [need for need in case_query.list_needs(session, case.id) if need.status == "open"]
    for need in ended:
        _set_status(need, "withdrawn")
    session.flush()
    return [need.id for need in ended]


def _set_status(need: Need, status: str) -> None:
    need.status, need.unmet_reason, need.unmet_details, need.unmet_since = status, None, None, None


def reopen_case(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    *,
    reason: str,
    now: datetime,
    note: str | None = None,
) -> None:
    """Open a closed case again: the needs that closing ended are open, and the follow-ups it called off wait.

    Where the form was sent again meanwhile, the needs that it asks for are open instead (`casework.closed_edits`).
    Needs of categories to which the person has said no since stay as they are. Raises what `hold_case` raises for
    closed cases, what `require_consent` raises, `reason_required` or `reason_unknown`.
    """
    require_choice("reopen_reason", reason)
    case = hold_case(session, case_id, actor, closed=True)
    bounds = require_consent(session, case.id, now)
    closing = case_events.get_newest_closing(session, case.id)
    if closing is not None:
        newest = case_events.get_newest_edit(session, case.id, closing) or closing
        wanted = set((newest.details or {}).get("need_ids", ()))
        for need in case_query.list_needs(session, case.id):
            covered = need.id in wanted and need.category in bounds.categories
            if covered and need.status == "withdrawn" and need.same_as_id is None:
                _set_status(need, "open")
        follow_up_query.restore_cancelled(session, case.id, closing.at)
        follow_up_query.replace_calls(session, case.governorate, now, case_id=case.id)
    case.closed_at = None
    settle_new_answers(session, case.id, actor, now)
    add_case_event(session, vault, case, actor, CaseEventKind.CASE_REOPENED, now, reason=reason, note=note)


def reopen_need(
    session: Session,
    vault: Vault,
    need_id: int,
    actor: Actor,
    *,
    reason: str,
    now: datetime,
    note: str | None = None,
) -> None:
    """Look for a provider again for a need that was served or withdrawn, or whose person went alone.

    Its old referrals and their events stay as they are; the next matching treats the need as one that has waited
    since now. Officers of the case's office and coordinators of the need's ministry may. Raises DomainError
    `forbidden`, `not_found`, `changed_meanwhile` (it is open or under way, or another need stands for it),
    `case_closed`, `consent_required`, `consent_expired`, `consent_does_not_cover`, `reason_required` or
    `reason_unknown`.
    """
    require_choice("reopen_reason", reason)
    if actor.role not in {"officer", "coordinator"}:
        raise DomainError("forbidden")
    need = case_events.get_visible_need(session, actor, need_id)
    case = None if need is None else case_query.get_case(session, need.case_id)
    if need is None or case is None:
        raise DomainError("not_found", need_id=need_id)
    if case.closed_at is not None:
        raise DomainError("case_closed", case_id=case.id)
    under_way = referral_query.has_live_referral(session, need.id)
    if need.status not in REOPENABLE or need.same_as_id is not None or under_way:
        raise DomainError("changed_meanwhile", need_id=need_id)
    if need.category not in require_consent(session, case.id, now).categories:
        raise DomainError("consent_does_not_cover", need_id=need_id)
    details = {"status": need.status, "opened_at": need.opened_at.isoformat()}
    _set_status(need, "open")
    need.opened_at = now
    add_case_event(
        session,
        vault,
        case,
        actor,
        CaseEventKind.NEED_REOPENED,
        now,
        object_id=need.id,
        reason=reason,
        details=details,
        note=note,
    )
