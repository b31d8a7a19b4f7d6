"""What somebody at an office or a ministry has to do for a case before it can go on."""

import enum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Instant, Key, Stamp


class TaskState(enum.StrEnum):
    """Open until somebody has done it, or it has lost its object."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


class Task(Base):
    """One task; kinds and results are `referral_engine.task_kinds`.

    `role` does it: officers of the case's office, or coordinators of the need's mandate; `ministry` decides where
    no need is named. `holds_need`: while it is open the need is not matched.
    """

    __tablename__ = "task"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"), index=True)
    need_id: Mapped[int | None] = mapped_column(ForeignKey("need.id"))
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10), default=TaskState.OPEN)
    holds_need: Mapped[bool]
    role: Mapped[str] = mapped_column(String(20))
    ministry: Mapped[str | None] = mapped_column(String(20))
    urgency: Mapped[str] = mapped_column(String(20))
    due_at: Mapped[Instant]
    created_at: Mapped[Stamp]
    done_at: Mapped[Instant | None]
    done_by: Mapped[int | None] = mapped_column(BigInteger)
    result: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[bytes | None] = mapped_column(Sealed)

    __table_args__ = (
        CheckConstraint("(state = 'open') = (done_at IS NULL)", name="done_when_not_open"),
        Index("ix_task_open", "role", "due_at", postgresql_where=text("state = 'open'")),
        Index("ix_task_holding", "need_id", postgresql_where=text("state = 'open' AND holds_need")),
    )
