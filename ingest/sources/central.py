"""ODK Central: nothing is missed and nothing is read twice.

No timestamp of Central is a sound cursor (late commits, equal instants, restores, purges), so every pull
compares the whole list of a form's submissions, under its ETag, with what was read before, and fetches what
is new or different. Each page is stored together with the state of the source, guarded by its version.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db import submissions as query
from db import sync_states
from db.keyfile import MasterKeys
from db.models import SubmissionStatus
from db.submissions import StoredVersion
from db.vault import Vault
from ingest.central.session import CentralSession
from ingest.central.submissions import IDS_PER_REQUEST, IndexRow, get_index, list_rows, review_state
from ingest.trees import MAX_INSTANCE_ID, form_name

ODATA = "odata+json"
DELETED = "deleted"
"""What the index keeps for a submission that is gone: unlike any fingerprint, so that a restore shows."""

SessionScope = Callable[[], AbstractContextManager[Session]]


@dataclass(slots=True)
class Pulled:
    """What one pull of a form did: versions stored, submissions gone and back."""

    stored: int = 0
    deleted: int = 0
    restored: int = 0


def source_name(project_id: int) -> str:
    """Return the name under which a project's submissions are stored."""
    return f"central:{project_id}"


class CentralSource:
    """One project of one Central, read for a governorate through `client`; `scope` opens one transaction."""

    def __init__(
        self, client: CentralSession, scope: SessionScope, masters: MasterKeys, governorate: str
    ) -> None:
        self._client = client
        self._governorate = governorate
        self._scope = scope
        self._masters = masters
        self.source = source_name(client.account.project_id)

    def pull(self, form_id: str, now: datetime) -> Pulled:
        """Bring one form up to date.

        Raises CentralError, or DomainError `changed_meanwhile` when another pull of the same form runs;
        pages stored before stay stored.
        """
        with self._scope() as session:
            state = sync_states.get_or_create_sync_state(session, self._governorate, self.source, form_id)
            version, etag, known = state.version, state.etag, dict(state.index)
        pulled = Pulled()
        index = get_index(self._client, form_id, etag)
        if index.rows is None:
            with self._scope() as session:
                sync_states.advance_sync_state(
                    session,
                    self._governorate,
                    self.source,
                    form_id,
                    version,
                    etag=etag,
                    succeeded_at=now,
                )
            return pulled
        changed = {
            row.instance_id: row for row in index.rows if known.get(row.instance_id) != row.fingerprint
        }
        delivered = 0
        for chunk in _chunks(list(changed), IDS_PER_REQUEST):
            rows = [row for page in list_rows(self._client, form_id, chunk) for row in page]
            found = {root: row for row in rows if (root := str(row.get("__id"))) in changed}
            back = [root for root in found if known.get(root) == DELETED]
            with self._scope() as session:
                pulled.stored += self._store(session, form_id, found, changed)
                query.set_deleted(session, self.source, form_id, back, None)
                version = sync_states.advance_sync_state(
                    session,
                    self._governorate,
                    self.source,
                    form_id,
                    version,
                    entries={root: changed[root].fingerprint for root in found},
                )
            pulled.restored += len(back)
            delivered += len(found)
        gone = known.keys() - {row.instance_id for row in index.rows}
        gone = {root for root in gone if known[root] != DELETED}
        with self._scope() as session:
            query.set_deleted(session, self.source, form_id, gone, now)
            sync_states.advance_sync_state(
                session,
                self._governorate,
                self.source,
                form_id,
                version,
                entries=dict.fromkeys(gone, DELETED),
                # Listed but not delivered: gone between two requests, or still under way in Central.
                # Without the new ETag the next pull lists again.
                etag=index.etag if delivered == len(changed) else None,
                succeeded_at=now,
            )
        pulled.deleted = len(gone)
        return pulled

    def _store(
        self,
        session: Session,
        form_id: str,
        found: Mapping[str, dict[str, Any]],
        index: Mapping[str, IndexRow],
    ) -> int:
        """Store the versions that are not there yet, and the review states that changed; returns how many."""
        vault = Vault(session, self._masters)
        known = query.list_versions(session, self.source, form_id, found)
        stored, review_states = 0, {}
        for root, row in found.items():
            versions = known.get(root, [])
            instance_id = _version_id(row)
            same = next((version for version in versions if version.instance_id == instance_id), None)
            if same is not None:
                review_states[same.id] = index[root].review_state
            else:
                stored += self._create(vault, form_id, row, instance_id, versions)
        query.set_review_states(session, review_states)
        return stored

    def _create(
        self,
        vault: Vault,
        form_id: str,
        row: dict[str, Any],
        instance_id: str,
        versions: Sequence[StoredVersion],
    ) -> bool:
        """Store one version; with the key of its case, if there is one (see the inbox for why)."""
        system = row.get("__system")
        system = system if isinstance(system, dict) else {}
        taken_in = [version for version in versions if version.status == SubmissionStatus.TAKEN_IN]
        case_key = taken_in[-1].data_key_id if taken_in else None
        key_id = case_key or vault.create_key()
        # ASCII only: the feed may hold lone surrogates, which UTF-8 does not have.
        payload = json.dumps(row, ensure_ascii=True, sort_keys=True).encode()
        submission_id = query.create_version(
            vault.session,
            {
                "governorate": self._governorate,
                "source": self.source,
                "form_id": form_id,
                "form_version": form_name(system.get("formVersion")),
                "root_instance_id": str(row["__id"]),
                "instance_id": instance_id,
                "media_type": ODATA,
                "payload": vault.seal(key_id, "submission.payload", payload),
                "fingerprint": vault.blind("submission", hashlib.sha256(payload).hexdigest()),
                "data_key_id": key_id,
                "review_state": review_state(system.get("reviewState")),
                "submitted_at": _instant(system.get("submissionDate")),
            },
        )
        if submission_id is None and case_key is None:
            vault.erase_key(key_id)
        return submission_id is not None


def _version_id(row: Mapping[str, Any]) -> str:
    """Return the id of the version in a row; one that was sent without an id has only Central's own."""
    meta = row.get("meta")
    instance_id = meta.get("instanceID") if isinstance(meta, dict) else None
    text = str(instance_id or row["__id"])
    if len(text) <= MAX_INSTANCE_ID and text.isprintable():
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
