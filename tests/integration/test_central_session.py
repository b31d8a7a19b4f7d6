"""The client of ODK Central against everything that goes wrong between it and a server."""

import dataclasses
import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ingest.central import session as client
from ingest.central.account import CentralAccount, token_file
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession, read_json
from ingest.central.submissions import list_rows
from tests.central.canned import Answer, Asked, canned
from tests.central.faults import WIRE, Fault
from tests.central.server import running
from tests.central.store import FORM, PASSWORD, READER, WRITER, Store

ROOT = "uuid:1"
NAME = "وردة سليم"
ROW = {
    "meta": {"instanceID": ROOT},
    "__id": ROOT,
    "person": {"given_name": NAME},
    "__system": {"formVersion": "1"},
}
SUBMISSION = f"projects/1/forms/{FORM}/submissions/{ROOT}"
TOKEN = "t" * 64
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}


@dataclass
class Line:
    """A Central with one submission, and accounts on it."""

    store: Store
    url: str
    folder: Path
    slept: list[float] = field(default_factory=list)

    def account(self, email: str = READER, url: str | None = None) -> CentralAccount:
        return CentralAccount(url or self.url, email, PASSWORD, 1, (FORM,), self.folder / "central")

    def session(self, email: str = READER, url: str | None = None) -> CentralSession:
        return CentralSession(self.account(email, url), sleep=self.slept.append)

    def read(self, url: str | None = None) -> str:
        """Read the one submission through a session of its own."""
        with closing(self.session(url=url)) as central:
            [page] = list_rows(central, FORM, [ROOT])
            return str(page.rows[0]["person"]["given_name"])

    def sign_ins(self) -> int:
        return self.store.requests.count("POST /v1/sessions")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Store, str]]:
    store = Store()
    with running(store) as url:
        yield store, url


@pytest.fixture
def line(served: tuple[Store, str], tmp_path: Path) -> Line:
    store, url = served
    store.reset()
    store.add(ROW)
    return Line(store, url, tmp_path)


def code_of(line: Line, url: str | None = None) -> str:
    with pytest.raises(CentralError) as error:
        line.read(url)
    return error.value.code


# What each fault of the line comes to: once, and when it does not end.

SURVIVED = None
ONCE: dict[Fault, str | None] = {
    Fault.ERROR_500: "central_unreachable",
    Fault.TRUNCATED_CLEANLY: "central_answer",
    Fault.HTML_200: "central_proxy",
    Fault.HTML_403: "central_proxy",
    Fault.REDIRECT: "central_proxy",
}
"""All others are got over."""
ALWAYS: dict[Fault, str | None] = ONCE | {
    Fault.SESSION_ENDED: "central_sign_in",
    Fault.TOO_MANY: "central_busy",
    Fault.TOO_MANY_SECONDS: "central_busy",
    Fault.TOO_MANY_DATE: "central_busy",
    Fault.ERROR_502: "central_unreachable",
    Fault.ERROR_503: "central_unreachable",
    Fault.HTML_502: "central_unreachable",
    Fault.RESET_BEFORE: "central_unreachable",
    Fault.RESET_AFTER: "central_unreachable",
    Fault.RESET_IN_BODY: "central_cut_off",
    Fault.TRUNCATED: "central_cut_off",
    Fault.SLOW: SURVIVED,
}


def outcome(line: Line) -> str | None:
    try:
        assert line.read() == NAME
    except CentralError as error:
        return error.code
    return SURVIVED


@pytest.mark.parametrize("fault", sorted(WIRE))
def test_a_fault_of_the_line_that_happens_once(line: Line, fault: Fault) -> None:
    line.store.faults.set(fault, times=1, path=".svc")
    assert outcome(line) == ONCE.get(fault)
    assert line.store.faults.struck == {fault: 1}
    assert outcome(line) is SURVIVED


@pytest.mark.parametrize("fault", sorted(WIRE))
def test_a_fault_of_the_line_that_does_not_end(
    line: Line, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._RETRIES, "backoff_factor", 0)
    line.store.faults.set(fault)
    assert outcome(line) == ALWAYS[fault]
    line.store.faults.clear()
    assert outcome(line) is SURVIVED


# Too many requests.


@pytest.mark.parametrize("told", ["86400", "inf", "Thu, 24 Nov 2033 12:00:00 GMT"])
def test_a_long_wait_is_left_to_the_next_run(line: Line, told: str) -> None:
    with canned(lambda _: (429, {"Retry-After": told}, b"")) as busy:
        assert code_of(line, busy.url) == "central_busy"
    assert line.slept == []
    assert len(busy.asked) == 1


@pytest.mark.parametrize("told", ["0", "-5", "nan", "", "soon", "Thu, 24 Nov 1983 12:00:00 GMT"])
def test_a_wait_of_no_length_does_not_become_a_storm(line: Line, told: str) -> None:
    with canned(lambda _: (429, {"Retry-After": told}, b"")) as busy:
        assert code_of(line, busy.url) == "central_busy"
    assert line.slept == [1, 2, 4, 8, 16]
    assert len(busy.asked) == 6


def test_a_date_to_wait_for_is_one_of_the_servers_clock(line: Line) -> None:
    line.store.faults.set(Fault.SKEW, hours=-7)
    line.store.faults.set(Fault.TOO_MANY_DATE, times=1, seconds=20, path=".svc")
    assert line.read() == NAME
    assert [round(seconds) for seconds in line.slept] == [20]


# Signing in.


def test_signing_in_waits_too(line: Line) -> None:
    line.store.faults.set(Fault.TOO_MANY_SECONDS, times=2, seconds=3, path="/sessions")
    assert line.read() == NAME
    assert line.slept == [3, 3]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.ERROR_500, "central_unreachable"),
        (Fault.ERROR_502, "central_unreachable"),
        (Fault.RESET_BEFORE, "central_unreachable"),
        (Fault.TRUNCATED, "central_cut_off"),
        (Fault.TRUNCATED_CLEANLY, "central_answer"),
        (Fault.HTML_200, "central_proxy"),
        (Fault.HTML_403, "central_proxy"),
        (Fault.REDIRECT, "central_proxy"),
    ],
)
def test_a_fault_while_signing_in_is_not_a_wrong_password(line: Line, fault: Fault, code: str) -> None:
    line.store.faults.set(fault, path="/sessions")
    assert code_of(line) == code
    assert line.store.faults.struck == {fault: 1}


@pytest.mark.parametrize(
    "body", ["7", "[]", "null", "{}", '{"token": 5}', '{"token": ""}', '{"token": "a\\nb"}', "", "[" * 9999]
)
def test_a_token_that_is_none(line: Line, body: str) -> None:
    with canned(lambda _: (200, JSON, body.encode())) as portal:
        assert code_of(line, portal.url) == "central_answer"
    assert not token_file(line.account(url=portal.url)).exists()


def test_a_wrong_password_is_tried_once(line: Line) -> None:
    line.store.accounts.clear()
    assert code_of(line) == "central_sign_in"
    assert line.sign_ins() == 1


def test_signs_in_again_once_and_not_for_ever(line: Line) -> None:
    with closing(line.session()) as central:
        central.get("users/current")
        line.store.faults.set(Fault.SESSION_ENDED)
        with pytest.raises(CentralError, match=r"central_sign_in \(401\.2\)"):
            central.get("users/current")
    assert line.sign_ins() == 2


def test_a_session_ends_after_a_day(line: Line) -> None:
    with closing(line.session()) as central:
        central.get("users/current")
        line.store.clock = line.store.clock.replace(day=line.store.clock.day + 2)
        central.get("users/current")
    assert line.sign_ins() == 2


def test_a_proxy_that_wants_a_password_does_not_get_ours_again(line: Line) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/sessions"):
            return 200, JSON, json.dumps({"token": TOKEN}).encode()
        return 401, HTML, b"<html>proxy</html>"

    with canned(answer) as proxy:
        assert code_of(line, proxy.url) == "central_proxy"
    assert [one.method for one in proxy.asked] == ["POST", "GET"]


# Where tokens and passwords go.


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("where", ["/sessions", ".svc"])
def test_no_redirect_is_followed(line: Line, status: int, where: str) -> None:
    with canned(lambda _: (200, JSON, b"{}")) as other:

        def answer(asked: Asked) -> Answer:
            if where in asked.path:
                return status, {"Location": f"{other.url}/v1/sessions"}, b""
            return 200, JSON, json.dumps({"token": TOKEN}).encode()

        with canned(answer) as first:
            assert code_of(line, first.url) == "central_proxy"
    assert other.asked == []


def test_the_next_page_is_asked_of_our_server(line: Line) -> None:
    pages = iter(
        [{"value": [], "@odata.nextLink": "OTHER/v1/projects/1/forms/f.svc/S?$skiptoken=1"}, {"value": []}]
    )
    with canned(lambda _: (200, JSON, b"{}")) as other:

        def answer(asked: Asked) -> Answer:
            body: Any = {"token": TOKEN} if asked.method == "POST" else next(pages)
            return 200, JSON, json.dumps(body).replace("OTHER", other.url).encode()

        with canned(answer) as central:
            session = line.session(url=central.url)
            assert list(session.list_pages("projects/1/forms/f.svc/S", {})) == [[], []]
            session.close()
    assert other.asked == []
    assert [one.path for one in central.asked[1:]] == [
        "/v1/projects/1/forms/f.svc/S",
        "/v1/projects/1/forms/f.svc/S?$skiptoken=1",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "https://c.example.org/v1/projects/2/forms/f.svc/S?x=1",
        "https://c.example.org/v1/projects/1/../../../x",
        "http://[",
        7,
        {},
        "https://c.example.org/v1/projects/1/forms/f.svc/S?same=1",
    ],
)
def test_a_link_that_leads_nowhere_ends(line: Line, link: Any) -> None:
    """Into another project, out of the interface, to nothing, or to itself."""

    def answer(asked: Asked) -> Answer:
        body = {"token": TOKEN} if asked.method == "POST" else {"value": [], "@odata.nextLink": link}
        return 200, JSON, json.dumps(body).encode()

    with (
        canned(answer) as central,
        closing(line.session(url=central.url)) as session,
        pytest.raises(CentralError, match="central_answer"),
    ):
        list(session.list_pages("projects/1/forms/f.svc/S", {}))
    assert len(central.asked) <= 3


def test_an_address_of_another_host_is_not_asked(line: Line) -> None:
    with (
        canned(lambda _: (200, JSON, b"{}")) as other,
        closing(line.session()) as session,
        pytest.raises(CentralError, match="central_answer"),
    ):
        session.get(f"{other.url}/v1/users/current")
    assert other.asked == []


def test_no_password_out_of_netrc(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = line.folder / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    def answer(asked: Asked) -> Answer:
        return 200, JSON, json.dumps({"token": TOKEN, "value": []}).encode()

    with canned(answer) as central, closing(line.session(url=central.url)) as session:
        session.get("users/current")
    assert [one.headers.get("authorization") for one in central.asked] == [None, f"Bearer {TOKEN}"]


# Doing things once.


@pytest.mark.parametrize(
    "fault", [Fault.RESET_AFTER, Fault.RESET_IN_BODY, Fault.TRUNCATED, Fault.ERROR_502, Fault.ERROR_500]
)
def test_what_changes_something_is_sent_once(line: Line, fault: Fault) -> None:
    with closing(line.session(WRITER)) as central:
        central.get("users/current")
        line.store.faults.set(fault)
        with pytest.raises(CentralError):
            central.send("PATCH", SUBMISSION, json={"reviewState": "approved"})
    assert line.store.faults.struck == {fault: 1}


def test_a_portals_page_is_not_taken_for_done(line: Line) -> None:
    with closing(line.session(WRITER)) as central:
        central.get("users/current")
        line.store.faults.set(Fault.HTML_200)
        with pytest.raises(CentralError, match="central_proxy"):
            central.send("PATCH", SUBMISSION, json={"reviewState": "approved"})
    assert line.store.entry(ROOT).review_state is None


def test_without_the_right_it_is_forbidden(line: Line) -> None:
    with (
        closing(line.session()) as central,
        pytest.raises(CentralError, match=r"central_forbidden \(403\.1\)"),
    ):
        central.send("PATCH", SUBMISSION, json={"reviewState": "approved"})


# Time-outs and bodies.


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_server_that_says_nothing(line: Line, monkeypatch: pytest.MonkeyPatch, is_accepted: bool) -> None:
    monkeypatch.setattr(client, "READ_SECONDS", 0.2)
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(client._RETRIES, "backoff_factor", 0)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        if is_accepted:
            deaf.listen()
        assert code_of(line, f"http://127.0.0.1:{deaf.getsockname()[1]}") == "central_unreachable"


def test_a_server_that_stops_in_the_middle(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_SECONDS", 0.2)
    line.read()

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/sessions"):
            return 200, JSON, json.dumps({"token": TOKEN}).encode()
        return 200, JSON | {"Content-Length": "5000"}, b'{"value": ['

    with canned(answer) as stuck:
        assert code_of(line, stuck.url) in {"central_cut_off", "central_unreachable"}


@pytest.mark.parametrize("fault", [Fault.RESET_IN_BODY, Fault.TRUNCATED])
def test_a_body_read_in_pieces_that_breaks_off(line: Line, fault: Fault) -> None:
    with closing(line.session()) as central:
        central.get("users/current")
        line.store.faults.set(fault)
        with (
            pytest.raises(CentralError, match="central_cut_off"),
            central.stream(f"projects/1/forms/{FORM}/submissions.csv") as response,
        ):
            list(response.iter_content(16))


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe\x00", b"{", b""])
def test_an_answer_that_is_no_json(line: Line, body: bytes) -> None:
    def answer(asked: Asked) -> Answer:
        return 200, JSON, json.dumps({"token": TOKEN}).encode() if asked.method == "POST" else body

    with canned(answer) as central, closing(line.session(url=central.url)) as session:
        response = session.get("users/current")
        with pytest.raises(CentralError, match="central_answer"):
            read_json(response)


# Logs.


def test_nothing_of_a_body_and_no_secret_in_any_log(
    line: Line, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every level, of every library, also where requests fail and are repeated."""
    told, seen = "z" * 64, []
    monkeypatch.setattr(client._RETRIES, "backoff_factor", 0)
    for name in ("", "urllib3", "requests", "pyodk", "ingest", "charset_normalizer"):
        caplog.set_level(logging.NOTSET, logger=name)
    for fault in [None, *sorted(WIRE - {Fault.SLOW})]:
        with closing(line.session(WRITER)) as central:
            central.get("users/current")
            if fault is not None:
                line.store.faults.set(fault)
            for method, path, body in (
                ("GET", f"{SUBMISSION}.xml", None),
                ("PATCH", SUBMISSION, {"reviewState": NAME}),
                ("DELETE", f"sessions/{told}", None),
                ("GET", f"key/{told}/projects/1/formList", None),
            ):
                try:
                    read_json(central.send(method, path, json=body))
                except CentralError:
                    seen.append(traceback.format_exc())
        line.store.faults.clear()
    logged = caplog.text + "".join(seen)
    assert "/v1/projects/1/forms" in caplog.text
    assert "central_cut_off" in logged
    for secret in (NAME, PASSWORD, told, *line.store.tokens, "Could not", "unhandled", "nginx", "Bearer "):
        assert secret not in logged


# The file that keeps the token.


def test_one_private_file_for_each_server_and_account(line: Line) -> None:
    line.read()
    with closing(line.session(WRITER)) as central:
        central.get("users/current")
    other = dataclasses.replace(line.account(), url=line.url.replace("127.0.0.1", "localhost"))
    with closing(CentralSession(other)) as central:
        central.get("users/current")
    files = list((line.folder / "central").iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (line.folder / "central").stat().st_mode & 0o777 == 0o700
    assert line.sign_ins() == 3
    line.read()
    assert line.sign_ins() == 3


def test_a_file_that_was_open_to_others_is_made_private(line: Line) -> None:
    file = token_file(line.account())
    file.parent.mkdir()
    file.write_text("x" * 64)
    file.chmod(0o644)
    line.read()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b'token = "cut o', b"\xff\xfe", b"a\nb", b"x" * 9999, "توكن".encode()]
)
def test_a_broken_file_is_made_anew(line: Line, content: bytes) -> None:
    file = token_file(line.account())
    file.parent.mkdir()
    file.write_bytes(content)
    assert line.read() == NAME
    assert line.read() == NAME
    assert line.sign_ins() == 1


@pytest.mark.parametrize("in_the_way", ["file", "folder"])
def test_a_token_that_cannot_be_kept_is_used_all_the_same(line: Line, in_the_way: str) -> None:
    if in_the_way == "file":
        token_file(line.account()).mkdir(parents=True)
    else:
        (line.folder / "central").write_text("")
    assert line.read() == NAME
    assert len(list(line.folder.rglob(".central-*"))) == 0


def test_the_session_of_another_process_is_taken_over(line: Line) -> None:
    with closing(line.session()) as first, closing(line.session()) as second:
        first.get("users/current")
        second.get("users/current")
        line.store.end_sessions()
        second.get("users/current")
        signed_in = line.sign_ins()
        first.get("users/current")
    assert line.sign_ins() == signed_in


def test_many_at_once_with_one_file(line: Line) -> None:
    line.store.faults.set(Fault.SESSION_ENDED, every=7)
    failed: list[Exception] = []

    def work() -> None:
        for _ in range(15):
            try:
                line.read()
            except CentralError as error:
                if error.code != "central_sign_in":  # ended twice within one call
                    failed.append(error)
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(list((line.folder / "central").iterdir())) == 1
