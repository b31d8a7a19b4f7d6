r"""Sealing personal data: one data key a case (or raw submission), wrapped by a master key.

A sealed value is `version (1) | key id (16) | nonce (12) | AES-256-GCM ciphertext`, where the ciphertext
covers one flag byte (0 as is, 1 zlib) and the content. The field's name and the key id are authenticated,
so a value moved to another column or another person's row doesn't open. Deleting a data key erases
everything that it sealed, in every copy of the database.

A wrapped data key is `version (1) | fingerprint of the master key (8) | nonce (12) | AES-256-GCM ciphertext`.

No error in this module carries content, keys or field values.
"""

import hashlib
import hmac
import os
import uuid
import zlib
from functools import lru_cache
from typing import Any, NewType, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from db.keyfile import KEY_BYTES, MasterKey, MasterKeys, derive

DataKeyMaterial = NewType("DataKeyMaterial", bytes)
"""The 32 random bytes of a data key, as they are before wrapping."""

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16
FINGERPRINT_BYTES = 8
COMPRESS_FROM_BYTES = 1024
"""Raw submissions are XML, which shrinks to a fifth; names and phones stay as they are."""
COMPRESSION = 3
"""A third quicker than zlib's own 6; a submission grows by a twenty-fifth."""

_PLAIN, _ZLIB = b"\x00", b"\x01"
_ID_BYTES = 16
_SEALED_START = len(VERSION) + _ID_BYTES
MIN_SEALED_BYTES = _SEALED_START + NONCE_BYTES + len(_PLAIN) + TAG_BYTES


class CryptoError(Exception, DontWrapMixin):
    """A value can't be sealed or opened. `code`: wrong_key, tampered, unknown_version, not_sealed.

    SQLAlchemy raises it as it is (`DontWrapMixin`): its own wrapping would quote the refused parameter.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code


def new_key() -> DataKeyMaterial:
    """Return the 32 random bytes of a new data key."""
    return DataKeyMaterial(os.urandom(KEY_BYTES))


def wrap(master: MasterKey, key: bytes, key_id: uuid.UUID) -> bytes:
    """Wrap a data key with a master key; the result is bound to `key_id`."""
    if len(key) != KEY_BYTES:
        raise CryptoError("wrong_key", "A data key has 32 bytes.")
    head, nonce = VERSION + master.fingerprint, os.urandom(NONCE_BYTES)
    return head + nonce + AESGCM(master.key).encrypt(nonce, key, head + key_id.bytes)


def unwrap(master: MasterKey, wrapped: bytes, key_id: uuid.UUID) -> DataKeyMaterial:
    """Return the data key in `wrapped`.

    Raises `CryptoError`: `wrong_key` (another master key wrapped it), `tampered` (changed, or of another
    `key_id`), `unknown_version`.
    """
    _check_version(wrapped)
    start = len(VERSION) + FINGERPRINT_BYTES
    head, nonce, ciphertext = (
        wrapped[:start],
        wrapped[start : start + NONCE_BYTES],
        wrapped[start + NONCE_BYTES :],
    )
    if not hmac.compare_digest(head[len(VERSION) :], master.fingerprint):
        raise CryptoError("wrong_key", f"Data key {key_id} was not wrapped with master key {master.id}.")
    return DataKeyMaterial(_decrypt(master.key, nonce, ciphertext, head + key_id.bytes))


def seal(key_id: uuid.UUID, key: bytes, field: str, plaintext: bytes) -> bytes:
    """Seal `plaintext` for one field (`table.column`) with the data key `key` of the id `key_id`."""
    packed = zlib.compress(plaintext, COMPRESSION) if len(plaintext) > COMPRESS_FROM_BYTES else plaintext
    body = _ZLIB + packed if len(packed) < len(plaintext) else _PLAIN + plaintext
    head, nonce = VERSION + key_id.bytes, os.urandom(NONCE_BYTES)
    return head + nonce + AESGCM(key).encrypt(nonce, body, _context(field, key_id))


def sealed_key_id(sealed: bytes) -> uuid.UUID:
    """Return the id of the data key that opens `sealed`. Raises `CryptoError("unknown_version")`."""
    _check_version(sealed)
    if len(sealed) < MIN_SEALED_BYTES:
        raise CryptoError("tampered", "A sealed value is too short.")
    return uuid.UUID(bytes=sealed[len(VERSION) : _SEALED_START])


def open_sealed(key: bytes, field: str, sealed: bytes) -> bytes:
    """Return the content of a sealed value.

    Raises `CryptoError`: `tampered` (changed, another field's, or sealed with another data key: the cipher
    can't tell these apart), `unknown_version`.
    """
    key_id = sealed_key_id(sealed)
    nonce, ciphertext = (
        sealed[_SEALED_START : _SEALED_START + NONCE_BYTES],
        sealed[_SEALED_START + NONCE_BYTES :],
    )
    body = _decrypt(key, nonce, ciphertext, _context(field, key_id))
    match body[:1]:
        case b"\x00":
            return body[1:]
        case b"\x01":
            return zlib.decompress(body[1:])
        case _:
            raise CryptoError(
                "unknown_version", "A sealed value is packed in a way this release doesn't know."
            )


def blind_index(masters: MasterKeys, purpose: str, value: str) -> bytes:
    """Return the 32-byte keyed hash of `value` for equality look-ups (HMAC-SHA256).

    Each purpose ("phone", "case_code") has a key of its own, so hashes of different columns can't be matched
    with each other. The key comes from the index key, which stays the same when master keys are rotated.
    The caller brings `value` into its one form first.
    """
    return hmac.digest(_blind_key(masters.index_key, purpose), value.encode(), hashlib.sha256)


@lru_cache(maxsize=64)
def _blind_key(index_key: bytes, purpose: str) -> bytes:
    return derive(index_key, f"ihala blind index: {purpose}")


class Sealed(TypeDecorator[bytes]):
    """Column type of personal data: bytes in the database, and nothing but sealed values gets in.

    It opens nothing by itself; reading is an explicit call. Raises `CryptoError("not_sealed")` for text and
    for bytes that don't have the form of a sealed value.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Let None and sealed bytes through."""
        if value is None:
            return None
        if not isinstance(value, bytes) or value[:1] != VERSION or len(value) < MIN_SEALED_BYTES:
            raise CryptoError("not_sealed", "Only sealed values may be stored in this column.")
        return value

    def literal_processor(self, dialect: Dialect) -> NoReturn:
        """Refuse to write a value into the text of a statement, where logs could show it."""
        raise CryptoError("not_sealed", "A sealed column takes bound parameters only.")


def _context(field: str, key_id: uuid.UUID) -> bytes:
    return field.encode() + b"\x00" + key_id.bytes


def _check_version(value: bytes) -> None:
    if value[:1] != VERSION:
        raise CryptoError("unknown_version", "A value was not sealed by a release that this one knows.")


def _decrypt(key: bytes, nonce: bytes, ciphertext: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, context)
    except (InvalidTag, ValueError) as problem:  # ValueError: cut short, or a key of another length
        raise CryptoError(
            "tampered", "A sealed value doesn't open: it was changed or belongs elsewhere."
        ) from problem
