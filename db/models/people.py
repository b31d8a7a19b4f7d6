"""Cases and the people in them. Every name, phone, free text and exact point is sealed with the case's key."""

import uuid

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Details, Instant, Key, Stamp

UNKNOWN_SUBDISTRICT = "unknown"


class DataKey(Base):
    """The wrapped key of one case. Deleting the row makes everything sealed with it unreadable for good."""

    __tablename__ = "data_key"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    master_key_id: Mapped[str] = mapped_column(String(40), index=True)
    created_at: Mapped[Stamp]


class Case(Base):
    """One household that came for help.

    `code` is unique; `printed_code` is what the person holds in hand. They differ only when two
    tablets made the same code: then both cases are kept and a person decides.
    `merged_into_id` names the case that this one was found to be the same household as; it is never a chain.
    `searched_submission_id` is the version of the submission that duplicates were last searched for.
    `contested_subdistrict`: where an edit that nobody has settled says they live, or `UNKNOWN_SUBDISTRICT`.
    `open_day_id` is the newest open day that received the household; `slip_given_at` says when it last got its slip.
    """

    __tablename__ = "case_file"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(String(16), unique=True)
    printed_code: Mapped[str] = mapped_column(String(16), index=True)
    governorate: Mapped[str] = mapped_column(String(40))
    office_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    data_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("data_key.id", ondelete="SET NULL"))
    source: Mapped[str] = mapped_column(String(80))
    form_id: Mapped[str] = mapped_column(String(80))
    root_instance_id: Mapped[str] = mapped_column(String(64))
    submission_id: Mapped[int] = mapped_column(BigInteger)
    displacement_status: Mapped[str | None] = mapped_column(String(40))
    household_size: Mapped[int | None]
    contact_language: Mapped[str | None] = mapped_column(String(8))
    residence: Mapped[str | None] = mapped_column(String(24))
    residence_governorate: Mapped[str | None] = mapped_column(String(24))
    residence_district: Mapped[str | None] = mapped_column(String(24), index=True)
    residence_subdistrict: Mapped[str | None] = mapped_column(String(24))
    contested_subdistrict: Mapped[str | None] = mapped_column(String(24))
    location_basis: Mapped[str] = mapped_column(String(20))
    accuracy_m: Mapped[int | None]
    place_text: Mapped[bytes | None] = mapped_column(Sealed)
    point: Mapped[bytes | None] = mapped_column(Sealed)
    facts: Mapped[bytes | None] = mapped_column(Sealed)
    notes: Mapped[bytes | None] = mapped_column(Sealed)
    opened_at: Mapped[Stamp]
    closed_at: Mapped[Instant | None]
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"))
    searched_submission_id: Mapped[int | None] = mapped_column(BigInteger)
    open_day_id: Mapped[int | None] = mapped_column(ForeignKey("open_day.id"))
    slip_given_at: Mapped[Instant | None]
    slip_given_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    __table_args__ = (
        ForeignKeyConstraint(["office_id", "governorate"], ["office.id", "office.governorate"]),
        Index("uq_case_file_submission", "source", "form_id", "root_instance_id", unique=True),
        Index("ix_case_file_office_opened", "office_id", "opened_at"),
        Index(
            "ix_case_file_merged_into",
            "merged_into_id",
            postgresql_where=text("merged_into_id IS NOT NULL"),
        ),
        Index(
            "ix_case_file_unsearched",
            "id",
            postgresql_where=text("searched_submission_id IS DISTINCT FROM submission_id"),
        ),
        Index(
            "ix_case_file_open_day",
            "open_day_id",
            postgresql_where=text("open_day_id IS NOT NULL"),
        ),
    )


class Person(Base):
    """A person of a case: the head (`position` 0), a member, or the caregiver or proxy who answered.

    `name_index` is not written any more (`blocking_key` took its place); it goes when no release writes it.
    """

    __tablename__ = "person"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    role: Mapped[str] = mapped_column(String(20))
    position: Mapped[int]
    given_name: Mapped[bytes | None] = mapped_column(Sealed)
    father_name: Mapped[bytes | None] = mapped_column(Sealed)
    grandfather_name: Mapped[bytes | None] = mapped_column(Sealed)
    phone: Mapped[bytes | None] = mapped_column(Sealed)
    safe_contact: Mapped[bytes | None] = mapped_column(Sealed)
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    name_index: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    sex: Mapped[str | None] = mapped_column(String(10))
    age_years: Mapped[int | None]
    age_estimated: Mapped[bool] = mapped_column(default=False)
    relation: Mapped[str | None] = mapped_column(String(30))

    __table_args__ = (Index("uq_person_position", "case_id", "role", "position", unique=True),)


class Need(Base):
    """One kind of help that a case asks for. An unmet need says which rule blocked it, and since when.

    `ministry`: the one that the decisions were handed over to; None is the owner of the category.
    `same_as_id`: two registrations of one household asked for the same; that other need is the one to match.
    """

    __tablename__ = "need"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    service_type: Mapped[str] = mapped_column(String(60))
    category: Mapped[str] = mapped_column(String(60))
    urgency: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20), default="open")
    opened_at: Mapped[Stamp]
    unmet_reason: Mapped[str | None] = mapped_column(String(40))
    unmet_details: Mapped[Details | None]
    unmet_since: Mapped[Instant | None]
    same_as_id: Mapped[int | None] = mapped_column(ForeignKey("need.id"))
    ministry: Mapped[str | None] = mapped_column(String(20))

    __table_args__ = (
        Index(
            "uq_need_case_service_type",
            "case_id",
            "service_type",
            unique=True,
            postgresql_where=text("same_as_id IS NULL"),
        ),
        Index("ix_need_same_as", "same_as_id", postgresql_where=text("same_as_id IS NOT NULL")),
        Index("ix_need_status_opened", "status", "opened_at"),
    )
