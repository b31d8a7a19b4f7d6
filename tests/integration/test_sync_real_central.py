"""The same life of a form in the stand-in and, where IHALA_TEST_CENTRAL_* are set, in a real ODK Central."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db.keyfile import MasterKeys
from db.models import Submission, SubmissionAttachment
from db.session import session_scope
from db.vault import Vault
from ingest.central.account import CentralAccount
from ingest.central.session import CentralSession
from ingest.sources.central import CentralSource
from ingest.sources.central_files import fetch_files
from ingest.trees import from_odata, from_xml, odata_names
from tests.central.scenario import Central
from tests.central.server import running
from tests.central.store import PASSWORD, Store

PHOTO = b"\xff\xd8\xff\xe0 invented"
VARIABLES = ("IHALA_TEST_CENTRAL_URL", "IHALA_TEST_CENTRAL_EMAIL", "IHALA_TEST_CENTRAL_PASSWORD")
PATHS = ("given-name", "age.years", "house/size", "house/member/name", "photo", "meta/instanceID")
REPEATS = frozenset({"house/member"})


@pytest.fixture(params=["stand-in", "real"])
def central(request: pytest.FixtureRequest) -> Iterator[Central]:
    if request.param == "stand-in":
        store = Store()
        with running(store) as url:
            made = Central(url, "admin@example.org", PASSWORD)
            made.prepare("sync")
            yield made
        return
    if not all(name in os.environ for name in VARIABLES):
        pytest.skip("no real Central: IHALA_TEST_CENTRAL_URL, _EMAIL and _PASSWORD are not set")
    made = Central(*(os.environ[name] for name in VARIABLES))
    made.prepare("sync")
    yield made


class Copy:
    """Our side: an installation that reads that form."""

    def __init__(self, central: Central, engine: Engine, masters: MasterKeys, folder: Path) -> None:
        self.central, self.engine, self.masters = central, engine, masters
        self.account = CentralAccount(
            central.url, central.email, central.password, central.project_id, (central.form_id,), folder
        )
        self.now = datetime.now(UTC)

    def poll(self, *, full: bool = False) -> Any:
        self.now += timedelta(hours=1)
        with closing(CentralSession(self.account)) as client:
            scope = partial(session_scope, self.engine)
            source = CentralSource(client, scope, self.masters, "nineveh")
            pulled = source.pull(self.central.form_id, self.now, full=full)
            fetch_files(source, self.masters, self.central.form_id, self.now)
        return pulled

    def check(self) -> None:
        """Roots, versions, answers, review states, marks of deletion and files equal the server's."""
        central = self.central
        with Session(self.engine) as session:
            stored: dict[str, list[Submission]] = {}
            for one in session.scalars(select(Submission).order_by(Submission.id)):
                stored.setdefault(one.root_instance_id, []).append(one)
            vault = Vault(session, self.masters)
            server = {row["instanceId"]: row for row in central.listed()}
            assert {root for root, ones in stored.items() if ones[-1].deleted_at is None} == set(server)
            for root, row in server.items():
                ones = stored[root]
                assert [one.instance_id for one in ones] == central.versions(root)
                assert ones[-1].review_state == row["reviewState"]
                for one in ones:
                    xml = central.version_xml(root, one.instance_id)
                    sent = from_xml(xml, REPEATS, instance_id=one.instance_id).tree
                    assert _answers(self._tree(vault, one)) == _answers(sent)
                    assert self._files(session, vault, one) == central.files(root, one.instance_id)

    def _tree(self, vault: Vault, one: Submission) -> Any:
        payload = vault.open_bytes("submission.payload", one.payload or b"")
        if one.media_type == "xml":
            return from_xml(payload, REPEATS, instance_id=one.instance_id).tree
        return from_odata(json.loads(payload), one.form_id, REPEATS, odata_names(PATHS)).tree

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


def _answers(tree: Any) -> Any:
    return {name: value for name, value in tree.items() if name != "meta"}


@pytest.fixture(params=[2000, 0], ids=["small", "large"])
def copy(
    request: pytest.FixtureRequest,
    central: Central,
    fresh_engine: Engine,
    masters: MasterKeys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Copy:
    """A form that counts as small or as large; a large one is read by window between its full lists."""
    monkeypatch.setattr("ingest.sources.central.LARGE", request.param)
    monkeypatch.setattr("ingest.central.submissions.ROWS_PER_PAGE", 2)
    return Copy(central, fresh_engine, masters, tmp_path / "central")


def test_one_life(central: Central, copy: Copy) -> None:
    plain, _ = central.submit()
    twice, _ = central.submit(name="سارة", members=("أ", "ب"))
    shown, _ = central.submit(photo="there.jpg", file=PHOTO)
    late, late_xml = central.submit(photo="late.jpg")
    central.submit(xml=central.xml(None, name="بلا رقم"))
    assert copy.poll().stored == 5
    copy.check()
    assert copy.poll().stored == 0

    first = central.edit(twice, twice, name="سارة ٢", members=("ب",))
    central.edit(twice, first, name="سارة ٣", members=())
    central.review(plain, "approved")
    central.delete(shown)
    pulled = copy.poll()
    assert (pulled.stored, pulled.deleted) == (2, 1)
    copy.check()

    central.submit(photo="late.jpg", file=PHOTO, xml=late_xml)  # neither the list nor its ETag shows it
    central.restore(shown)  # no date shows it
    copy.poll(full=True)
    copy.check()
    assert central.files(late, late) == {"late.jpg": PHOTO}

    named = next(row["instanceId"] for row in central.listed() if not row["instanceId"].startswith("uuid:"))
    second = central.edit(named, named, name="الآن برقم")
    third = central.edit(named, second, photo="late.jpg")
    central.edit(late, late, photo="late.jpg", name="بعد التعديل")
    copy.poll()
    copy.check()
    assert central.versions(named) == [named, second, third]

    central.publish("2", "string")  # the type of a question changes
    central.submit(age="ثلاثون", version="2")
    central.submit(age="31")  # a tablet with the old version
    central.delete(plain)
    copy.poll()
    copy.check()
    assert copy.poll().stored == 0
