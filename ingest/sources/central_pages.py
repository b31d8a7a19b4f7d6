"""One page of Central's feed -> versions in the database: every version, each once, oldest first.

The feed has the current version of a submission only. Where it was edited more than once since it was read, the
versions in between are fetched as the XML that was sent.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import attachment_checks, sync_index
from db import submissions as query
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import SubmissionStatus
from db.submissions import StoredVersion
from db.sync_index import Entry, IndexKey
from db.vault import Vault
from db.versions import NewVersion, create_versions
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession
from ingest.central.submissions import get_version_xml, list_version_ids, review_state, row_fingerprint
from ingest.sources.encrypted import CSV, Decrypter
from ingest.sources.inbox import XML
from ingest.trees import MAX_INSTANCE_ID, form_name, from_xml

ODATA = "odata+json"
NOT_DECRYPTED = "notDecrypted"

Row = dict[str, Any]
_NESTED = (dict, list)


@dataclass(slots=True)
class Pulled:
    """What one pull of a form did: versions stored, submissions gone and back."""

    stored: int = 0
    deleted: int = 0
    restored: int = 0


@dataclass(frozen=True, slots=True)
class _Version:
    """One version that is not stored yet. `content` is what its fingerprint is made of."""

    instance_id: str
    media_type: str
    form_version: str | None
    payload: bytes = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(slots=True)
class _Arrival:
    """One submission that is new or different: the versions to store, and what is the current one."""

    root: str
    fingerprint: str
    row: Row = field(repr=False)
    was_deleted: bool = False
    known: Sequence[StoredVersion] = ()
    current_id: int | None = None
    versions: list[_Version] = field(default_factory=list)
    sealed: list[NewVersion] = field(default_factory=list)

    @property
    def system(self) -> Row:
        system: Row = self.row["__system"]
        return system

    @property
    def awaits_files(self) -> bool:
        expected = self.system.get("attachmentsExpected")
        if (
            self.media_type == CSV
        ):  # one is the content itself; Central spoils those of an edit, see encrypted_files
            return isinstance(expected, int) and expected > 1 and not self.system.get("edits")
        return self.system.get("status") is None and bool(expected)

    @property
    def media_type(self) -> str:
        """How the current version came."""
        return CSV if self.system.get("status") == NOT_DECRYPTED else ODATA


@dataclass(slots=True)
class Page:
    """A page, ready to be written. `delivered`: submissions that came and are there."""

    arrivals: list[_Arrival]
    gone: list[str]
    delivered: int
    stored: int = 0
    deleted: int = 0


class PageReader:
    """Reads and stores pages of one form; `pulled` counts what was committed."""

    def __init__(
        self,
        client: CentralSession,
        scope: Callable[[], AbstractContextManager[Session]],
        masters: MasterKeys,
        key: IndexKey,
        now: datetime,
        decrypt: Decrypter | None,
    ) -> None:
        self._client, self._scope, self._masters = client, scope, masters
        self._key, self._now, self._decrypt = key, now, decrypt
        self.pulled = Pulled()

    def prepare(self, rows: Sequence[Row], listed: Mapping[str, str] | None) -> Page:
        """Find what is new in a page, and fetch the versions in between. No transaction is open meanwhile.

        `listed`: the fingerprints of Central's list where the page was asked for by it.
        """
        there = {_root(row): row for row in rows if not _is_deleted(row)}
        gone = [_root(row) for row in rows if _is_deleted(row) and _root(row) not in there]
        with self._scope() as session:
            vault = Vault(session, self._masters)  # new keys are sealed with, which needs no session
            entries = sync_index.get_entries(session, self._key, there)
            arrivals = [
                arrival
                for root, row in there.items()
                if (arrival := _arrival(root, row, entries.get(root), listed)) is not None
            ]
            known = query.list_versions(
                session, self._key.source, self._key.form_id, [one.root for one in arrivals]
            )
        arrivals = self._decrypted(arrivals)
        for arrival in arrivals:
            arrival.known = known.get(arrival.root, ())
        arrivals = [arrival for arrival in arrivals if self._complete(vault, arrival, listed)]
        for arrival in arrivals:
            if (
                not arrival.known
            ):  # nobody else's key is meant, so that it can be sealed before its transaction
                arrival.sealed = [self._new_version(vault, arrival, one, None) for one in arrival.versions]
        return Page(arrivals, gone, len(arrivals))

    def write(self, session: Session, page: Page) -> None:
        """Store a page. Running twice over the same rows changes nothing."""
        vault = Vault(session, self._masters)
        ids = self._create(vault, page)
        page.stored = len(ids)
        states, awaited = {}, []
        for arrival in page.arrivals:
            current = arrival.current_id
            if current is not None:
                states[current] = review_state(arrival.system.get("reviewState"))
            elif arrival.versions:
                current = ids.get((arrival.root, arrival.versions[-1].instance_id))
            if current is not None and arrival.awaits_files:
                awaited.append(current)
            awaited += [
                ids[arrival.root, version.instance_id]
                for version in arrival.versions
                if version.media_type == XML and (arrival.root, version.instance_id) in ids
            ]
        query.set_review_states(session, states)
        attachment_checks.upsert_checks(session, self._key, awaited, self._now)
        sync_index.upsert_entries(session, self._key, {one.root: one.fingerprint for one in page.arrivals})
        sync_index.set_back(session, self._key, [one.root for one in page.arrivals if one.was_deleted])
        page.deleted = sync_index.set_gone(session, self._key, page.gone, self._now) if page.gone else 0

    def count(self, page: Page) -> None:
        """Count a page after it was committed."""
        self.pulled.stored += page.stored
        self.pulled.deleted += page.deleted
        self.pulled.restored += sum(arrival.was_deleted for arrival in page.arrivals)

    def _decrypted(self, arrivals: list[_Arrival]) -> list[_Arrival]:
        """Give encrypted submissions their answers; those whose answers have not arrived are left for later."""
        sealed = [one.row for one in arrivals if one.system.get("status") == NOT_DECRYPTED]
        if sealed:
            if self._decrypt is None:
                raise CentralError("central_encrypted")
            opened = {_root(row): row for row in self._decrypt(self._key.form_id, sealed)}
            arrivals = [one for one in arrivals if one.system.get("status") is None or one.root in opened]
            for one in arrivals:
                one.row = opened.get(one.root, one.row)
        known = {None, NOT_DECRYPTED}
        return [one for one in arrivals if one.system.get("status") in known]

    def _complete(self, vault: Vault, arrival: _Arrival, listed: Mapping[str, str] | None) -> bool:
        """Find the versions that are not stored; False where the submission is gone meanwhile."""
        system = arrival.system
        named = _named_version(arrival.row)
        edits = system.get("edits")
        edits = edits if isinstance(edits, int) else 0
        submitted_at = _instant(system.get("submissionDate"))
        lived = {one.instance_id for one in arrival.known if one.submitted_at == submitted_at}
        others: list[str] = []
        if edits and system.get("status") is None and (named is None or len(lived | {named}) <= edits):
            try:
                others = list_version_ids(self._client, self._key.form_id, arrival.root)
            except CentralError as error:
                if error.code == "central_not_found":
                    return False
                raise
            named = named or (others[-1] if others else None)
            others = others[: others.index(named)] if named in others else others
        current = named or arrival.root
        if listed is None or not arrival.fingerprint:
            arrival.fingerprint = row_fingerprint(arrival.row, current)
        stored = {one.instance_id for one in arrival.known}
        for instance_id in others:
            if instance_id not in stored:
                version = self._former(arrival, instance_id)
                if version is None:
                    return False
                arrival.versions.append(version)
        self._add_current(vault, arrival, current, submitted_at)
        return True

    def _add_current(
        self, vault: Vault, arrival: _Arrival, current: str, submitted_at: datetime | None
    ) -> None:
        payload, content = _payload(arrival.row), _content(arrival.row)
        form_version = form_name(arrival.system.get("formVersion"))
        same = next((one for one in arrival.known if one.instance_id == current), None)
        if same is None:
            arrival.versions.append(_Version(current, arrival.media_type, form_version, payload, content))
            return
        arrival.current_id = same.id
        if same.submitted_at == submitted_at:
            return
        # Removed for good in Central and sent anew under the same id: with other answers, or those of before an edit.
        if same.id == arrival.known[-1].id and _fingerprint(vault, content) == same.fingerprint:
            return
        life = hashlib.sha256(str(submitted_at).encode()).hexdigest()[:12]
        other = f"{current[: MAX_INSTANCE_ID - 13]}~{life}"
        again = next((one for one in arrival.known if one.instance_id == other), None)
        arrival.current_id = None if again is None else again.id
        if again is None:
            arrival.versions.append(_Version(other, arrival.media_type, form_version, payload, content))

    def _former(self, arrival: _Arrival, instance_id: str) -> _Version | None:
        """Fetch a version that was replaced before anybody read it; None where it is gone."""
        try:
            xml = self._xml(arrival.root, instance_id)
        except CentralError as error:
            if error.code == "central_not_found":
                return None
            raise
        return _Version(instance_id, XML, _form_version(xml, instance_id), xml, xml)

    def _xml(self, root: str, instance_id: str) -> bytes:
        """Fetch the XML of a version: one that is broken twice in the same way is broken in Central."""
        xml = get_version_xml(self._client, self._key.form_id, root, instance_id)
        if _form_version(xml, instance_id) is None:
            again = get_version_xml(self._client, self._key.form_id, root, instance_id)
            if again != xml:
                raise CentralError("central_cut_off")
        return xml

    def _create(self, vault: Vault, page: Page) -> dict[tuple[str, str], int]:
        """Store the versions that are not there yet; with the key of their case, if there is one (see the inbox)."""
        roots = [one.root for one in page.arrivals if one.known]
        known = (
            query.list_versions(vault.session, self._key.source, self._key.form_id, roots) if roots else {}
        )
        case_keys = {root: _case_key(versions) for root, versions in known.items()}
        vault.load_keys(case_keys.values())
        rows: list[NewVersion] = []
        for arrival in page.arrivals:
            case_key = case_keys.get(arrival.root)
            rows += arrival.sealed or [
                self._new_version(vault, arrival, version, case_key) for version in arrival.versions
            ]
        return create_versions(
            vault.session,
            self._key.governorate,
            self._key.source,
            rows,
            master_key_id=vault.masters.current_id,
        )

    def _new_version(
        self, vault: Vault, arrival: _Arrival, version: _Version, case_key: UUID | None
    ) -> NewVersion:
        key_id, wrapped = (case_key, None) if case_key else vault.new_key()
        is_current = version is arrival.versions[-1] and arrival.current_id is None
        return NewVersion(
            form_id=self._key.form_id,
            form_version=version.form_version or form_name(arrival.system.get("formVersion")),
            root_instance_id=arrival.root,
            instance_id=version.instance_id,
            media_type=version.media_type,
            payload=vault.seal(key_id, "submission.payload", version.payload),
            fingerprint=_fingerprint(vault, version.content),
            data_key_id=key_id,
            wrapped_key=wrapped,
            status=SubmissionStatus.RECEIVED,
            submitted_at=_instant(arrival.system.get("submissionDate")),
            review_state=review_state(arrival.system.get("reviewState")) if is_current else None,
        )


def needs_versions(row: Row) -> bool:
    """Whether reading a row may ask Central for more: former versions, or answers that it has to decrypt."""
    system = row.get("__system")
    return not isinstance(system, dict) or bool(system.get("edits")) or system.get("status") is not None


def _arrival(root: str, row: Row, entry: Entry | None, listed: Mapping[str, str] | None) -> _Arrival | None:
    """Make an arrival of a row, unless it is what was read before."""
    fingerprint = (listed or {}).get(root, "")
    was_deleted = entry is not None and entry.deleted
    if listed is None and entry is not None and not was_deleted:
        named = _named_version(row) or entry.fingerprint.partition("|")[0]
        if entry.fingerprint == row_fingerprint(row, named):
            return None
    return _Arrival(root, fingerprint, row, was_deleted)


def _case_key(versions: Sequence[StoredVersion]) -> UUID | None:
    taken_in = [version for version in versions if version.status == SubmissionStatus.TAKEN_IN]
    return taken_in[-1].data_key_id if taken_in else None


def _root(row: Row) -> str:
    """Return the id of a submission; a row that names none is no answer of Central."""
    root, system = row.get("__id"), row.get("__system")
    if not isinstance(root, str) or not isinstance(system, dict):
        raise CentralError("central_answer")
    if not (0 < len(root) <= MAX_INSTANCE_ID and root.isprintable()):
        raise CentralError("central_answer")
    return root


def _is_deleted(row: Row) -> bool:
    return _root(row) != "" and row["__system"].get("deletedAt") is not None


def _named_version(row: Row) -> str | None:
    """Return the id of the version in a row, as it was sent; one sent without an id has only Central's own."""
    meta = row.get("meta")
    text = str((meta.get("instanceID") if isinstance(meta, dict) else None) or "")
    if not text:
        return None if row["__system"].get("edits") else str(row["__id"])
    if len(text) <= MAX_INSTANCE_ID and text.isprintable():
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _form_version(xml: bytes, instance_id: str) -> str | None:
    """Read the form version of a former version; None where the XML is not whole, or not that version."""
    try:
        envelope = from_xml(xml, instance_id=instance_id).envelope
    except DomainError:
        return None
    return envelope.form_version if envelope.instance_id == instance_id else None


def _payload(row: Row) -> bytes:
    # ASCII only: the feed may hold lone surrogates, which UTF-8 does not have.
    return json.dumps(row, ensure_ascii=True, sort_keys=True).encode()


def _content(row: Row) -> bytes:
    """Return what a person answered, without what Central says about it and what newer forms add as null."""
    answers = dict(row)
    answers.pop("__system", None)
    return _payload(_answered(answers))


def _answered(node: Any) -> Any:
    """Leave out nulls, and links that name the server."""
    if isinstance(node, list):
        return [_answered(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for name, value in node.items():
        if value is not None and "@odata" not in name:
            kept[name] = _answered(value) if isinstance(value, _NESTED) else value
    return kept


def _fingerprint(vault: Vault, content: bytes) -> bytes:
    return vault.blind("submission", hashlib.sha256(content).hexdigest())


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
