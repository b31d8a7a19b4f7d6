"""A person settles what an edit says against what was used: take the new value, or keep the former one."""

from datetime import datetime

from sqlalchemy.orm import Session

from casework import deadlines
from casework.amendments import amend_disclosures
from casework.case_events import add_case_event, key_of
from casework.conflicts import EDITED, FORMER, end_waiting
from casework.facts import FACTS, RESIDENCE, RISK, CaseRows, Values
from casework.households import lock_own_household
from casework.moves import SYSTEM, Actor, lock_referral, require_choice
from casework.sending import recall_uncovered
from casework.tasks import CHANGED_FACTS, open_task
from db import cases as case_query
from db import conflicts as query
from db import deadlines as deadline_query
from db import referrals as referral_query
from db.errors import DomainError
from db.models import Case, CaseEventKind, ConflictState, FactConflict, TaskState
from db.queue import URGENCY_ORDER
from db.vault import Vault

REASONS = "conflict_reason"


def take_new(
    session: Session, vault: Vault, conflict_id: int, actor: Actor, reason: str, *, now: datetime
) -> None:
    """Say that the edit is right: the case gets its value, and what follows from that is done or given to somebody.

    What is under way stays as it is but for what consent no longer covers; its coordinators get a task when the
    residence changed, and providers who hold what changed are told of it (`casework.amendments`). Raises DomainError
    `not_found`, `forbidden` (another ministry's coordinator), `changed_meanwhile` (it was settled, or a newer version
    speaks), `case_erased`, `reason_required`, `reason_unknown` or `override_needs_emergency`.
    """
    conflict, case, standing = _held(session, conflict_id, actor, reason)
    values = vault.open_json(EDITED, conflict.edited)
    if conflict.fact == RISK:
        _require_emergencies(session, standing, values)
    _write(session, vault, conflict, case, standing, values)
    _end(session, vault, conflict, case, actor, ConflictState.TAKEN, reason, now)
    case.searched_submission_id = None  # other registrations are looked for under what holds now
    if conflict.fact == RISK:
        _press_on(session, standing, values, now)
    if conflict.fact == RESIDENCE and standing is case:
        recall_uncovered(session, vault, case.id, now)
        _tell_coordinators(session, case, now)
    if standing is case:
        amend_disclosures(session, vault, case, conflict, now)


def keep_former(
    session: Session, vault: Vault, conflict_id: int, actor: Actor, reason: str, *, now: datetime
) -> None:
    """Say that what was used is right; what the edit had narrowed by itself is as it was. Raises as `take_new`."""
    conflict, case, standing = _held(session, conflict_id, actor, reason)
    _write(session, vault, conflict, case, standing, vault.open_json(FORMER, conflict.former))
    _end(session, vault, conflict, case, actor, ConflictState.KEPT, reason, now)
    if standing is case:
        amend_disclosures(session, vault, case, conflict, now)


def _held(session: Session, conflict_id: int, actor: Actor, reason: str) -> tuple[FactConflict, Case, Case]:
    """The open conflict, its registration and the case that stands for it, all held until the transaction ends."""
    require_choice(REASONS, reason)
    found = query.get_case_of_conflict(session, conflict_id)
    if found is None:
        raise DomainError("not_found", conflict_id=conflict_id)
    household = lock_own_household(session, found.id, actor)
    case = next(one for one in household if one.id == found.id)
    session.refresh(case)
    conflict = query.lock_conflict(session, conflict_id)
    if conflict is None or conflict.state != ConflictState.OPEN:
        raise DomainError("changed_meanwhile", conflict_id=conflict_id)
    key_of(case)
    return conflict, case, household[0]


def _write(
    session: Session, vault: Vault, conflict: FactConflict, case: Case, standing: Case, values: Values
) -> None:
    needs = [need for need in case_query.list_needs(session, standing.id) if need.status != "served"]
    rows = CaseRows(case, case_query.get_head(session, case.id), needs)
    FACTS[conflict.fact].write(vault, key_of(case), rows, values)
    if conflict.fact == RESIDENCE:
        case.contested_subdistrict = None
    session.flush()


def _end(
    session: Session,
    vault: Vault,
    conflict: FactConflict,
    case: Case,
    actor: Actor,
    state: ConflictState,
    reason: str,
    now: datetime,
) -> None:
    conflict.state, conflict.reason = state, reason
    conflict.settled_at, conflict.settled_by = now, actor.user_id
    session.flush()
    kind = CaseEventKind.CONFLICT_TAKEN if state == ConflictState.TAKEN else CaseEventKind.CONFLICT_KEPT
    add_case_event(
        session, vault, case, actor, kind, now,
        object_id=conflict.id, reason=reason, details={"fact": conflict.fact},
    )  # fmt: skip
    end_waiting(session, case, TaskState.DONE, actor.user_id, now)


def _tell_coordinators(session: Session, case: Case, now: datetime) -> None:
    """The provider was chosen for the former place: somebody looks whether it is still the right one."""
    for referral_id in referral_query.list_live_referral_ids(session, case.id):
        need = lock_referral(session, referral_id, SYSTEM).need
        open_task(session, case, CHANGED_FACTS, now, need=need, referral_id=referral_id)


def _require_emergencies(session: Session, standing: Case, values: Values) -> None:
    """What was sent without consent may only have been because it was an emergency."""
    overridden = query.list_overridden_need_ids(session, standing.id)
    for need in case_query.list_needs(session, standing.id):
        if need.id in overridden and values.get(need.service_type, "emergency") != "emergency":
            raise DomainError("override_needs_emergency", need_id=need.id)


def _press_on(session: Session, standing: Case, values: Values, now: datetime) -> None:
    """A referral under way becomes more urgent with its need, never less; its clock then ends sooner, not later."""
    for referral_id in referral_query.list_live_referral_ids(session, standing.id):
        parts = lock_referral(session, referral_id, SYSTEM)
        urgency = values.get(parts.need.service_type, parts.referral.urgency)
        if URGENCY_ORDER.index(urgency) >= URGENCY_ORDER.index(parts.referral.urgency):
            continue
        parts.referral.urgency = urgency
        session.flush()
        before = deadline_query.get_open_deadline(session, referral_id, lock=True)
        if before is None or before.due_at is None:
            continue
        due_at = before.due_at
        deadlines.restart(session, parts, now)
        after = deadline_query.get_open_deadline(session, referral_id, lock=True)
        if after is not None and after.due_at is not None and due_at < after.due_at:
            after.due_at = after.act_at = due_at
        session.flush()
