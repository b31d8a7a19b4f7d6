"""Visits and calls to the returnee: scheduled by clocks, recorded by the officer, tried again when they fail."""

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from casework.case_events import add_case_event, hold_case, key_of
from casework.consent_gate import may_contact, require_consent
from casework.moves import Actor, require_choice
from db import case_events
from db import follow_ups as query
from db.errors import DomainError
from db.models import Case, CaseEventKind, FollowUp, Referral
from db.vault import Vault
from governorates import (
    Governorate,
    follow_up_due,
    load,
    local_day,
    local_zone,
    months_due,
    next_attempt_due,
    score_questionnaire,
)
from governorates.model import URGENCIES

BATCH = 200
PLANNED = "planned"
PLANNED_HOUR = 9
LONGEST_PLANNED = timedelta(days=366)


def schedule_after_delivery(session: Session, referral: Referral, case: Case, now: datetime) -> int:
    """Start the clock of a delivered referral at the moment it was delivered; how many follow-ups are new.

    May be called any number of times. A service delivered again is followed up again, and what the first
    delivery still had waiting is called off.
    """
    since = referral.state_since
    return _start_clock(session, case, "service_delivered", referral.urgency, since, referral.id, now)


def schedule_after_plan(session: Session, case: Case, now: datetime) -> int:
    """Start the clock of the plan agreed at `now`: the most urgent need of the case says which."""
    urgencies = case_events.list_urgencies(session, case.id)
    urgency = min(urgencies, key=URGENCIES.index, default="normal")
    return _start_clock(session, case, "plan_agreed", urgency, now, None, now)


def schedule_score_rounds(session: Session, case: Case) -> int:
    """Schedule the rounds of the reintegration score, counted from the day the case was opened.

    The caller has seen that consent is in force.
    """
    governorate = load(case.governorate)
    rows = [
        _row(
            case,
            "visit",
            query.SCORE,
            one.months,
            case.opened_at,
            months_due(governorate, case.opened_at, one.months, one.within_days),
        )
        for one in score_questionnaire().rounds.values()
    ]
    return query.create_follow_ups(session, rows)


def schedule_follow_ups(session: Session, governorate: Governorate, now: datetime) -> int:
    """Schedule what is missing, one batch; how many follow-ups are new or changed. Run it until it says 0.

    Nothing is scheduled without consent in force, and nobody is called who does not want to be. May be killed and run
    again, also by two workers at once.
    """
    made = query.replace_calls(session, governorate.code, now, limit=BATCH)
    unscored = query.list_cases_without_rounds(session, governorate.code, now, BATCH)
    made += sum(schedule_score_rounds(session, case) for case in unscored)
    delivered = query.list_delivered_unscheduled(session, governorate.code, BATCH)
    return made + sum(schedule_after_delivery(session, referral, case, now) for referral, case in delivered)


def _start_clock(
    session: Session,
    case: Case,
    after: str,
    urgency: str,
    since: datetime,
    referral_id: int | None,
    now: datetime,
) -> int:
    governorate = load(case.governorate)
    clock = governorate.follow_ups[after, urgency]
    query.cancel_earlier(session, case.id, referral_id, after, since, now)
    rows = [
        _row(
            case,
            clock.kind,
            after,
            days,
            since,
            follow_up_due(governorate, clock, days, since),
            referral_id=referral_id,
        )
        | _instead_of_call(session, case, clock.kind, now)
        for days in clock.days
    ]
    return query.create_follow_ups(session, rows)


def _instead_of_call(session: Session, case: Case, kind: str, now: datetime) -> dict[str, Any]:
    """What differs where a call was to be made and the person does not want to be called: a visit, or nothing."""
    if kind != query.CALL or may_contact(session, case.id):
        return {}
    return {"kind": query.VISIT} | ({} if query.may_be_visited(case) else {"cancelled_at": now})


def _require_kind(session: Session, case: Case, kind: str) -> str:
    """A way of meeting the person that they agreed to. Raises `reason_unknown` or `contact_withdrawn`."""
    require_choice("follow_up_kind", kind)
    if kind == query.CALL and not may_contact(session, case.id):
        raise DomainError("contact_withdrawn", case_id=case.id)
    return kind


def _row(
    case: Case,
    kind: str,
    source: str,
    step: int,
    started_at: datetime,
    due_at: datetime,
    **more: Any,
) -> dict[str, Any]:
    return {
        "case_id": case.id,
        "referral_id": None,
        "kind": kind,
        "source": source,
        "step": step,
        "started_at": started_at,
        "due_at": due_at,
    } | more


def plan_follow_up(
    session: Session,
    case_id: int,
    actor: Actor,
    *,
    kind: str,
    due_on: date,
    now: datetime,
    referral_id: int | None = None,
) -> FollowUp:
    """Plan a visit or call besides those of the clocks, from today on.

    Raises what `hold_case` and `require_consent` raise, `reason_unknown` (kind), `contact_withdrawn` (a call),
    `not_found` (a referral of another case) or `value_wrong` (the day is past or more than a year ahead).
    """
    case = hold_case(session, case_id, actor)
    require_consent(session, case.id, now)
    _require_kind(session, case, kind)
    governorate = load(case.governorate)
    today = local_day(governorate, now)
    if not today <= due_on <= today + LONGEST_PLANNED:
        raise DomainError("value_wrong", field="due_on")
    if referral_id is not None and not case_events.is_referral_of_case(session, case.id, referral_id):
        raise DomainError("not_found", referral_id=referral_id)
    zone = local_zone(governorate)
    due_at = max(now, datetime.combine(due_on, time(PLANNED_HOUR), zone))
    follow_up = FollowUp(**_row(case, kind, PLANNED, 0, now, due_at, referral_id=referral_id))
    session.add(follow_up)
    session.flush()
    return follow_up


def record_follow_up(
    session: Session,
    vault: Vault,
    case_id: int,
    follow_up_id: int,
    actor: Actor,
    *,
    result: str,
    now: datetime,
    kind: str | None = None,
    note: str | None = None,
) -> FollowUp:
    """Record what came of a follow-up, and how it was made when not as planned.

    Who was not reached is tried again by the clock, as often as the governorate's data say. Raises what
    `hold_case` raises, `not_found`, `changed_meanwhile` (it was recorded or called off), `reason_required`,
    `reason_unknown`, `contact_withdrawn` (a call) or `case_erased`.
    """
    case = hold_case(session, case_id, actor)
    follow_up = query.get_follow_up(session, case.id, follow_up_id)
    if follow_up is None:
        raise DomainError("not_found", follow_up_id=follow_up_id)
    _finish(session, vault, case, follow_up, actor, result, kind or follow_up.kind, note, now)
    if result == query.NOT_REACHED:
        _try_again(session, case, follow_up, now)
    return follow_up


def record_answer(
    session: Session,
    vault: Vault,
    case: Case,
    referral_id: int,
    actor: Actor,
    *,
    kind: str,
    now: datetime,
) -> FollowUp:
    """Record that the returnee was asked whether the service was delivered, and how.

    It is the follow-up that waits for this referral, or one more where none waits. The caller holds the case and
    says yes or no with a move of the referral. Raises DomainError `reason_required`, `reason_unknown` or
    `contact_withdrawn` (by a call).
    """
    follow_up = query.get_follow_up_to_answer(session, referral_id, now)
    if follow_up is None:
        follow_up = FollowUp(**_row(case, kind, query.ANSWER, 0, now, now, referral_id=referral_id))
        session.add(follow_up)
        session.flush()
    _finish(session, vault, case, follow_up, actor, "reached", kind, None, now)
    return follow_up


def _finish(
    session: Session,
    vault: Vault,
    case: Case,
    follow_up: FollowUp,
    actor: Actor,
    result: str,
    kind: str,
    note: str | None,
    now: datetime,
) -> None:
    if follow_up.done_at is not None or follow_up.cancelled_at is not None:
        raise DomainError("changed_meanwhile", follow_up_id=follow_up.id)
    follow_up.result = require_choice("follow_up_result", result)
    follow_up.kind = _require_kind(session, case, kind)
    follow_up.note = vault.seal(key_of(case), "follow_up.note", note)
    follow_up.done_at, follow_up.recorded_by = now, actor.user_id
    add_case_event(
        session,
        vault,
        case,
        actor,
        CaseEventKind.FOLLOW_UP_RECORDED,
        now,
        object_id=follow_up.id,
        reason=result,
        details={"kind": kind, "referral_id": follow_up.referral_id},
    )


def _try_again(session: Session, case: Case, failed: FollowUp, now: datetime) -> None:
    governorate = load(case.governorate)
    attempts = query.count_attempts(session, failed)
    if attempts >= governorate.follow_up_attempts.most:
        return
    again = _row(
        case,
        failed.kind,
        query.AGAIN,
        attempts + 1,
        failed.started_at,
        next_attempt_due(governorate, now),
        referral_id=failed.referral_id,
        again_of_id=failed.id,
    )
    session.add(FollowUp(**(again | _instead_of_call(session, case, failed.kind, now))))
    session.flush()
