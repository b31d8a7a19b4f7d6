"""What becomes of a message after an attempt to send it."""

from datetime import datetime, timedelta

from db.models import MessageState, OutboxMessage

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=6)
MOST_ATTEMPTS = 14
"""With the pauses above: about a day and a half of trying."""


def record_sent(message: OutboxMessage, now: datetime) -> None:
    """The message was handed over."""
    message.state, message.sent_at, message.last_error = MessageState.SENT, now, None
    message.attempts += 1


def record_cancelled(message: OutboxMessage, code: str) -> None:
    """The message must not or need not be sent any more."""
    message.state, message.last_error = MessageState.CANCELLED, code


def record_failed(message: OutboxMessage, code: str) -> None:
    """Trying again would not help; an administrator sees it."""
    message.state, message.last_error = MessageState.FAILED, code
    message.attempts += 1


def record_retry(message: OutboxMessage, code: str, now: datetime, not_before: datetime | None) -> None:
    """Try again later: pauses double up to a ceiling, or last as long as the other side asked; then give up."""
    if message.attempts + 1 >= MOST_ATTEMPTS:
        record_failed(message, code)
        return
    pause = min(FIRST_RETRY * 2**message.attempts, LONGEST_RETRY)
    message.attempts += 1
    message.last_error = code
    message.next_attempt_at = max(now + pause, not_before or now)


def postpone(message: OutboxMessage, code: str, until: datetime) -> None:
    """Wait for the person's hours; that is no failed attempt."""
    message.last_error, message.next_attempt_at = code, until


def requeue(message: OutboxMessage, now: datetime) -> None:
    """Try a message that was given up from the beginning."""
    message.state, message.attempts, message.next_attempt_at = MessageState.QUEUED, 0, now
    message.last_error = None
