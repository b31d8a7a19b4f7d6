"""A form's submissions in ODK Central: their list, their content with repeats, and their former versions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from ingest.central.errors import CentralError
from ingest.central.listing import read_items
from ingest.central.session import CentralSession, FeedPage, read_json, server_time
from ingest.trees import MAX_INSTANCE_ID

IDS_PER_REQUEST = 50
"""50 ids are 3.1 kB of URL; proxies often stop at 8 kB."""

ROWS_PER_PAGE = 1000
MAX_ETAG = 200
MAX_VERSION_BYTES = 20_000_000

REVIEW_STATES = ("edited", "hasIssues", "rejected", "approved")
CHANGED_SINCE = ("submissionDate", "updatedAt", "deletedAt")
PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One submission of the list: `instance_id` for ever, and what changes when anything about it does."""

    instance_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Index:
    """The list of a form's submissions; `rows` is None where nothing changed since the ETag was given."""

    etag: str | None
    server_time: datetime | None
    rows: Iterator[IndexRow] | None


@contextmanager
def get_index(central: CentralSession, form_id: str, etag: str | None) -> Iterator[Index]:
    """List a form's submissions (metadata only), unless nothing changed since `etag`; read within the block.

    Reading the rows raises CentralError when the list breaks off: what came before is then no list.
    """
    headers = {"If-None-Match": etag} if etag else {}
    path = f"{central.form(form_id)}/submissions"
    with central.stream(path, headers=headers, expect=(200, 304)) as response:
        at = server_time(response)
        if response.status_code == 304:
            yield Index(etag, at, None)
            return
        told = response.headers.get("ETag")
        yield Index(told if told and len(told) <= MAX_ETAG else None, at, _index_rows(response))


def _index_rows(response: requests.Response) -> Iterator[IndexRow]:
    if "json" not in response.headers.get("Content-Type", ""):
        raise CentralError("central_proxy")
    for row in read_items(response.iter_content(PIECE_BYTES)):
        yield _index_row(row)


def list_rows(central: CentralSession, form_id: str, instance_ids: Sequence[str]) -> Iterator[FeedPage]:
    """Fetch submissions with their repeats, page by page. At most IDS_PER_REQUEST ids at once."""
    page = central.get_page(_feed(central, form_id), {"$filter": any_of(instance_ids), "$expand": "*"})
    yield page
    while page.next_path is not None:
        page = central.get_page(page.next_path)
        yield page


def any_of(instance_ids: Sequence[str]) -> str:
    """Return the filter that chooses submissions by their ids."""
    return " or ".join(f"__id eq '{_quoted(instance_id)}'" for instance_id in instance_ids)


def get_feed_page(
    central: CentralSession, form_id: str, *, since: datetime | None = None, link: str | None = None
) -> FeedPage:
    """Fetch a page of all submissions, or of those new, changed or deleted since an instant of the server.

    `link`: that of the page before. Rows deleted in Central come only with `since`.
    """
    if link is not None:
        return central.get_page(link)
    params = {"$top": str(ROWS_PER_PAGE), "$expand": "*"}
    if since is not None:
        at = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        params["$filter"] = "(" + " or ".join(f"__system/{name} ge {at}" for name in CHANGED_SINCE) + ")"
    return central.get_page(_feed(central, form_id), params)


def list_version_ids(central: CentralSession, form_id: str, root: str) -> list[str]:
    """List the instance ids of a submission's versions, oldest first."""
    rows = read_json(central.get(_versions(central, form_id, root)))
    try:
        return [_identifier(row["instanceId"]) for row in reversed(rows)]
    except (KeyError, TypeError):
        raise CentralError("central_answer") from None


def get_version_xml(central: CentralSession, form_id: str, root: str, instance_id: str) -> bytes:
    """Fetch a former version as it was sent: the feed has the current one only."""
    path = f"{_versions(central, form_id, root)}/{quote(instance_id, safe='')}.xml"
    with central.stream(path) as response:
        if "html" in response.headers.get("Content-Type", ""):
            raise CentralError("central_proxy")
        content = read_limited(response, MAX_VERSION_BYTES)
    if content is None:
        raise CentralError("central_answer")
    return content


def read_limited(response: requests.Response, limit: int) -> bytes | None:
    """Read a streamed body; None where it is larger than `limit` bytes."""
    content = bytearray()
    for piece in response.iter_content(PIECE_BYTES):
        content += piece
        if len(content) > limit:
            return None
    return bytes(content)


def version_path(central: CentralSession, form_id: str, root: str, instance_id: str) -> str:
    """Return the address of one version of a submission."""
    return f"{_versions(central, form_id, root)}/{quote(instance_id, safe='')}"


def row_fingerprint(row: Mapping[str, Any], instance_id: str) -> str:
    """Return for a row of the feed, whose version is `instance_id`, what the list shows for it."""
    system = row["__system"]
    parts = (instance_id, system.get("reviewState"), system.get("updatedAt"), system.get("submissionDate"))
    return "|".join(str(part or "") for part in parts)


def review_state(value: object) -> str | None:
    """Return a review state as it is stored; one that Central does not know yet in this release is none."""
    return str(value) if value in REVIEW_STATES else None


def _index_row(row: dict[str, Any]) -> IndexRow:
    try:
        version = str(row["currentVersion"]["instanceId"])
        parts = (version, row["reviewState"], row["updatedAt"], row["createdAt"])
        instance_id, fingerprint = str(row["instanceId"]), "|".join(str(part or "") for part in parts)
    except (KeyError, TypeError):
        raise CentralError("central_answer") from None
    if not (0 < len(instance_id) <= MAX_INSTANCE_ID and f"{instance_id}{fingerprint}".isprintable()):
        raise CentralError("central_answer")
    return IndexRow(instance_id, fingerprint)


def _identifier(value: object) -> str:
    text = str(value)
    if not (0 < len(text) <= MAX_INSTANCE_ID and text.isprintable()):
        raise CentralError("central_answer")
    return text


def _feed(central: CentralSession, form_id: str) -> str:
    return f"{central.form(form_id)}.svc/Submissions"


def _versions(central: CentralSession, form_id: str, root: str) -> str:
    return f"{central.form(form_id)}/submissions/{quote(root, safe='')}/versions"


def _quoted(text: str) -> str:
    return text.replace("'", "''")
