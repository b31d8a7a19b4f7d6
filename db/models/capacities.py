"""What happened to the capacity of a service: who said so, what, and when."""

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Key, Stamp


class CapacityEvent(Base):
    """One word on a capacity; rows are never changed or removed (trigger).

    `action`: confirm, set, decline (a provider declined for want of places) or roll (the next intake period).
    `status` and `slots` are what stood after it.
    """

    __tablename__ = "capacity_event"

    id: Mapped[Key]
    capacity_id: Mapped[int] = mapped_column(ForeignKey("capacity.id"), index=True)
    action: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    slots: Mapped[int]
    actor_role: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[Stamp]
