"""Queries on how far each source has been read; a row moves only from the version that the writer saw."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.errors import DomainError
from db.models import SyncState

KEY = (SyncState.governorate, SyncState.source, SyncState.form_id)


def get_or_create_sync_state(session: Session, governorate: str, source: str, form_id: str) -> SyncState:
    """Read the state of one form of a source, made on first use."""
    state = session.get(SyncState, (governorate, source, form_id))
    if state is not None:
        return state
    session.execute(
        insert(SyncState)
        .values(governorate=governorate, source=source, form_id=form_id, version=0)
        .on_conflict_do_nothing(index_elements=KEY)
    )
    return session.get_one(SyncState, (governorate, source, form_id))


def advance_sync_state(
    session: Session, governorate: str, source: str, form_id: str, version: int, **values: Any
) -> int:
    """Write columns of the state (`etag`, `since`, `walk`, ...) and return its new version.

    Raises DomainError `changed_meanwhile` when somebody else moved the row since `version` was read; the
    page then rolls back with it.
    """
    moved = session.scalar(
        update(SyncState)
        .where(
            SyncState.governorate == governorate,
            SyncState.source == source,
            SyncState.form_id == form_id,
            SyncState.version == version,
        )
        .values({"version": version + 1, "last_error": None} | values)
        .returning(SyncState.version)
        .execution_options(synchronize_session=False)
    )
    if moved is None:
        raise DomainError("changed_meanwhile", source=source, form_id=form_id)
    return moved


def set_sync_error(session: Session, governorate: str, source: str, form_id: str, code: str) -> None:
    """Note why the last pull of a form stopped; what was read before stays."""
    session.execute(
        insert(SyncState)
        .values(governorate=governorate, source=source, form_id=form_id, version=0, last_error=code)
        .on_conflict_do_update(index_elements=KEY, set_={"last_error": code})
    )


def list_sync_states(session: Session, governorate: str) -> list[SyncState]:
    """List the state of every form of every source that a governorate reads."""
    statement = (
        select(SyncState)
        .where(SyncState.governorate == governorate)
        .order_by(SyncState.source, SyncState.form_id)
    )
    return list(session.scalars(statement))
