"""What the stand-in for ODK Central holds, and the ways in which a real one surprises its readers.

A test scripts the project `project_id` by the methods here; all of them may be called from any thread while
the server answers. What only requests reach (other projects, forms, lists, app users) hangs at `projects`.
"""

import copy
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.central.actors import ADMIN, MANAGER, VIEWER, Actor, stamp
from tests.central.entity_lists import Entity, EntityList
from tests.central.faults import Fault, Faults
from tests.central.projects import Entry, Project, Row, Sent
from tests.unit.ingest.invented import new_instance_id

__all__ = ["Entry", "Store", "stamp"]

FORM = "needs_assessment"
READER, WRITER, ADMINISTRATOR = "reader@example.org", "writer@example.org", "admin@example.org"
PASSWORD = "a long password"
LEVELS = {READER: VIEWER, WRITER: MANAGER, ADMINISTRATOR: ADMIN}
SESSION_HOURS = 24


@dataclass
class Store:
    """Forms and submissions of one project, accounts and sessions. `requests` logs what was asked."""

    project_id: int = 1
    public_url: str = "https://central.example.org"
    page_limit: int | None = None
    accounts: dict[str, str] = field(default_factory=lambda: dict.fromkeys(LEVELS, PASSWORD))
    levels: dict[str, int] = field(default_factory=lambda: dict(LEVELS))
    tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    projects: dict[int, Project] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    audits: list[Row] = field(default_factory=list)
    clock: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    faults: Faults = field(default_factory=Faults)
    lock: threading.RLock = field(default_factory=threading.RLock)
    later: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    """What becomes true when this many more requests have come."""
    users: dict[str, Actor] = field(default_factory=dict)
    last_actor: int = 4

    def __post_init__(self) -> None:
        for email, level in self.levels.items():
            self.users[email] = Actor(self.next_actor(), "user", email, self.clock, level)
        self.projects[self.project_id] = Project(self.project_id, "Nineveh", self.clock, {FORM: []})

    def reset(self) -> None:
        """Begin anew on the same server, all faults switched off."""
        with self.lock:
            fresh = Store(project_id=self.project_id)
            fresh.lock, fresh.faults = self.lock, self.faults
            self.faults.clear()
            self.faults.struck.clear()
            self.__dict__.update(fresh.__dict__)

    @property
    def project(self) -> Project:
        """The project that tests script."""
        return self.projects[self.project_id]

    @property
    def forms(self) -> dict[str, list[Entry]]:
        """The scripted project's submissions by form."""
        return self.project.forms

    def next_actor(self) -> int:
        self.last_actor += 1
        return self.last_actor

    # Time

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
            while self.later:
                due, self.later = self.later, []
                for _, act in due:
                    act()

    def do_later(self, requests: int, act: Callable[[], None]) -> None:
        with self.lock:
            self.later.append((requests, act))

    # Sessions

    def sign_in(self, email: str) -> tuple[str, datetime]:
        token, until = secrets.token_hex(32), self.clock + timedelta(hours=SESSION_HOURS)
        with self.lock:
            self.tokens[token] = (email, until)
        return token, until

    def user_of(self, token: str) -> Actor | None:
        """Return whose session this is; None after it ended, or a day."""
        email, until = self.tokens.get(token, ("", self.clock))
        return self.users.get(email) if until > self.clock else None

    def end_sessions(self) -> None:
        """End all sessions, as after 24 hours."""
        self.tokens.clear()

    # Submissions

    def add(
        self,
        row: Row,
        form_id: str = FORM,
        *,
        committed: bool = True,
        photos: dict[str, bytes | None] | None = None,
        project_id: int | None = None,
    ) -> str:
        """Take a submission. Not committed: stamped now, seen only after `commit`.

        In a project with a key it is encrypted: the feed then shows no content.
        """
        project = self.projects[project_id or self.project_id]
        root = str(row["meta"]["instanceID"] or row["__id"])
        with self.lock:
            at = self.now()
            entry = Entry(0, root, at, [row], visible=committed, photos=dict(photos or {}))
            entry.is_encrypted = project.key is not None
            entry.sent.append(Sent(at, root, self._tablet()))
            self.take(project, form_id, entry)
        return root

    def take(self, project: Project, form_id: str, entry: Entry) -> None:
        """Store a new submission, late where a fault says so."""
        with self.lock:
            late = self.faults.strikes(Fault.LATE_COMMIT) if entry.visible else None
            entry.number = max((one.number for one in project.forms[form_id]), default=0) + 1
            if (late_photos := self.faults.strikes(Fault.LATE_PHOTOS)) is not None:
                sent = dict(entry.photos) or {f"{entry.number}.jpg": b"\xff\xd8\xff\xe0 invented"}
                entry.photos = dict.fromkeys(sent)
                self.do_later(late_photos.requests, lambda: entry.photos.update(sent))
            project.forms[form_id].append(entry)
            if late is not None:
                entry.visible = False
                self.do_later(late.requests, lambda: self._commit(project, form_id, entry))
            elif entry.visible:
                project.happened(form_id, entry)

    def _commit(self, project: Project, form_id: str, entry: Entry) -> None:
        entry.visible = True
        project.happened(form_id, entry)

    def commit(self, root: str, form_id: str = FORM) -> None:
        """Commit the late transaction: the row appears with its old time stamp."""
        with self.lock:
            self._commit(self.project, form_id, self.entry(root, form_id))

    def edit(self, root: str, row: Row, form_id: str = FORM) -> str:
        """Take a new version under the same root."""
        with self.lock:
            entry = self.entry(root, form_id)
            entry.former_photos[entry.current] = dict(entry.photos)
            version = copy.deepcopy(row)
            version["meta"]["instanceID"] = new_instance_id()
            entry.versions.append(version)
            entry.updated_at, entry.review_state = self.now(), "edited"
            entry.sent.append(Sent(entry.updated_at, version["meta"]["instanceID"], self._tablet()))
            self.project.happened(form_id, entry)
            return entry.current

    def send_photo(self, root: str, name: str, content: bytes, form_id: str = FORM) -> None:
        """Let a photo arrive that Central waits for: neither `updatedAt` nor the ETag shows it."""
        self.entry(root, form_id).photos[name] = content

    def review(self, root: str, state: str | None, form_id: str = FORM) -> None:
        """Set a review state."""
        with self.lock:
            entry = self.entry(root, form_id)
            entry.review_state, entry.updated_at = state, self.now()
            self.project.happened(form_id, entry)

    def delete(self, root: str, form_id: str = FORM) -> None:
        """Delete, without purging yet."""
        with self.lock:
            self.drop(self.project, form_id, self.entry(root, form_id))

    def drop(self, project: Project, form_id: str, entry: Entry) -> None:
        """Delete, and purge or restore where a fault says so."""
        with self.lock:
            entry.deleted_at = self.now()
            project.happened(form_id, entry)
            if self.faults.strikes(Fault.PURGE):
                project.forms[form_id] = [one for one in project.forms[form_id] if one is not entry]
            elif (restored := self.faults.strikes(Fault.RESTORE)) is not None:
                self.do_later(restored.requests, lambda: self.bring_back(project, form_id, entry))

    def restore(self, root: str, form_id: str = FORM) -> None:
        """Restore: no date shows it."""
        with self.lock:
            self.bring_back(self.project, form_id, self.entry(root, form_id))

    def bring_back(self, project: Project, form_id: str, entry: Entry) -> None:
        entry.deleted_at = None
        project.happened(form_id, entry)

    def purge(self, root: str, form_id: str = FORM) -> None:
        """Remove for good."""
        with self.lock:
            entry = self.entry(root, form_id)
            self.forms[form_id] = [one for one in self.forms[form_id] if one is not entry]
            self.project.happened(form_id, entry)

    def entry(self, root: str, form_id: str = FORM) -> Entry:
        """Find a submission, also one that is not committed yet."""
        return next(entry for entry in list(self.forms[form_id]) if entry.root == root)

    def listed(self, form_id: str = FORM, *, deleted: bool = False) -> list[Entry]:
        """List newest first, as Central does."""
        return self.project.listed(form_id, deleted=deleted)

    def etag(self, form_id: str = FORM) -> str:
        return self.project.etag(form_id)

    def _tablet(self) -> Actor:
        return Actor(8, "field_key", "Tablet 1", self.projects[self.project_id].created_at)

    # Entities

    def list_of(self, name: str) -> EntityList:
        return self.project.lists[name]

    def device_update(
        self, list_name: str, uuid: str, changes: dict[str, str], *, base: int, actor: Actor | None = None
    ) -> Entity:
        """Let a tablet's follow-up arrive, based on a version: applied always, in conflict where it is old."""
        with self.lock:
            entities = self.list_of(list_name)
            entity = entities.entities[uuid]
            entities.update(entity, changes, None, actor or self._tablet(), self.now(), base=base)
            return entity

    def audit(self, actor: Actor, action: str, details: Any, entry: Entry | None = None) -> None:
        """Write a line of the audit log, newest first."""
        line = {
            "actorId": actor.id,
            "action": action,
            "acteeId": None if action == "entity.error" else "8be970f6-7f32-49f5-9962-29cad1318241",
            "details": details,
            "loggedAt": stamp(self.now()),
            "notes": None,
        }
        self.audits.insert(0, line)
        if entry is not None:
            entry.audits.insert(0, line | {"actor": actor.row()})
