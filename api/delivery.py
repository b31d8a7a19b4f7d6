"""The worker's way with the outbox: take what is due, look everything up again, hand it over.

One transaction a message: a worker that is killed between handing over and committing leaves the message due,
and the next attempt repeats the same bytes under the same Message-ID or idempotency key.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.context import AppContext
from api.message_texts import render
from api.outgoing import DeliveryError, Outgoing, Setback, Transport
from api.settings import Settings
from casework import attempts
from casework.addresses import NO_ADDRESS, find_destination
from casework.safe_contact import Verdict
from db import outbox as query
from db.models import Channel, OutboxMessage
from db.session import session_scope
from db.vault import Vault

logger = logging.getLogger(__name__)

MOST_A_RUN = 500


@dataclass(slots=True)
class DeliveryReport:
    """What became of the messages of one run, and the channels that no setting opens."""

    outcomes: Counter[str] = field(default_factory=Counter)
    closed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Figures for logs and the command line."""
        return {**{name: self.outcomes[name] for name in OUTCOMES}, "not_configured": list(self.closed)}


OUTCOMES = ("sent", "postponed", "retried", "failed", "cancelled")


def open_transports(settings: Settings) -> dict[str, Transport]:
    """The transports that the settings describe, by channel."""
    from api.mail import MailServer
    from api.sms import SmsGateway

    found: dict[str, Transport] = {}
    if (mail := settings.mail_account()) is not None:
        found[Channel.EMAIL] = MailServer(mail)
    if (sms := settings.sms_account()) is not None:
        found[Channel.SMS] = SmsGateway(sms)
    return found


def deliver_messages(
    context: AppContext, now: datetime | None = None, *, most: int = MOST_A_RUN
) -> DeliveryReport:
    """Send what is due, on each channel that is configured; several workers may do so at once.

    `now` stands still for a test that travels in time; otherwise every message has its own moment. Neither the
    report nor the log tells of messages outside the line (`db.visibility.outside_the_line`).
    """
    transports = open_transports(context.settings)
    report = DeliveryReport(closed=tuple(name for name in Channel if name not in transports))

    def clock() -> datetime:
        return now or datetime.now(UTC)

    for channel, transport in transports.items():
        with transport:
            _deliver_channel(context, channel, transport, clock, most, report)
    if report.outcomes:
        logger.info("messages: %s", report.as_dict())
    return report


def _deliver_channel(
    context: AppContext,
    channel: str,
    transport: Transport,
    clock: Callable[[], datetime],
    most: int,
    report: DeliveryReport,
) -> None:
    for _ in range(most):
        moment, taken, shown = clock(), None, report
        try:
            with session_scope(context.engine) as session:
                message = query.take_due_message(session, channel, moment)
                if message is None:
                    return
                taken = message.id
                if query.is_outside_the_line(session, message):
                    shown = DeliveryReport()  # that nobody reads
                vault = Vault(session, context.masters)
                error = _attempt(vault, message, transport, context.settings.public_url, moment, shown)
        except Exception as problem:
            # A fault of ours, not the channel's. Its text may quote what must not be logged.
            if shown is report:
                logger.error("message %s: %s", taken, type(problem).__name__)  # noqa: TRY400
            if taken is None or not _record_fault(context, taken, moment, shown):
                return
            continue
        if error is not None and error.setback is Setback.CLOSED:
            _let_rest(context, channel, moment, error.not_before)
            return


def _attempt(
    vault: Vault,
    message: OutboxMessage,
    transport: Transport,
    public_url: str | None,
    now: datetime,
    report: DeliveryReport,
) -> DeliveryError | None:
    """One attempt on a message that this transaction holds; the error when the other side did not take it."""
    target = find_destination(vault.session, vault, message, now)
    verdict, code = target.decision.verdict, target.decision.code or ""
    if verdict is Verdict.CANCEL:
        attempts.record_cancelled(message, code)
        report.outcomes["cancelled"] += 1
        return None
    if verdict is Verdict.POSTPONE:
        attempts.postpone(message, code, target.decision.not_before or now)
        report.outcomes["postponed"] += 1
        return None
    if target.address is None:
        attempts.record_failed(message, NO_ADDRESS)
        report.outcomes["failed"] += 1
        return None
    try:
        transport.deliver(_outgoing(message, target.address, public_url), now)
    except DeliveryError as error:
        _record_error(message, error, now, report)
        return error
    attempts.record_sent(message, now)
    report.outcomes["sent"] += 1
    return None


def _outgoing(message: OutboxMessage, address: str, public_url: str | None) -> Outgoing:
    text = render(message.template, message.channel, message.language, message.params, public_url)
    return Outgoing(
        key=message.delivery_key,
        address=address,
        subject=text.subject,
        body=text.body,
        language=message.language,
        written_at=message.created_at,
    )


def _record_error(
    message: OutboxMessage, error: DeliveryError, now: datetime, report: DeliveryReport
) -> None:
    if error.setback is Setback.FINAL:
        attempts.record_failed(message, error.code)
    else:
        attempts.record_retry(message, error.code, now, error.not_before)
    report.outcomes["failed" if message.state == "failed" else "retried"] += 1


def _record_fault(context: AppContext, message_id: int, now: datetime, report: DeliveryReport) -> bool:
    """Put off a message whose transaction broke; False when not even that can be written."""
    try:
        with session_scope(context.engine) as session:
            message = query.get_queued_message(session, message_id)
            if message is not None:
                _record_error(message, DeliveryError("internal", Setback.LATER), now, report)
    except Exception as problem:
        logger.error("a fault could not be written: %s", type(problem).__name__)  # noqa: TRY400
        return False
    return True


def _let_rest(context: AppContext, channel: str, now: datetime, until: datetime | None) -> None:
    """Keep a whole channel quiet for as long as the other side asked."""
    if until is not None and until > now:
        with session_scope(context.engine) as session:
            query.postpone_due_messages(session, channel, now, until)


def summary(counts: Mapping[tuple[str, str, str], int]) -> list[dict[str, object]]:
    """Counts of messages as rows of figures."""
    return [
        {"state": state, "channel": channel, "template": template, "messages": number}
        for (state, channel, template), number in counts.items()
    ]
