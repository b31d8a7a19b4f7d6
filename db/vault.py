"""Opening and sealing personal data within one session.

Reading personal data is always an explicit call here, never an attribute access, so that it can be
seen, counted and audited.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from db import crypto
from db.keyfile import MasterKeys
from db.models import DataKey


class ErasedError(LookupError):
    """The key of this value was deleted: the person was erased."""


def has_data_keys(session: Session) -> bool:
    """Whether anything was ever sealed here: then a missing key file must not be replaced by a new one."""
    if session.scalar(select(func.to_regclass("data_key"))) is None:
        return False
    return session.scalar(select(DataKey.id).limit(1)) is not None


class Vault:
    """Keys of one session. Keys come from the database at most once a session, many at a time."""

    def __init__(self, session: Session, masters: MasterKeys) -> None:
        self.session = session
        self.masters = masters
        self._keys: dict[uuid.UUID, bytes] = {}

    def create_key(self) -> uuid.UUID:
        """Make a new data key, store it wrapped, and return its id."""
        key_id, wrapped = self.new_key()
        row = {"id": key_id, "wrapped": wrapped, "master_key_id": self.masters.current_id}
        self.session.execute(insert(DataKey).values(row))
        return key_id

    def new_key(self) -> tuple[uuid.UUID, bytes]:
        """Make a new data key; returns its id and the key wrapped, for the caller to store with what it seals.

        See `db.versions.create_versions`; sealing with it is possible at once.
        """
        key_id, key = uuid.uuid4(), crypto.new_key()
        self._keys[key_id] = key
        return key_id, crypto.wrap(self.masters.current, key, key_id)

    def erase_key(self, key_id: uuid.UUID) -> None:
        """Delete a data key: everything sealed with it is unreadable from the commit on."""
        self.session.execute(delete(DataKey).where(DataKey.id == key_id))
        self._keys.pop(key_id, None)

    def load_keys(self, key_ids: Iterable[uuid.UUID | None]) -> None:
        """Fetch the keys that are not known yet, in one query."""
        missing = {key_id for key_id in key_ids if key_id is not None and key_id not in self._keys}
        if not missing:
            return
        for row in self.session.scalars(select(DataKey).where(DataKey.id.in_(missing))):
            master = self.masters.by_id.get(row.master_key_id)
            if master is None:
                raise crypto.CryptoError("wrong_key", f"The key file has no master key {row.master_key_id}.")
            self._keys[row.id] = crypto.unwrap(master, row.wrapped, row.id)

    def seal(self, key_id: uuid.UUID, field: str, value: str | bytes | None) -> bytes | None:
        """Seal a value for the column `field` (`table.column`); None and empty text stay None."""
        if value is None or value in {"", b""}:
            return None
        plain = value.encode() if isinstance(value, str) else value
        self.load_keys([key_id])
        if key_id not in self._keys:
            raise ErasedError(str(key_id))
        return crypto.seal(key_id, self._keys[key_id], field, plain)

    def seal_json(self, key_id: uuid.UUID, field: str, value: Any) -> bytes:
        """Seal a JSON value."""
        sealed = self.seal(key_id, field, json.dumps(value, ensure_ascii=False, sort_keys=True))
        assert sealed is not None  # noqa: S101  a JSON text is never empty
        return sealed

    def open_bytes(self, field: str, sealed: bytes) -> bytes:
        """Open one sealed value. Raises ErasedError when its key is gone."""
        key_id = crypto.sealed_key_id(sealed)
        self.load_keys([key_id])
        if key_id not in self._keys:
            raise ErasedError(str(key_id))
        return crypto.open_sealed(self._keys[key_id], field, sealed)

    def open(self, field: str, sealed: bytes | None) -> str | None:
        """Open a sealed text; None stays None."""
        return None if sealed is None else self.open_bytes(field, sealed).decode()

    def open_json(self, field: str, sealed: bytes | None) -> Any:
        """Open a sealed JSON value; None stays None."""
        return None if sealed is None else json.loads(self.open_bytes(field, sealed))

    def open_many(self, field: str, sealed: Sequence[bytes | None]) -> list[str | None]:
        """Open many values with one query for keys; a value whose key was erased comes back as None."""
        self.load_keys(crypto.sealed_key_id(value) for value in sealed if value is not None)
        return [
            crypto.open_sealed(self._keys[crypto.sealed_key_id(value)], field, value).decode()
            if value is not None and crypto.sealed_key_id(value) in self._keys
            else None
            for value in sealed
        ]

    def blind(self, purpose: str, value: str) -> bytes:
        """Keyed hash (32 bytes) of a value, for equality look-ups without the value."""
        return crypto.blind_index(self.masters, purpose, value)
