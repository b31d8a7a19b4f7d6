"""What people agreed to, what they took back, and what followed from it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.crypto import Sealed
from db.models.base import Base, Instant, Key, Stamp

CONSENT = "consent"
VITAL_INTEREST = "vital_interest"


class Consent(Base):
    """What a person agreed to, who asked, in which language and words; each kind is an answer of its own.

    `kind` registration, statistics, contact: a yes or no.
    `kind` transfer, hand_over, letter: a yes to one offer or letter (their rows name it), with a letter's fields.
    `kind` assessment: by category and kind of recipient, before the recipient is known.
    `kind` referral: the named recipient (`organization_id`) and the exact fields, read out before sending.

    What was said never changes (trigger): a new answer is a new row, and the newest of a kind counts. Only
    exclusions grow, and `withdrawn_at` is set once. `basis` vital_interest: nobody could be asked, `given` is
    false, and a `ConsentOverride` stands behind it. `expires_at` is null where an answer does not grow old.
    """

    __tablename__ = "consent"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    basis: Mapped[str] = mapped_column(String(20), default=CONSENT, server_default=CONSENT)
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submission.id"))
    given: Mapped[bool]
    given_at: Mapped[Stamp]
    expires_at: Mapped[Instant | None]
    text_version: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(8))
    channel: Mapped[str] = mapped_column(String(20))
    respondent: Mapped[str] = mapped_column(String(20), default="self")
    proxy_relation: Mapped[str | None] = mapped_column(String(30))
    proxy_reason: Mapped[bytes | None] = mapped_column(Sealed)
    proxy_evidence: Mapped[str | None] = mapped_column(String(40))
    interpreter: Mapped[bytes | None] = mapped_column(Sealed)
    child_assent: Mapped[bool | None]
    assent_reason: Mapped[str | None] = mapped_column(String(40))
    signature: Mapped[str | None] = mapped_column(String(20))
    witness: Mapped[bytes | None] = mapped_column(Sealed)
    categories: Mapped[list[str]] = mapped_column(ARRAY(String(60)), default=list)
    recipients: Mapped[list[str]] = mapped_column(ARRAY(String(40)), default=list)
    exclusions: Mapped[list[str]] = mapped_column(ARRAY(String(40)), default=list)
    exclusion_note: Mapped[bytes | None] = mapped_column(Sealed)
    excluded_organizations: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list)
    exclusion_settled_at: Mapped[Instant | None]
    fields: Mapped[list[str]] = mapped_column(ARRAY(String(40)), default=list)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    recorded_at: Mapped[Stamp]
    withdrawn_at: Mapped[Instant | None]

    __table_args__ = (
        Index(
            "ix_consent_expires",
            "expires_at",
            postgresql_where=text("given AND withdrawn_at IS NULL AND expires_at IS NOT NULL"),
        ),
        CheckConstraint(
            "kind <> 'referral' OR (referral_id IS NOT NULL AND organization_id IS NOT NULL)",
            name="recipient",
        ),
        CheckConstraint(
            "kind NOT IN ('assessment', 'referral') OR NOT given OR (expires_at IS NOT NULL AND expires_at > given_at)",
            name="expires",
        ),
        CheckConstraint(
            "basis = 'consent' OR (basis = 'vital_interest' AND kind = 'referral' AND NOT given)",
            name="basis",
        ),
    )

    @property
    def in_force(self) -> bool:
        """Whether this consent was given and not withdrawn, however old it is."""
        return self.given and self.withdrawn_at is None

    def in_force_at(self, now: datetime) -> bool:
        """Whether this consent was given, not withdrawn, and not older than the rules allow."""
        return self.in_force and (self.expires_at is None or now < self.expires_at)

    @property
    def exclusion_open(self) -> bool:
        """Whether the person named someone who must not know, and nobody has settled who that is yet."""
        settled: datetime | None = self.exclusion_settled_at
        return "named_organization" in self.exclusions and settled is None


class Withdrawal(Base):
    """Consent taken back: what of it, and by which channel. The receipt is printed from this row."""

    __tablename__ = "withdrawal"

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    scope: Mapped[str] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(20))
    categories: Mapped[list[str]] = mapped_column(ARRAY(String(60)), default=list)
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"))
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[Stamp]


class DeletionRequest(Base):
    """A provider was told to delete what was disclosed to it; it says when that is done."""

    __tablename__ = "deletion_request"

    id: Mapped[Key]
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), unique=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    withdrawal_id: Mapped[int | None] = mapped_column(ForeignKey("withdrawal.id"), index=True)
    requested_at: Mapped[Stamp]
    due_at: Mapped[Instant]
    confirmed_at: Mapped[Instant | None]
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    __table_args__ = (
        Index("ix_deletion_request_organization", "organization_id", "confirmed_at", "requested_at"),
        Index("ix_deletion_request_open", "due_at", postgresql_where=text("confirmed_at IS NULL")),
    )


class ConsentOverride(Base):
    """A referral sent without consent because a life was in danger and the person could not be asked.

    A second person confirms it before `due_at`; else it lapses and what was sent is taken back.
    """

    __tablename__ = "consent_override"

    id: Mapped[Key]
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), unique=True)
    consent_id: Mapped[int] = mapped_column(ForeignKey("consent.id"), unique=True)
    reason: Mapped[str] = mapped_column(String(40))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    made_by: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    made_at: Mapped[Stamp]
    due_at: Mapped[Instant]
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    confirmed_at: Mapped[Instant | None]
    lapsed_at: Mapped[Instant | None]

    __table_args__ = (
        Index("ix_consent_override_made", "made_at"),
        CheckConstraint("confirmed_by <> made_by", name="second_person"),
        CheckConstraint("(confirmed_by IS NULL) = (confirmed_at IS NULL)", name="confirmed"),
        CheckConstraint("confirmed_at <= due_at", name="in_time"),
        CheckConstraint("due_at > made_at AND due_at <= made_at + interval '24 hours'", name="due"),
    )
