"""What the stand-in for ODK Central holds, and the ways in which a real one surprises its readers."""

import copy
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.central.faults import Fault, Faults
from tests.unit.ingest.invented import new_instance_id

Row = dict[str, Any]


@dataclass
class Entry:
    """One submission: all its versions, and what Central knows about it."""

    number: int
    root: str
    created_at: datetime
    versions: list[Row]
    visible: bool = True
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    review_state: str | None = None
    photos: dict[str, bytes | None] = field(default_factory=dict)
    """Attachments by name; None while Central waits for one."""

    @property
    def current(self) -> str:
        return str(self.versions[-1]["meta"]["instanceID"] or self.root)


@dataclass
class Store:
    """Forms and submissions of one project, accounts and sessions. `requests` logs what was asked."""

    project_id: int = 1
    public_url: str = "https://central.example.org"
    page_limit: int | None = None
    accounts: dict[str, str] = field(default_factory=lambda: {"reader@example.org": "a long password"})
    tokens: set[str] = field(default_factory=set)
    forms: dict[str, list[Entry]] = field(default_factory=lambda: {"needs_assessment": []})
    requests: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    clock: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    faults: Faults = field(default_factory=Faults)
    lock: threading.RLock = field(default_factory=threading.RLock)
    later: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    """What becomes true when this many more requests have come."""

    def now(self) -> datetime:
        """Tick in milliseconds and rarely, so that many rows share an instant."""
        with self.lock:
            self.clock += timedelta(microseconds=300)
            now = self.clock.replace(microsecond=self.clock.microsecond // 1000 * 1000)
        if (ties := self.faults.get(Fault.TIES)) is not None:
            tick = max(ties.seconds, 1.0)
            now = datetime.fromtimestamp(now.timestamp() // tick * tick, UTC)
        skew = self.faults.get(Fault.SKEW)
        return now if skew is None else now + timedelta(hours=skew.hours)

    def end_sessions(self) -> None:
        """End all sessions, as after 24 hours."""
        self.tokens.clear()

    def pass_request(self) -> None:
        """Count a request: what was late by so many requests becomes true."""
        with self.lock:
            due = [act for left, act in self.later if left <= 1]
            self.later = [(left - 1, act) for left, act in self.later if left > 1]
            for act in due:
                act()

    def settle(self) -> None:
        """Let all that is still late come true."""
        with self.lock:
            due, self.later = self.later, []
            for _, act in due:
                act()

    def _later(self, requests: int, act: Callable[[], None]) -> None:
        self.later.append((requests, act))

    def add(
        self,
        row: Row,
        form_id: str = "needs_assessment",
        *,
        committed: bool = True,
        photos: dict[str, bytes | None] | None = None,
    ) -> str:
        """Take a submission. Not committed: stamped now, seen only after `commit`."""
        root = str(row["meta"]["instanceID"] or row["__id"])
        with self.lock:
            late = self.faults.strikes(Fault.LATE_COMMIT) if committed else None
            number = max((entry.number for entry in self.forms[form_id]), default=0) + 1
            entry = Entry(number, root, self.now(), [row], visible=committed and late is None)
            entry.photos = dict(photos or {})
            if (late_photos := self.faults.strikes(Fault.LATE_PHOTOS)) is not None:
                sent = entry.photos or {f"{number}.jpg": b"\xff\xd8\xff\xe0 invented"}
                entry.photos = dict.fromkeys(sent)
                self._later(late_photos.requests, lambda: entry.photos.update(sent))
            self.forms[form_id].append(entry)
            if late is not None:
                self._later(late.requests, lambda: self._commit(entry, form_id))
            elif committed:
                self._happened(form_id)
        return root

    def _commit(self, entry: Entry, form_id: str) -> None:
        entry.visible = True
        self._happened(form_id)

    def commit(self, root: str, form_id: str = "needs_assessment") -> None:
        """Commit the late transaction: the row appears with its old time stamp."""
        with self.lock:
            self._commit(self.entry(root, form_id), form_id)

    def send_photo(self, root: str, name: str, content: bytes, form_id: str = "needs_assessment") -> None:
        """Let a photo arrive that Central waits for: neither `updatedAt` nor the ETag shows it."""
        self.entry(root, form_id).photos[name] = content

    def edit(self, root: str, row: Row, form_id: str = "needs_assessment") -> str:
        """Take a new version under the same root."""
        entry = self.entry(root, form_id)
        version = copy.deepcopy(row)
        version["meta"]["instanceID"] = new_instance_id()
        entry.versions.append(version)
        entry.updated_at, entry.review_state = self.now(), "edited"
        self._happened(form_id)
        return entry.current

    def review(self, root: str, state: str, form_id: str = "needs_assessment") -> None:
        """Set a review state."""
        entry = self.entry(root, form_id)
        entry.review_state, entry.updated_at = state, self.now()
        self._happened(form_id)

    def delete(self, root: str, form_id: str = "needs_assessment") -> None:
        """Delete, without purging yet."""
        with self.lock:
            self.entry(root, form_id).deleted_at = self.now()
            self._happened(form_id)
            if self.faults.strikes(Fault.PURGE):
                self.purge(root, form_id)
            elif (restored := self.faults.strikes(Fault.RESTORE)) is not None:
                self._later(restored.requests, lambda: self._restore_if_there(root, form_id))

    def _restore_if_there(self, root: str, form_id: str) -> None:
        if any(entry.root == root for entry in self.forms[form_id]):
            self.restore(root, form_id)

    def restore(self, root: str, form_id: str = "needs_assessment") -> None:
        """Restore: no date shows it."""
        self.entry(root, form_id).deleted_at = None
        self._happened(form_id)

    def purge(self, root: str, form_id: str = "needs_assessment") -> None:
        """Remove for good."""
        self.forms[form_id] = [entry for entry in self.forms[form_id] if entry.root != root]
        self._happened(form_id)

    def entry(self, root: str, form_id: str = "needs_assessment") -> Entry:
        return next(entry for entry in self.forms[form_id] if entry.root == root)

    def listed(self, form_id: str, *, deleted: bool = False) -> list[Entry]:
        """List newest first, as Central does."""
        return sorted(
            (e for e in list(self.forms[form_id]) if e.visible and (e.deleted_at is not None) == deleted),
            key=lambda entry: (entry.created_at, entry.number),
            reverse=True,
        )

    def etag(self, form_id: str) -> str:
        digest = hashlib.md5(f"{form_id}{self.events.get(form_id, 0)}".encode(), usedforsecurity=False)
        return f'W/"eventhash:{digest.hexdigest()}"'

    def _happened(self, form_id: str) -> None:
        self.events[form_id] = self.events.get(form_id, 0) + 1


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def index_row(entry: Entry) -> Row:
    """One line of the REST list."""
    first, device = stamp(entry.created_at), "collect:dYxT2wVUBqWZ0GkP"
    agent = "org.odk.collect.android/v2026.1.2"
    return {
        "instanceId": entry.root,
        "submitterId": 8,
        "deviceId": device,
        "createdAt": first,
        "updatedAt": stamp(entry.updated_at),
        "reviewState": entry.review_state,
        "userAgent": agent,
        "deletedAt": stamp(entry.deleted_at),
        "currentVersion": {
            "submitterId": 8,
            "createdAt": stamp(entry.updated_at) or first,
            "instanceName": None,
            "instanceId": entry.current,
            "current": True,
            "deviceId": device,
            "userAgent": agent,
        },
    }


def feed_row(entry: Entry, *, expand: bool) -> Row:
    """One row of the OData feed."""
    row = _without_repeats(entry.versions[-1]) if not expand else copy.deepcopy(entry.versions[-1])
    row["__id"] = entry.root
    row["__system"] = {
        "submissionDate": stamp(entry.created_at),
        "updatedAt": stamp(entry.updated_at),
        "submitterId": "8",
        "submitterName": "Tablet 1",
        "attachmentsPresent": sum(photo is not None for photo in entry.photos.values()),
        "attachmentsExpected": len(entry.photos),
        "status": None,
        "reviewState": entry.review_state,
        "deviceId": "collect:dYxT2wVUBqWZ0GkP",
        "edits": len(entry.versions) - 1,
        "formVersion": entry.versions[0]["__system"]["formVersion"],
        "deletedAt": stamp(entry.deleted_at),
    }
    return row


def _without_repeats(row: Row) -> Row:
    return {
        name: _without_repeats(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if not isinstance(value, list)
    }
