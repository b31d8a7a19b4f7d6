"""Writing raw versions of submissions, many in one statement, each with its key or not at all."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    LargeBinary,
    String,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import dialect, insert
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from db.crypto import Sealed
from db.models import DataKey, Office, Submission, Tablet
from db.tablets import SEEN_EVERY, hash_token


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
    "payload": LargeBinary(),
    "fingerprint": LargeBinary(),
    "data_key_id": Uuid(),
    "wrapped_key": LargeBinary(),
    "submitted_at": DateTime(timezone=True),
    "processed_at": DateTime(timezone=True),
    "tablet_id": BigInteger(),
    "token_hash": LargeBinary(),
}
_FIELDS = tuple(one.name for one in fields(NewVersion))
_COLUMNS = tuple(name for name in _FIELDS if name != "wrapped_key")
_SEALED, _DIALECT = Sealed(), dialect()  # type: ignore[no-untyped-call]


def _rows(names: Sequence[str]) -> Any:
    """Rows bound as one JSON text: one statement for any number of them, and far quicker than arrays to bind."""
    columns = [column(name, _TYPES.get(name, Text())) for name in names]
    given = func.json_to_recordset(cast(bindparam("new_rows", type_=Text()), JSON()))
    table = given.table_valued(*columns, column("place", BigInteger()), name="given")
    return select(table.render_derived(name="given", with_types=True)).cte("new")


def _as_json(rows: Sequence[NewVersion], tokens: Sequence[str] | None) -> str:
    values = [
        {name: value for name in _FIELDS if (value := getattr(row, name)) is not None} | {"place": place}
        for place, row in enumerate(rows)
    ]
    for place, value in enumerate(values):
        _SEALED.process_bind_param(value.get("payload"), _DIALECT)  # nothing else may go into that column
        if tokens is not None:
            value["token_hash"] = hash_token(tokens[place])
    return json.dumps(values, default=_plain, check_circular=False)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _store(rows: Any, chosen: Any) -> Any:
    """Make the statement that stores what `chosen` selects, and of `rows` the keys of what was stored."""
    stored = (
        insert(Submission)
        .from_select(["governorate", "source", *_COLUMNS], chosen.order_by(rows.c.place))
        .on_conflict_do_nothing()
        .returning(
            Submission.root_instance_id,
            Submission.instance_id,
            Submission.id,
            Submission.data_key_id,
            Submission.tablet_id,
        )
        .cte("stored")
    )
    keys = (
        insert(DataKey)
        .from_select(
            ["id", "wrapped", "master_key_id"],
            select(
                rows.c.data_key_id, rows.c.wrapped_key, bindparam("for_master_key_id", type_=String())
            ).where(rows.c.wrapped_key.is_not(None), rows.c.data_key_id.in_(select(stored.c.data_key_id))),
        )
        .cte("keys")
    )
    touched = (
        update(Tablet)
        .where(Tablet.id.in_(select(stored.c.tablet_id)), _unheard())
        .values(last_seen_at=bindparam("seen_at", type_=DateTime(timezone=True)))
        .cte("touched")
    )
    return select(stored.c.root_instance_id, stored.c.instance_id, stored.c.id).add_cte(keys, touched)


def _unheard() -> ColumnElement[bool]:
    since = bindparam("seen_before", type_=DateTime(timezone=True))
    return or_(Tablet.last_seen_at.is_(None), Tablet.last_seen_at <= since)


_SHARED = [bindparam(f"for_{name}", type_=String()) for name in ("governorate", "source")]


def _create_versions() -> Any:
    rows = _rows(_FIELDS)
    return _store(rows, select(*_SHARED, *(rows.c[name] for name in _COLUMNS)))


def _create_posted() -> Any:
    """Make the statement for posts: those that bear the token of a tablet of the governorate are stored."""
    rows = _rows((*_FIELDS, "token_hash"))
    columns = [Tablet.id if name == "tablet_id" else rows.c[name] for name in _COLUMNS]
    chosen = (
        select(*_SHARED, *columns)
        .join_from(rows, Tablet, Tablet.token_hash == rows.c.token_hash)
        .join(Office, Office.id == Tablet.office_id)
        .where(
            Tablet.revoked_at.is_(None), Office.governorate == bindparam("for_governorate", type_=String())
        )
    )
    return _store(rows, chosen)


_CREATE_VERSIONS = _create_versions()
_CREATE_POSTED = _create_posted()


def create_versions(
    session: Session,
    governorate: str,
    source: str,
    rows: Sequence[NewVersion],
    *,
    master_key_id: str,
    tokens: Sequence[str] | None = None,
) -> dict[tuple[str, str], int]:
    """Store versions in their order; (root, instance id) -> id of those that were not there before.

    `master_key_id` names the master key that their keys are wrapped with. The key of a version that is not stored
    is not stored either. With `tokens`, one a row, each version is that of the tablet whose token it bears; where
    that is unknown in the governorate, or was revoked, it is not stored.
    """
    if not rows:
        return {}
    now = datetime.now(UTC)
    # Names that no column has: an UPDATE within would take them for its values.
    values: dict[str, Any] = {"new_rows": _as_json(rows, tokens)}
    values |= {"for_governorate": governorate, "for_source": source, "for_master_key_id": master_key_id}
    values |= {"seen_at": now, "seen_before": now - SEEN_EVERY}
    statement = _CREATE_VERSIONS if tokens is None else _CREATE_POSTED
    # Through the connection: the ORM would double the cost of what every post and every page does.
    stored = session.connection().execute(statement, values)
    return {(root, instance_id): row_id for root, instance_id, row_id in stored}
