"""A whole case offered to another office, and the decisions on a need offered to another ministry."""

import enum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Instant, Key, Stamp


class OfferState(enum.StrEnum):
    """Where an offer stands. Until it is accepted nothing changes hands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


_ANSWERED = "(state = 'offered') = (answered_at IS NULL)"


class Offer:
    """What both offers say of themselves. `consent_id`: the person agreed to exactly this.

    `act_at` is when the job looks at it next, None when it has done all it can; `reminders` is how often the side
    that was asked was reminded, `escalation_id` what a supervisor was then told.
    """

    id: Mapped[Key]
    reason: Mapped[str] = mapped_column(String(40))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    consent_id: Mapped[int] = mapped_column(ForeignKey("consent.id"))
    state: Mapped[str] = mapped_column(String(10), default=OfferState.OFFERED)
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    requested_at: Mapped[Stamp]
    due_at: Mapped[Instant]
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    answered_at: Mapped[Instant | None]
    answer_reason: Mapped[str | None] = mapped_column(String(40))
    act_at: Mapped[Instant | None]
    reminders: Mapped[int] = mapped_column(default=0, server_default="0")
    escalation_id: Mapped[int | None] = mapped_column(ForeignKey("escalation.id"))


class CaseTransfer(Offer, Base):
    """One office offers a case to another of the governorate."""

    __tablename__ = "case_transfer"

    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    from_office_id: Mapped[int] = mapped_column(ForeignKey("office.id"))
    to_office_id: Mapped[int] = mapped_column(ForeignKey("office.id"))

    __table_args__ = (
        CheckConstraint("from_office_id <> to_office_id", name="other_office"),
        CheckConstraint(_ANSWERED, name="answered_when_not_open"),
        Index("uq_case_transfer_open", "case_id", unique=True, postgresql_where=text("state = 'offered'")),
        Index("ix_case_transfer_act", "act_at", postgresql_where=text("state = 'offered'")),
        Index("ix_case_transfer_from", "from_office_id", "requested_at"),
        Index("ix_case_transfer_to", "to_office_id", "requested_at"),
    )


class HandOver(Offer, Base):
    """One ministry offers another the decisions on a need."""

    __tablename__ = "hand_over"

    need_id: Mapped[int] = mapped_column(ForeignKey("need.id"), index=True)
    from_ministry: Mapped[str] = mapped_column(String(20))
    to_ministry: Mapped[str] = mapped_column(String(20))

    __table_args__ = (
        CheckConstraint("from_ministry <> to_ministry", name="other_ministry"),
        CheckConstraint(_ANSWERED, name="answered_when_not_open"),
        Index("uq_hand_over_open", "need_id", unique=True, postgresql_where=text("state = 'offered'")),
        Index("ix_hand_over_act", "act_at", postgresql_where=text("state = 'offered'")),
        Index("ix_hand_over_from", "from_ministry", "requested_at"),
        Index("ix_hand_over_to", "to_ministry", "requested_at"),
    )
