"""Random lives of a form in Central, with polls at any moment that are killed at any call.

A `History` scripts the stand-in; after its `last_poll` what is stored has to equal what the stand-in holds.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Submission, SubmissionAttachment
from db.session import session_scope
from db.vault import Vault
from ingest.central.account import CentralAccount
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession
from ingest.sources.central import FULL_EVERY, CentralSource
from ingest.sources.central_files import LONGEST_PAUSE, fetch_files
from ingest.trees import from_odata, from_xml
from tests.central.store import Entry, Row, Store
from tests.unit.ingest.invented import new_instance_id

STATES = ("hasIssues", "rejected", "approved", None)


class KilledError(BaseException):
    """The process is gone: nothing may catch this."""


@dataclass
class Killer:
    """Strikes at the n-th chance: before or after a request, or before or after a commit."""

    left: int = 0

    def chance(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError


class MortalSession(CentralSession):
    """A session whose process may be killed at any request."""

    killer: Killer

    def send(
        self, method: str, path: str, *, expect: tuple[int, ...] = (200,), **options: Any
    ) -> requests.Response:
        self.killer.chance()
        response = super().send(method, path, expect=expect, **options)
        try:
            self.killer.chance()
        except KilledError:
            response.close()
            raise
        return response


@dataclass
class History:
    """One life of one form. `now` is our clock, which runs apart from Central's."""

    store: Store
    account: CentralAccount
    engine: Engine
    masters: MasterKeys
    form_id: str
    rng: random.Random
    template: Row
    now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    uncommitted: list[str] = field(default_factory=list)
    removed: list[Entry] = field(default_factory=list)
    kills: int = 0
    errors: list[str] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.store.project.forms[self.form_id] = []
        self.now += timedelta(hours=self.rng.choice((-30, -7, 0, 0, 0, 7, 30)))

    def live(self, steps: int) -> None:
        acts: list[Callable[[], None]] = [
            self.add, self.add, self.add_many, self.add_late, self.commit, self.edit, self.edit, self.edit_twice,
            self.delete, self.delete, self.restore, self.restore, self.purge, self.send_again, self.review,
            self.photo, self.photo, self.wait, self.wait, self.poll, self.poll, self.poll, self.poll,
        ]  # fmt: skip
        for _ in range(steps):
            self.rng.choice(acts)()

    # What people and Central do

    def row(self) -> Row:
        self.number += 1
        row = json.loads(json.dumps(self.template))
        members = [
            {"given_name": f"n{self.number}.{i}", "__id": str(i)} for i in range(self.rng.randint(0, 3))
        ]
        row["household"] |= {"size": self.number, "member": members}
        row["meta"]["instanceID"] = row["__id"] = new_instance_id()
        if self.rng.random() < 0.1:  # sent without an id
            row["meta"]["instanceID"], row["__id"] = None, new_instance_id().removeprefix("uuid:")
        return row

    def photos(self) -> dict[str, bytes | None]:
        number = self.rng.choice((0, 0, 1, 2))
        return {
            f"{self.number}-{i}.jpg": self.content() if self.rng.random() < 0.5 else None
            for i in range(number)
        }

    def content(self) -> bytes:
        return b"\xff\xd8" + self.rng.randbytes(40)

    def add(self) -> None:
        self.store.add(self.row(), self.form_id, photos=self.photos())

    def add_many(self) -> None:
        """Several at one instant."""
        clock = self.store.clock
        for _ in range(self.rng.randint(2, 6)):
            self.store.clock = clock
            self.add()

    def add_late(self) -> None:
        row = self.row()
        self.uncommitted.append(self.store.add(row, self.form_id, committed=False, photos=self.photos()))

    def commit(self) -> None:
        if self.uncommitted:
            self.store.commit(self.uncommitted.pop(0), self.form_id)

    def any(self, *, deleted: bool = False) -> Entry | None:
        found = self.store.listed(self.form_id, deleted=deleted)
        return self.rng.choice(found) if found else None

    def edit(self, entry: Entry | None = None) -> None:
        entry = entry or self.any()
        if entry is not None:
            self.store.edit(entry.root, self.row(), self.form_id)
            if self.rng.random() < 0.5:
                with self.store.lock:
                    entry.photos = self.photos() | entry.photos

    def edit_twice(self) -> None:
        entry = self.any()
        for _ in range(self.rng.randint(2, 3)):
            self.edit(entry)

    def delete(self) -> None:
        if (entry := self.any()) is not None:
            self.removed.append(entry)
            self.store.delete(entry.root, self.form_id)

    def restore(self) -> None:
        if (entry := self.any(deleted=True)) is not None:
            self.store.restore(entry.root, self.form_id)

    def purge(self) -> None:
        if (entry := self.any(deleted=True)) is not None:
            self.store.purge(entry.root, self.form_id)

    def send_again(self) -> None:
        """Sent once more by its tablet after it was removed for good; the same, or with other answers."""
        here = {entry.root for entry in list(self.store.forms[self.form_id])}
        gone = [entry for entry in self.removed if entry.root not in here]
        if gone:
            first = self.rng.choice(gone).versions[0]
            row = self.row() if self.rng.random() < 0.5 else json.loads(json.dumps(first))
            row |= {"meta": dict(first["meta"]), "__id": first["__id"]}
            self.store.clock += timedelta(milliseconds=5)
            self.store.add(row, self.form_id, photos=self.photos())

    def review(self) -> None:
        if (entry := self.any()) is not None:
            self.store.review(entry.root, self.rng.choice(STATES), self.form_id)

    def photo(self) -> None:
        entry = self.any()
        for name, content in list(entry.photos.items()) if entry else []:
            if content is None and entry is not None:
                self.store.send_photo(entry.root, name, self.content(), self.form_id)
                return

    def wait(self) -> None:
        passed = timedelta(minutes=self.rng.choice((1, 5, 16, 60, 300, 1000, 3000)))
        self.store.clock += passed
        self.now += passed

    # What we do

    def poll(self) -> None:
        """Poll once; killed at some call, more often than not."""
        killer = Killer(self.rng.choice((0, 0, self.rng.randint(1, 12), self.rng.randint(1, 40))))
        try:
            self.read(killer)
        except KilledError:
            self.kills += 1
        except CentralError as error:
            self.errors.append(error.code)
        except DomainError as error:
            self.errors.append(error.code)

    def read(self, killer: Killer) -> None:
        @contextmanager
        def scope() -> Iterator[Session]:
            with session_scope(self.engine) as session:
                yield session
                killer.chance()
            killer.chance()

        MortalSession.killer = killer
        with closing(MortalSession(self.account, sleep=lambda _: None)) as client:
            source = CentralSource(client, scope, self.masters, "nineveh")
            source.pull(self.form_id, self.now)
            fetch_files(source, self.masters, self.form_id, self.now)

    def last_poll(self) -> None:
        """All that was late has come; a day has passed, and one poll goes through."""
        for root in self.uncommitted:
            self.store.commit(root, self.form_id)
        self.store.settle()
        passed = FULL_EVERY + LONGEST_PAUSE
        self.store.clock += passed
        self.now += passed
        self.read(Killer())

    # What has to be true then

    def check(self) -> None:
        with Session(self.engine) as session:
            wanted = select(Submission).where(Submission.form_id == self.form_id).order_by(Submission.id)
            stored: dict[str, list[Submission]] = {}
            for one in session.scalars(wanted):
                stored.setdefault(one.root_instance_id, []).append(one)
            vault = Vault(session, self.masters)
            vault.load_keys(one.data_key_id for versions in stored.values() for one in versions)
            server = {entry.root: entry for entry in self.store.listed(self.form_id)}
            for root, versions in stored.items():
                assert {one.deleted_at is not None for one in versions} == {root not in server}, root
            assert stored.keys() >= server.keys(), "lost"
            for root, entry in server.items():
                self._check_one(session, vault, entry, stored[root])

    def _check_one(self, session: Session, vault: Vault, entry: Entry, stored: list[Submission]) -> None:
        ids = [sent.instance_id or entry.root for sent in entry.sent]
        rows = dict(zip(ids, entry.versions, strict=True))
        lives = {one.submitted_at for one in stored if one.submitted_at == entry.created_at}
        assert len({one.instance_id for one in stored}) == len(stored), "doubled"
        names = [one.instance_id.partition("~")[0] for one in stored]
        assert set(names) >= set(ids), "a version is lost"
        if len({one.submitted_at for one in stored}) == 1 and lives:
            assert names == ids, "versions out of order, or doubled"
        current = stored[-1]
        assert names[-1] == ids[-1], "another version is the newest"
        assert current.review_state == entry.review_state
        for one, name in zip(stored, names, strict=True):
            if one.submitted_at == entry.created_at or one is current:
                assert self._tree(vault, one) == _tree_of(rows[name], self.form_id)
                photos = entry.photos if name == ids[-1] else entry.former_photos.get(name, {})
                assert _there(photos).items() <= self._files(session, vault, one).items()

    def _tree(self, vault: Vault, one: Submission) -> Any:
        assert one.payload is not None
        payload = vault.open_bytes("submission.payload", one.payload)
        if one.media_type == "xml":
            return from_xml(payload, instance_id=one.instance_id).tree
        return from_odata(json.loads(payload), self.form_id).tree

    @staticmethod
    def _files(session: Session, vault: Vault, one: Submission) -> dict[str | None, bytes]:
        files = session.scalars(
            select(SubmissionAttachment).where(SubmissionAttachment.submission_id == one.id)
        )
        return {
            vault.open("submission_attachment.name", file.name): vault.open_bytes(
                "submission_attachment.payload", file.payload or b""
            )
            for file in files
        }


def _there(photos: dict[str, bytes | None]) -> dict[str | None, bytes]:
    return {name: content for name, content in photos.items() if content is not None}


def _tree_of(row: Row, form_id: str) -> Any:
    return from_odata(row, form_id).tree
