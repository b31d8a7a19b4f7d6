"""Queries on messages that wait, were sent, or could not be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import DigestRun, MessageState, OutboxMessage, Referral
from db.paging import PAGE_SIZE, count_pages
from db.visibility import Viewer, outside_the_line, visible_messages

COUNTED_DAYS = 30


def create_message(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a message; False when one with this dedupe_key was written before."""
    written = session.scalar(
        insert(OutboxMessage)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["dedupe_key"])
        .returning(OutboxMessage.id)
    )
    return written is not None


def create_digest_run(session: Session, governorate: str, day: date, now: datetime) -> bool:
    """Claim a local day's digests for this transaction; False when they were written before.

    A second worker waits here until the first one commits, and then has nothing to do.
    """
    claimed = session.scalar(
        insert(DigestRun)
        .values(governorate=governorate, day=day, written_at=now)
        .on_conflict_do_nothing()
        .returning(DigestRun.day)
    )
    return claimed is not None


def take_due_message(session: Session, channel: str, now: datetime) -> OutboxMessage | None:
    """Hold the message of a channel that has been due longest; those that another worker holds are left out."""
    return session.scalar(
        select(OutboxMessage)
        .where(
            OutboxMessage.state == MessageState.QUEUED,
            OutboxMessage.channel == channel,
            OutboxMessage.next_attempt_at <= now,
        )
        .order_by(OutboxMessage.next_attempt_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def postpone_due_messages(session: Session, channel: str, now: datetime, until: datetime) -> None:
    """Let a channel rest: what is due waits until then, but for what another worker holds."""
    due = (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.state == MessageState.QUEUED,
            OutboxMessage.channel == channel,
            OutboxMessage.next_attempt_at <= now,
        )
        .with_for_update(skip_locked=True)
    )
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(due))
        .values(next_attempt_at=until)
        .execution_options(synchronize_session=False)
    )


def get_queued_message(session: Session, message_id: int) -> OutboxMessage | None:
    """Hold one message that still waits, unless another worker holds it."""
    return session.scalar(
        select(OutboxMessage)
        .where(OutboxMessage.id == message_id, OutboxMessage.state == MessageState.QUEUED)
        .with_for_update(skip_locked=True)
    )


def is_outside_the_line(session: Session, message: OutboxMessage) -> bool:
    """Whether a message is a PSEA focal point's, of which no figure and no line of the log may tell."""
    statement = select(OutboxMessage.id).where(OutboxMessage.id == message.id, outside_the_line())
    return session.scalar(statement) is not None


def get_referral_state(session: Session, referral_id: int | None) -> str | None:
    """The state in which a message's referral is now."""
    return session.scalar(select(Referral.state).where(Referral.id == referral_id))


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One page of messages in one state, and how many there are in each."""

    rows: Sequence[OutboxMessage]
    by_template: Mapping[tuple[str, str], int]
    state: str
    page: int

    @property
    def counts(self) -> dict[str, int]:
        """Messages by state."""
        found = dict.fromkeys(map(str, MessageState), 0)
        for (state, _), number in self.by_template.items():
            found[state] += number
        return found

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return count_pages(self.counts[self.state])


def list_messages(session: Session, viewer: Viewer, state: str, now: datetime, page: int = 1) -> MessagePage:
    """The viewer's messages in one state, newest first; two statements.

    Whatever waits or failed counts; of what was sent or cancelled, the last thirty days.
    """
    unsettled = OutboxMessage.state.in_([MessageState.QUEUED, MessageState.FAILED])
    recent = or_(unsettled, OutboxMessage.created_at > now - timedelta(days=COUNTED_DAYS))
    counted = (
        visible_messages(viewer)
        .where(recent)
        .with_only_columns(OutboxMessage.state, OutboxMessage.template, func.count())
        .group_by(OutboxMessage.state, OutboxMessage.template)
    )
    rows = (
        visible_messages(viewer)
        .where(recent, OutboxMessage.state == state)
        .order_by(OutboxMessage.created_at.desc(), OutboxMessage.id.desc())
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return MessagePage(
        rows=session.scalars(rows).all(),
        by_template={(row[0], row[1]): int(row[2]) for row in session.execute(counted)},
        state=state,
        page=page,
    )


def get_visible_message(session: Session, viewer: Viewer, message_id: int) -> OutboxMessage | None:
    """Hold one of the viewer's messages."""
    return session.scalar(visible_messages(viewer).where(OutboxMessage.id == message_id).with_for_update())


def count_all_messages(session: Session) -> dict[tuple[str, str, str], int]:
    """Messages by state, channel and template: for the command line, so without those to PSEA focal points."""
    statement = (
        select(OutboxMessage.state, OutboxMessage.channel, OutboxMessage.template, func.count())
        .where(~outside_the_line())
        .group_by(OutboxMessage.state, OutboxMessage.channel, OutboxMessage.template)
        .order_by(OutboxMessage.state, OutboxMessage.channel, OutboxMessage.template)
    )
    return {(row[0], row[1], row[2]): int(row[3]) for row in session.execute(statement)}


def list_newest_failures(session: Session, limit: int = PAGE_SIZE) -> list[OutboxMessage]:
    """The newest messages that were given up: for the command line, as `count_all_messages`."""
    return list(
        session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.state == MessageState.FAILED, ~outside_the_line())
            .order_by(OutboxMessage.id.desc())
            .limit(limit)
        )
    )
