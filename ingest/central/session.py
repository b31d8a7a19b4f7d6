"""Talking to ODK Central through pyODK, and what pyODK leaves out: time-outs on http, a new sign-in, waiting.

Answers may hold personal data: no body is ever logged or put into an error, and pyODK's own log, which
quotes bodies, is silenced.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from pyodk._utils.config import CentralConfig, Config
from pyodk._utils.session import Adapter
from pyodk.client import Client
from pyodk.errors import PyODKError
from urllib3.util.retry import Retry

from ingest.central.account import CentralAccount, token_file
from ingest.central.errors import CentralError

CONNECT_SECONDS, READ_SECONDS = 10, 120
PATIENCE_SECONDS = 60.0
"""How long a request waits in all when Central says 429; after that the next run goes on."""
DEFAULT_WAIT_SECONDS = 2.0
TRIES = 2
"""A GET whose answer broke off is sent once more."""

_RETRIES = Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=(502, 503, 504),
    allowed_methods=("GET", "HEAD"),
    respect_retry_after_header=False,  # urllib3 would wait for as long as a server says
    raise_on_status=False,
)
_BROKEN_OFF = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)


class CentralSession:
    """One account on one Central. Raises CentralError only. For one thread.

    `sleep` is called with seconds when Central asks for patience.
    """

    def __init__(self, account: CentralAccount, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.account = account
        self._sleep = sleep
        logging.getLogger("pyodk").setLevel(logging.CRITICAL + 1)
        config = CentralConfig(base_url=account.url, username=account.email, password=account.password)
        self._client = Client(config=Config(central=config), cache_path=token_file(account))
        adapter = Adapter(timeout=(CONNECT_SECONDS, READ_SECONDS), max_retries=_RETRIES)
        self._client.session.mount("http://", adapter)
        self._client.session.mount("https://", adapter)

    def close(self) -> None:
        """Close the connections; the session token stays good for the next run."""
        self._client.close()

    def project(self, path: str) -> str:
        """Return the address of a thing of the account's project: `project("app-users")`."""
        return f"projects/{self.account.project_id}/{path}"

    def form(self, form_id: str) -> str:
        """Return the address of a form of the account's project."""
        return self.project(f"forms/{quote(form_id, safe='')}")

    def send(
        self, method: str, path: str, *, expect: tuple[int, ...] = (200,), **options: Any
    ) -> requests.Response:
        """Send a request; returns an answer whose status is one of `expect`. `options` are those of requests.

        Signs in again, once, where the session has ended; waits where Central says 429, which means that
        nothing was done; repeats a GET whose answer broke off. With `stream=True` the caller reads and closes.
        """
        options.setdefault("allow_redirects", False)  # Central redirects nothing that is asked here; portals do
        signed_in, tries, patience = False, 1, PATIENCE_SECONDS
        while True:
            try:
                response: requests.Response = self._client.session.request(method, path, **options)
            except PyODKError as error:
                raise _sign_in_error(error) from None
            except requests.exceptions.InvalidJSONError:
                raise CentralError("central_proxy") from None  # only signing in reads JSON here
            except _BROKEN_OFF:
                if method != "GET" or tries == TRIES:
                    raise CentralError("central_cut_off") from None
                tries += 1
                continue
            except (requests.RequestException, OSError):
                raise CentralError("central_unreachable") from None
            if response.status_code in expect:
                return response
            if response.status_code == 401 and not signed_in:
                self._sign_in_again()
                signed_in = True
                continue
            wait = _wait_seconds(response) if response.status_code == 429 else None
            if wait is None or wait > patience:
                raise _refusal(response)
            patience -= wait
            self._sleep(wait)

    def get(self, path: str, *, expect: tuple[int, ...] = (200,), **options: Any) -> requests.Response:
        """GET, see `send`."""
        return self.send("GET", path, expect=expect, **options)

    def list_pages(self, path: str, params: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """Read an OData feed page by page, by the server's own link: `$skip` loses rows when one is deleted."""
        page = self.get_page(path, params)
        yield page.rows
        while page.next_path is not None:
            page = self.get_page(page.next_path)
            yield page.rows

    def get_page(self, path: str, params: Mapping[str, str] | None = None) -> "FeedPage":
        """Read one page of an OData feed, by its address or by the link of the page before."""
        response = self.get(path, params=params)
        page = read_json(response)
        rows = page.get("value") if isinstance(page, dict) else None
        if not isinstance(rows, list):
            raise CentralError("central_answer")
        rows = [row for row in rows if isinstance(row, dict)]
        return FeedPage(rows, self._next(page), server_time(response))

    @contextmanager
    def stream(
        self, path: str, *, method: str = "GET", expect: tuple[int, ...] = (200,), **options: Any
    ) -> Iterator[requests.Response]:
        """Ask for an answer whose body is read piece by piece within the block."""
        response = self.send(method, path, expect=expect, stream=True, **options)
        try:
            yield response
        except _BROKEN_OFF:
            raise CentralError("central_cut_off") from None
        except (requests.RequestException, OSError):
            raise CentralError("central_unreachable") from None
        finally:
            response.close()

    def _next(self, page: dict[str, Any]) -> str | None:
        """Turn the link to the next page into a path of ours: it names the server's public address."""
        link = page.get("@odata.nextLink")
        if link is None:
            return None
        parts = urlsplit(str(link))
        _, marker, path = parts.path.partition(f"/{self.project('')}")
        if not marker:
            raise CentralError("central_answer")
        return f"{self.project(path)}?{parts.query}"

    def _sign_in_again(self) -> None:
        self._client.session.headers.pop("Authorization", None)
        try:
            self._client.session.auth.login()
        except PyODKError as error:
            raise _sign_in_error(error) from None
        except requests.exceptions.InvalidJSONError:
            raise CentralError("central_proxy") from None
        except (requests.RequestException, OSError):
            raise CentralError("central_unreachable") from None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of a feed, the link to the next one, and the server's own time."""

    rows: list[dict[str, Any]] = field(repr=False)
    next_path: str | None
    server_time: datetime | None


def server_time(response: requests.Response) -> datetime | None:
    """When the answer was made, by the server's clock; None where it does not say."""
    try:
        at = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read_json(response: requests.Response) -> Any:
    """Read the JSON of an answer. Raises CentralError: a page of a proxy, or something that is no JSON."""
    try:
        return response.json()
    except ValueError:
        raise CentralError(_senseless(response), response.status_code) from None


def _senseless(response: requests.Response) -> str:
    return "central_proxy" if "html" in response.headers.get("Content-Type", "") else "central_answer"


def _refusal(response: requests.Response) -> CentralError:
    """Name an answer that was not expected, by Central's number where the answer is Central's."""
    status = response.status_code
    if status >= 500:
        return CentralError("central_unreachable", status)
    code = {
        401: "central_sign_in",
        403: "central_forbidden",
        404: "central_not_found",
        429: "central_busy",
    }.get(status, "central_refused")
    try:
        problem = response.json()["code"]
    except (ValueError, TypeError, KeyError, requests.RequestException):
        if 400 <= status < 500 and status != 429:
            code = _senseless(response)
        return CentralError(code if status >= 400 else _senseless(response), status)
    return CentralError(code, status, f"{problem:.2f}".rstrip("0") if isinstance(problem, float) else None)


def _sign_in_error(error: PyODKError) -> CentralError:
    """Tell a wrong password from a server that cannot answer; pyODK gives both the same error."""
    response = next((item for item in error.args if isinstance(item, requests.Response)), None)
    if response is None or response.status_code in {400, 401, 403}:
        return CentralError("central_sign_in")
    return _refusal(response)


def _wait_seconds(response: requests.Response) -> float:
    """How long Central asks to wait; a date, which proxies also send, counts as a short while."""
    try:
        return max(0.0, float(response.headers.get("Retry-After", "")))
    except ValueError:
        return DEFAULT_WAIT_SECONDS
