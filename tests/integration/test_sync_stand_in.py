"""The stand-in for ODK Central answers like the real one: every recorded exchange is replayed and compared.

The same history is replayed on a real Central where IHALA_TEST_CENTRAL_URL, IHALA_TEST_CENTRAL_EMAIL and
IHALA_TEST_CENTRAL_PASSWORD (an administrator) are set; it makes projects of its own there.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.central.comparison import differences
from tests.central.faults import STORE, Fault
from tests.central.feeds import FIELDS
from tests.central.history import ENCRYPTED, HISTORY, NOT_USED, Step, own
from tests.central.odata import Filter
from tests.central.problems import CentralProblemError
from tests.central.recorded import exchanges, index, recorded
from tests.central.replay import PHOTO, Replay, play_all
from tests.central.server import running
from tests.central.store import ADMINISTRATOR, FORM, PASSWORD, READER, Store

REPLAYED = [step for step in HISTORY if isinstance(step, str)]
WORKER_SECONDS = 26
"""A worker of Central looks for work at least so often."""
OTHER_RELEASE = ("has size, not recorded", "__system: without deletedAt", "some without deletedAt")
"""What the releases of 2026 differ in: files of forms tell their size; feeds of entities tell deletions or not."""
KEPT_FOR_OTHERS = {"collect-settings-qr"}


def test_every_recording_is_replayed_or_named() -> None:
    used = {*REPLAYED, *ENCRYPTED}
    assert len(used) == len(REPLAYED) + len(ENCRYPTED)
    assert used & NOT_USED.keys() == set()
    assert used | NOT_USED.keys() == index().keys()
    assert exchanges().keys() == used | KEPT_FOR_OTHERS


# The stand-in


def add_encrypted(store: Store) -> Step:
    """Three submissions that only the passphrase opens; the stand-in encrypts nothing, it only hides."""

    def step(replay: Replay) -> None:
        project_id = int(replay.put_in("/projects/2").rsplit("/", 1)[1])
        for number, root in enumerate(("239582f0-90c8-44cd-ba50-b5fb9ae30ac9", None, None), 1):
            name = f"uuid:{root or secrets.token_hex(16)}"
            row: dict[str, Any] = {
                "case_code": f"NIN-00000{number}",
                "location": {
                    "type": "Point",
                    "coordinates": [43.13, 36.34, 220],
                    "properties": {"accuracy": 5},
                },
                "incident": [{"incident_date": "2026-11-01"}],
                "meta": {"instanceID": replay.put_in(name)},
            }
            photos = {"ev.png": PHOTO} if root else {}
            store.add(row, "confidential_note", photos=dict(photos), project_id=project_id)

    return step


@pytest.fixture(scope="module")
def here() -> Iterator[Replay]:
    store = Store()
    with running(store) as url:
        store.public_url = url
        replay = Replay(url, ADMINISTRATOR, PASSWORD, store.settle, lambda one: one.sign_in(READER))
        play_all(replay, [*HISTORY, add_encrypted(store), *ENCRYPTED])
        yield replay


@pytest.mark.parametrize("name", [*REPLAYED, *ENCRYPTED])
def test_stand_in_answers_as_recorded(here: Replay, name: str) -> None:
    assert differences(here.answers[name], recorded(name)) == []


# A real Central


def new_viewer(replay: Replay) -> str:
    email = f"viewer-{secrets.token_hex(4)}@example.org"
    row = replay.call("POST", "users", json={"email": email, "password": replay.password}).json()
    replay.call("POST", f"{own(replay)}/assignments/viewer/{row['id']}")
    return replay.sign_in(email)


@pytest.mark.timeout(900)
def test_real_central_answers_as_recorded() -> None:
    names = ("IHALA_TEST_CENTRAL_URL", "IHALA_TEST_CENTRAL_EMAIL", "IHALA_TEST_CENTRAL_PASSWORD")
    url, email, password = (os.environ.get(name, "") for name in names)
    if not (url and email and password):
        pytest.skip("no real Central is set")
    replay = Replay(url, email, password, lambda: time.sleep(WORKER_SECONDS), new_viewer)
    play_all(replay, HISTORY)
    for number in (1, 2):
        replay.call("DELETE", replay.put_in(f"/projects/{number}")[1:])
    found = {name: differences(replay.answers[name], recorded(name)) for name in REPLAYED}
    if "form-create-warnings" in replay.converted:  # this Central has no service that converts workbooks
        del found["form-create-warnings"]
    left = {name: [one for one in told if not one.endswith(OTHER_RELEASE)] for name, told in found.items()}
    assert {name: told for name, told in left.items() if told} == {}


# The comparison itself


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("submissions-list", lambda body: body[0].pop("deletedAt")),
        ("submissions-list", lambda body: body[0].update(more=1)),
        ("submissions-list", lambda body: body[0].update(submitterId="8")),
        ("submissions-list", lambda body: body.clear()),
        ("submissions-top2", lambda body: body.pop("@odata.nextLink")),
        ("submissions-top2", lambda body: body["value"][0]["__system"].update(edits="0")),
        ("entity-update-stale-base-version", lambda body: body.update(code=409.3)),
        ("entity-update-stale-base-version", lambda body: body["details"].update(current=2)),
        ("entity-update-stale-base-version", lambda body: body.update(message="No.")),
    ],
)
def test_comparison_sees_what_differs(monkeypatch: pytest.MonkeyPatch, name: str, change: Any) -> None:
    expected = recorded(name)
    answer = requests.Response()
    answer.status_code, answer.request = expected["status"], requests.Request("GET", "http://x").prepare()
    answer.headers.update(expected["headers"])
    answer._content = json.dumps(expected["body_json"]).encode()
    assert differences(answer, expected) == []
    body = answer.json()
    change(body)
    answer._content = json.dumps(body).encode()
    assert differences(answer, expected) != []


# Filters


def chosen(text: str) -> list[str]:
    store = Store()
    rows = [
        {"meta": {"instanceID": f"uuid:{number}"}, "__system": {"formVersion": "1"}} for number in range(4)
    ]
    for row in rows:
        store.add(row)
        store.clock += timedelta(minutes=1)
    store.review("uuid:1", "approved")
    store.delete("uuid:2")
    entries = store.project.listed(FORM, deleted=None)
    return sorted(entry.root[-1] for entry in entries if Filter(text, FIELDS).matches(entry))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("__id eq 'uuid:1'", "1"),
        ("__id eq 'uuid:1' or __id eq 'uuid:3'", "13"),
        ("__system/submissionDate ge 2026-11-23T12:01:00Z", "123"),
        ("__system/submissionDate ge 2026-11-23T15:01:00+03:00", "123"),
        ("__system/submissionDate lt 2026-11-23T12:01:00.000Z", "0"),
        ("not (__system/submissionDate lt 2026-11-23T12:01:00Z)", "123"),
        ("__system/updatedAt ne null", "1"),
        ("__system/updatedAt eq null", "023"),
        ("__system/updatedAt ge 2020-01-01T00:00:00Z", "1"),
        ("__system/updatedAt lt 2020-01-01T00:00:00Z", ""),
        ("__system/reviewState eq 'approved'", "1"),
        ("__system/deletedAt ne null or __system/updatedAt ne null", "12"),
        ("(__id eq 'uuid:0' or __id eq 'uuid:1') and __system/updatedAt ne null", "1"),
        ("__id eq 'uuid:0' or __id eq 'uuid:1' and __system/updatedAt eq null", "0"),
        ("year(__system/submissionDate) eq 2026 and minute(__system/submissionDate) eq 2", "2"),
        ("__system/submitterId eq 8", "0123"),
        ("__id ne 'it''s'", "0123"),
    ],
)
def test_filters(text: str, numbers: str) -> None:
    assert "".join(chosen(text)) == numbers


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("urgency eq 'x'", 501.5),
        ("__system/edits ge 1", 501.5),
        ("__id eq", 400.18),
        ("__id = 'x'", 400.18),
        ("(__id eq 'x'", 400.18),
        ("__id eq 'x' 'y'", 400.18),
        ("", 400.18),
    ],
)
def test_filters_that_central_refuses(text: str, code: float) -> None:
    with pytest.raises(CentralProblemError) as error:
        Filter(text, FIELDS)
    assert error.value.code == code


# Surprises of the store


def row() -> dict[str, Any]:
    name = f"uuid:{secrets.token_hex(16)}"
    return {"meta": {"instanceID": name}, "__system": {"formVersion": "1"}}


def test_every_surprise_is_told_apart() -> None:
    assert STORE | {Fault.SLOW} < set(Fault)


def test_a_late_commit_keeps_its_old_stamp() -> None:
    store = Store()
    store.faults.set(Fault.LATE_COMMIT, every=2, requests=2)
    first, late, third = (store.add(row()) for _ in range(3))
    etag = store.etag()
    assert {entry.root for entry in store.listed()} == {first, third}
    store.pass_request()
    assert len(store.listed()) == 2
    store.pass_request()
    assert [entry.root for entry in store.listed()] == [third, late, first]
    assert store.etag() != etag


def test_ties_purges_restores_and_late_photos() -> None:
    store = Store()
    with store.faults.on(Fault.TIES, seconds=60):
        assert len({store.entry(store.add(row())).created_at for _ in range(20)}) == 1
    with store.faults.on(Fault.PURGE):
        gone = store.listed()[0].root
        store.delete(gone)
    assert gone not in {entry.root for entry in store.forms[FORM]}
    with store.faults.on(Fault.RESTORE):
        store.delete(back := store.listed()[0].root)
    assert back not in {entry.root for entry in store.listed()}
    store.settle()
    assert back in {entry.root for entry in store.listed()}
    with store.faults.on(Fault.LATE_PHOTOS):
        entry = store.entry(store.add(row(), photos={"a.jpg": b"a"}))
    assert entry.photos == {"a.jpg": None}
    etag = store.etag()
    store.settle()
    assert (entry.photos, store.etag()) == ({"a.jpg": b"a"}, etag)


def test_the_servers_clock_may_be_wrong() -> None:
    store = Store(clock=datetime(2026, 1, 1, tzinfo=UTC))
    store.faults.set(Fault.SKEW, hours=-5)
    assert store.now() < datetime(2025, 12, 31, 20, tzinfo=UTC)
    with running(store) as url:
        told = requests.get(f"{url}/v1/projects", timeout=5).headers["Date"]
    assert told.startswith("Wed, 31 Dec 2025 19:00:00")


def test_switches_from_many_threads() -> None:
    store = Store()
    store.faults.set(Fault.ERROR_500, every=3)
    threads = [
        threading.Thread(target=lambda: [store.faults.strikes(Fault.ERROR_500) for _ in range(300)])
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.faults.struck == {Fault.ERROR_500: 500}
    store.faults.set(Fault.ERROR_500, times=2, path="/x")
    assert [store.faults.strikes(Fault.ERROR_500, path) is not None for path in ("/y", "/x", "/x", "/x")] == [
        False,
        True,
        True,
        False,
    ]
