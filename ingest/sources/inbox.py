"""The built-in OpenRosa inbox: one post of ODK Collect -> one stored, sealed version.

Idempotent byte for byte, as Collect expects: the same bytes again change nothing and may bring more files,
other bytes under the same instance id are a conflict. What cannot be read at all is refused and stays on
the tablet; what can be read but is not known here is kept whole in quarantine.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from db import submissions as query
from db.errors import DomainError
from db.models import SubmissionStatus, Tablet
from db.vault import Vault
from db.versions import NewVersion, create_versions
from ingest.attachments import Files, store_files
from ingest.forms import unknown_form_reason
from ingest.trees import Envelope, from_xml

SOURCE = "inbox"
XML = "xml"

Kind = Literal["created", "repeated", "quarantined", "conflict"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a post.

    `reason`: why it is in quarantine (form_unknown, form_version_unknown), or for a conflict: other_bytes,
    edit_outdated, edit_unknown. `stored_files` counts files new with this post.
    """

    kind: Kind
    submission_id: int | None
    reason: str | None = None
    stored_files: int = 0


@dataclass(frozen=True, slots=True)
class _Post:
    """What one post brought, read."""

    tablet_id: int | None
    envelope: Envelope
    xml: bytes = field(repr=False)
    fingerprint: bytes
    files: Files
    governorate_code: str
    now: datetime


@dataclass(frozen=True, slots=True)
class _Root:
    """The submission that a post belongs to; `data_key_id` is its case's key, if it has a case."""

    instance_id: str
    data_key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PlainPost:
    """A post without files, as it came."""

    token: str = field(repr=False)
    xml: bytes = field(repr=False)


def receive_new(
    vault: Vault, posts: Sequence[PlainPost], *, governorate_code: str, now: datetime
) -> list[Receipt | None]:
    """Store many posts at once; None for each that is not plainly new, and that `receive` has to look at.

    These are edits, what is there already, bytes that cannot be read, and posts with the token of no tablet.
    Nothing of them is stored here. It is one statement, so that it may stand without a transaction around it.
    """
    read: dict[str, tuple[int, _Post]] = {}  # instance id -> place in `posts`
    for place, post in enumerate(posts):
        envelope = _plain_envelope(post.xml)
        if (
            envelope is not None and envelope.instance_id not in read
        ):  # twice at once: a repeat, or a conflict
            fingerprint = _fingerprint(vault, post.xml)
            read[envelope.instance_id] = (
                place,
                _Post(None, envelope, post.xml, fingerprint, {}, governorate_code, now),
            )
    # In one order everywhere, so that two servers that store the same submissions wait and do not lock up.
    order = sorted(read)
    rows = [_new_version(vault, read[one][1], _Root(one)) for one in order]
    tokens = [posts[read[one][0]].token for one in order]
    stored = _create_versions(vault, governorate_code, rows, tokens)
    receipts: list[Receipt | None] = [None] * len(posts)
    for version in rows:
        submission_id = stored.get((version.root_instance_id, version.instance_id))
        if submission_id is not None:
            kind: Kind = "quarantined" if version.reason else "created"
            receipts[read[version.instance_id][0]] = Receipt(kind, submission_id, version.reason)
    return receipts


def _fingerprint(vault: Vault, xml: bytes) -> bytes:
    return vault.blind("submission", hashlib.sha256(xml).hexdigest())


def _plain_envelope(xml: bytes) -> Envelope | None:
    try:
        envelope = from_xml(xml).envelope
    except DomainError:
        return None
    return envelope if envelope.deprecated_id is None else None


def receive(
    session: Session,
    vault: Vault,
    tablet: Tablet,
    xml: bytes,
    files: Files,
    *,
    governorate_code: str,
    now: datetime,
) -> Receipt:
    """Store one post of a tablet. Nothing is committed here, and nothing is copied later.

    Raises DomainError `malformed_submission` (see `ingest.trees.from_xml`) for bytes that cannot be read.
    """
    envelope = from_xml(xml).envelope
    fingerprint = _fingerprint(vault, xml)
    post = _Post(tablet.id, envelope, xml, fingerprint, files, governorate_code, now)
    root = _find_root(session, envelope, governorate_code)
    if isinstance(root, Receipt):
        return root
    # Most posts are new: insert first, and look only where the version is there already.
    receipt = _store(session, vault, post, root)
    if receipt is not None:
        return receipt
    if post.files:
        # The ingester may be erasing or sealing anew what these files belong to: see `ingest.versions`.
        query.lock_submission_root(session, SOURCE, envelope.form_id, root.instance_id)
    known = query.get_version(
        session, governorate_code, SOURCE, envelope.form_id, root.instance_id, envelope.instance_id
    )
    if known is None or known.fingerprint != fingerprint:
        return Receipt("conflict", known.id if known else None, "other_bytes")
    stored = _store_files(session, vault, post, known.id, known.data_key_id)
    return Receipt("repeated", known.id, stored_files=stored)


def _find_root(session: Session, envelope: Envelope, governorate: str) -> _Root | Receipt:
    """Find what a post belongs to. An edit belongs to the submission whose current version it replaces.

    Another governorate's submission cannot be edited: it is unknown here.
    """
    if envelope.deprecated_id is None:
        return _Root(envelope.instance_id)
    base = query.get_version_of_any_root(
        session, governorate, SOURCE, envelope.form_id, envelope.deprecated_id
    )
    if base is None:
        return Receipt("conflict", None, "edit_unknown")
    root = base.root_instance_id
    query.lock_submission_root(session, SOURCE, envelope.form_id, root)
    edit = query.get_version(session, governorate, SOURCE, envelope.form_id, root, envelope.instance_id)
    if edit is not None:
        return _Root(root)  # this very edit is stored already
    current = query.get_current_version(session, SOURCE, envelope.form_id, root)
    if current is None or current.instance_id != envelope.deprecated_id:
        return Receipt("conflict", base.id, "edit_outdated")
    # A case has one key, so that deleting it erases every version. Before there is a case the versions
    # keep keys of their own: a refusal deletes its key and must not take a later yes with it.
    return _Root(root, current.data_key_id if current.status == SubmissionStatus.TAKEN_IN else None)


def _store(session: Session, vault: Vault, post: _Post, root: _Root) -> Receipt | None:
    """Insert a new version; None where the same version is there already."""
    version = _new_version(vault, post, root)
    stored = _create_versions(vault, post.governorate_code, [version])
    submission_id = stored.get((version.root_instance_id, version.instance_id))
    if submission_id is None:
        return None
    files = _store_files(session, vault, post, submission_id, version.data_key_id)
    return Receipt("quarantined" if version.reason else "created", submission_id, version.reason, files)


def _create_versions(
    vault: Vault, governorate: str, rows: list[NewVersion], tokens: list[str] | None = None
) -> dict[tuple[str, str], int]:
    master = vault.masters.current_id
    return create_versions(vault.session, governorate, SOURCE, rows, master_key_id=master, tokens=tokens)


def _new_version(vault: Vault, post: _Post, root: _Root) -> NewVersion:
    envelope = post.envelope
    key_id, wrapped = (root.data_key_id, None) if root.data_key_id else vault.new_key()
    reason = unknown_form_reason(envelope.form_id, envelope.form_version, post.governorate_code)
    return NewVersion(
        form_id=envelope.form_id,
        form_version=envelope.form_version,
        root_instance_id=root.instance_id,
        instance_id=envelope.instance_id,
        media_type=XML,
        payload=vault.seal(key_id, "submission.payload", post.xml),
        fingerprint=post.fingerprint,
        data_key_id=key_id,
        wrapped_key=wrapped,
        tablet_id=post.tablet_id,
        status=SubmissionStatus.QUARANTINED if reason else SubmissionStatus.RECEIVED,
        reason=reason,
        submitted_at=post.now,
        processed_at=post.now if reason else None,
    )


def _store_files(session: Session, vault: Vault, post: _Post, submission_id: int, key_id: UUID | None) -> int:
    """Store the files that the XML names and that are not there yet; returns how many.

    Without a key the person has refused or was erased: their files are not kept either.
    """
    named = {name: file for name, file in post.files.items() if name in post.envelope.file_names}
    if not named or key_id is None:
        return 0
    return store_files(session, vault, submission_id, key_id, named, post.now)
