"""Keeps tokens and bodies out of the logs of the libraries that talk to ODK Central."""

import logging
import re

_TOKEN_IN_PATH = re.compile(r"/(sessions|key)/[^/?#\s'\"]+")
_TELL_PATHS = ("urllib3.connectionpool", "urllib3.util.retry")


class _WithoutTokens(logging.Filter):
    """Cuts the tokens of sessions and app users out of paths: whoever has one is that user."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        if _TOKEN_IN_PATH.search(told):
            record.msg, record.args = _TOKEN_IN_PATH.sub(r"/\1/...", told), None
        return True


_FILTER = _WithoutTokens()


def quiet_libraries() -> None:
    """Silence pyODK, which quotes bodies, and cut tokens out of what urllib3 tells. Safe to repeat."""
    logging.getLogger("pyodk").setLevel(logging.CRITICAL + 1)
    for name in _TELL_PATHS:
        logging.getLogger(name).addFilter(_FILTER)
