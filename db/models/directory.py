"""The directory of services, in the words of HSDS 3: organization, location, service, service_at_location."""

from datetime import date

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Instant, Key, Names
from referral_engine.capacity_states import CAPACITY_STATES


class Organization(Base):
    """A provider of services: state programme, CSO, NGO, international organisation or MoI office."""

    __tablename__ = "organization"

    id: Mapped[Key]
    governorate: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(40))
    ministry: Mapped[str | None] = mapped_column(String(20))
    names: Mapped[Names]
    active: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (UniqueConstraint("governorate", "code"), UniqueConstraint("id", "governorate"))


class Location(Base):
    """Where services are given. Degrees of WGS 84; confidential places are never shown to the public.

    `subdistrict` is where `place` lies by the governorate's pack, None when not known; the database forgets it when the
    place alone is changed.
    """

    __tablename__ = "location"

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    code: Mapped[str] = mapped_column(String(80))
    place: Mapped[str] = mapped_column(String(24))
    subdistrict: Mapped[str | None] = mapped_column(String(24))
    names: Mapped[Names]
    longitude: Mapped[float] = mapped_column(Double)
    latitude: Mapped[float] = mapped_column(Double)
    confidential: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (UniqueConstraint("organization_id", "code"),)


class Service(Base):
    """What an organization offers; its type and category are codes of the governorate's taxonomy."""

    __tablename__ = "service"

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    code: Mapped[str] = mapped_column(String(80))
    service_type: Mapped[str] = mapped_column(String(60), index=True)
    category: Mapped[str] = mapped_column(String(60))
    names: Mapped[Names]
    languages: Mapped[list[str]] = mapped_column(ARRAY(String(8)))

    __table_args__ = (UniqueConstraint("organization_id", "code"),)


class ServiceAtLocation(Base):
    """One service at one location: what a referral points to."""

    __tablename__ = "service_at_location"

    id: Mapped[Key]
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), index=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), index=True)
    assured_date: Mapped[date | None]
    active: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (UniqueConstraint("service_id", "location_id"),)


class ServiceArea(Base):
    """A P-code that a service at a location covers, with everything below it."""

    __tablename__ = "service_area"

    service_at_location_id: Mapped[int] = mapped_column(
        ForeignKey("service_at_location.id"), primary_key=True
    )
    place: Mapped[str] = mapped_column(String(24), primary_key=True)


class EligibilityRule(Base):
    """One condition of a service: attribute, operator and values (`referral_engine.eligibility`)."""

    __tablename__ = "eligibility_rule"

    id: Mapped[Key]
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), index=True)
    attribute: Mapped[str] = mapped_column(String(40))
    operator: Mapped[str] = mapped_column(String(20))
    values: Mapped[list[str | int | None]] = mapped_column(JSONB)
    names: Mapped[Names]


class Capacity(Base):
    """Slots of one intake period. `reserved` moves only by a guarded UPDATE and never passes `slots`.

    `status` is what the provider says (`referral_engine.capacity_states.CAPACITY_STATES`), `confirmed_at` when it last
    said that all of this holds.
    """

    __tablename__ = "capacity"

    id: Mapped[Key]
    service_at_location_id: Mapped[int] = mapped_column(ForeignKey("service_at_location.id"))
    intake_start: Mapped[date]
    intake_end: Mapped[date]
    slots: Mapped[int]
    reserved: Mapped[int] = mapped_column(default=0, server_default="0")
    status: Mapped[str] = mapped_column(String(20), default="has_capacity", server_default="has_capacity")
    confirmed_at: Mapped[Instant]

    __table_args__ = (
        UniqueConstraint("service_at_location_id", "intake_start"),
        CheckConstraint("reserved >= 0 AND reserved <= slots", name="reserved_within_slots"),
        CheckConstraint("intake_start <= intake_end", name="intake_ordered"),
        CheckConstraint(
            "status IN (" + ", ".join(f"'{status}'" for status in CAPACITY_STATES) + ")", name="status_known"
        ),
        Index("ix_capacity_sal_period", "service_at_location_id", "intake_start", "intake_end"),
    )
