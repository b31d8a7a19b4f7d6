"""The register of unmet needs: since when, until when, where, and which rule stood in the way."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Instant, Key, Names


class UnmetPeriod(Base):
    """A time in which a need stayed without a proposal for one reason. Rows are only ever closed (trigger).

    The place and the rule's words are those of the time: the directory's rules get new ids when it is loaded
    again. `until` is null while the need is unmet; periods of a need never overlap (trigger).
    """

    __tablename__ = "unmet_period"

    id: Mapped[Key]
    need_id: Mapped[int] = mapped_column(ForeignKey("need.id"))
    governorate: Mapped[str] = mapped_column(String(40))
    district: Mapped[str | None] = mapped_column(String(24))
    subdistrict: Mapped[str | None] = mapped_column(String(24))
    service_type: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(40))
    rule_id: Mapped[int | None] = mapped_column(BigInteger)
    rule: Mapped[Names | None]
    since: Mapped[Instant]
    until: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("until >= since", name="in_order"),
        Index("uq_unmet_period_open", "need_id", unique=True, postgresql_where=text("until IS NULL")),
        Index("ix_unmet_period_need", "need_id", "since"),
        Index("ix_unmet_period_place", "governorate", "since"),
    )
