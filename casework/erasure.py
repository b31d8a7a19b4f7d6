"""Make a case unreadable for good: its keys, those of every case merged into it, and its hashes."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.moves import Actor
from casework.tasks import CONFLICT
from db import accounts, conflicts
from db import erasure as query
from db.errors import DomainError
from db.models import TaskState
from db.tasks import close_tasks
from db.vault import Vault


def erase_case(session: Session, vault: Vault, case_id: int, actor: Actor) -> int:
    """Delete every key that anything of this household is sealed with; returns how many keys there were.

    Sealed values stay with the key they were sealed with, so a merged case is erased with the one it went into,
    whichever of the two is named. Figures, states and history stay. Whether the actor may is the caller's
    permission; here only the governorate counts. Raises DomainError `not_found`.
    """
    group = query.list_household_case_ids(session, case_id, actor.governorate)
    if not group:
        raise DomainError("not_found", case_id=case_id)
    keys = query.list_data_key_ids(session, group)
    query.delete_hashes(session, group)
    now = datetime.now(UTC)
    conflicts.supersede_open(session, group, now)
    for one in group:
        close_tasks(session, TaskState.CANCELLED, now, case_id=one, kind=CONFLICT)
    for key_id in keys:
        vault.erase_key(key_id)
    session.expire_all()
    accounts.record_audit(session, actor.user_id, "case.erase", "case_file", group)
    return len(keys)
