"""Talking to ODK Central through pyODK, and what pyODK leaves out: time-outs on http, a new sign-in, ETags.

Answers may hold personal data: no body is ever logged or put into an error, and pyODK's own log, which
quotes bodies, is silenced.
"""

import logging
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from pyodk._utils.config import CentralConfig, Config
from pyodk._utils.session import Adapter
from pyodk.client import Client
from pyodk.errors import PyODKError
from urllib3.util.retry import Retry

from ingest.trees import MAX_INSTANCE_ID

CONNECT_SECONDS, READ_SECONDS = 10, 120
IDS_PER_REQUEST = 50
"""50 ids are 3.1 kB of URL; proxies often stop at 8 kB."""

MAX_ETAG = 200

REVIEW_STATES = ("edited", "hasIssues", "rejected", "approved")

_RETRIES = Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=("GET", "HEAD"),
    raise_on_status=False,
)


class CentralError(Exception):
    """Central cannot be read now.

    `code`: central_unreachable, central_sign_in, central_forbidden, central_not_found or central_answer (an
    answer that does not make sense).
    """

    def __init__(self, code: str, status: int | None = None) -> None:
        self.code = code
        self.status = status
        super().__init__(code if status is None else f"{code} ({status})")


@dataclass(frozen=True, slots=True)
class CentralAccount:
    """A web user of one project (role Project Viewer is enough) and the forms to read.

    `cache_folder` keeps the session token between runs, in a file of this account alone.
    """

    url: str
    email: str
    password: str = field(repr=False)
    project_id: int
    form_ids: tuple[str, ...]
    cache_folder: Path


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


class CentralClient:
    """One account on one Central. Raises CentralError only."""

    def __init__(self, account: CentralAccount) -> None:
        self.account = account
        logging.getLogger("pyodk").setLevel(logging.CRITICAL + 1)
        config = CentralConfig(base_url=account.url, username=account.email, password=account.password)
        self._client = Client(config=Config(central=config), cache_path=_cache_path(account))
        adapter = Adapter(timeout=(CONNECT_SECONDS, READ_SECONDS), max_retries=_RETRIES)
        self._client.session.mount("http://", adapter)
        self._client.session.mount("https://", adapter)

    def close(self) -> None:
        """Close the connections; the session token stays good for the next run."""
        self._client.close()

    def get_index(self, form_id: str, etag: str | None) -> Index:
        """List a form's submissions (metadata only), unless nothing changed since `etag`."""
        headers = {"If-None-Match": etag} if etag else {}
        response = self._get(f"{self._form(form_id)}/submissions", headers=headers)
        if response.status_code == 304:
            return Index(etag, None)
        rows = _json(response)
        if not isinstance(rows, list):
            raise CentralError("central_answer")
        etag = response.headers.get("ETag")
        return Index(etag if etag and len(etag) <= MAX_ETAG else None, tuple(_index_row(row) for row in rows))

    def list_rows(self, form_id: str, instance_ids: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        """Fetch submissions with their repeats, page by page. At most IDS_PER_REQUEST ids at once."""
        choice = " or ".join(f"__id eq '{_quoted(instance_id)}'" for instance_id in instance_ids)
        url: str | None = f"{self._form(form_id)}.svc/Submissions"
        params: dict[str, str] | None = {"$filter": choice, "$expand": "*"}
        while url is not None:
            page = _json(self._get(url, params=params))
            rows = page.get("value") if isinstance(page, dict) else None
            if not isinstance(rows, list):
                raise CentralError("central_answer")
            yield [row for row in rows if isinstance(row, dict)]
            url, params = self._next(page), None

    def _form(self, form_id: str) -> str:
        return f"projects/{self.account.project_id}/forms/{quote(form_id, safe='')}"

    def _next(self, page: dict[str, Any]) -> str | None:
        """Turn the link to the next page into a path of ours: it names the server's public address."""
        link = page.get("@odata.nextLink")
        if link is None:
            return None
        parts = urlsplit(str(link))
        _, marker, path = parts.path.partition(f"/projects/{self.account.project_id}/")
        if not marker:
            raise CentralError("central_answer")
        return f"projects/{self.account.project_id}/{path}?{parts.query}"

    def _get(self, url: str, **options: Any) -> requests.Response:
        """GET once, and once more after signing in again where the session has ended."""
        try:
            response: requests.Response = self._client.get(url, **options)
            if response.status_code == 401:
                self._client.session.headers.pop("Authorization", None)
                self._client.session.auth.login()
                response = self._client.get(url, **options)
        except PyODKError:
            raise CentralError("central_sign_in") from None
        except (requests.RequestException, OSError):
            raise CentralError("central_unreachable") from None
        status = response.status_code
        if status in {200, 304}:
            return response
        code = {401: "central_sign_in", 403: "central_forbidden", 404: "central_not_found"}.get(status)
        raise CentralError(code or ("central_unreachable" if status >= 500 else "central_answer"), status)


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise CentralError("central_answer", response.status_code) from None


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


def _cache_path(account: CentralAccount) -> Path:
    """Make the account's own token file, readable by nobody else, before pyODK writes into it."""
    account.cache_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = sha256(f"{account.url}\n{account.email}".encode()).hexdigest()[:16]
    path = account.cache_folder / f"central-{name}.toml"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # cut off when the disk was full: pyODK would stumble over it for good
        path.write_text("")
    return path
