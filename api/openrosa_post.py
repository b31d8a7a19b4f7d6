"""Reading a post of ODK Collect: multipart, within limits, and in memory only.

Starlette would put parts above a megabyte into temporary files, as plain personal data on the disk.
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.openrosa_answers import MAX_BODY_BYTES, Refused
from ingest.trees import MAX_XML_BYTES

XML_PART = "xml_submission_file"
MAX_FILES = 60
MAX_FIELDS = 20
MAX_FILE_NAME = 255


@dataclass(frozen=True, slots=True)
class Post:
    """The XML of one submission and the files that came with it: name -> (content type, bytes)."""

    xml: bytes = field(repr=False)
    files: dict[str, tuple[str | None, bytes]] = field(repr=False)


class _InMemory(MultiPartParser):
    spool_max_size = MAX_BODY_BYTES + 1


async def read_post(request: Request) -> Post:
    """Read the parts. Raises Refused: missing_part (not multipart, or no XML in it), too_large."""
    if declared_length(request) > MAX_BODY_BYTES:
        raise Refused("too_large")
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refused("missing_part")
    parser = _InMemory(
        _in_utf8(request.headers),
        _limited(request),
        max_files=MAX_FILES + 1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_XML_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refused("too_large" if "exceeded" in error.message else "missing_part") from None
    return await _parts(form)


async def _parts(form: FormData) -> Post:
    xml: bytes | None = None
    files: dict[str, tuple[str | None, bytes]] = {}
    for name, part in form.multi_items():
        content = await part.read() if isinstance(part, UploadFile) else part.encode()
        if name == XML_PART:
            xml = content if xml is None else xml
        elif isinstance(part, UploadFile) and _is_file_name(part.filename):
            files[str(part.filename)] = (part.content_type, content)
    await form.close()
    if xml is None:
        raise Refused("missing_part")
    return Post(xml, files)


def _in_utf8(headers: Headers) -> Headers:
    """Headers without the charset that the sender claims.

    Some of Python's codecs raise errors of their own or make text that no database takes; Collect sends
    UTF-8 and claims nothing.
    """
    plain = re.sub(r";\s*charset=[^;]*", "", headers["content-type"], flags=re.IGNORECASE)
    return Headers({"content-type": plain})


def _is_file_name(name: str | None) -> bool:
    """Tell whether a name may be kept: a name only, never a path. It is compared and stored, not opened."""
    return (
        name is not None
        and 0 < len(name) <= MAX_FILE_NAME
        and name.isprintable()
        and not {"/", "\\"} & set(name)
    )


def declared_length(request: Request) -> int:
    """Return the length that a request says it has; 0 where it says none."""
    text = request.headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    """Pass the body on, up to the limit, whatever length was declared."""
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > MAX_BODY_BYTES:
            raise Refused("too_large")
        yield chunk
