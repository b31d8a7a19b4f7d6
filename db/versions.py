"""Writing many raw versions of submissions, and their keys, in one statement each."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    LargeBinary,
    String,
    Text,
    Uuid,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from db.crypto import Sealed
from db.models import DataKey, Submission


@dataclass(frozen=True, slots=True)
class NewVersion:
    """One version to store; the fields are columns of `submission`."""

    form_id: str
    form_version: str | None
    root_instance_id: str
    instance_id: str
    media_type: str
    payload: bytes | None = field(repr=False)
    fingerprint: bytes = field(repr=False)
    data_key_id: uuid.UUID
    status: str
    submitted_at: datetime | None
    review_state: str | None = None
    tablet_id: int | None = None
    reason: str | None = None
    processed_at: datetime | None = None


_TYPES: dict[str, TypeEngine[Any]] = {
    "payload": Sealed(),
    "fingerprint": LargeBinary(),
    "data_key_id": Uuid(),
    "submitted_at": DateTime(timezone=True),
    "processed_at": DateTime(timezone=True),
    "tablet_id": BigInteger(),
}
_NAMES = tuple(one.name for one in fields(NewVersion))


def _rows_of(types: dict[str, TypeEngine[Any]]) -> Any:
    """Rows bound as one array a column: however many there are, the statement is the same and is planned once."""
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]
    rows = func.unnest(*arrays).table_valued(*types, with_ordinality="place")
    return rows.render_derived(name="new")


_new = _rows_of({name: _TYPES.get(name, Text()) for name in _NAMES})
_CREATE_VERSIONS = (
    insert(Submission)
    .from_select(
        ["governorate", "source", *_NAMES],
        select(
            bindparam("governorate", type_=String()),
            bindparam("source", type_=String()),
            *(_new.c[name] for name in _NAMES),
        ).order_by(_new.c.place),
    )
    .on_conflict_do_nothing()
    .returning(Submission.root_instance_id, Submission.instance_id, Submission.id)
    .execution_options(synchronize_session=False)
)

_keys = _rows_of({"id": Uuid(), "wrapped": LargeBinary()})
_CREATE_KEYS = insert(DataKey).from_select(
    ["id", "wrapped", "master_key_id"],
    select(_keys.c["id"], _keys.c["wrapped"], bindparam("master_key_id", type_=String())),
)


def create_versions(
    session: Session, governorate: str, source: str, rows: Sequence[NewVersion]
) -> dict[tuple[str, str], int]:
    """Store many raw versions in their order; (root, instance id) -> id of those that were not there before."""
    if not rows:
        return {}
    values: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    values |= {"governorate": governorate, "source": source}
    # Through the connection: the ORM would double the cost of what every post and every page does.
    stored = session.connection().execute(_CREATE_VERSIONS, values)
    return {(root, instance_id): row_id for root, instance_id, row_id in stored}


def create_data_keys(
    session: Session, ids: Sequence[uuid.UUID], wrapped: Sequence[bytes], master_key_id: str
) -> None:
    """Store many wrapped keys."""
    values = {"id": list(ids), "wrapped": list(wrapped), "master_key_id": master_key_id}
    session.connection().execute(_CREATE_KEYS, values)
