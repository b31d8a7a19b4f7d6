"""Cases that may be one household: blocks, pairs for a person to decide on, and merges that can be undone."""

import enum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Details, Instant, Key, Stamp


class PairState(enum.StrEnum):
    """What a person said of a pair; open until somebody has."""

    OPEN = "open"
    SAME = "same"
    DIFFERENT = "different"


class BlockingKey(Base):
    """A keyed hash of a composite of a case (`casework.duplicate_keys`); cases that share one are compared.

    `birth_year` orders a block that many share.
    """

    __tablename__ = "blocking_key"

    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    birth_year: Mapped[int | None] = mapped_column(SmallInteger)

    __table_args__ = (Index("ix_blocking_key_block", "kind", "key"),)


class DuplicatePair(Base):
    """Two cases that may be one household; the lower id comes first.

    `score` is points from 0 to 100, `parts` their reasons: rows of part, level, points, and nothing that a
    person said. `weights` tells by which version of the points it was scored.
    """

    __tablename__ = "duplicate_pair"

    id: Mapped[Key]
    governorate: Mapped[str] = mapped_column(String(40))
    first_case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    second_case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    score: Mapped[int] = mapped_column(SmallInteger)
    parts: Mapped[list[Details]] = mapped_column(JSONB)
    weights: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(10), default=PairState.OPEN)
    found_at: Mapped[Stamp]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("first_case_id < second_case_id", name="cases_ordered"),
        Index("uq_duplicate_pair_cases", "first_case_id", "second_case_id", unique=True),
        Index("ix_duplicate_pair_list", "governorate", "state", "score"),
    )


class CaseMerge(Base):
    """One merge by a person, with what it changed, so that undoing it restores it. Ids and codes only."""

    __tablename__ = "case_merge"

    id: Mapped[Key]
    pair_id: Mapped[int] = mapped_column(ForeignKey("duplicate_pair.id"), index=True)
    surviving_case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    merged_case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    changes: Mapped[Details]
    merged_by: Mapped[int | None] = mapped_column(BigInteger)
    merged_at: Mapped[Stamp]
    undone_by: Mapped[int | None] = mapped_column(BigInteger)
    undone_at: Mapped[Instant | None]

    __table_args__ = (
        Index(
            "uq_case_merge_standing",
            "merged_case_id",
            unique=True,
            postgresql_where=text("undone_at IS NULL"),
        ),
    )
