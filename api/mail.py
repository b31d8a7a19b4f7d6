"""E-mail by SMTP."""

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from api.i18n import PROFILES
from api.outgoing import DeliveryError, Outgoing, Setback


@dataclass(frozen=True, slots=True)
class MailAccount:
    """A mail server and how to speak to it."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    seconds: float = 15.0


class MailServer:
    """A transport (`api.outgoing.Transport`): one connection a run, made anew after an error."""

    def __init__(self, account: MailAccount) -> None:
        self._account = account
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        """Nothing is opened before there is a message."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye."""
        self._hang_up()

    def deliver(self, outgoing: Outgoing, now: datetime) -> None:
        """Hand a message over; see `api.outgoing.Transport`."""
        try:
            connection = self._connection or self._connect()
            self._connection = connection
            connection.send_message(compose(outgoing, self._account.sender))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self._hang_up()
            raise _setback(error) from None

    def _connect(self) -> smtplib.SMTP:
        account = self._account
        if account.security == "tls":
            return self._sign_in(
                smtplib.SMTP_SSL(
                    account.host, account.port, timeout=account.seconds, context=self._certificates()
                )
            )
        connection = smtplib.SMTP(account.host, account.port, timeout=account.seconds)
        try:
            if account.security == "starttls":
                connection.starttls(context=self._certificates())
        except BaseException:
            connection.close()
            raise
        return self._sign_in(connection)

    def _sign_in(self, connection: smtplib.SMTP) -> smtplib.SMTP:
        if self._account.user:
            try:
                connection.login(self._account.user, self._account.password or "")
            except BaseException:
                connection.close()
                raise
        return connection

    def _certificates(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._account.ca_file)

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()


def compose(outgoing: Outgoing, sender: str) -> EmailMessage:
    """The message as it travels: the same row gives the same bytes, so that a second copy is no second message."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = outgoing.address
    message["Subject"] = outgoing.subject
    message["Date"] = format_datetime(outgoing.written_at)
    message["Message-ID"] = f"<{outgoing.key}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
    message.set_content(outgoing.body, charset="utf-8", cte="base64")
    message["Content-Language"] = PROFILES[outgoing.language].html_code  # after the content, which clears it
    return message


_CODES: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "sign_in_refused"),
    (smtplib.SMTPSenderRefused, "sender_refused"),
    (ssl.SSLError, "not_trusted"),
    (TimeoutError, "no_answer"),
    (smtplib.SMTPException, "unreachable"),
    (OSError, "unreachable"),
)
"""Errors after which no other message would pass either; the first that fits."""


def _setback(error: Exception) -> DeliveryError:
    """What an error means, by its kind and number only (RFC 5321: 4yz passes later, 5yz does not)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _answered([number for number, _ in error.recipients.values()], "address_refused")
    if isinstance(error, smtplib.SMTPDataError):
        return _answered([error.smtp_code], "mail_refused")
    code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    if code is None:  # a ValueError: the address does not go into a header
        return DeliveryError("unsendable", Setback.FINAL)
    return DeliveryError(code, Setback.CLOSED)


def _answered(numbers: Sequence[int], code: str) -> DeliveryError:
    if all(number >= 500 for number in numbers):
        return DeliveryError(code, Setback.FINAL)
    return DeliveryError("mail_later", Setback.LATER)
