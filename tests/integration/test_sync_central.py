"""ODK Central: nothing missed, nothing doubled, whatever Central does to its readers.

Against a stand-in over HTTP, which test_sync_stand_in.py compares with a real Central's recorded answers.
"""

import dataclasses
import json
import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db import submissions as query
from db import sync_states
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Case, DataKey, SyncEntry, SyncState
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from ingest.central.account import CentralAccount
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession
from ingest.central.submissions import IDS_PER_REQUEST, get_index, list_rows
from ingest.sources.central_pages import Pulled
from ingest.sync import SyncSettings, sync
from tests.central.reader import FORM, Reader, reader
from tests.central.store import Store
from tests.unit.ingest.invented import assessment, changed, to_odata

__all__ = ["reader"]


def list_index(client: CentralSession) -> int:
    with get_index(client, FORM, None) as index:
        return len(list(index.rows or ()))


def test_submissions_become_cases(reader: Reader) -> None:
    root = reader.store.add(reader.row())
    refused = reader.store.add(reader.row(consent__given="no"))
    report = reader.sync()
    assert (report.stored, report.cases, report.refusals, report.errors) == (2, 1, 1, ())
    one = next(row for row in reader.stored() if row.root_instance_id == root)
    assert (one.source, one.media_type, one.status) == ("central:1", "odata+json", "taken_in")
    assert one.submitted_at == reader.store.entry(root).created_at
    assert next(row for row in reader.stored() if row.root_instance_id == refused).payload is None


def test_second_pull_asks_only_whether_anything_changed(reader: Reader) -> None:
    for _ in range(3):
        reader.store.add(reader.row())
    reader.pull()
    reader.store.requests.clear()
    assert reader.pull() == Pulled()
    assert reader.asked("/submissions") == 1
    assert reader.asked(".svc") == 0
    assert len(reader.stored()) == 3


def test_more_than_a_request_holds_and_pages_by_the_servers_link(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link names another host, as behind a proxy; every instant is shared by several rows."""
    monkeypatch.setattr("ingest.central.submissions.ROWS_PER_PAGE", 7)
    roots = {reader.store.add(reader.row()) for _ in range(IDS_PER_REQUEST + 5)}
    assert reader.pull().stored == len(roots)
    assert reader.roots() == roots
    assert reader.asked(".svc") == 8
    reader.store.page_limit = 7
    roots |= {reader.store.add(reader.row()) for _ in range(IDS_PER_REQUEST + 5)}
    reader.store.requests.clear()
    assert reader.pull().stored == IDS_PER_REQUEST + 5
    assert reader.roots() == roots
    assert reader.asked(".svc") == 9  # 50 ids in eight pages, and five in one


def test_late_commit_with_an_old_stamp_is_not_missed(reader: Reader) -> None:
    late = reader.store.add(reader.row(), committed=False)
    early = reader.store.add(reader.row())
    reader.pull()
    assert reader.roots() == {early}
    reader.store.commit(late)
    reader.pull()
    assert reader.roots() == {early, late}


def test_edit_is_a_new_version_of_the_same_case(reader: Reader) -> None:
    tree = assessment(reader.governorate)
    root = reader.store.add(to_odata(tree))
    reader.sync()
    version = reader.store.edit(root, to_odata(changed(tree, household__size="6")))
    report = reader.sync()
    assert (report.stored, report.cases, report.updated) == (1, 0, 1)
    assert [(one.root_instance_id, one.instance_id) for one in reader.stored()] == [
        (root, root),
        (root, version),
    ]
    assert reader.stored()[-1].review_state == "edited"
    with Session(reader.engine) as session:
        assert [case.household_size for case in session.scalars(select(Case))] == [6]
        assert len(session.scalars(select(DataKey)).all()) == 1


def test_review_changes_the_state_and_stores_no_version(reader: Reader) -> None:
    root = reader.store.add(reader.row())
    reader.pull()
    reader.store.review(root, "hasIssues")
    assert reader.pull().stored == 0
    assert [one.review_state for one in reader.stored()] == ["hasIssues"]


def test_deleted_restored_and_purged(reader: Reader) -> None:
    root, other = reader.store.add(reader.row()), reader.store.add(reader.row())
    reader.pull()
    reader.store.delete(root)
    assert reader.pull().deleted == 1
    assert {one.root_instance_id: one.deleted_at is not None for one in reader.stored()} == {
        root: True,
        other: False,
    }
    assert reader.pull().deleted == 0
    reader.store.restore(root)
    assert reader.pull() == Pulled(restored=1)
    assert all(one.deleted_at is None for one in reader.stored())
    reader.store.purge(other)
    assert reader.pull().deleted == 1
    assert len(reader.stored()) == 2


def test_deleted_before_it_was_taken_in_is_not_registered_until_restored(reader: Reader) -> None:
    root = reader.store.add(reader.row())
    reader.pull()
    reader.store.delete(root)
    assert reader.sync().cases == 0
    reader.store.restore(root)
    assert reader.sync().cases == 1


def test_gone_between_list_and_fetch_is_looked_for_again(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.pull()
    first, second = reader.store.add(reader.row()), reader.store.add(reader.row())
    real: Callable[..., Any] = list_rows

    def hide_after_listing(central: CentralSession, form_id: str, ids: Any) -> Any:
        reader.store.entry(second).visible = False
        return real(central, form_id, ids)

    with monkeypatch.context() as patch:
        patch.setattr("ingest.sources.central.list_rows", hide_after_listing)
        reader.pull()
    assert reader.roots() == {first}
    reader.store.entry(second).visible = True  # nothing about the form's ETag changed
    reader.pull()
    assert reader.roots() == {first, second}


def test_page_stored_before_the_connection_broke_stays_and_the_rest_follows(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.pull()
    roots = {reader.store.add(reader.row()) for _ in range(2 * IDS_PER_REQUEST + 3)}
    real, calls = list_rows, []

    def breaking(central: CentralSession, form_id: str, ids: Any) -> Any:
        calls.append(ids)
        if len(calls) == 2:
            raise CentralError("central_unreachable")
        return real(central, form_id, ids)

    with monkeypatch.context() as patch:
        patch.setattr("ingest.sources.central.list_rows", breaking)
        report = reader.sync()
    assert report.errors == (f"{FORM}: central_unreachable",)
    assert len(reader.roots()) == IDS_PER_REQUEST
    with Session(reader.engine) as session:
        assert [state.last_error for state in sync_states.list_sync_states(session, "nineveh")] == [
            "central_unreachable"
        ]
    assert reader.pull().stored == IDS_PER_REQUEST + 3
    assert reader.roots() == roots
    with Session(reader.engine) as session:
        state = session.scalars(select(SyncState)).one()
        assert (state.last_error, len(session.scalars(select(SyncEntry)).all())) == (None, len(roots))


def test_two_pulls_of_one_form_do_not_overwrite_each_other(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.pull()
    roots = {reader.store.add(reader.row()) for _ in range(3)}
    real: Callable[..., Any] = list_rows

    def overtaken(central: CentralSession, form_id: str, ids: Any) -> Any:
        monkeypatch.setattr("ingest.sources.central.list_rows", real)
        reader.pull()  # another process does the same in the meantime
        return real(central, form_id, ids)

    monkeypatch.setattr("ingest.sources.central.list_rows", overtaken)
    with pytest.raises(DomainError) as refused:
        reader.pull()
    assert refused.value.code == "changed_meanwhile"
    assert reader.roots() == roots
    assert len(reader.stored()) == 3
    with Session(reader.engine) as session:
        assert len(session.scalars(select(DataKey)).all()) == 3


def test_row_that_makes_no_sense_is_kept_and_set_aside(reader: Reader) -> None:
    """What Central makes of a body that was cut off: an id of its own and no answers."""
    row = reader.row()
    root = "a321ce5f-2d0c-4ad6-b6f2-f9cce2dbb2aa"
    row |= {"consent": None, "person": None, "meta": {"instanceID": None}, "__id": root}
    reader.store.add(row)
    report = reader.sync()
    assert (report.stored, report.quarantined) == (1, 1)
    [kept] = reader.stored()
    assert (kept.root_instance_id, kept.reason) == (root, "consent_missing")
    assert kept.payload is not None
    with Session(reader.engine) as session:
        payload = Vault(session, reader.masters).open_bytes("submission.payload", kept.payload)
    assert json.loads(payload)["__id"] == root


def test_signs_in_again_once_when_the_session_has_ended(reader: Reader) -> None:
    reader.store.add(reader.row())
    client = CentralSession(reader.account)
    assert list_index(client) == 1
    reader.store.tokens.clear()
    assert list_index(client) == 1
    assert reader.asked("POST /v1/sessions") == 2
    client.close()


def test_session_token_is_reused_and_private(reader: Reader) -> None:
    reader.pull()
    reader.pull()
    assert reader.asked("POST /v1/sessions") == 1
    [cache] = reader.account.cache_folder.iterdir()
    assert cache.stat().st_mode & 0o777 == 0o600
    assert reader.account.cache_folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (lambda store: store.accounts.clear(), "central_sign_in"),
        (lambda store: store.broken.update({"/submissions": 403}), "central_forbidden"),
        (lambda store: store.broken.update({"/submissions": 500}), "central_unreachable"),
        (lambda store: store.broken.update({"/submissions": 400}), "central_refused"),
        (lambda store: store.forms.clear(), "central_not_found"),
    ],
)
def test_central_that_cannot_be_read_stops_nothing_else(
    reader: Reader, script: Callable[[Store], None], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    script(reader.store)
    with caplog.at_level(logging.DEBUG):
        report = reader.sync()
    assert report.errors == (f"{FORM}: {code}",)
    assert not report.busy
    assert "a long password" not in caplog.text
    assert "Completely unhandled" not in caplog.text  # no body of an answer


@pytest.mark.parametrize(
    "body", ["<html>Welcome to the hotel's Wi-Fi</html>", "7", "[]", "null", '{"token": 5}', ""]
)
def test_somebody_else_who_answers_for_central_stops_nothing(reader: Reader, body: str) -> None:
    """A captive portal answers 200 to everything."""

    class Portal(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer  # noqa: N815  names of the library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  names of the library
            return

    portal = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    threading.Thread(target=portal.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{portal.server_port}"
    account = dataclasses.replace(reader.account, url=url)
    report = sync(reader.engine, reader.masters, reader.governorate, SyncSettings(central=account))
    portal.shutdown()
    portal.server_close()
    [error] = report.errors
    assert error.startswith(f"{FORM}: ")
    assert reader.stored() == []


def test_answers_that_fit_no_column_stop_nothing(reader: Reader) -> None:
    reader.store.add(reader.row())
    odd = reader.row()
    odd["__system"] |= {"formVersion": "v\x00" * 99, "reviewState": "on the moon, waiting for a decision"}
    odd["notes"] = odd["person"]["given_name"] = "a\x00b\ud800"
    root = reader.store.add(odd)
    reader.store.entry(root).review_state = "on the moon, waiting for a decision"
    report = reader.sync()
    assert (report.stored, report.cases, report.errors) == (2, 2, ())
    assert {row.review_state for row in reader.stored()} == {None}


@pytest.mark.parametrize("odd", ["x" * 65, "a\x00b", ""])
def test_an_id_that_central_never_gives_is_told_and_stops_nothing_else(reader: Reader, odd: str) -> None:
    row = reader.row()
    row["meta"]["instanceID"] = None
    reader.store.add(row | {"__id": odd})
    assert reader.sync().errors == (f"{FORM}: central_answer",)


def test_a_broken_token_file_is_made_anew(reader: Reader) -> None:
    reader.pull()
    [cache] = reader.account.cache_folder.iterdir()
    cache.write_text('token = "cut o')
    reader.store.add(reader.row())
    assert reader.sync().cases == 1


def test_error_of_ours_in_a_pull_does_not_hold_up_the_tablets(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("وردة")

    monkeypatch.setattr("ingest.sources.central.CentralSource.pull", fail)
    report = reader.sync()
    assert report.errors == (f"{FORM}: pull_failed",)
    assert "وردة" not in caplog.text


def test_central_that_is_switched_off(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate, tmp_path: Path
) -> None:
    account = CentralAccount("http://127.0.0.1:9", "a@example.org", "x", 1, (FORM,), tmp_path / "c")
    report = sync(fresh_engine, masters, governorate, SyncSettings(central=account))
    assert report.errors == (f"{FORM}: central_unreachable",)


def test_form_of_central_that_is_not_known_here(reader: Reader) -> None:
    reader.store.forms["hand_made"] = []
    reader.store.add(reader.row(), "hand_made")
    account = CentralAccount(
        reader.account.url, reader.account.email, reader.account.password, 1, ("hand_made",),
        reader.account.cache_folder,
    )  # fmt: skip
    report = sync(reader.engine, reader.masters, reader.governorate, SyncSettings(central=account))
    assert (report.stored, report.quarantined) == (1, 1)
    assert reader.stored()[0].reason == "form_unknown"


def test_review_states_are_written_only_where_they_differ(reader: Reader) -> None:
    root = reader.store.add(reader.row())
    reader.pull()
    reader.store.review(root, "approved")
    reader.pull()
    with session_scope(reader.engine) as session:
        query.set_review_states(session, {reader.stored()[0].id: None})
    assert reader.stored()[0].review_state is None
