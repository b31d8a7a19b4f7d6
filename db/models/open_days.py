"""Open days: an office receives many people in one day, with stations, queue tokens and tablets of that day."""

import datetime as dt
import enum

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Details, Instant, Key, Stamp


class OpenDayState(enum.StrEnum):
    """Where an open day stands."""

    PLANNED = "planned"
    OPEN = "open"
    CLOSED = "closed"


class TokenState(enum.StrEnum):
    """Where a person with a queue token stands. `served`: has been at every station."""

    WAITING = "waiting"
    CALLED = "called"
    SERVED = "served"
    LEFT = "left"


class OpenDay(Base):
    """One office on one local date. `tokens` is the number given out last.

    `priorities` counts the reasons of priority once the day is closed; the tokens then forget theirs, because
    beside a case they would say something about a person's health.
    """

    __tablename__ = "open_day"

    id: Mapped[Key]
    office_id: Mapped[int] = mapped_column(ForeignKey("office.id"))
    date: Mapped[dt.date] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(10), default=OpenDayState.PLANNED)
    tokens: Mapped[int] = mapped_column(default=0)
    priorities: Mapped[Details] = mapped_column(default=dict)
    planned_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    planned_at: Mapped[Stamp]
    opened_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    opened_at: Mapped[Instant | None]
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    closed_at: Mapped[Instant | None]

    __table_args__ = (UniqueConstraint("office_id", "date"),)


class Station(Base):
    """A desk of an open day: its kind is a code of the choice list `station`, numbered within the kind."""

    __tablename__ = "station"

    id: Mapped[Key]
    open_day_id: Mapped[int] = mapped_column(ForeignKey("open_day.id"))
    kind: Mapped[str] = mapped_column(String(20))
    number: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (UniqueConstraint("open_day_id", "kind", "number"),)


class OpenDayTablet(Base):
    """A tablet that works at an open day; it may belong to another office that lent it."""

    __tablename__ = "open_day_tablet"

    open_day_id: Mapped[int] = mapped_column(ForeignKey("open_day.id"), primary_key=True)
    tablet_id: Mapped[int] = mapped_column(ForeignKey("tablet.id"), primary_key=True, index=True)


class QueueToken(Base):
    """A number given out at the door.

    `station_kind`: the kind of station the person waits for, is at, or was at last. `station_id`: the desk that
    called them. `priority_reason` is a code of the choice list `queue_priority`.
    """

    __tablename__ = "queue_token"

    id: Mapped[Key]
    open_day_id: Mapped[int] = mapped_column(ForeignKey("open_day.id"))
    number: Mapped[int]
    priority: Mapped[bool] = mapped_column(default=False)
    priority_reason: Mapped[str | None] = mapped_column(String(20))
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"))
    state: Mapped[str] = mapped_column(String(10), default=TokenState.WAITING)
    station_kind: Mapped[str] = mapped_column(String(20))
    station_id: Mapped[int | None] = mapped_column(ForeignKey("station.id"))
    taken_at: Mapped[Instant]
    called_at: Mapped[Instant | None]
    ended_at: Mapped[Instant | None]

    __table_args__ = (
        UniqueConstraint("open_day_id", "number"),
        CheckConstraint("priority_reason IS NULL OR priority", name="reason_of_priority"),
        Index("ix_queue_token_line", "open_day_id", "state", "station_kind", "number"),
        Index("ix_queue_token_case", "case_id", postgresql_where=text("case_id IS NOT NULL")),
        # Nobody is called to a desk where somebody sits.
        Index(
            "uq_queue_token_at_station",
            "station_id",
            unique=True,
            postgresql_where=text("state = 'called'"),
        ),
    )
