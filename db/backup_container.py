"""The file format of a backup: one encrypted, ordered stream that can't be cut, changed or rearranged unseen.

`IHALABK1 | length of the header (4 bytes, big-endian) | header (JSON) | chunk | chunk | ... | last chunk`.
A chunk is 1 MiB of content (the last one: what is left, maybe nothing) under AES-256-GCM with a key of its
own for this file. The nonce is the chunk's number (11 bytes) and a flag byte that is 1 on the last chunk only
(the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár), and the digest of everything before the
chunks is authenticated with each of them. The file's key is wrapped by a master key; the header is readable
without any key and holds nothing but versions, dates and key ids.
"""

import base64
import datetime
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db import crypto
from db.keyfile import MasterKeys

MAGIC = b"IHALABK1"
CHUNK_BYTES = 1 << 20
MAX_HEADER_BYTES = 1 << 16
_LENGTH_BYTES = 4


class BackupError(Exception):
    """A backup can't be made or restored.

    `code`: target_exists, dump_failed, not_a_backup, damaged, wrong_key, wrong_index_key, not_empty,
    restore_failed, programs_missing, no_connection. The message holds no password and nothing of the content.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code


@dataclass(frozen=True, slots=True)
class BackupHeader:
    """What a backup says of itself. Times are ISO 8601 in UTC; keys are named, one is in it, wrapped."""

    backup_id: str
    created_at: str
    server_version: str
    program_version: str
    master_key_id: str
    index_key_fingerprint: str
    wrapped_key: str
    format: int = 1


class ChunkWriter:
    """Encrypt bytes into chunks. `close` writes the last chunk; without it the file is void."""

    def __init__(self, stream: BinaryIO, key: bytes, context: bytes) -> None:
        self._stream, self._cipher, self._context = stream, AESGCM(key), context
        self._waiting = bytearray()
        self._number = 0

    def write(self, content: bytes) -> None:
        """Take content; full chunks go to the stream, but for the last known one, which may be the final."""
        self._waiting += content
        while len(self._waiting) > CHUNK_BYTES:
            self._put(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]

    def close(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _put(self, content: bytes, *, is_last: bool) -> None:
        self._stream.write(self._cipher.encrypt(_nonce(self._number, is_last), content, self._context))
        self._number += 1


def read_chunks(stream: BinaryIO, key: bytes, context: bytes) -> Iterator[bytes]:
    """Yield the content of each chunk after checking it; nothing unchecked leaves this function.

    Raises `BackupError("damaged")` when a chunk was changed, moved or left out, or the file was cut or
    lengthened.
    """
    cipher, number, size = AESGCM(key), 0, CHUNK_BYTES + crypto.TAG_BYTES
    chunk = _read_fully(stream, size)
    while True:
        following = _read_fully(stream, size)
        try:
            yield cipher.decrypt(_nonce(number, not following), chunk, context)
        except (InvalidTag, ValueError) as problem:
            raise BackupError(
                "damaged", f"The backup is damaged or cut short (part {number + 1}). Use another copy of it."
            ) from problem
        if not following:
            return
        chunk, number = following, number + 1


def new_header(masters: MasterKeys, created_at: str, server: str, program: str) -> tuple[BackupHeader, bytes]:
    """Return the header of a new backup and the key of its chunks."""
    key, backup_id = crypto.new_key(), uuid.uuid4()
    wrapped = base64.b64encode(crypto.wrap(masters.current, key, backup_id)).decode()
    header = BackupHeader(
        backup_id=str(backup_id),
        created_at=created_at,
        server_version=server,
        program_version=program,
        master_key_id=masters.current_id,
        index_key_fingerprint=masters.index_fingerprint,
        wrapped_key=wrapped,
    )
    return header, key


def write_header(stream: BinaryIO, header: BackupHeader) -> bytes:
    """Write the start of the file; returns the context that every chunk is bound to."""
    body = json.dumps(asdict(header), sort_keys=True).encode()
    start = MAGIC + len(body).to_bytes(_LENGTH_BYTES, "big") + body
    stream.write(start)
    return hashlib.sha256(start).digest()


def read_header(stream: BinaryIO) -> tuple[BackupHeader, bytes]:
    """Read the start of the file; returns the header, not yet proven genuine, and the chunks' context.

    Raises `BackupError("not_a_backup")`.
    """
    start = stream.read(len(MAGIC) + _LENGTH_BYTES)
    size = int.from_bytes(start[len(MAGIC) :], "big")
    body = stream.read(size) if start.startswith(MAGIC) and size <= MAX_HEADER_BYTES else b""
    header = _parse_header(body)
    if header is None:
        raise BackupError("not_a_backup", "The file is not a backup that this release of Ihala can read.")
    return header, hashlib.sha256(start + body).digest()


def _parse_header(body: bytes) -> BackupHeader | None:
    try:
        header = BackupHeader(**json.loads(body))
        uuid.UUID(header.backup_id)
        datetime.datetime.fromisoformat(header.created_at)
    except (ValueError, TypeError, AttributeError):
        return None
    return header if header.format == 1 else None


def open_key(header: BackupHeader, masters: MasterKeys) -> bytes:
    """Return the key of the chunks. Raises `BackupError`: `wrong_key`, `wrong_index_key`, `damaged`."""
    key = None
    if master := masters.by_id.get(header.master_key_id):
        try:
            wrapped = base64.b64decode(header.wrapped_key, validate=True)
            key = crypto.unwrap(master, wrapped, uuid.UUID(header.backup_id))
        except (ValueError, crypto.CryptoError) as problem:
            if getattr(problem, "code", "") != "wrong_key":
                raise BackupError(
                    "damaged", "The start of the backup was changed. Use another copy."
                ) from problem
    if key is None:
        raise BackupError(
            "wrong_key",
            f"This backup was made with master key {header.master_key_id}, which is not among the keys "
            f"given here ({', '.join(masters.by_id)}). Put the key file of that installation in place (it is "
            "kept apart from the backups), then try again.",
        )
    if header.index_key_fingerprint != masters.index_fingerprint:
        raise BackupError(
            "wrong_index_key",
            "The index key given here is not the one of this backup: no look-up would find anybody. Put "
            "the key file of that installation in place, or set IHALA_INDEX_KEY to its index key.",
        )
    return key


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(crypto.NONCE_BYTES - 1, "big") + (b"\x01" if is_last else b"\x00")


def _read_fully(stream: BinaryIO, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size and (part := stream.read(size - len(parts))):
        parts += part
    return bytes(parts)
