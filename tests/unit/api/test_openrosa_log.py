"""No token of a tablet in any log line, however it got there."""

import logging
import logging.config
import sys

import pytest

from api.openrosa_log import LOG_CONFIG, TokenFilter, hide_tokens, redact, redact_record

TOKEN = "k" * 60 + "-_Az"
PATH = f"/openrosa/{TOKEN}/submission?deviceID=collect%3Ax"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"POST {PATH} HTTP/1.1", "POST /openrosa/***/submission?deviceID=collect%3Ax HTTP/1.1"),
        (f"http://h:80/openrosa/{TOKEN}", "http://h:80/openrosa/***"),
        (f"'/openrosa/{TOKEN}'", "'/openrosa/***'"),
        (f"/openrosa/{TOKEN}?x and /openrosa/{TOKEN}/formList", "/openrosa/***?x and /openrosa/***/formList"),
        (f"b'/%6fpenrosa/{TOKEN}/formList'", "b'/%6fpenrosa/***/formList'"),
        (f"/OpenRosa/{TOKEN[:40]}/formList", "/OpenRosa/***/formList"),
        ("/openrosa/", "/openrosa/"),
        ("/cases/ABCD", "/cases/ABCD"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown


def record(message: object, *args: object, exc_info: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if exc_info else None
    made = logging.LogRecord("x", logging.INFO, "f.py", 1, message, args, info)
    redact_record(made)
    return made


def fail(path: str) -> None:
    raise ConnectionError(f"no answer from {path}")


def test_message_arguments_objects_and_traceback() -> None:
    class Url:
        def __str__(self) -> str:
            return f"http://h{PATH}"

    records = [
        record(f"plain {PATH}"),
        record('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "POST", PATH, "1.1", 201),
        record("%(url)s", {"url": PATH}),
        record("%s %d", Url(), 5),
    ]
    try:
        fail(PATH)
    except ConnectionError:
        records.append(record("failed", exc_info=True))
    formatter = logging.Formatter("%(message)s")
    for made in records:
        line = formatter.format(made)
        assert TOKEN not in line
        assert "/openrosa/***" in line


def test_numbers_stay_numbers() -> None:
    assert record("%d of %.1f", 3, 4.0).getMessage() == "3 of 4.0"


def test_every_record_of_the_process_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    hide_tokens()
    hide_tokens()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("any.library").warning("GET %s", PATH)
    assert TOKEN not in caplog.text
    assert "/openrosa/***/submission" in caplog.text


def test_configuration_of_the_web_server_is_valid_and_filters() -> None:
    logging.config.dictConfig(LOG_CONFIG)
    [handler] = logging.getLogger("uvicorn.access").handlers
    assert any(isinstance(found, TokenFilter) for found in handler.filters)
    made = logging.LogRecord("uvicorn.access", logging.INFO, "f", 1, "%s", (PATH,), None)
    assert TokenFilter().filter(made)
    assert TOKEN not in made.getMessage()
