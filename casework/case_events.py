"""What every act on a case begins and ends with: hold the case, and write its history."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from casework.moves import Actor
from db import case_events as query
from db.errors import DomainError
from db.models import Case, CaseEvent, CaseEventKind
from db.vault import Vault


def hold_case(session: Session, case_id: int, actor: Actor, *, closed: bool = False) -> Case:
    """A case of the officer's own office, held until the transaction ends.

    Raises DomainError `forbidden`, `not_found`, `changed_meanwhile` (it was merged into another one),
    `case_closed`, or with `closed` (the act is for closed cases) `case_open`.
    """
    if actor.role != "officer":
        raise DomainError("forbidden")
    case = query.get_visible_case_locked(session, actor, case_id)
    if case is None:
        raise DomainError("not_found", case_id=case_id)
    if case.merged_into_id is not None:
        raise DomainError("changed_meanwhile", case_id=case_id)
    if closed and case.closed_at is None:
        raise DomainError("case_open", case_id=case_id)
    if not closed and case.closed_at is not None:
        raise DomainError("case_closed", case_id=case_id)
    return case


def key_of(case: Case) -> uuid.UUID:
    """The case's data key; DomainError `case_erased` when it is gone."""
    if case.data_key_id is None:
        raise DomainError("case_erased", case_id=case.id)
    return case.data_key_id


def add_case_event(
    session: Session,
    vault: Vault,
    case: Case,
    actor: Actor,
    kind: CaseEventKind,
    at: datetime,
    *,
    object_id: int | None = None,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
    note: str | None = None,
) -> None:
    """Write one step of the case's history; details hold ids and codes only."""
    session.add(
        CaseEvent(
            case_id=case.id,
            kind=kind,
            object_id=object_id,
            reason=reason,
            details=details,
            note=vault.seal(key_of(case), "case_event.note", note) if note else None,
            actor_role=actor.role,
            user_id=actor.user_id,
            at=at,
        )
    )
    session.flush()
