"""What people were told about services to which they go alone."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Instant, Key


class InformationGiven(Base):
    """A person was told about a service and goes there alone: no referral, no slot, and no data leave the office."""

    __tablename__ = "information_given"

    id: Mapped[Key]
    need_id: Mapped[int] = mapped_column(ForeignKey("need.id"), index=True)
    service_at_location_id: Mapped[int] = mapped_column(ForeignKey("service_at_location.id"))
    language: Mapped[str] = mapped_column(String(8))
    channel: Mapped[str] = mapped_column(String(20))
    given_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[Instant]
