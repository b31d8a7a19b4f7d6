"""SMS by an HTTP gateway: JSON with a signature."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import requests

from api.outgoing import DeliveryError, Outgoing, Setback

LONGEST_REST = timedelta(hours=24)
"""However long a gateway asks us to wait."""

_SIGN_IN = frozenset({401, 403, 407})
_THROTTLED = frozenset({429, 503})
_LATER = frozenset({408, 425})


@dataclass(frozen=True, slots=True)
class SmsAccount:
    """A gateway, the names of its fields and the secret that signs what we post."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    sender: str | None = None
    to_field: str = "to"
    text_field: str = "text"
    sender_field: str = "from"
    seconds: float = 15.0


class SmsGateway:
    """A transport (`api.outgoing.Transport`)."""

    def __init__(self, account: SmsAccount) -> None:
        self._account = account
        self._client: requests.Session | None = None

    def __enter__(self) -> Self:
        """Open the client."""
        self._client = requests.Session()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()

    def deliver(self, outgoing: Outgoing, now: datetime) -> None:
        """Post a message; see `api.outgoing.Transport`. The key goes with it, so that a second post is none."""
        account, client = self._account, self._client
        assert client is not None  # noqa: S101  deliver() is called within the run
        fields = {account.to_field: outgoing.address, account.text_field: outgoing.body}
        if account.sender:
            fields[account.sender_field] = account.sender
        body = json.dumps(fields, ensure_ascii=False).encode()
        stamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": str(outgoing.key),
            "X-Ihala-Timestamp": stamp,
            "X-Ihala-Signature": f"sha256={sign(account.secret, stamp, body)}",
        }
        try:
            answer = client.post(
                account.url, data=body, headers=headers, timeout=account.seconds, allow_redirects=False
            )
        except requests.Timeout:
            raise DeliveryError("no_answer", Setback.CLOSED) from None
        except requests.exceptions.SSLError:
            raise DeliveryError("not_trusted", Setback.CLOSED) from None
        except requests.RequestException:
            raise DeliveryError("unreachable", Setback.CLOSED) from None
        _check(answer, now)


def sign(secret: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 of timestamp, a dot and the body, in hexadecimal."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _check(answer: requests.Response, now: datetime) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    if status in _THROTTLED:
        raise DeliveryError("gateway_busy", Setback.CLOSED, retry_after(answer, now))
    if status in _LATER or status >= 500:
        raise DeliveryError("gateway_failed", Setback.LATER, retry_after(answer, now))
    if status in _SIGN_IN:
        raise DeliveryError("sign_in_refused", Setback.CLOSED)
    if 300 <= status < 400:
        raise DeliveryError("gateway_moved", Setback.CLOSED)
    raise DeliveryError("gateway_refused", Setback.FINAL)


def retry_after(answer: requests.Response, now: datetime) -> datetime | None:
    """When the gateway wants to be asked again (RFC 9110: seconds or a date), within a day."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return now + min(timedelta(seconds=min(int(text), 10**6)), LONGEST_REST)
    try:
        asked = parsedate_to_datetime(text)
    except ValueError:
        return None
    asked = asked.replace(tzinfo=UTC) if asked.tzinfo is None else asked
    return min(asked, now + LONGEST_REST)
