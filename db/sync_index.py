"""Queries on what was read of each submission of a source, many at a time and never all at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Boolean, ColumnElement, Text, and_, any_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import SyncEntry
from db.submissions import set_deleted


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One form of one source, read for a governorate."""

    governorate: str
    source: str
    form_id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What was read of a submission; `deleted`: it was gone when last looked for."""

    fingerprint: str
    deleted: bool


def get_entries(session: Session, key: IndexKey, instance_ids: Collection[str]) -> dict[str, Entry]:
    """Map submissions to what was read of them; those never read are left out."""
    rows = session.execute(
        select(SyncEntry.instance_id, SyncEntry.fingerprint, SyncEntry.deleted).where(
            _of(key), SyncEntry.instance_id == any_(_texts(instance_ids))
        )
    )
    return {row.instance_id: Entry(row.fingerprint, row.deleted) for row in rows}


def is_larger_than(session: Session, key: IndexKey, limit: int) -> bool:
    """Whether more than `limit` submissions are known and there; counts no further."""
    beyond = select(SyncEntry.instance_id).where(_of(key), ~SyncEntry.deleted).offset(limit).limit(1)
    return session.scalar(beyond) is not None


def list_changed(session: Session, key: IndexKey, listed: Mapping[str, str]) -> list[str]:
    """List those of a page of the source's list (instance id -> fingerprint) that have to be read again."""
    page = _page(listed)
    statement = (
        select(page.c.instance_id)
        .outerjoin(SyncEntry, and_(_of(key), SyncEntry.instance_id == page.c.instance_id))
        .where(
            or_(
                SyncEntry.instance_id.is_(None),
                SyncEntry.deleted,
                SyncEntry.fingerprint != page.c.fingerprint,
            )
        )
    )
    return list(session.scalars(statement))


def upsert_entries(session: Session, key: IndexKey, entries: Mapping[str, str]) -> None:
    """Write what was read (instance id -> fingerprint) of submissions that are there."""
    if not entries:
        return
    page = _page(entries)
    rows = select(
        literal(key.governorate),
        literal(key.source),
        literal(key.form_id),
        page.c.instance_id,
        page.c.fingerprint,
        literal(False, Boolean),
    )
    columns = ["governorate", "source", "form_id", "instance_id", "fingerprint", "deleted"]
    statement = insert(SyncEntry).from_select(columns, rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=columns[:4],
            set_={"fingerprint": statement.excluded.fingerprint, "deleted": False},
        )
    )


def set_gone(session: Session, key: IndexKey, instance_ids: Collection[str], now: datetime) -> int:
    """Mark submissions as deleted in their source; returns how many were not marked before."""
    return _set_gone(session, key, SyncEntry.instance_id == any_(_texts(instance_ids)), now)


def set_unlisted_gone(session: Session, key: IndexKey, listed: Sequence[str], now: datetime) -> int:
    """Mark all submissions as deleted that a complete list does not hold; returns how many are new."""
    page = func.unnest(_texts(listed)).table_valued("instance_id").render_derived(name="page")
    is_listed = select(page.c.instance_id).where(page.c.instance_id == SyncEntry.instance_id).exists()
    return _set_gone(session, key, ~is_listed, now)


def _set_gone(session: Session, key: IndexKey, which: ColumnElement[bool], now: datetime) -> int:
    gone = session.scalars(
        update(SyncEntry)
        .where(_of(key), ~SyncEntry.deleted, which)
        .values(deleted=True)
        .returning(SyncEntry.instance_id)
        .execution_options(synchronize_session=False)
    ).all()
    if gone:
        set_deleted(session, key.source, key.form_id, gone, now)
    return len(gone)


def set_back(session: Session, key: IndexKey, instance_ids: Collection[str]) -> None:
    """Take the mark off submissions that are there again."""
    if instance_ids:
        set_deleted(session, key.source, key.form_id, instance_ids, None)


def _of(key: IndexKey) -> ColumnElement[bool]:
    return and_(
        SyncEntry.governorate == key.governorate,
        SyncEntry.source == key.source,
        SyncEntry.form_id == key.form_id,
    )


def _page(fingerprints: Mapping[str, str]) -> Any:
    """A page of a list as a table of instance ids and fingerprints."""
    rows = func.unnest(_texts(fingerprints.keys()), _texts(fingerprints.values()))
    return rows.table_valued("instance_id", "fingerprint").render_derived(name="page")


def _texts(values: Collection[str]) -> Any:
    return literal(list(values), ARRAY(Text))
