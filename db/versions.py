"""Writing raw versions of submissions, many in one statement, each with its key or not at all."""

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
    """One version to store; the fields are columns of `submission`.

    `wrapped_key`: the key that was made for it; None where it is sealed with one that is stored already.
    """

    form_id: str
    form_version: str | None
    root_instance_id: str
    instance_id: str
    media_type: str
    payload: bytes | None = field(repr=False)
    fingerprint: bytes = field(repr=False)
    data_key_id: uuid.UUID
    wrapped_key: bytes | None = field(repr=False)
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
    "wrapped_key": LargeBinary(),
    "submitted_at": DateTime(timezone=True),
    "processed_at": DateTime(timezone=True),
    "tablet_id": BigInteger(),
}
_FIELDS = tuple(one.name for one in fields(NewVersion))
_COLUMNS = tuple(name for name in _FIELDS if name != "wrapped_key")


def _create_versions() -> Any:
    """Make the statement: rows are bound as one array a column, so that it is the same for any number of them."""
    arrays = [bindparam(name, type_=ARRAY(_TYPES.get(name, Text()))) for name in _FIELDS]
    given = func.unnest(*arrays).table_valued(*_FIELDS, with_ordinality="place").render_derived(name="given")
    rows = select(given).cte("new")
    shared = [bindparam(name, type_=String()) for name in ("governorate", "source")]
    stored = (
        insert(Submission)
        .from_select(
            ["governorate", "source", *_COLUMNS],
            select(*shared, *(rows.c[name] for name in _COLUMNS)).order_by(rows.c.place),
        )
        .on_conflict_do_nothing()
        .returning(Submission.root_instance_id, Submission.instance_id, Submission.id, Submission.data_key_id)
        .cte("stored")
    )
    keys = (
        insert(DataKey)
        .from_select(
            ["id", "wrapped", "master_key_id"],
            select(rows.c.data_key_id, rows.c.wrapped_key, bindparam("master_key_id", type_=String()))
            .join_from(rows, stored, stored.c.data_key_id == rows.c.data_key_id)
            .where(rows.c.wrapped_key.is_not(None)),
        )
        .cte("keys")
    )
    return select(stored.c.root_instance_id, stored.c.instance_id, stored.c.id).add_cte(keys)


_CREATE_VERSIONS = _create_versions()


def create_versions(
    session: Session, governorate: str, source: str, rows: Sequence[NewVersion], *, master_key_id: str
) -> dict[tuple[str, str], int]:
    """Store versions in their order; (root, instance id) -> id of those that were not there before.

    `master_key_id` names the master key that their keys are wrapped with. The key of a version that is not stored
    is not stored either.
    """
    if not rows:
        return {}
    values: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _FIELDS}
    values |= {"governorate": governorate, "source": source, "master_key_id": master_key_id}
    # Through the connection: the ORM would double the cost of what every post and every page does.
    stored = session.connection().execute(_CREATE_VERSIONS, values)
    return {(root, instance_id): row_id for root, instance_id, row_id in stored}
