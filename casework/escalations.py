"""Settling what a role was told of."""

from datetime import datetime

from sqlalchemy.orm import Session

from casework.moves import LONGEST_NOTE
from db import escalations as query
from db.errors import DomainError
from db.vault import Vault
from db.visibility import Viewer


def settle_escalation(
    session: Session,
    vault: Vault,
    viewer: Viewer,
    escalation_id: int,
    note: str,
    *,
    user_id: int | None,
    now: datetime,
) -> int:
    """Say that an escalation was seen and what is done about it; returns the id of its need.

    The referral's clock runs on: where nothing moves for its whole length, the role is told again. Raises
    DomainError `not_found`, `text_required`, `text_too_long`, or `changed_meanwhile` when it is settled already.
    """
    found = query.get_visible_escalation(session, viewer, escalation_id)
    if found is None:
        raise DomainError("not_found", escalation_id=escalation_id)
    escalation, case = found
    if escalation.settled_at is not None:
        raise DomainError("changed_meanwhile", escalation_id=escalation_id)
    if not note.strip():
        raise DomainError("text_required")
    if len(note) > LONGEST_NOTE:
        raise DomainError("text_too_long")
    escalation.settled_at, escalation.settled_how, escalation.settled_by = now, "seen", user_id
    if case.data_key_id is not None:
        escalation.note = vault.seal(case.data_key_id, "escalation.note", note.strip())
    session.flush()
    return escalation.need_id
