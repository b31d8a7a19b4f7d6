"""Queries on visits and calls to the returnee."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from db.case_events import household
from db.consents import is_agreed_by_household, newest_of_kind
from db.models import Case, Consent, FollowUp, Need, Referral
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_cases
from governorates import load, local_day
from referral_engine.sop import ReferralState

NOT_REACHED = "not_reached"
ANSWER = "answer"
AGAIN = "again"
SCORE = "score"
CALL = "call"
VISIT = "visit"


@dataclass(frozen=True, slots=True)
class DueRow:
    """One follow-up that is due, by case code; `service_type` is None where it is about the whole case."""

    follow_up_id: int
    case_code: str
    printed_code: str
    kind: str
    source: str
    step: int
    due_at: datetime
    service_type: str | None
    urgency: str | None


@dataclass(frozen=True, slots=True)
class DuePage(Paged):
    """One page of due follow-ups, and how many there are."""

    rows: Sequence[DueRow]
    total: int
    overdue: int
    page: int


def _waiting() -> Any:
    return (FollowUp.done_at.is_(None)) & (FollowUp.cancelled_at.is_(None))


def create_follow_ups(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert follow-ups of clocks; what is there already stays as it is. Returns how many were new."""
    if not rows:
        return 0
    statement = insert(FollowUp).values([dict(row) for row in rows]).on_conflict_do_nothing()
    return len(session.scalars(statement.returning(FollowUp.id)).all())


def cancel_earlier(
    session: Session, case_id: int, referral_id: int | None, source: str, since: datetime, at: datetime
) -> None:
    """Call off what an earlier start of the same clock still had waiting, with its further attempts."""
    about = FollowUp.case_id == case_id if referral_id is None else FollowUp.referral_id == referral_id
    sources = (source,) if referral_id is None else (source, AGAIN)
    session.execute(
        update(FollowUp)
        .where(about, FollowUp.source.in_(sources), FollowUp.started_at < since, _waiting())
        .values(cancelled_at=at)
        .execution_options(synchronize_session=False)
    )


def cancel_all(session: Session, case_id: int, at: datetime) -> None:
    """Call off everything that is still waiting for a household."""
    session.execute(
        update(FollowUp)
        .where(FollowUp.case_id.in_(household(case_id)), _waiting())
        .values(cancelled_at=at)
        .execution_options(synchronize_session=False)
    )


def may_be_visited(case: Case) -> bool:
    """Whether it is known where the household lives."""
    return case.residence is not None or case.place_text is not None or case.point is not None


def replace_calls(
    session: Session, governorate: str, at: datetime, *, case_id: int | None = None, limit: int | None = None
) -> int:
    """Turn calls that wait into visits where the household does not want to be called; how many it were.

    Called off where nobody knows where they live. Of one household, or of the whole governorate.
    """
    statement = (
        select(FollowUp, Case)
        .join(Case, Case.id == FollowUp.case_id)
        .where(
            Case.governorate == governorate,
            FollowUp.kind == CALL,
            _waiting(),
            ~is_agreed_by_household("contact"),
        )
        .order_by(FollowUp.id)
        .limit(limit)
        .with_for_update(of=FollowUp, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if case_id is not None:
        statement = statement.where(FollowUp.case_id.in_(household(case_id)))
    rows = session.execute(statement).all()
    for follow_up, case in rows:
        follow_up.kind = VISIT
        if not may_be_visited(case):
            follow_up.cancelled_at = at
    session.flush()
    return len(rows)


def restore_cancelled(session: Session, case_id: int, cancelled_at: datetime) -> None:
    """Let what was called off at that moment wait again."""
    session.execute(
        update(FollowUp)
        .where(FollowUp.case_id.in_(household(case_id)), FollowUp.cancelled_at == cancelled_at)
        .values(cancelled_at=None)
        .execution_options(synchronize_session=False)
    )


def get_follow_up(session: Session, case_id: int, follow_up_id: int) -> FollowUp | None:
    """A follow-up of the household, locked."""
    statement = (
        select(FollowUp)
        .where(FollowUp.id == follow_up_id, FollowUp.case_id.in_(household(case_id)))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalar(statement)


def get_follow_up_to_answer(session: Session, referral_id: int, now: datetime) -> FollowUp | None:
    """The follow-up of this referral that hearing the returnee now settles, locked.

    The first one that waits, when it is due or nothing was heard before it: a later round is asked in its time.
    """
    earlier = aliased(FollowUp)
    heard = exists().where(
        earlier.referral_id == referral_id,
        earlier.started_at == FollowUp.started_at,
        earlier.result.is_not(None),
        earlier.result != NOT_REACHED,
    )
    statement = (
        select(FollowUp)
        .where(FollowUp.referral_id == referral_id, _waiting(), or_(FollowUp.due_at <= now, ~heard))
        .order_by(FollowUp.due_at, FollowUp.id)
        .limit(1)
        .with_for_update()
    )
    return session.scalar(statement)


def list_waiting_rounds(session: Session, case_id: int, step: int) -> Sequence[FollowUp]:
    """Score rounds of a month that wait, locked."""
    statement = (
        select(FollowUp)
        .where(
            FollowUp.case_id.in_(household(case_id)),
            FollowUp.source == SCORE,
            FollowUp.step == step,
            _waiting(),
        )
        .order_by(FollowUp.id)
        .with_for_update()
    )
    return session.scalars(statement).all()


def count_attempts(session: Session, follow_up: FollowUp) -> int:
    """How many attempts in a row this one is, itself included."""
    chain = select(FollowUp.id, FollowUp.again_of_id).where(FollowUp.id == follow_up.id).cte(recursive=True)
    earlier = select(FollowUp.id, FollowUp.again_of_id).join(chain, FollowUp.id == chain.c.again_of_id)
    return session.scalar(select(func.count()).select_from(chain.union_all(earlier))) or 0


def count_failed_attempts(session: Session, referral_id: int) -> int:
    """On how many different days (local time) the person was not reached since the referral came to its state.

    The guard of closing a delivered referral whose returnee cannot be heard.
    """
    rows = session.execute(
        select(FollowUp.done_at, Case.governorate)
        .join(Referral, Referral.id == FollowUp.referral_id)
        .join(Case, Case.id == Referral.case_id)
        .where(
            FollowUp.referral_id == referral_id,
            FollowUp.result == NOT_REACHED,
            FollowUp.done_at >= Referral.state_since,
        )
    )
    return len({local_day(load(governorate), done_at) for done_at, governorate in rows if done_at})


def count_due(session: Session, case_id: int, now: datetime) -> int:
    """Follow-ups of the household that should have been made by now."""
    statement = select(func.count()).where(
        FollowUp.case_id.in_(household(case_id)), _waiting(), FollowUp.due_at <= now
    )
    return session.scalar(statement) or 0


def list_follow_ups(session: Session, case_id: int) -> Sequence[FollowUp]:
    """Follow-ups of the household that were not called off: waiting ones by due date, then the newest done."""
    statement = (
        select(FollowUp)
        .where(FollowUp.case_id.in_(household(case_id)), FollowUp.cancelled_at.is_(None))
        .order_by(
            FollowUp.done_at.desc().nulls_first(),
            FollowUp.due_at,
            FollowUp.id,
        )
    )
    return session.scalars(statement).all()


def list_due_follow_ups(session: Session, viewer: Viewer, now: datetime, *, page: int = 1) -> DuePage:
    """What waits for the viewer's office, the longest overdue first; two statements.

    The score of a merged household is asked once, in the case that stands.
    """
    base = (
        visible_cases(viewer)
        .join(FollowUp, FollowUp.case_id == Case.id)
        .where(_waiting(), or_(Case.merged_into_id.is_(None), FollowUp.source != SCORE))
    )
    counted = base.with_only_columns(
        func.count(FollowUp.id), func.count(FollowUp.id).filter(FollowUp.due_at < now)
    )
    total, overdue = session.execute(counted).one()
    rows: Iterable[Any] = session.execute(
        base.outerjoin(Referral, Referral.id == FollowUp.referral_id)
        .outerjoin(Need, Need.id == Referral.need_id)
        .with_only_columns(
            FollowUp.id,
            Case.code,
            Case.printed_code,
            FollowUp.kind,
            FollowUp.source,
            FollowUp.step,
            FollowUp.due_at,
            Need.service_type,
            Referral.urgency,
        )
        .order_by(FollowUp.due_at, FollowUp.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return DuePage([DueRow(*row) for row in rows], total, overdue, page)


def list_delivered_unscheduled(session: Session, governorate: str, limit: int) -> list[tuple[Referral, Case]]:
    """Delivered referrals that no follow-up clock runs for yet, held; those another worker holds are left out.

    What was agreed to and not taken back is followed up however old the yes is, as the service goes on.
    """
    scheduled = exists().where(
        FollowUp.referral_id == Referral.id,
        FollowUp.source == ReferralState.SERVICE_DELIVERED,
        FollowUp.started_at == Referral.state_since,
    )
    statement = (
        select(Referral, Case)
        .join(Case, Case.id == Referral.case_id)
        .join(Consent, Consent.id == newest_of_kind("assessment", Case.id))
        .where(
            Consent.given,
            Consent.withdrawn_at.is_(None),
            Referral.state == ReferralState.SERVICE_DELIVERED,
            Case.governorate == governorate,
            Case.closed_at.is_(None),
            ~scheduled,
        )
        .order_by(Referral.id)
        .limit(limit)
        .with_for_update(of=Case, key_share=True, skip_locked=True)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def list_cases_without_rounds(
    session: Session, governorate: str, now: datetime, limit: int
) -> Sequence[Case]:
    """Open cases with consent in force whose score rounds are not scheduled yet, held.

    Those another worker holds are left out.
    """
    scheduled = exists().where(FollowUp.case_id == Case.id, FollowUp.source == SCORE)
    statement = (
        select(Case)
        .join(Consent, Consent.id == newest_of_kind("assessment", Case.id))
        .where(
            Consent.given,
            Consent.withdrawn_at.is_(None),
            Consent.expires_at > now,
            Case.governorate == governorate,
            Case.closed_at.is_(None),
            Case.merged_into_id.is_(None),
            Case.data_key_id.is_not(None),
            ~scheduled,
        )
        .order_by(Case.id)
        .limit(limit)
        .with_for_update(of=Case, key_share=True, skip_locked=True)
    )
    return session.scalars(statement).all()
