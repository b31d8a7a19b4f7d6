"""How far behind the field we are: when each source was last read whole, and what has waited for how long."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import MessageState, Outage, OutboxMessage, Submission, SubmissionStatus, SyncState
from db.visibility import outside_the_line


@dataclass(frozen=True, slots=True)
class Lag:
    """One form of one source.

    `read_at`: when it was last read to its end; None for the built-in inbox, which nobody reads, and for what was
    never read. `unread_since`: since when nothing was read, then. `error`: why the last reading stopped.
    `waiting_since`: when the oldest of the stored submissions that are not taken in yet arrived.
    """

    source: str
    form_id: str
    read_at: datetime | None = None
    unread_since: datetime | None = None
    error: str | None = None
    waiting: int = 0
    waiting_since: datetime | None = None

    def seconds(self, now: datetime) -> float:
        """How far behind this form is."""
        since = [at for at in (self.read_at or self.unread_since, self.waiting_since) if at is not None]
        return max(((now - at).total_seconds() for at in since), default=0.0)


def list_lags(
    session: Session,
    governorate: str,
    expected: Iterable[tuple[str, str]],
    unread_since: datetime | None,
) -> list[Lag]:
    """The lag of every (source, form) that is to be read, and of every other that something waits from.

    `unread_since` is where the lag of a source that was never read is counted from. Two statements.
    """
    states = {
        (row.source, row.form_id): row
        for row in session.execute(
            select(
                SyncState.source, SyncState.form_id, SyncState.last_success_at, SyncState.last_error
            ).where(SyncState.governorate == governorate)
        )
    }
    waiting = {
        (row.source, row.form_id): row
        for row in session.execute(
            select(
                Submission.source,
                Submission.form_id,
                func.count().label("number"),
                func.min(Submission.received_at).label("since"),
            )
            .where(
                Submission.governorate == governorate,
                Submission.status == SubmissionStatus.RECEIVED,
                Submission.deleted_at.is_(None),
            )
            .group_by(Submission.source, Submission.form_id)
        )
    }
    read = set(expected)
    found = []
    for source, form_id in sorted(read | waiting.keys()):
        key = (source, form_id)
        state, left = (states.get(key) if key in read else None), waiting.get(key)
        found.append(
            Lag(
                source,
                form_id,
                read_at=state.last_success_at if state else None,
                unread_since=unread_since if key in read else None,
                error=state.last_error if state else None,
                waiting=left.number if left else 0,
                waiting_since=left.since if left else None,
            )
        )
    return found


def open_outage(session: Session, governorate: str, now: datetime) -> int | None:
    """Begin an outage; None when one is open already."""
    return session.scalar(
        insert(Outage)
        .values(governorate=governorate, began_at=now)
        .on_conflict_do_nothing(index_elements=[Outage.governorate], index_where=Outage.ended_at.is_(None))
        .returning(Outage.id)
    )


def end_outage(session: Session, governorate: str, now: datetime) -> int | None:
    """End the open outage and return its id; None when none is open."""
    return session.scalar(
        update(Outage)
        .where(Outage.governorate == governorate, Outage.ended_at.is_(None))
        .values(ended_at=now)
        .returning(Outage.id)
        .execution_options(synchronize_session=False)
    )


def get_open_outage(session: Session, governorate: str) -> Outage | None:
    """The outage that administrators were told of and that is not over."""
    return session.scalar(select(Outage).where(Outage.governorate == governorate, Outage.ended_at.is_(None)))


def count_backlog(session: Session, governorate: str) -> dict[str, int]:
    """How many submissions are in quarantine, and how many messages wait or failed: without PSEA focal points'."""
    quarantined = session.scalar(
        select(func.count())
        .select_from(Submission)
        .where(Submission.governorate == governorate, Submission.status == SubmissionStatus.QUARANTINED)
    )
    messages = session.execute(
        select(OutboxMessage.state, func.count())
        .where(
            OutboxMessage.governorate == governorate,
            OutboxMessage.state.in_([MessageState.QUEUED, MessageState.FAILED]),
            ~outside_the_line(),
        )
        .group_by(OutboxMessage.state)
    )
    by_state = {row[0]: int(row[1]) for row in messages}
    return {
        "quarantined": quarantined or 0,
        "messages_waiting": by_state.get(MessageState.QUEUED, 0),
        "messages_failed": by_state.get(MessageState.FAILED, 0),
    }
