"""Files that submissions name, sealed with the submission's key; the same for every source."""

import re
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from db import submissions as query
from db.vault import Vault

Files = Mapping[str, tuple[str | None, bytes]]
"""File name -> (content type, bytes). Names are compared and stored, never used as paths."""

_CONTENT_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,60}")


def store_files(
    session: Session, vault: Vault, submission_id: int, key_id: UUID, files: Files, now: datetime
) -> int:
    """Store the files of a submission that are not there yet; returns how many. The caller holds its lock."""
    stored = 0
    present = query.list_attachment_indexes(session, submission_id)
    for name, (content_type, content) in sorted(files.items()):
        name_index = blind_name(vault, name)
        if name_index in present:
            continue
        payload = vault.seal(key_id, "submission_attachment.payload", content)
        sealed_name = vault.seal(key_id, "submission_attachment.name", name)
        if payload is not None and sealed_name is not None:
            stored += query.upsert_attachment(
                session,
                submission_id,
                name_index,
                name=sealed_name,
                content_type=_content_type(content_type),
                payload=payload,
                now=now,
            )
    return stored


def blind_name(vault: Vault, name: str) -> bytes:
    """Return the keyed hash by which a file is known again."""
    return vault.blind("submission_attachment.name", name)


def _content_type(text: str | None) -> str | None:
    """Return a file's type where it is one: it stands beside the file unsealed."""
    plain = (text or "").partition(";")[0].strip().lower()
    return plain if _CONTENT_TYPE.fullmatch(plain) else None
