"""Queries on duplicates: which cases are to be searched, which share a block, and the pairs found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, lateral, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from db.models import BlockingKey, Case, DuplicatePair, PairState, Person
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_pairs

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PairRow:
    """A pair with the printed codes of its two cases."""

    pair: DuplicatePair
    codes: tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairPage(Paged):
    """One page of pairs in one state, how many there are, and how many in each state."""

    rows: Sequence[PairRow]
    total: int
    page: int
    counts: Mapping[PairState, int]


def claim_unsearched(session: Session, governorate: str, limit: int) -> list[Case]:
    """Lock cases that are new or changed since duplicates were last searched for them, oldest first."""
    statement = (
        select(Case)
        .where(
            Case.governorate == governorate,
            Case.searched_submission_id.is_distinct_from(Case.submission_id),
            Case.data_key_id.is_not(None),
        )
        .order_by(Case.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(session.scalars(statement))


def set_searched(session: Session, case_ids: Sequence[int]) -> None:
    """Note that duplicates were searched for the present version of these cases."""
    session.execute(
        update(Case)
        .where(Case.id.in_(case_ids))
        .values(searched_submission_id=Case.submission_id)
        .execution_options(synchronize_session=False)
    )


def list_cases_with_persons(session: Session, case_ids: Iterable[int]) -> list[tuple[Case, list[Person]]]:
    """Cases with the people in them, still sealed, in two statements."""
    ids = sorted(case_ids)
    people: dict[int, list[Person]] = {}
    for person in session.scalars(select(Person).where(Person.case_id.in_(ids)).order_by(Person.id)):
        people.setdefault(person.case_id, []).append(person)
    cases = session.scalars(select(Case).where(Case.id.in_(ids)).order_by(Case.id))
    return [(case, people.get(case.id, [])) for case in cases]


def upsert_keys(session: Session, case_ids: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace the blocking keys of these cases."""
    session.execute(delete(BlockingKey).where(BlockingKey.case_id.in_(case_ids)))
    if rows:
        session.execute(insert(BlockingKey), [dict(row) for row in rows])


def list_candidate_pairs(session: Session, case_ids: Sequence[int], limit: int) -> tuple[set[Pair], int]:
    """Pairs of these cases with cases that share a block, in one statement; and how many blocks were cut.

    Of a block with more than `limit` others a case meets only the nearest in age, so that a frequent
    composite costs each case the same as a rare one.
    """
    mine, other = aliased(BlockingKey), aliased(BlockingKey)
    nearest = lateral(
        select(other.case_id, func.count().over().label("others"))
        .where(other.kind == mine.kind, other.key == mine.key, other.case_id != mine.case_id)
        .order_by(func.abs(other.birth_year - mine.birth_year).nulls_last(), other.case_id)
        .limit(limit)
    ).alias("nearest")
    rows = session.execute(
        select(
            func.least(mine.case_id, nearest.c.case_id).label("first"),
            func.greatest(mine.case_id, nearest.c.case_id).label("second"),
            func.max(nearest.c.others),
        )
        .select_from(mine)
        .join(nearest, true())
        .where(mine.case_id.in_(case_ids))
        .group_by("first", "second")
    ).all()
    return {(int(row[0]), int(row[1])) for row in rows}, sum(row[2] > limit for row in rows)


def list_pairs_of(session: Session, case_ids: Sequence[int]) -> dict[Pair, DuplicatePair]:
    """The pairs already known of these cases, locked."""
    statement = (
        select(DuplicatePair)
        .where(or_(DuplicatePair.first_case_id.in_(case_ids), DuplicatePair.second_case_id.in_(case_ids)))
        .order_by(DuplicatePair.id)
        .with_for_update()
    )
    return {(pair.first_case_id, pair.second_case_id): pair for pair in session.scalars(statement)}


def create_pairs(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add pairs for a person to decide on."""
    if rows:
        session.execute(insert(DuplicatePair), [dict(row) for row in rows])


def delete_open_pairs(session: Session, pair_ids: Sequence[int]) -> None:
    """Forget open pairs that a changed case no longer speaks for; a decision is never forgotten."""
    if pair_ids:
        session.execute(
            delete(DuplicatePair).where(DuplicatePair.id.in_(pair_ids), DuplicatePair.state == PairState.OPEN)
        )


def get_pair(session: Session, pair_id: int, governorate: str) -> DuplicatePair | None:
    """One pair of this governorate, locked."""
    return session.scalar(
        select(DuplicatePair)
        .where(DuplicatePair.id == pair_id, DuplicatePair.governorate == governorate)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def list_pairs(session: Session, viewer: Viewer, state: PairState, page: int = 1) -> PairPage:
    """One page of the pairs that the viewer may decide on, the likeliest first; two statements.

    A pair whose cases have become one household by other merges is not open any more and is left out.
    """
    one, other = aliased(Case), aliased(Case)
    standing = func.coalesce(one.merged_into_id, one.id) != func.coalesce(other.merged_into_id, other.id)
    base = (
        visible_pairs(viewer)
        .join(one, one.id == DuplicatePair.first_case_id)
        .join(other, other.id == DuplicatePair.second_case_id)
        .where(or_(DuplicatePair.state != PairState.OPEN, standing))
    )
    counted = base.with_only_columns(DuplicatePair.state, func.count()).group_by(DuplicatePair.state)
    counts = dict.fromkeys(PairState, 0) | {
        PairState(row[0]): int(row[1]) for row in session.execute(counted)
    }
    rows: Iterable[Any] = session.execute(
        base.where(DuplicatePair.state == state)
        .add_columns(one.printed_code, other.printed_code)
        .order_by(DuplicatePair.score.desc(), DuplicatePair.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return PairPage([PairRow(row[0], (row[1], row[2])) for row in rows], counts[state], page, counts)


def get_visible_pair(session: Session, viewer: Viewer, pair_id: int) -> DuplicatePair | None:
    """One pair, when the viewer may decide on it."""
    return session.scalar(visible_pairs(viewer).where(DuplicatePair.id == pair_id))


def list_standing_codes(session: Session, case_ids: Sequence[int]) -> dict[int, str]:
    """Printed codes of these cases, by id."""
    rows = session.execute(select(Case.id, Case.printed_code).where(Case.id.in_(case_ids)))
    return {row[0]: row[1] for row in rows}


def set_pair_state(
    session: Session, pair: DuplicatePair, state: PairState, user_id: int | None, at: datetime | None
) -> None:
    """Record what a person said of a pair; an open pair has neither person nor time."""
    pair.state, pair.decided_by, pair.decided_at = state, user_id, at
    session.flush()
