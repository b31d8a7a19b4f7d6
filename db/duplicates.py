"""Queries on duplicates: which cases are to be searched, which share a block, and the pairs found."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, lateral, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from db.models import BlockingKey, Case, DuplicatePair, PairState, Person

Pair = tuple[int, int]


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


def set_pair_state(
    session: Session, pair: DuplicatePair, state: PairState, user_id: int | None, at: datetime | None
) -> None:
    """Record what a person said of a pair; an open pair has neither person nor time."""
    pair.state, pair.decided_by, pair.decided_at = state, user_id, at
    session.flush()
