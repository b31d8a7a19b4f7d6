"""Tasks of offices and coordinators: opened where a case cannot go on by itself, finished with a coded result.

Kinds, who does them and what a result means: `referral_engine.task_kinds`. While a task that holds its need is
open the need is not matched; finishing it is what brings it back.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from db import case_events
from db import matching as match_query
from db import referrals as referral_query
from db import tasks as query
from db.conflicts import has_open_of_registration
from db.errors import DomainError
from db.models import Case, Need, Role, Task, TaskState
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import load, task_due_at
from referral_engine.sop import FINAL, ReferralState
from referral_engine.task_kinds import TASK_KINDS, Effect

if TYPE_CHECKING:
    from casework.moves import Actor

RESULTS = "task_result"
ASSESSMENT = "provider_assessment"
NEW_ANSWERS = "new_answers"
CONFLICT = "fact_conflict"
CHANGED_FACTS = "changed_facts"
TRACING, REACHED = "tracing", "reached"
_STATUS_AFTER = {Effect.SERVED: "served", Effect.END: "withdrawn"}


def open_task(
    session: Session,
    case: Case,
    kind: str,
    now: datetime,
    *,
    need: Need | None = None,
    referral_id: int | None = None,
    urgency: str | None = None,
    ministry: str | None = None,
) -> Task:
    """Open a task of a case that the caller holds; one that is open already about the same is returned.

    Its urgency is that of the need unless given; it is due by the governorate's clock of the kind. `ministry`
    says whose coordinators do a task that is about no need. A case without an office has its tasks done by
    coordinators. Raises KeyError for a kind that is not in the table.
    """
    row = TASK_KINDS[kind]
    need_id = None if need is None else need.id
    standing = query.get_open_task(session, case.id, kind, need_id, referral_id)
    if standing is not None:
        return standing
    pressing = urgency or ("normal" if need is None else need.urgency)
    task = Task(
        case_id=case.id,
        referral_id=referral_id,
        need_id=need_id,
        kind=kind,
        holds_need=row.holds_need and need is not None,
        role=row.role if case.office_id is not None else Role.COORDINATOR,
        ministry=ministry,
        urgency=pressing,
        due_at=task_due_at(load(case.governorate), kind, pressing, now),
        created_at=now,
    )
    session.add(task)
    session.flush()
    return task


def finish_task(
    session: Session,
    vault: Vault,
    task_id: int,
    actor: "Actor",
    result: str,
    note: str | None = None,
    *,
    now: datetime,
) -> Task:
    """Say what came of a task; its need is matched again, served or ended by what the table says of the result.

    Raises DomainError `not_found` (also for a task that somebody else's role does), `changed_meanwhile` when it
    is not open any more, `reason_required` or `reason_unknown` for the result, `conflict_open` while a fact still waits
    to be settled (`casework.settlements`), which ends that task.
    """
    visible = query.get_visible_task(session, actor, task_id)
    if visible is None or visible.role != actor.role:
        raise DomainError("not_found", task_id=task_id)
    task = query.lock_task(session, task_id)
    if task.state != TaskState.OPEN:
        raise DomainError("changed_meanwhile", task_id=task_id)
    effect = _effect(task.kind, result)
    if task.kind == CONFLICT and has_open_of_registration(session, task.case_id):
        raise DomainError("conflict_open", case_id=task.case_id)
    case = session.get_one(Case, task.case_id)
    task.state, task.done_at, task.done_by, task.result = TaskState.DONE, now, actor.user_id, result
    if case.data_key_id is not None:
        task.note = vault.seal(case.data_key_id, "task.note", note)
    if effect in _STATUS_AFTER and task.need_id is not None:
        _end_need(session, task.need_id, _STATUS_AFTER[effect], now)
    elif effect is Effect.MATCH and task.kind == TRACING and task.need_id is not None:
        end_tracing(session, query.get_standing_need(session, task.need_id), actor, now)
    elif task.kind == NEW_ANSWERS:
        settle_new_answers(session, task.case_id, actor, now)
    session.flush()
    return task


def trace_person(session: Session, case: Case, need: Need, now: datetime) -> None:
    """Have the office look for the person of a need (`db.matching.NOT_REACHED`), unless it does already.

    The caller holds the case.
    """
    if not query.list_open_of_need(session, need.id, TRACING):
        open_task(session, case, TRACING, now, need=need)


def end_tracing(session: Session, need: Need, actor: "Actor", now: datetime) -> None:
    """The person was reached: nobody looks for them any more, and matching looks for a provider again."""
    for task in query.list_open_of_need(session, need.id, TRACING):
        task.state, task.done_at, task.done_by, task.result = TaskState.DONE, now, actor.user_id, REACHED
    _clear_not_reached(need)
    session.flush()


def clear_if_untraced(session: Session, need: Need) -> None:
    """Let a need be matched that waits for its person while nobody looks for them any more."""
    if need.unmet_reason == match_query.NOT_REACHED and not query.list_open_of_need(
        session, need.id, TRACING
    ):
        _clear_not_reached(need)
        session.flush()


def _clear_not_reached(need: Need) -> None:
    if need.unmet_reason == match_query.NOT_REACHED:
        need.unmet_reason = need.unmet_details = need.unmet_since = None


def settle_new_answers(session: Session, case_id: int, actor: "Actor", now: datetime) -> None:
    """Somebody has looked at what a closed case sent: nothing marks it any more."""
    query.close_tasks(
        session, TaskState.DONE, now, case_id=case_id, kind=NEW_ANSWERS, result="dealt_with", by=actor.user_id
    )
    case_events.settle_issues(session, case_id, "edited_after_closing", actor.user_id, now)


def _effect(kind: str, result: str) -> Effect:
    if not result:
        raise DomainError("reason_required", reason_list=RESULTS)
    if result not in TASK_KINDS[kind].results:
        raise DomainError("reason_unknown", reason_list=RESULTS)
    return TASK_KINDS[kind].results[result]


def _end_need(session: Session, need_id: int, status: str, now: datetime) -> None:
    """Nobody is looked for any more, unless somebody was found meanwhile."""
    need = query.get_standing_need(session, need_id)
    if need.status != "open" or referral_query.has_live_referral(session, need.id):
        return
    need.status, need.unmet_reason, need.unmet_details, need.unmet_since = status, None, None, None
    query.close_tasks(session, TaskState.CANCELLED, now, need_id=need.id)


def follow_move(session: Session, parts: ReferralParts, target: str, now: datetime) -> None:
    """End tasks that a move has settled: the provider's assessment, and all about a need that has ended."""
    referral_id = parts.referral.id
    if target == ReferralState.ACCEPTED:
        query.close_tasks(
            session, TaskState.DONE, now, referral_id=referral_id, kind=ASSESSMENT, result="dealt_with"
        )
    elif target in FINAL:
        for kind in (ASSESSMENT, CHANGED_FACTS):
            query.close_tasks(session, TaskState.CANCELLED, now, referral_id=referral_id, kind=kind)
    if parts.need.status == "withdrawn":
        query.close_tasks(session, TaskState.CANCELLED, now, need_id=parts.need.id)


def cancel_tasks(session: Session, case_id: int, now: datetime) -> None:
    """Cancel every open task of a case, because the person took consent back."""
    query.close_tasks(session, TaskState.CANCELLED, now, case_id=case_id)
