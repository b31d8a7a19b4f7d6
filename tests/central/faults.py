"""The ways in which a Central, its proxy and the line to it fail: switches to be thrown at any moment.

    store.faults.set(Fault.TOO_MANY, every=3)       # each third request
    store.faults.set(Fault.RESET_IN_BODY, times=1, path=".svc/")
    store.faults.clear(Fault.TOO_MANY)              # or clear() for all

WIRE faults strike requests, STORE faults strike what happens to submissions; `settle()` of the store brings
in all that is still late. Safe to use from any thread.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from typing import Any, Protocol


class Fault(StrEnum):
    """What may go wrong. The value is what a test's id shows."""

    SESSION_ENDED = "session-ended"
    TOO_MANY = "429"
    TOO_MANY_SECONDS = "429-retry-after-seconds"
    TOO_MANY_DATE = "429-retry-after-date"
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    RESET_BEFORE = "reset-before-anything-was-done"
    RESET_AFTER = "reset-after-it-was-done"
    RESET_IN_BODY = "reset-in-body"
    TRUNCATED = "body-shorter-than-its-length"
    TRUNCATED_CLEANLY = "half-a-body-with-a-fitting-length"
    HTML_200 = "html-200"
    HTML_403 = "html-403"
    HTML_502 = "html-502"
    REDIRECT = "redirect-to-another-host"
    SLOW = "slow"
    SKEW = "clock-skew"
    LATE_COMMIT = "late-commit"
    TIES = "ties"
    PURGE = "purge"
    RESTORE = "restore"
    LATE_PHOTOS = "late-photos"


STORE = frozenset({Fault.SKEW, Fault.LATE_COMMIT, Fault.TIES, Fault.PURGE, Fault.RESTORE, Fault.LATE_PHOTOS})
WIRE = frozenset(Fault) - STORE
"""Those of the store: LATE_COMMIT, RESTORE and LATE_PHOTOS become true `requests` requests later, PURGE deletes
for good at once, TIES lets the clock tick in `seconds`, SKEW sets it `hours` off."""


@dataclass(slots=True)
class Setting:
    """When a fault strikes: each `every`-th time on paths that hold `path`, `times` times at most."""

    every: int = 1
    times: int | None = None
    path: str = ""
    seconds: float = 0.02
    hours: float = 7.0
    requests: int = 2
    seen: int = 0


class Faults:
    """The switches of one stand-in. `struck` counts how often each fault struck."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settings: dict[Fault, Setting] = {}
        self.struck: dict[Fault, int] = {}

    def set(self, fault: Fault, **setting: Any) -> None:
        """Switch a fault on, see `Setting`; its count starts anew."""
        with self._lock:
            self._settings[fault] = Setting(**setting)

    def clear(self, fault: Fault | None = None) -> None:
        """Switch a fault off, or all of them."""
        with self._lock:
            if fault is None:
                self._settings.clear()
            else:
                self._settings.pop(fault, None)

    @contextmanager
    def on(self, fault: Fault, **setting: Any) -> Iterator[None]:
        """Switch a fault on for a block."""
        self.set(fault, **setting)
        try:
            yield
        finally:
            self.clear(fault)

    def get(self, fault: Fault) -> Setting | None:
        """Return how a fault is set, without striking."""
        with self._lock:
            return self._settings.get(fault)

    def strikes(self, fault: Fault, path: str = "") -> Setting | None:
        """Count one chance, and return the setting if the fault strikes now."""
        with self._lock:
            setting = self._settings.get(fault)
            if setting is None or setting.path not in path:
                return None
            setting.seen += 1
            if setting.seen % setting.every:
                return None
            if setting.times is not None:
                if setting.times <= 0:
                    return None
                setting.times -= 1
            self.struck[fault] = self.struck.get(fault, 0) + 1
            return setting


class Wired(Protocol):
    """What the wire asks of the store."""

    faults: Faults

    def now(self) -> datetime: ...
    def end_sessions(self) -> None: ...
    def pass_request(self) -> None: ...


@dataclass(slots=True)
class Answer:
    """One whole answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


JSON, HTML = b"application/json; charset=utf-8", b"text/html"
PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1>nginx</body></html>"
OTHER_HOST = b"http://portal.example.net/login"


def _page(status: int, title: bytes) -> Answer:
    """Make the page that a proxy sends in place of an answer."""
    return Answer(status, [(b"content-type", HTML)], PAGE % (title, title))


def _too_many(wait: str | None) -> Answer:
    told = [] if wait is None else [(b"retry-after", wait.encode())]
    body = b'{"message":"Too many requests.","code":429.1}'
    return Answer(429, [(b"content-type", JSON), *told], body)


CRASHED = b'{"message":"Completely unhandled exception: x","code":500.1}'
INSTEAD = {
    Fault.ERROR_500: Answer(500, [(b"content-type", JSON)], CRASHED),
    Fault.ERROR_502: _page(502, b"502 Bad Gateway"),
    Fault.ERROR_503: _page(503, b"503 Service Temporarily Unavailable"),
    Fault.HTML_200: _page(200, b"Sign in to this network"),
    Fault.HTML_403: _page(403, b"403 Forbidden"),
    Fault.HTML_502: _page(502, b"502 Bad Gateway"),
    Fault.REDIRECT: Answer(302, [(b"location", OTHER_HOST)], b""),
}

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Message], Any]


class FaultyWire:
    """An ASGI application around another: breaks what the switches say, and sets the server's clock.

    It has to be the outermost one, as it takes the connection away from under uvicorn.
    """

    def __init__(self, app: Any, store: Wired) -> None:
        self.app, self.store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.store.pass_request()
        faults, path = self.store.faults, scope["path"]
        if (setting := faults.strikes(Fault.SLOW, path)) is not None:
            await asyncio.sleep(setting.seconds)
        if not path.endswith("/sessions") and faults.strikes(Fault.SESSION_ENDED, path):
            self.store.end_sessions()
        if faults.strikes(Fault.RESET_BEFORE, path):
            await _reset(send)
        elif (answer := self._instead(path)) is not None:
            await _drain(receive)
            await _answer(send, answer, self.store.now())
        else:
            answer = await self._ask(scope, receive)
            await self._send(send, answer, path)

    def _instead(self, path: str) -> Answer | None:
        """Answer in place of the application, where a switch says so."""
        faults = self.store.faults
        if faults.strikes(Fault.TOO_MANY, path):
            return _too_many(None)
        if (setting := faults.strikes(Fault.TOO_MANY_SECONDS, path)) is not None:
            return _too_many(f"{setting.seconds:.0f}")
        if (setting := faults.strikes(Fault.TOO_MANY_DATE, path)) is not None:
            until = self.store.now() + timedelta(seconds=setting.seconds)
            return _too_many(format_datetime(until, usegmt=True))
        for fault, answer in INSTEAD.items():
            if faults.strikes(fault, path):
                return answer
        return None

    async def _ask(self, scope: Scope, receive: Receive) -> Answer:
        answer = Answer(500, [], b"")

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message.get("headers", []))
            else:
                answer.body += message.get("body", b"")

        await self.app(scope, receive, keep)
        return answer

    async def _send(self, send: Send, answer: Answer, path: str) -> None:
        faults, now = self.store.faults, self.store.now()
        if faults.strikes(Fault.RESET_AFTER, path):
            await _reset(send)
        elif faults.strikes(Fault.RESET_IN_BODY, path):
            await _answer(send, answer, now, cut=True)
            await _reset(send)
        elif faults.strikes(Fault.TRUNCATED, path):
            await _answer(send, answer, now, cut=True)
            _transport(send).close()
        elif faults.strikes(Fault.TRUNCATED_CLEANLY, path):
            half = answer.body[: len(answer.body) // 2]
            await _answer(send, Answer(answer.status, answer.headers, half), now)
        else:
            await _answer(send, answer, now)


async def _answer(send: Send, answer: Answer, now: datetime, *, cut: bool = False) -> None:
    headers = [pair for pair in answer.headers if pair[0] not in {b"content-length", b"date"}]
    headers.append((b"date", format_datetime(now, usegmt=True).encode()))
    if answer.status not in {204, 304}:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = answer.body[: len(answer.body) // 2] if cut else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": cut})


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


def _transport(send: Send) -> asyncio.Transport:
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    return transport


async def _reset(send: Send) -> None:
    """Close so that the other side is told of a reset, after what was sent has arrived."""
    transport = _transport(send)
    await asyncio.sleep(0.005)
    sock: socket.socket = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
