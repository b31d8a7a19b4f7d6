"""Queries on the queue of an open day. A number is given out, and a person called, by one statement each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, literal, null, select, update
from sqlalchemy.orm import Session

from db.models import Case, OpenDay, OpenDayState, QueueToken, Station, TokenState
from db.paging import PAGE_SIZE, Paged

_WITH_CASE = select(QueueToken, Case.printed_code, Case.slip_given_at).outerjoin(
    Case, Case.id == QueueToken.case_id
)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token with the printed code of its case, once it has one, and when that case got its slip."""

    token: QueueToken
    code: str | None
    slip_given_at: datetime | None


@dataclass(frozen=True, slots=True)
class Line(Paged):
    """One page of those who wait, in the order in which they will be called."""

    rows: Sequence[TokenRow]
    total: int
    page: int


def create_token(
    session: Session, open_day_id: int, station_kind: str, priority_reason: str | None, now: datetime
) -> QueueToken | None:
    """Give out the next number of a day that is open; None where it is not.

    Counting and giving out are one statement: a crowd at the door gets consecutive numbers, and a number whose
    transaction fails is given to the next person.
    """
    counted = (
        update(OpenDay)
        .where(OpenDay.id == open_day_id, OpenDay.state == OpenDayState.OPEN)
        .values(tokens=OpenDay.tokens + 1)
        .returning(OpenDay.id, OpenDay.tokens)
        .cte("counted")
    )
    columns = {
        "open_day_id": counted.c.id,
        "number": counted.c.tokens,
        "priority": literal(priority_reason is not None),
        "priority_reason": null() if priority_reason is None else literal(priority_reason),
        "state": literal(str(TokenState.WAITING)),
        "station_kind": literal(station_kind),
        "taken_at": literal(now),
    }
    token_id = session.scalar(
        insert(QueueToken)
        .from_select(list(columns), select(*columns.values()), include_defaults=False)
        .returning(QueueToken.id)
    )
    return None if token_id is None else session.get_one(QueueToken, token_id)


def call_next_token(session: Session, station: Station, now: datetime) -> QueueToken | None:
    """Call who is next for this kind of station, priority first, then by number; None where nobody waits.

    A token that another desk is just calling is passed over.
    """
    following = (
        select(QueueToken.id)
        .where(
            QueueToken.open_day_id == station.open_day_id,
            QueueToken.state == TokenState.WAITING,
            QueueToken.station_kind == station.kind,
        )
        .order_by(QueueToken.priority.desc(), QueueToken.number)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return session.scalar(
        update(QueueToken)
        .where(QueueToken.id == following)
        .values(state=TokenState.CALLED, station_id=station.id, called_at=now)
        .returning(QueueToken)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def get_token(session: Session, token_id: int, open_day_id: int) -> QueueToken | None:
    """One token of a day, locked until the transaction ends."""
    return session.scalar(
        select(QueueToken)
        .where(QueueToken.id == token_id, QueueToken.open_day_id == open_day_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def get_case_id(session: Session, token_id: int, open_day_id: int) -> int | None:
    """The case that a token of a day was linked to."""
    return session.scalar(
        select(QueueToken.case_id).where(QueueToken.id == token_id, QueueToken.open_day_id == open_day_id)
    )


def is_station_taken(session: Session, station_id: int) -> bool:
    """Whether somebody was called to this station and is still there."""
    statement = select(QueueToken.id).where(
        QueueToken.station_id == station_id, QueueToken.state == TokenState.CALLED
    )
    return session.scalar(statement) is not None


def end_tokens(session: Session, open_day_id: int, now: datetime) -> None:
    """Whoever still waits or sits at a desk goes home."""
    session.execute(
        update(QueueToken)
        .where(
            QueueToken.open_day_id == open_day_id,
            QueueToken.state.in_([TokenState.WAITING, TokenState.CALLED]),
        )
        .values(state=TokenState.LEFT, ended_at=now)
    )


def forget_priority_reasons(session: Session, open_day_id: int) -> dict[str, int]:
    """Count the reasons of priority and take them off the tokens, which keep that they had priority."""
    rows = session.execute(
        select(QueueToken.priority_reason, func.count())
        .where(QueueToken.open_day_id == open_day_id, QueueToken.priority_reason.is_not(None))
        .group_by(QueueToken.priority_reason)
        .order_by(QueueToken.priority_reason)
    ).all()
    session.execute(
        update(QueueToken).where(QueueToken.open_day_id == open_day_id).values(priority_reason=None)
    )
    return {str(reason): int(number) for reason, number in rows}


def list_waiting(session: Session, open_day_id: int, kind: str | None, page: int = 1) -> Line:
    """Who waits, for one kind of station or for any, in the order of calling."""
    conditions = [QueueToken.open_day_id == open_day_id, QueueToken.state == TokenState.WAITING]
    if kind is not None:
        conditions.append(QueueToken.station_kind == kind)
    total = session.scalar(select(func.count()).select_from(QueueToken).where(*conditions)) or 0
    rows = session.execute(
        _WITH_CASE.where(*conditions)
        .order_by(QueueToken.priority.desc(), QueueToken.number)
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    )
    return Line([TokenRow(row[0], row[1], row[2]) for row in rows], total, page)


def list_called(session: Session, open_day_id: int) -> Mapping[int, TokenRow]:
    """Who sits where: station id -> token."""
    rows = session.execute(
        _WITH_CASE.where(QueueToken.open_day_id == open_day_id, QueueToken.state == TokenState.CALLED)
    )
    return {row[0].station_id or 0: TokenRow(row[0], row[1], row[2]) for row in rows}


def get_token_by_number(session: Session, open_day_id: int, number: int) -> TokenRow | None:
    """The token with this number."""
    row = session.execute(
        _WITH_CASE.where(QueueToken.open_day_id == open_day_id, QueueToken.number == number)
    ).one_or_none()
    return None if row is None else TokenRow(row[0], row[1], row[2])


def count_tokens(session: Session, open_day_id: int) -> dict[tuple[str, str], int]:
    """How many tokens by state and kind of station."""
    rows = session.execute(
        select(QueueToken.state, QueueToken.station_kind, func.count())
        .where(QueueToken.open_day_id == open_day_id)
        .group_by(QueueToken.state, QueueToken.station_kind)
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}
