"""A message on its way out, and why it may not have arrived."""

import enum
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message with its address. The same row gives the same bytes at every attempt."""

    key: uuid.UUID
    address: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    language: str
    written_at: datetime


class Setback(enum.StrEnum):
    """What a failed attempt means."""

    FINAL = "final"  # this message is refused: trying again would not help
    LATER = "later"  # this message may pass later
    CLOSED = "closed"  # nothing passes just now: the rest of the channel's messages wait too


class DeliveryError(Exception):
    """A message was not taken. Carries a code, never what the other side said: that may quote the address."""

    def __init__(self, code: str, setback: Setback, not_before: datetime | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.setback = setback
        self.not_before = not_before


class Transport(Protocol):
    """The way out of one channel, opened at the first message and closed after the last one."""

    def __enter__(self) -> Self:
        """Begin a run."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End a run."""

    def deliver(self, outgoing: Outgoing, now: datetime) -> None:
        """Hand a message over; returns when the other side has taken it. Raises DeliveryError."""
