"""Photos that arrive when they arrive, and large forms: what the random histories cannot measure."""

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from db.attachment_checks import count_files
from db.models import AttachmentCheck, DataKey, SubmissionAttachment, SyncEntry, SyncState
from db.session import session_scope
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession
from ingest.sources.central import FULL_EVERY, CentralSource
from ingest.sources.central_files import GIVE_UP, LONGEST_PAUSE, Fetched, fetch_files, pause_after
from tests.central.faults import Fault
from tests.central.projects import Key
from tests.central.reader import FORM, Reader, reader

__all__ = ["reader"]
PHOTO = b"\xff\xd8\xff\xe0 invented"


def source_of(reader: Reader, client: CentralSession) -> CentralSource:
    return CentralSource(client, partial(session_scope, reader.engine), reader.masters, "nineveh")


def fetch(reader: Reader, now: datetime) -> Fetched:
    with closing(CentralSession(reader.account)) as client:
        return fetch_files(source_of(reader, client), reader.masters, FORM, now)


def pull(reader: Reader, now: datetime) -> Any:
    with closing(CentralSession(reader.account)) as client:
        return source_of(reader, client).pull(FORM, now)


def count(reader: Reader, model: Any) -> int:
    with Session(reader.engine) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_late_photo_is_fetched_though_the_list_says_nothing_changed(reader: Reader) -> None:
    root = reader.store.add(reader.row(), photos={"a.jpg": PHOTO, "b.jpg": None})
    assert (reader.sync().files, count(reader, SubmissionAttachment)) == (1, 1)
    reader.store.send_photo(root, "b.jpg", PHOTO)
    assert reader.sync().files == 0  # the pause is not over
    later = datetime.now(UTC) + pause_after(0)
    assert fetch(reader, later) == Fetched(files=1, complete=1)
    assert fetch(reader, later + LONGEST_PAUSE) == Fetched()
    assert count(reader, AttachmentCheck) == 0


def test_person_who_refused_has_no_photo_fetched(reader: Reader) -> None:
    reader.store.add(reader.row(consent__given="no"), photos={"a.jpg": PHOTO})
    assert reader.sync().refusals == 1
    assert reader.asked("attachments") == count(reader, SubmissionAttachment) == count(reader, DataKey) == 0
    assert count(reader, AttachmentCheck) == 0


def test_photo_that_never_comes_is_given_up_and_told(reader: Reader) -> None:
    root = reader.store.add(reader.row(), photos={"a.jpg": None})
    reader.pull()
    now = datetime.now(UTC)
    asked = 0
    while fetch(reader, now).given_up == 0:
        now, asked = now + timedelta(hours=1), asked + 1
        assert asked < 24 * 32
    assert now - datetime.now(UTC) > GIVE_UP - timedelta(hours=2)
    assert reader.asked("attachments") < 50, "the pauses grow"
    with Session(reader.engine) as session:
        [figures] = count_files(session, "nineveh")
    assert (figures.form_id, figures.waiting, figures.given_up) == (FORM, 0, 1)
    reader.store.send_photo(root, "a.jpg", PHOTO)
    reader.store.review(root, "hasIssues")  # Central shows something new: it is asked about again
    pull(reader, now)
    assert fetch(reader, now) == Fetched(files=1, complete=1)


def test_too_large_file_is_left_and_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.central.attachments.MAX_FILE_BYTES", 100)
    reader.store.add(reader.row(), photos={"a.jpg": b"x" * 101, "b.jpg": b"x" * 100})
    reader.pull()
    assert fetch(reader, datetime.now(UTC) + LONGEST_PAUSE) == Fetched(files=1, given_up=1)


@pytest.mark.parametrize("fault", [Fault.TRUNCATED_CLEANLY, Fault.TRUNCATED, Fault.RESET_IN_BODY])
def test_half_a_photo_is_no_photo(reader: Reader, fault: Fault) -> None:
    reader.store.add(reader.row(), photos={"a.jpg": PHOTO * 1000})
    reader.pull()
    now = datetime.now(UTC)
    with reader.store.faults.on(fault, path="a.jpg"), pytest.raises(CentralError):
        fetch(reader, now)
    assert count(reader, SubmissionAttachment) == 0
    assert fetch(reader, now) == Fetched(files=1, complete=1)  # at once: that was not Central's answer


def test_encrypted_form_moves_no_cursor_until_somebody_can_decrypt(reader: Reader) -> None:
    reader.store.project.key = Key(1, "a long passphrase", None, reader.store.now())
    root = reader.store.add(reader.row(), photos={"a.jpg.enc": PHOTO})
    assert reader.sync().errors == (f"{FORM}: central_passphrase_missing",)
    with Session(reader.engine) as session:
        state = session.scalars(select(SyncState)).one()
        assert (state.since, state.listed_at, state.etag) == (None, None, None)
    assert count(reader, SyncEntry) == 0
    answers = reader.row()

    def decrypt(_: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [answers | {"__id": row["__id"], "__system": row["__system"]} for row in rows]

    with closing(CentralSession(reader.account)) as client:
        source = CentralSource(
            client, partial(session_scope, reader.engine), reader.masters, "nineveh", decrypt=decrypt
        )
        assert source.pull(FORM, datetime.now(UTC)).stored == 1
    assert reader.roots() == {root}
    assert count(reader, AttachmentCheck) == 1  # its photo is not: it comes decrypted in a ZIP of its own


def test_catch_up_goes_on_at_the_page_where_it_was_cut_short(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.central.submissions.ROWS_PER_PAGE", 5)
    roots = {reader.store.add(reader.row()) for _ in range(22)}
    with reader.store.faults.on(Fault.ERROR_500, every=4, path=".svc"), pytest.raises(CentralError):
        reader.pull()
    assert len(reader.roots()) == 15
    reader.store.requests.clear()
    assert reader.pull().stored == 7
    assert reader.roots() == roots
    assert reader.asked(".svc") == 2


def test_large_form_is_read_by_window_between_full_lists(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.central.LARGE", 3)
    roots = [reader.store.add(reader.row()) for _ in range(8)]
    now = datetime.now(UTC) - timedelta(days=400)  # our clock is far off
    pull(reader, now)
    reader.store.clock += timedelta(hours=1)
    reader.store.requests.clear()
    late = reader.store.add(reader.row(), committed=False)
    edited = reader.store.edit(roots[0], reader.row())
    reader.store.delete(roots[1])
    reader.store.delete(roots[2])
    pulled = pull(reader, now + timedelta(hours=1))
    assert (pulled.stored, pulled.deleted) == (1, 2)
    assert reader.stored()[-1].instance_id == edited
    assert reader.asked(".svc") == 1
    assert reader.asked("/submissions") == 0  # no list
    reader.store.clock += timedelta(hours=3)
    reader.store.restore(roots[1])  # no date shows it
    reader.store.commit(late)  # stamped long before the window
    assert pull(reader, now + timedelta(hours=4)).restored == 0
    assert pull(reader, now + FULL_EVERY).restored == 1
    assert late in reader.roots()


def test_poll_without_news_reads_no_index(reader: Reader) -> None:
    for _ in range(3):
        reader.store.add(reader.row())
    reader.pull()
    statements: list[str] = []

    @event.listens_for(reader.engine, "before_cursor_execute")
    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    started = time.perf_counter()
    reader.pull()
    assert time.perf_counter() - started < 1
    assert len(statements) <= 4
    assert not any("unnest" in one or "sync_state.index" in one for one in statements)
