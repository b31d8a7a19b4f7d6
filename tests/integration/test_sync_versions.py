"""Several versions of one submission: the newest decides, one key a case, and a no leaves nothing behind."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db.keyfile import MasterKeys
from db.models import Case, DataKey, Office, Submission, SubmissionAttachment, Tablet
from db.session import session_scope
from db.tablets import create_tablet
from db.vault import Vault
from governorates import Governorate
from ingest.sources.inbox import Receipt, receive
from ingest.sync import SyncReport, sync
from tests.unit.ingest.invented import assessment, changed, new_instance_id, to_xml

Row = TypeVar("Row")
PHOTO = ("image/jpeg", b"a house")


class Inbox:
    """Posts and runs of the ingester on a database of its own."""

    def __init__(self, engine: Engine, masters: MasterKeys, governorate: Governorate, tablet: Tablet) -> None:
        self.engine, self.masters, self.governorate, self.tablet = engine, masters, governorate, tablet

    def post(self, tree: dict[str, Any], **envelope: Any) -> Receipt:
        xml, files = to_xml(tree, **envelope), {"house.jpg": PHOTO}
        with session_scope(self.engine) as session:
            vault, now = Vault(session, self.masters), datetime.now(UTC)
            return receive(session, vault, self.tablet, xml, files, governorate_code="nineveh", now=now)

    def sync(self, **options: Any) -> SyncReport:
        return sync(self.engine, self.masters, self.governorate, **options)

    def all(self, model: type[Row]) -> list[Row]:
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(select(model)))


@pytest.fixture
def inbox(fresh_engine: Engine, masters: MasterKeys, governorate: Governorate) -> Inbox:
    with session_scope(fresh_engine) as session:
        office_id = session.scalars(select(Office.id)).first()
        assert office_id is not None
        tablet, _ = create_tablet(session, "mosul-1", office_id)
    return Inbox(fresh_engine, masters, governorate, tablet)


@pytest.fixture
def tree(governorate: Governorate) -> dict[str, Any]:
    return assessment(governorate) | {"photo": "house.jpg"}


def test_old_version_in_quarantine_does_not_come_back_over_a_no(inbox: Inbox, tree: dict[str, Any]) -> None:
    first = new_instance_id()
    assert inbox.post(tree, instance_id=first, version="1999").kind == "quarantined"
    no = changed(tree, consent__given="no")
    assert inbox.post(no, instance_id=new_instance_id(), deprecated_id=first).kind == "created"
    assert inbox.sync().refusals == 1
    report = inbox.sync(reprocess=True)
    assert (report.received, report.cases) == (0, 0)
    assert [row.status for row in inbox.all(Submission)] == ["refused", "refused"]
    assert all(row.payload is None and row.data_key_id is None for row in inbox.all(Submission))
    assert inbox.all(DataKey) == inbox.all(SubmissionAttachment) == inbox.all(Case) == []


def test_old_version_in_quarantine_does_not_come_back_over_a_newer_yes(
    inbox: Inbox, tree: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_instance_id()
    inbox.post(changed(tree, household__size="9"), instance_id=first, version="1999")
    inbox.post(tree, instance_id=new_instance_id(), deprecated_id=first)
    assert inbox.sync().cases == 1
    monkeypatch.setattr("ingest.sync.unknown_form_reason", lambda *_: None)
    assert inbox.sync(reprocess=True).received == 0
    [case] = inbox.all(Case)
    assert case.household_size == 2
    assert {(row.status, row.case_id) for row in inbox.all(Submission)} == {("taken_in", case.id)}


def _quarantined_first(inbox: Inbox, tree: dict[str, Any], first: str) -> None:
    inbox.post(tree, instance_id=first, version="1999")
    inbox.post(tree, instance_id=new_instance_id(), deprecated_id=first)
    inbox.sync()


def _both_waiting(inbox: Inbox, tree: dict[str, Any], first: str) -> None:
    inbox.post(tree, instance_id=first)
    inbox.post(tree, instance_id=new_instance_id(), deprecated_id=first)
    inbox.sync()


def _edited_later(inbox: Inbox, tree: dict[str, Any], first: str) -> None:
    inbox.post(tree, instance_id=first)
    inbox.sync()
    inbox.post(tree, instance_id=new_instance_id(), deprecated_id=first)
    inbox.sync()


@pytest.mark.parametrize("arrive", [_quarantined_first, _both_waiting, _edited_later])
def test_a_case_and_all_its_versions_have_one_key(
    inbox: Inbox, tree: dict[str, Any], arrive: Callable[[Inbox, dict[str, Any], str], None]
) -> None:
    arrive(inbox, tree, new_instance_id())
    [case] = inbox.all(Case)
    assert [key.id for key in inbox.all(DataKey)] == [case.data_key_id]
    versions, files = inbox.all(Submission), inbox.all(SubmissionAttachment)
    assert len(versions) == len(files) == 2
    with Session(inbox.engine) as session:
        vault = Vault(session, inbox.masters)
        for version in versions:
            assert version.payload is not None
            assert "وردة".encode() in vault.open_bytes("submission.payload", version.payload)
        for file in files:
            assert file.payload is not None
            assert vault.open_bytes("submission_attachment.payload", file.payload) == PHOTO[1]
            assert vault.open("submission_attachment.name", file.name) == "house.jpg"


def test_files_of_a_refusal_are_removed_and_none_come_later(inbox: Inbox, tree: dict[str, Any]) -> None:
    no, first = changed(tree, consent__given="no"), new_instance_id()
    inbox.post(no, instance_id=first)
    assert len(inbox.all(SubmissionAttachment)) == 1
    inbox.sync()
    assert inbox.post(no, instance_id=first).kind == "repeated"
    assert inbox.all(SubmissionAttachment) == []
