"""The keys above all keys: master keys (they wrap data keys) and the index key (it blinds look-ups).

They come from the environment or from a key file, and are never in the database, a backup or a log. Whoever
loses them loses every personal datum; whoever has them and a backup has everything. Keep a copy apart.

Key file (mode 600, one key a line, the first master is the current one)::

    index <base64 of 32 bytes>
    master <id> <base64 of 32 bytes>
    master <older id> <base64 of 32 bytes>

Environment: IHALA_MASTER_KEY holds one key in base64 or several `id:key` joined by commas, the current one
first. IHALA_INDEX_KEY holds the index key; without it the index key is derived from the LAST master key
listed. The index key must never change (every look-up would miss), so after a rotation keep the oldest
master key last, or set IHALA_INDEX_KEY to the value of `MasterKeys.index_key` before dropping it.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from db.private_files import FileLock, create_private_file, replace_private_file

KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_HEADER = (
    "# Ihala's key file. Without it nobody can read the personal data, not even from a backup.\n"
    "# Keep a copy apart from the machine and apart from the backups. Never send it, never edit it.\n"
)


class KeyFileError(Exception):
    """Keys can't be had. `code`: missing, readable_by_others, malformed; the message never shows a key."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key (32 bytes) and the id that wrapped keys carry."""

    id: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id) or len(self.key) != KEY_BYTES:
            raise KeyFileError(
                "malformed", "A master key needs an id of 1 to 32 letters or digits, and 32 bytes."
            )

    @property
    def fingerprint(self) -> bytes:
        """Eight bytes that tell two keys of the same id apart and give nothing of the key away."""
        return hmac.digest(self.key, b"ihala master key fingerprint", hashlib.sha256)[:8]


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """All master keys by id, the current one, and the index key."""

    current: MasterKey
    by_id: Mapping[str, MasterKey]
    index_key: bytes = field(repr=False)

    @property
    def current_id(self) -> str:
        """The id of the key that new data keys are wrapped with."""
        return self.current.id

    @property
    def index_fingerprint(self) -> str:
        """Sixteen hex digits that tell index keys apart and give nothing of the key away."""
        return hmac.digest(self.index_key, b"ihala index key fingerprint", hashlib.sha256)[:8].hex()

    @classmethod
    def of(cls, keys: Sequence[MasterKey], index_key: bytes | None = None) -> Self:
        """Build from keys, the current one first; without an index key it comes from the last one."""
        by_id = {key.id: key for key in keys}
        if not keys or len(by_id) != len(keys):
            raise KeyFileError("malformed", "There must be at least one master key, and no id twice.")
        index = index_key or derive(keys[-1].key, "ihala blind index key")
        if len(index) != KEY_BYTES:
            raise KeyFileError("malformed", "The index key must be 32 bytes.")
        return cls(keys[0], MappingProxyType(by_id), index)

    @classmethod
    def from_environment(cls, master_value: str, index_value: str | None = None) -> Self:
        """Read IHALA_MASTER_KEY and IHALA_INDEX_KEY; a key without an id gets one from its bytes."""
        keys = []
        for part in master_value.split(","):
            name, colon, text = part.strip().rpartition(":")
            key = _decode(text, "IHALA_MASTER_KEY")
            keys.append(MasterKey(name if colon else _id_of(key), key))
        return cls.of(keys, _decode(index_value, "IHALA_INDEX_KEY") if index_value else None)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a key file; refuses one that others can read.

        Raises `KeyFileError` (`missing`, `readable_by_others`, `malformed`).
        """
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise KeyFileError(
                    "readable_by_others",
                    f"Other users of this machine can read or change the key file {path} (mode {mode:o}). If "
                    f"nobody did, run: chmod 600 {path}",
                )
            lines = path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError as problem:
            raise KeyFileError("missing", f"The key file {path} is not there.") from problem
        except UnicodeDecodeError:
            raise KeyFileError("malformed", f"The key file {path} is damaged.") from None
        index, masters = None, []
        for number, line in enumerate(lines, 1):
            match line.split():
                case [] | ["#", *_]:
                    continue
                case ["index", text] if index is None:
                    index = _decode(text, f"{path}, line {number}")
                case ["master", name, text]:
                    masters.append(MasterKey(name, _decode(text, f"{path}, line {number}")))
                case _:
                    raise KeyFileError("malformed", f"The key file {path} is damaged in line {number}.")
        if index is None:
            raise KeyFileError("malformed", f"The key file {path} has no index key.")
        return cls.of(masters, index)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        master_value: str | None = None,
        index_value: str | None = None,
        create: bool = True,
    ) -> Self:
        """Return the environment's keys when they are given, else the key file's.

        With `create` a missing file is made with new keys (of two processes exactly one makes it, and both
        read the same). Pass `create=False` where a database exists already: new keys could not open it.
        """
        if master_value:
            return cls.from_environment(master_value, index_value)
        if create and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            key = secrets.token_bytes(KEY_BYTES)
            create_private_file(
                path, cls.of([MasterKey(_id_of(key), key)], secrets.token_bytes(KEY_BYTES)).as_text()
            )
        return cls.from_file(path)

    def as_text(self) -> bytes:
        """Return the content of a key file with these keys."""
        lines = [f"index {_encode(self.index_key)}"]
        lines += [f"master {key.id} {_encode(key.key)}" for key in self.by_id.values()]
        return (_HEADER + "\n".join(lines) + "\n").encode()


def add_master_key(path: Path) -> MasterKeys:
    """Put a new master key first in a key file, in one step; earlier keys stay readable.

    Data keys wrapped with an earlier key go on opening; wrap them anew before that key is dropped.
    """
    with FileLock(path.with_name(f".{path.name}.lock")).waiting(30):
        known = MasterKeys.from_file(path)
        key = secrets.token_bytes(KEY_BYTES)
        changed = MasterKeys.of([MasterKey(_id_of(key), key), *known.by_id.values()], known.index_key)
        replace_private_file(path, changed.as_text())
    return changed


def derive(key: bytes, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(key)


def _id_of(key: bytes) -> str:
    return hmac.digest(key, b"ihala master key id", hashlib.sha256)[:6].hex()


def _encode(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def _decode(text: str, source: str) -> bytes:
    plain = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        # `from None`: the cause would quote the text.
        raise KeyFileError("malformed", f"{source} must hold 32 bytes in base64.") from None
    return key
