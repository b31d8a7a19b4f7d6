"""Keeps tablets' tokens out of every log: the address of a tablet's post holds its token."""

import logging
import re
from typing import Any

from db.tablets import TOKEN_LENGTH

_TOKEN_IN_PATH = re.compile(r"(/openrosa/|/v1/key/|/v1/sessions/)[^/\s?\"'#]+", re.IGNORECASE)
_TOKEN = re.compile(rf"(?<![\w-])[\w-]{{{TOKEN_LENGTH}}}(?![\w-])", re.ASCII)
"""A token wherever it stands, however the address before it was written (`/%6fpenrosa/`)."""

LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tokens": {"()": "api.openrosa_log.TokenFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["tokens"]}},
    "loggers": {
        name: {"handlers": ["console"], "level": "INFO", "propagate": False}
        for name in ("uvicorn", "uvicorn.access", "uvicorn.error", "uvicorn.asgi")
    },
}
"""Logging of the web server (`uvicorn.Config(log_config=...)`)."""


def redact(text: str) -> str:
    """Return the text with every tablet's token in an address replaced."""
    return _TOKEN.sub("***", _TOKEN_IN_PATH.sub(r"\1***", text))


class TokenFilter(logging.Filter):
    """Redacts a record's message, arguments and traceback. Drops nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact one record in place."""
        redact_record(record)
        return True


def redact_record(record: logging.LogRecord) -> None:
    """Take tokens out of a record, whoever formats it afterwards."""
    if isinstance(record.msg, str):
        record.msg = redact(record.msg)
    if isinstance(record.args, tuple):
        record.args = tuple(_plain(value) for value in record.args)
    elif isinstance(record.args, dict):
        record.args = {key: _plain(value) for key, value in record.args.items()}
    if record.exc_info and not record.exc_text:
        record.exc_text = redact(logging.Formatter().formatException(record.exc_info))


def _plain(value: object) -> object:
    """Return an argument as it is, unless its text holds a token: then the redacted text."""
    if isinstance(value, int | float | None):
        return value
    text = str(value)
    redacted = redact(text)
    return value if redacted == text else redacted


def hide_tokens() -> None:
    """Redact every record of this process as it is made, those of libraries too. Twice is fine."""
    former = logging.getLogRecordFactory()
    if getattr(former, "hides_tokens", False):
        return

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = former(*args, **kwargs)
        redact_record(record)
        return record

    make.hides_tokens = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make)
