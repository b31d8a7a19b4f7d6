"""An edit of a form against facts that were acted on: they stay as they were used until a person has settled it.

What becomes narrower by an edit holds at once (`casework.facts`); while contact is in conflict nobody calls or writes
to the household, and while the residence is, both places are the person's own.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from casework.assessment import Assessment, Issue
from casework.case_events import add_case_event
from casework.facts import FACTS, RESIDENCE, CaseRows, Fact, Values, is_same
from casework.moves import SYSTEM
from casework.tasks import CONFLICT, open_task
from db import case_events as event_query
from db import cases as case_query
from db import conflicts as query
from db import consents as consent_query
from db import tasks as task_query
from db.models import Case, CaseEventKind, ConflictState, FactConflict, Submission, TaskState
from db.models.people import UNKNOWN_SUBDISTRICT
from db.queue import URGENCY_ORDER
from db.vault import Vault
from governorates import load

FORMER, EDITED = "fact_conflict.former", "fact_conflict.edited"
ISSUE = "fact_in_conflict"


def read_rows(session: Session, case: Case) -> CaseRows:
    """The rows in which the facts of a registration stand."""
    return CaseRows(case, case_query.get_head(session, case.id), query.list_live_needs(session, case.id))


@dataclass(frozen=True, slots=True)
class _Edit:
    """A version of the form of a case that is being taken in; the caller holds the case."""

    session: Session
    vault: Vault
    case: Case
    submission: Submission
    now: datetime


def hold_acted_on(
    session: Session,
    vault: Vault,
    case: Case,
    submission: Submission,
    assessment: Assessment,
    now: datetime,
) -> tuple[Assessment, list[Issue]]:
    """The assessment as far as it may be written, and what waits for a person besides.

    A fact that nobody acted on, and of which nothing waits, is written as the edit says it. Once a version and fact: a
    version that is taken in again changes nothing. What a person has refused is not asked again while edits repeat it.
    """
    if case.data_key_id is None:
        return assessment, []
    edit, rows = _Edit(session, vault, case, submission, now), read_rows(session, case)
    household = consent_query.list_household_ids(session, case.id)
    uses = query.get_uses(session, household)
    newest = {one.fact: one for one in query.list_conflicts_of_case(session, case.id)}
    known = query.list_facts_of_version(session, submission.id)
    written = assessment
    opened: list[str] = []
    for fact in FACTS.values():
        standing = fact.read(vault, rows)
        if fact.code in known:
            written = fact.keeping(written, standing)
            continue
        held = _hold(edit, fact, standing, fact.said(assessment, standing), newest.get(fact.code), uses)
        if held is None:
            continue
        values, is_new = held
        written = fact.keeping(written, values)
        if is_new:
            opened.append(fact.code)
    if newest or opened:
        urgencies = [need.urgency for need in rows.needs] + [need.urgency for need in assessment.needs]
        _follow(edit, min(urgencies, key=URGENCY_ORDER.index, default=None))
    return written, [Issue("fact_in_conflict", None, {"fact": code}) for code in opened]


def _hold(
    edit: _Edit,
    fact: Fact,
    standing: Values,
    edited: Values,
    newest: FactConflict | None,
    uses: query.Uses,
) -> tuple[Values, bool] | None:
    """What holds of a fact instead of what the edit says, and whether a person must look; None: the edit's own."""
    waiting = newest if newest is not None and newest.state == ConflictState.OPEN else None
    if newest is not None and newest.state == ConflictState.KEPT:
        refused = edit.vault.open_json(EDITED, newest.edited)
        if is_same(_of(edited, refused), edited):
            return standing, False
    base = standing
    if waiting is not None:
        former = edit.vault.open_json(FORMER, waiting.former)
        _supersede(edit, fact, waiting)
        if not is_same(_of(standing, former), edited):
            base = _of(standing, former)
    if is_same(base, edited):
        return None
    if waiting is None and not fact.is_acted_on(uses):
        return None
    _open(edit, fact, base, edited)
    return fact.bind(standing, edited), True


def _of(standing: Values, former: Values) -> Values:
    """Values of the past, of the fields that there are today."""
    return {name: former.get(name, value) for name, value in standing.items()}


def _supersede(edit: _Edit, fact: Fact, conflict: FactConflict) -> None:
    """A newer version speaks now in the place of the one that waits."""
    conflict.state, conflict.settled_at = ConflictState.SUPERSEDED, edit.now
    if fact.code == RESIDENCE:
        edit.case.contested_subdistrict = None
    edit.session.flush()


def _open(edit: _Edit, fact: Fact, former: Values, edited: Values) -> None:
    key_id = edit.case.data_key_id
    assert key_id is not None  # noqa: S101  the caller has looked
    conflict = FactConflict(
        case_id=edit.case.id,
        submission_id=edit.submission.id,
        fact=fact.code,
        former=edit.vault.seal_json(key_id, FORMER, dict(former)),
        edited=edit.vault.seal_json(key_id, EDITED, dict(edited)),
        opened_at=edit.now,
    )
    if fact.code == RESIDENCE:
        edit.case.contested_subdistrict = edited.get("subdistrict") or UNKNOWN_SUBDISTRICT
    edit.session.add(conflict)
    edit.session.flush()
    add_case_event(
        edit.session, edit.vault, edit.case, SYSTEM, CaseEventKind.CONFLICT_OPENED, edit.now,
        object_id=conflict.id, details={"fact": fact.code},
    )  # fmt: skip


def _follow(edit: _Edit, urgency: str | None) -> None:
    """Give the office its task while something waits, as urgent as the most urgent need; else end it."""
    session, case = edit.session, edit.case
    if not query.has_open_of_registration(session, case.id):
        end_waiting(session, case, TaskState.CANCELLED, None, edit.now)
        return
    operator = load(case.governorate).operator.code
    standing = task_query.get_open_task(session, case.id, CONFLICT, None, None)
    if standing is not None and urgency is not None and _is_more_urgent(urgency, standing.urgency):
        standing.state, standing.done_at = TaskState.CANCELLED, edit.now
        session.flush()
    open_task(session, case, CONFLICT, edit.now, urgency=urgency, ministry=operator)


def _is_more_urgent(one: str, other: str) -> bool:
    return URGENCY_ORDER.index(one) < URGENCY_ORDER.index(other)


def end_waiting(session: Session, case: Case, state: TaskState, user_id: int | None, now: datetime) -> None:
    """Nothing waits any more in a registration: its task and its marks end. Does nothing while something does."""
    if query.has_open_of_registration(session, case.id):
        return
    result = "dealt_with" if state == TaskState.DONE else None
    task_query.close_tasks(session, state, now, case_id=case.id, kind=CONFLICT, result=result, by=user_id)
    event_query.settle_issues(session, case.id, ISSUE, user_id, now)


def open_values(vault: Vault, conflicts: Sequence[FactConflict]) -> dict[int, tuple[Values, Values] | None]:
    """What was used and what the edit says, by conflict; None where it was erased. The caller audits the reading."""
    found: dict[int, tuple[Values, Values] | None] = {}
    formers = vault.open_many(FORMER, [one.former for one in conflicts])
    editeds = vault.open_many(EDITED, [one.edited for one in conflicts])
    for one, former, edited in zip(conflicts, formers, editeds, strict=True):
        readable = former is not None and edited is not None
        found[one.id] = (json.loads(former), json.loads(edited)) if readable else None  # type: ignore[arg-type]
    return found
