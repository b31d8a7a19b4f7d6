"""Files of submissions in ODK Central."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

from ingest.central.errors import CentralError
from ingest.central.session import CentralSession, read_json
from ingest.central.submissions import read_limited, version_path

MAX_FILE_BYTES = 20_000_000
"""As much as the inbox takes in one post."""

_MD5 = re.compile(r'(?:W/)?"([0-9a-f]{32})"')


@dataclass(frozen=True, slots=True)
class CentralFile:
    """The content of a file; None where it is larger than is kept."""

    content_type: str | None
    content: bytes | None


def list_attachments(central: CentralSession, form_id: str, root: str, instance_id: str) -> dict[str, bool]:
    """Map the names of the files of one version to whether they have arrived in Central."""
    rows = read_json(central.get(f"{version_path(central, form_id, root, instance_id)}/attachments"))
    try:
        return {str(row["name"]): row["exists"] is True for row in rows}
    except (KeyError, TypeError):
        raise CentralError("central_answer") from None


def get_attachment(
    central: CentralSession, form_id: str, root: str, instance_id: str, name: str
) -> CentralFile:
    """Fetch a file; whole, or not at all: Central's ETag of a file is the digest of its bytes."""
    path = f"{version_path(central, form_id, root, instance_id)}/attachments/{quote(name, safe='')}"
    with central.stream(path) as response:
        content = read_limited(response, MAX_FILE_BYTES)
        digest = _MD5.fullmatch(response.headers.get("ETag", ""))
        content_type = response.headers.get("Content-Type")
    if content is not None and digest is not None:
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != digest[1]:
            raise CentralError("central_cut_off")
    elif digest is None and "html" in (content_type or ""):
        raise CentralError("central_proxy")
    return CentralFile(content_type, content)
