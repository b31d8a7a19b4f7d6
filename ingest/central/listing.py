"""Reading a long JSON list piece by piece, so that memory does not grow with it."""

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ingest.central.errors import CentralError

_BLANK = " \t\r\n"
_LONGEST_ITEM = 1_000_000


def read_items(pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Read the objects of a JSON list while it comes in. Raises CentralError unless the list is whole."""
    decode, scan = codecs.getincrementaldecoder("utf-8")(), json.JSONDecoder().raw_decode
    text, opened, closed, may_end = "", False, False, True
    try:
        for piece in pieces:
            text = (text + decode.decode(piece)).lstrip(_BLANK)
            if not opened and text:
                opened, text = True, _after(text, "[")
            while text and not closed:
                if text[0] == "]":
                    closed, text = True, _after(text, "]")
                    break
                start = text if may_end else _after(text, ",")
                if not start:
                    break
                try:
                    item, end = scan(start)
                except json.JSONDecodeError:
                    break  # the rest of it comes with the next piece
                if not isinstance(item, dict):
                    raise CentralError("central_answer")
                yield item
                text, may_end = start[end:].lstrip(_BLANK), False
            if len(text) > _LONGEST_ITEM or (closed and text):
                raise CentralError("central_answer")
    except ValueError:
        raise CentralError("central_answer") from None
    if not closed:
        raise CentralError("central_answer")


def _after(text: str, mark: str) -> str:
    if text[0] != mark:
        raise CentralError("central_answer")
    return text[1:].lstrip(_BLANK)
