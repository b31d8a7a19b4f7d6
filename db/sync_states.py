"""Queries on how far each source has been read; a row moves only from the version that the writer saw."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from db.errors import DomainError
from db.models import SyncState

KEY = (SyncState.governorate, SyncState.source, SyncState.form_id)


def get_or_create_sync_state(session: Session, governorate: str, source: str, form_id: str) -> SyncState:
    """Read the state of one form of a source, made on first use."""
    session.execute(
        insert(SyncState)
        .values(governorate=governorate, source=source, form_id=form_id, index={}, version=0)
        .on_conflict_do_nothing(index_elements=KEY)
    )
    return session.get_one(SyncState, (governorate, source, form_id))


def advance_sync_state(
    session: Session,
    governorate: str,
    source: str,
    form_id: str,
    version: int,
    *,
    entries: Mapping[str, str] | None = None,
    etag: str | None = None,
    succeeded_at: datetime | None = None,
) -> int:
    """Add index entries (and, at the end of a pull, ETag and time) and return the new version.

    Raises DomainError `changed_meanwhile` when somebody else moved the row since `version` was read; the
    page then rolls back with it.
    """
    values: dict[str, object] = {"version": version + 1, "last_error": None}
    if entries:
        patch = bindparam("patch", dict(entries), JSONB, unique=True)
        values["index"] = func.coalesce(SyncState.index, func.jsonb_build_object()).op("||")(patch)
    if succeeded_at is not None:
        values |= {"etag": etag, "last_success_at": succeeded_at}
    moved = session.scalar(
        update(SyncState)
        .where(
            SyncState.governorate == governorate,
            SyncState.source == source,
            SyncState.form_id == form_id,
            SyncState.version == version,
        )
        .values(values)
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
        .values(governorate=governorate, source=source, form_id=form_id, index={}, version=0, last_error=code)
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
