"""Projects with managed encryption: the same cases as without, nothing without the passphrase, nothing lost meanwhile.

The stand-in encrypts nothing: it withholds the answers from its feed, and gives the CSV to who knows the passphrase.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.models import AttachmentCheck, Case, DataKey, Submission, SubmissionAttachment, SyncState
from db.vault import Vault
from ingest.central.exports import ExportKey
from ingest.central.submissions import IDS_PER_REQUEST
from ingest.forms import published_forms
from ingest.trees import from_odata
from tests.central.faults import Fault
from tests.central.form_files import FormFile, FormVersion
from tests.central.projects import Key
from tests.central.reader import FORM, Reader, reader
from tests.central.xforms import parse_form
from tests.unit.ingest.invented import assessment, changed, to_odata

__all__ = ["reader"]

PASSPHRASE = "the words of the safe"
PHOTO = b"\xff\xd8\xff\xe0 invented"


@pytest.fixture
def encrypted(reader: Reader) -> Iterator[Reader]:
    """A reader that knows the passphrase of an encrypted project."""
    definition = parse_form(published_forms("nineveh")[FORM].xml)
    assert definition is not None
    versions = [FormVersion(definition, reader.store.clock)]
    reader.store.project.files[FORM] = FormFile(
        FORM, reader.store.clock, 1, reader.store.users[reader.account.email], versions=versions
    )
    reader.store.project.key = Key(1, PASSPHRASE, "in the safe", reader.store.clock)
    reader.account = replace(reader.account, passphrase=PASSPHRASE)
    yield reader


def state(reader: Reader) -> tuple[Any, ...]:
    with Session(reader.engine) as session:
        row = session.scalars(select(SyncState).where(SyncState.form_id == FORM)).one()
        return row.etag, row.since, row.listed_at, row.walk


def last_error(reader: Reader) -> str | None:
    with Session(reader.engine) as session:
        return session.scalars(select(SyncState.last_error).where(SyncState.form_id == FORM)).one()


def tree_of(reader: Reader, one: Submission) -> Any:
    with Session(reader.engine) as session:
        payload = Vault(session, reader.masters).open_bytes("submission.payload", one.payload or b"")
    return from_odata(json.loads(payload), FORM).tree


def files_of(reader: Reader) -> dict[str | None, bytes]:
    with Session(reader.engine) as session:
        vault = Vault(session, reader.masters)
        return {
            vault.open("submission_attachment.name", file.name): vault.open_bytes(
                "submission_attachment.payload", file.payload or b""
            )
            for file in session.scalars(select(SubmissionAttachment))
        }


def test_encrypted_submissions_become_cases(encrypted: Reader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rows = [
        encrypted.row(
            residence__point="36.345 43.13 220.5 4.5", notes='=1+1\n"سطر"، 2', person__given_name="@ڕۆژ"
        ),
        encrypted.row(household__member=[]),
    ]
    roots = [encrypted.store.add(row) for row in rows]
    report = encrypted.sync()
    assert (report.stored, report.cases, report.quarantined, report.errors) == (2, 2, 0, ())
    stored = {one.root_instance_id: one for one in encrypted.stored()}
    for root, row in zip(roots, rows, strict=True):
        assert tree_of(encrypted, stored[root]) == from_odata(row, FORM).tree
        assert (stored[root].media_type, stored[root].instance_id) == ("csv+json", root)
        assert "ڕۆژ".encode() not in (stored[root].payload or b"")
        assert stored[root].submitted_at == encrypted.store.entry(root).created_at
    assert PASSPHRASE not in caplog.text
    assert "ڕۆژ" not in caplog.text
    assert not any("words" in request for request in encrypted.store.requests)
    assert PASSPHRASE not in repr(encrypted.account)


def test_without_news_nothing_is_decrypted(encrypted: Reader) -> None:
    encrypted.store.add(encrypted.row())
    encrypted.sync()
    before = state(encrypted)
    encrypted.store.requests.clear()
    assert encrypted.sync().stored == 0
    assert encrypted.asked("csv.zip") == encrypted.asked("/keys") == 0
    assert before[0] is not None
    assert state(encrypted)[0] == before[0]


@pytest.mark.parametrize(
    ("passphrase", "code"),
    [("a wrong passphrase", "central_passphrase"), (None, "central_passphrase_missing")],
)
@pytest.mark.parametrize("large", [2000, 0], ids=["small", "large"])
def test_without_the_passphrase_nothing_moves_and_the_next_run_catches_up(
    encrypted: Reader, passphrase: str | None, code: str, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.central.LARGE", large)
    early = encrypted.store.add(encrypted.row())
    encrypted.sync()
    before, knowing = state(encrypted), encrypted.account
    late = encrypted.store.add(encrypted.row())
    encrypted.account = replace(knowing, passphrase=passphrase)
    for _ in range(2):
        report = encrypted.sync()
        assert (report.stored, report.errors) == (0, (f"{FORM}: {code}",))
        assert state(encrypted) == before
        assert last_error(encrypted) == code
    assert encrypted.roots() == {early}
    encrypted.account = knowing
    report = encrypted.sync()
    assert (report.stored, report.cases, report.errors) == (1, 1, ())
    assert encrypted.roots() == {early, late}
    assert last_error(encrypted) is None


def test_first_reading_without_the_passphrase_stores_nothing(encrypted: Reader) -> None:
    encrypted.store.add(encrypted.row())
    encrypted.account = replace(encrypted.account, passphrase="a wrong passphrase")
    assert encrypted.sync().errors == (f"{FORM}: central_passphrase",)
    assert encrypted.stored() == []
    assert state(encrypted) == (None, None, None, None)


def test_other_forms_go_on(encrypted: Reader) -> None:
    encrypted.store.forms["notes"] = []
    encrypted.store.add(encrypted.row(), "notes")
    encrypted.store.forms["notes"][0].is_encrypted = False
    encrypted.store.add(encrypted.row())
    encrypted.account = replace(encrypted.account, passphrase=None, form_ids=(FORM, "notes"))
    report = encrypted.sync()
    assert (report.stored, report.errors) == (1, (f"{FORM}: central_passphrase_missing",))
    assert [one.form_id for one in encrypted.stored()] == ["notes"]


def test_project_encrypted_later_holds_both_kinds(encrypted: Reader) -> None:
    key, encrypted.store.project.key = encrypted.store.project.key, None
    plain = encrypted.store.add(encrypted.row())
    encrypted.store.project.key = key
    sealed = encrypted.store.add(encrypted.row())
    report = encrypted.sync()
    assert (report.stored, report.cases, report.errors) == (2, 2, ())
    assert {one.root_instance_id: one.media_type for one in encrypted.stored()} == {
        plain: "odata+json",
        sealed: "csv+json",
    }


def test_edit_is_a_new_version_of_the_same_case(encrypted: Reader) -> None:
    tree = assessment(encrypted.governorate)
    root = encrypted.store.add(to_odata(tree))
    encrypted.sync()
    version = encrypted.store.edit(root, to_odata(changed(tree, household__size="6")))
    report = encrypted.sync()
    assert (report.stored, report.cases, report.updated) == (1, 0, 1)
    assert [(one.root_instance_id, one.instance_id) for one in encrypted.stored()] == [
        (root, root),
        (root, version),
    ]
    assert encrypted.stored()[-1].review_state == "edited"
    with Session(encrypted.engine) as session:
        assert [case.household_size for case in session.scalars(select(Case))] == [6]
        assert len(session.scalars(select(DataKey)).all()) == 1
    assert encrypted.sync().stored == 0


def test_edit_that_encrypts_what_was_plain(encrypted: Reader) -> None:
    """Two versions of one submission, each by its own way."""
    tree = assessment(encrypted.governorate)
    key, encrypted.store.project.key = encrypted.store.project.key, None
    root = encrypted.store.add(to_odata(tree))
    encrypted.sync()
    encrypted.store.project.key = key
    encrypted.store.edit(root, to_odata(changed(tree, household__size="6")))
    encrypted.store.entry(root).is_encrypted = True
    assert encrypted.sync().updated == 1
    assert [one.media_type for one in encrypted.stored()] == ["odata+json", "csv+json"]


def test_deleted_restored_and_reviewed(encrypted: Reader) -> None:
    root = encrypted.store.add(encrypted.row())
    encrypted.sync()
    encrypted.store.delete(root)
    encrypted.sync()
    assert encrypted.stored()[0].deleted_at is not None
    encrypted.store.restore(root)
    encrypted.sync()
    assert encrypted.stored()[0].deleted_at is None
    encrypted.store.review(root, "hasIssues")
    assert encrypted.sync().stored == 0
    assert [one.review_state for one in encrypted.stored()] == ["hasIssues"]


def test_late_commit_and_gone_between_two_requests(encrypted: Reader) -> None:
    late = encrypted.store.add(encrypted.row(), committed=False)
    gone = encrypted.store.add(encrypted.row())
    early = encrypted.store.add(encrypted.row())
    encrypted.store.do_later(4, lambda: encrypted.store.delete(gone))
    for _ in range(3):
        encrypted.sync()
    encrypted.store.commit(late)
    encrypted.sync()
    kept = {one.root_instance_id for one in encrypted.stored() if one.deleted_at is None}
    assert kept == {early, late}


@pytest.mark.parametrize("large", [2000, 0], ids=["small", "large"])
def test_damaged_submission_holds_up_no_other(
    encrypted: Reader, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Central breaks off an export where it cannot decrypt one submission of it (seen on v2026.2.2)."""
    monkeypatch.setattr("ingest.sources.central.LARGE", large)
    roots = {encrypted.store.add(encrypted.row()) for _ in range(6)}
    damaged = encrypted.store.add(encrypted.row())
    encrypted.store.entry(damaged).is_damaged = True
    report = encrypted.sync()
    assert encrypted.roots() == roots
    assert report.errors == (f"{FORM}: central_undecryptable",)
    assert last_error(encrypted) == "central_undecryptable"
    late = encrypted.store.add(encrypted.row())
    assert encrypted.sync().stored == 1
    assert encrypted.roots() == {*roots, late}
    encrypted.store.entry(damaged).is_damaged = False
    report = encrypted.sync()
    assert (report.stored, report.errors) == (1, ())
    assert encrypted.roots() == {*roots, late, damaged}


def test_more_than_a_request_holds(encrypted: Reader) -> None:
    roots = {encrypted.store.add(encrypted.row()) for _ in range(IDS_PER_REQUEST + 5)}
    assert encrypted.sync().stored == len(roots)
    assert encrypted.roots() == roots
    assert encrypted.asked("csv.zip") == 2


def test_key_that_central_does_not_manage(encrypted: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    encrypted.store.add(encrypted.row())
    monkeypatch.setattr("ingest.sources.encrypted.list_keys", lambda *_: [ExportKey(1, is_managed=False)])
    assert encrypted.sync().errors == (f"{FORM}: central_encrypted",)
    keys = [ExportKey(1, is_managed=True), ExportKey(2, is_managed=False)]
    monkeypatch.setattr("ingest.sources.encrypted.list_keys", lambda *_: keys)
    report = encrypted.sync()
    assert (report.stored, report.errors) == (1, (f"{FORM}: central_encrypted",))


@pytest.mark.parametrize(
    "fault",
    [
        Fault.RESET_IN_BODY,
        Fault.RESET_BEFORE,
        Fault.TRUNCATED,
        Fault.TRUNCATED_CLEANLY,
        Fault.HTML_200,
        Fault.HTML_502,
        Fault.ERROR_500,
        Fault.TOO_MANY_SECONDS,
        Fault.SESSION_ENDED,
        Fault.REDIRECT,
    ],
)
def test_bad_line_loses_nothing_and_blames_no_submission(encrypted: Reader, fault: Fault) -> None:
    roots = {encrypted.store.add(encrypted.row()) for _ in range(3)}
    encrypted.store.faults.set(fault, path="csv.zip")
    report = encrypted.sync()
    assert f"{FORM}: central_undecryptable" not in report.errors
    encrypted.store.faults.set(fault, path="csv.zip", every=2)
    for _ in range(3):
        encrypted.sync()
    encrypted.store.faults.clear()
    assert encrypted.sync().errors == ()
    assert encrypted.roots() == roots
    assert len(encrypted.stored()) == 3


def test_photos_come_decrypted_under_their_own_names(encrypted: Reader) -> None:
    content = {"submission.xml.enc": b"x"}
    encrypted.store.add(encrypted.row(), photos=dict(content))
    root = encrypted.store.add(
        encrypted.row(), photos={**content, "a.jpg.enc": PHOTO, "بيت: 1.jpg.enc": None}
    )
    report = encrypted.sync()
    assert (report.files, report.errors) == (1, ())
    assert files_of(encrypted) == {"a.jpg": PHOTO}
    encrypted.store.send_photo(root, "بيت: 1.jpg.enc", PHOTO + b"2")
    due(encrypted)
    assert encrypted.sync().files == 1
    assert files_of(encrypted) == {"a.jpg": PHOTO, "بيت: 1.jpg": PHOTO + b"2"}
    encrypted.store.requests.clear()
    encrypted.sync()
    assert encrypted.asked("attachments") == 0


def test_photos_of_an_edit_are_not_taken(encrypted: Reader) -> None:
    """Central spoils their first bytes."""
    photos: dict[str, bytes | None] = {"submission.xml.enc": b"x", "a.jpg.enc": PHOTO}
    tree = assessment(encrypted.governorate)
    root = encrypted.store.add(to_odata(tree), photos=photos)
    encrypted.store.edit(root, to_odata(changed(tree, household__size="6")))
    assert encrypted.sync().files == 0
    assert encrypted.asked("attachments=true") == 0


def test_photo_of_a_version_that_was_edited_meanwhile_is_given_up(encrypted: Reader) -> None:
    photos: dict[str, bytes | None] = {"submission.xml.enc": b"x", "a.jpg.enc": None}
    tree = assessment(encrypted.governorate)
    root = encrypted.store.add(to_odata(tree), photos=photos)
    encrypted.sync()
    encrypted.store.edit(root, to_odata(changed(tree, household__size="6")))
    encrypted.store.send_photo(root, "a.jpg.enc", PHOTO)
    encrypted.store.entry(root).former_photos[root]["a.jpg.enc"] = PHOTO
    due(encrypted)
    report = encrypted.sync()
    assert (report.files, report.errors) == (0, ())
    encrypted.store.requests.clear()
    due(encrypted)
    encrypted.sync()
    assert encrypted.asked("attachments") == 0


def test_files_too_large_are_given_up(encrypted: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    photos: dict[str, bytes | None] = {"submission.xml.enc": b"x", "a.jpg.enc": PHOTO}
    encrypted.store.add(encrypted.row(), photos=photos)
    monkeypatch.setattr("ingest.central.exports.MAX_FILE_BYTES", 5)
    assert encrypted.sync().errors == ()
    assert files_of(encrypted) == {}
    encrypted.store.requests.clear()
    due(encrypted)
    encrypted.sync()
    assert encrypted.asked("attachments") == 0


def due(reader: Reader) -> None:
    """Let the pause before the next question about files be over."""
    with Session(reader.engine) as session:
        session.execute(update(AttachmentCheck).values(next_at=AttachmentCheck.created_at))
        session.commit()
