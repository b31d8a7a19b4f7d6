"""Talking to ODK Central over pyODK's session, and what pyODK leaves out: time-outs on http, a new sign-in, waiting.

Answers may hold personal data: no body is ever logged or put into an error. Redirects are never followed:
Central answers where it is asked, and a token or a password has no business on another host.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from pyodk._utils.session import Adapter, Session
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from ingest.central.account import TOKEN, CentralAccount, read_token, write_token
from ingest.central.errors import CentralError
from ingest.central.quiet import quiet_libraries

CONNECT_SECONDS, READ_SECONDS = 10, 120
PATIENCE_SECONDS = 60.0
"""How long a request waits in all when Central says 429; after that the next run goes on."""
LEAST_WAIT_SECONDS = 1.0
"""Twice as long each time: a Central that is never free again is asked five or six times."""
TRIES = 2
"""A GET whose answer broke off is sent once more."""

_RETRIES = Retry(
    total=3,
    read=1,
    backoff_factor=0.5,
    status_forcelist=(502, 503, 504),
    allowed_methods=("GET", "HEAD"),
    respect_retry_after_header=False,  # urllib3 would wait for as long as a server says
    raise_on_status=False,
)
_BROKEN_OFF = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)


class _Bearer(AuthBase):
    """Puts the token on requests; with none it keeps `requests` from taking a password out of `.netrc`."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token is not None:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Patience:
    """How long one call may still wait for a Central that says 429: longer each time."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep, self._left, self._least = sleep, PATIENCE_SECONDS, LEAST_WAIT_SECONDS

    def wait(self, response: requests.Response) -> None:
        """Wait as long as Central asks. Raises CentralError `central_busy`, at once, where that is too long."""
        asked = _wait_seconds(response)
        seconds = self._least if math.isnan(asked) else max(self._least, asked)
        if seconds > self._left:
            raise _refusal(response)
        self._least *= 2
        self._left -= seconds
        self._sleep(seconds)


class CentralSession:
    """One account on one Central. Raises CentralError only. For one thread.

    `sleep` is called with seconds when Central asks for patience.
    """

    def __init__(self, account: CentralAccount, *, sleep: Callable[[float], None] = time.sleep) -> None:
        quiet_libraries()
        self.account = account
        self._sleep = sleep
        self._token = read_token(account)
        self._session = Session(account.url, "v1", account.email, account.password)
        self._session.auth = (
            None  # pyODK's own would not sign in again, and shares one cache between accounts
        )
        adapter = Adapter(timeout=(CONNECT_SECONDS, READ_SECONDS), max_retries=_RETRIES)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        """Close the connections; the session token stays good for the next run."""
        self._session.close()

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
        nothing was done; repeats a GET whose answer broke off. Bodies read in pieces: see `stream`.
        """
        patience, signed_in = _Patience(self._sleep), False
        while True:
            if self._token is None:
                self._sign_in(patience)
                signed_in = True
            response = self._ask(method, path, _Bearer(self._token), **options)
            status = response.status_code
            if status in expect and not _is_page(response):
                return response
            with response:
                if status == 429:
                    patience.wait(response)
                elif status == 401 and not signed_in and not _is_page(response):
                    self._token = self._newer_token()
                    signed_in = self._token is None
                    if self._token is None:
                        self._sign_in(patience)
                else:
                    raise _refusal(response)

    def get(self, path: str, *, expect: tuple[int, ...] = (200,), **options: Any) -> requests.Response:
        """GET, see `send`."""
        return self.send("GET", path, expect=expect, **options)

    def list_pages(self, path: str, params: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """Read an OData feed page by page, by the server's own link: `$skip` loses rows when one is deleted."""
        page, seen = self.get_page(path, params), {""}
        yield page.rows
        while page.next_path is not None:
            if page.next_path in seen:
                raise CentralError("central_answer")  # it would never end
            seen.add(page.next_path)
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
        self, path: str, *, expect: tuple[int, ...] = (200,), method: str = "GET", **options: Any
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
        try:
            parts = urlsplit(str(link))
        except ValueError:
            raise CentralError("central_answer") from None
        _, marker, path = parts.path.partition(f"/{self.project('')}")
        if not marker:
            raise CentralError("central_answer")
        return f"{self.project(path)}?{parts.query}"

    def _ask(self, method: str, path: str, auth: _Bearer, **options: Any) -> requests.Response:
        """Send once, and a GET whose answer broke off once more. Raises CentralError on a broken line only."""
        if not self._session.urljoin(path).startswith(self._session.base_url):
            raise CentralError("central_answer")  # it came from a link in an answer
        for tried in range(1, TRIES + 1):
            try:
                response: requests.Response = self._session.request(
                    method, path, auth=auth, allow_redirects=False, **options
                )
            except _BROKEN_OFF:
                if method != "GET" or tried == TRIES:
                    raise CentralError("central_cut_off") from None
            except (requests.RequestException, OSError):
                raise CentralError("central_unreachable") from None
            else:
                return response
        raise AssertionError  # the last try returns or raises

    def _newer_token(self) -> str | None:
        """Return the token of another process that has signed in meanwhile; None where there is none."""
        kept = read_token(self.account)
        return kept if kept != self._token else None

    def _sign_in(self, patience: _Patience) -> None:
        """Make a new session, and keep its token for the next run."""
        account = self.account
        body = {"email": account.email, "password": account.password}
        while (response := self._ask("POST", "sessions", _Bearer(None), json=body)).status_code == 429:
            patience.wait(response)
        if _is_page(response):
            raise _refusal(response)
        if response.status_code in {400, 401, 403}:
            raise CentralError("central_sign_in", response.status_code, _problem(response))
        if response.status_code != 200:
            raise _refusal(response)
        row = read_json(response)
        token = row.get("token") if isinstance(row, dict) else None
        if not (isinstance(token, str) and TOKEN.fullmatch(token)):
            raise CentralError("central_answer")
        self._token = token
        write_token(account, token)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of a feed, the link to the next one, and the server's own time."""

    rows: list[dict[str, Any]] = field(repr=False)
    next_path: str | None
    server_time: datetime | None


def server_time(response: requests.Response) -> datetime | None:
    """When the answer was made, by the server's clock; None where it does not say."""
    return _moment(response.headers.get("Date", ""))


def read_json(response: requests.Response) -> Any:
    """Read the JSON of an answer. Raises CentralError: a page of a proxy, or something that is no JSON."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise CentralError(_senseless(response), response.status_code) from None
    except (requests.RequestException, OSError):
        raise CentralError("central_cut_off", response.status_code) from None


def _is_page(response: requests.Response) -> bool:
    """Say whether somebody else answers: Central sends no pages and redirects only to versions."""
    return "html" in response.headers.get("Content-Type", "").lower()


def _senseless(response: requests.Response) -> str:
    return "central_proxy" if _is_page(response) else "central_answer"


def _problem(response: requests.Response) -> str | None:
    """Read Central's own number of a refusal."""
    try:
        problem = response.json()["code"]
    except (ValueError, TypeError, KeyError, RecursionError, OSError):  # a RequestException is an OSError
        return None
    return f"{problem:.2f}".rstrip("0") if isinstance(problem, float) else None


def _refusal(response: requests.Response) -> CentralError:
    """Name an answer that was not expected, by Central's number where the answer is Central's."""
    status, problem = response.status_code, _problem(response)
    if status >= 500:
        return CentralError("central_unreachable", status, problem)
    if status == 429:
        return CentralError("central_busy", status, problem)
    if 300 <= status < 400 and status != 304:
        return CentralError("central_proxy", status)
    if problem is None:
        return CentralError(_senseless(response), status)
    codes = {401: "central_sign_in", 403: "central_forbidden", 404: "central_not_found"}
    return CentralError(codes.get(status, "central_refused"), status, problem)


def _wait_seconds(response: requests.Response) -> float:
    """How long Central asks to wait: seconds, or a date, by the clock of the answer itself. NaN: not said."""
    told = response.headers.get("Retry-After", "")
    try:
        return float(told)
    except ValueError:
        until = _moment(told)
    if until is None:
        return math.nan
    return (until - (server_time(response) or datetime.now(UTC))).total_seconds()


def _moment(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
