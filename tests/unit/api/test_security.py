"""Headers, and what a crash tells the user and the log."""

import asyncio
import logging

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.security import SecurityHeaders, content_security_policy


def test_policy_allows_only_ourselves() -> None:
    policy = content_security_policy(None)
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_policy_allows_the_tile_host_and_nothing_more() -> None:
    policy = content_security_policy("https://{s}.tiles.example/{z}/{x}/{y}.png")
    assert "img-src 'self' data: https://*.tiles.example;" in policy


TYPED = "زهراء 07701234567"


async def _crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError(TYPED)


def test_a_crash_logs_the_place_and_never_the_message(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.responses import PlainTextResponse

    monkeypatch.setattr("api.security.crash_answer", lambda _: PlainTextResponse("sorry", 500))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/queue", "headers": [], "query_string": b""}
    with caplog.at_level(logging.ERROR):
        asyncio.run(SecurityHeaders(_crash)(scope, receive, send))
    assert sent[0]["status"] == 500
    assert b"content-security-policy" in dict(sent[0]["headers"])
    assert "ValueError" in caplog.text
    assert "_crash" in caplog.text
    assert "07701234567" not in caplog.text
    assert "زهراء" not in caplog.text
