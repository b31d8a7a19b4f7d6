"""A form's submissions in ODK Central: their list, and their content with repeats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.central.errors import CentralError
from ingest.central.session import CentralSession, read_json
from ingest.trees import MAX_INSTANCE_ID

IDS_PER_REQUEST = 50
"""50 ids are 3.1 kB of URL; proxies often stop at 8 kB."""

MAX_ETAG = 200

REVIEW_STATES = ("edited", "hasIssues", "rejected", "approved")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One submission of the list: `instance_id` for ever, and what changes when anything about it does."""

    instance_id: str
    fingerprint: str
    review_state: str | None


@dataclass(frozen=True, slots=True)
class Index:
    """The list of a form's submissions; `rows` is None where nothing changed since the ETag was given."""

    etag: str | None
    rows: tuple[IndexRow, ...] | None


def get_index(central: CentralSession, form_id: str, etag: str | None) -> Index:
    """List a form's submissions (metadata only), unless nothing changed since `etag`."""
    headers = {"If-None-Match": etag} if etag else {}
    response = central.get(f"{central.form(form_id)}/submissions", headers=headers, expect=(200, 304))
    if response.status_code == 304:
        return Index(etag, None)
    rows = read_json(response)
    if not isinstance(rows, list):
        raise CentralError("central_answer")
    etag = response.headers.get("ETag")
    return Index(etag if etag and len(etag) <= MAX_ETAG else None, tuple(_index_row(row) for row in rows))


def list_rows(
    central: CentralSession, form_id: str, instance_ids: Sequence[str]
) -> Iterator[list[dict[str, Any]]]:
    """Fetch submissions with their repeats, page by page. At most IDS_PER_REQUEST ids at once."""
    choice = " or ".join(f"__id eq '{_quoted(instance_id)}'" for instance_id in instance_ids)
    return central.list_pages(f"{central.form(form_id)}.svc/Submissions", {"$filter": choice, "$expand": "*"})


def _index_row(row: Any) -> IndexRow:
    try:
        parts = (row["currentVersion"]["instanceId"], row["reviewState"] or "", row["updatedAt"] or "")
        instance_id, fingerprint = str(row["instanceId"]), "|".join(parts)
        state = review_state(row["reviewState"])
    except (KeyError, TypeError):
        raise CentralError("central_answer") from None
    if not (0 < len(instance_id) <= MAX_INSTANCE_ID and f"{instance_id}{fingerprint}".isprintable()):
        raise CentralError("central_answer")
    return IndexRow(instance_id, fingerprint, state)


def review_state(value: object) -> str | None:
    """Return a review state as it is stored; one that Central does not know yet in this release is none."""
    return value if value in REVIEW_STATES else None


def _quoted(text: str) -> str:
    return text.replace("'", "''")
