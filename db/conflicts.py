"""Queries on edits to facts that were acted on: what used them, which conflicts wait, what providers were told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, false, func, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from db.models import (
    Case,
    ConflictState,
    Consent,
    Disclosure,
    DisclosureAmendment,
    FactConflict,
    FollowUp,
    Letter,
    MessageState,
    Need,
    OutboxMessage,
    Referral,
    Role,
    Submission,
)
from db.models.consents import VITAL_INTEREST
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, is_operators_coordinator, visible_cases
from referral_engine.sop import DISCLOSED, INITIAL, LIVE, ReferralState

BEYOND_PROPOSAL = LIVE - {INITIAL, ReferralState.PROPOSED}
HELD_BY_PROVIDER = DISCLOSED | {ReferralState.CLOSED}


@dataclass(frozen=True, slots=True)
class Uses:
    """What used the facts of a household. `sent`, `in_letters`: fields that a provider or a letter holds."""

    is_live: bool
    is_beyond_proposal: bool
    was_messaged: bool
    sent: frozenset[str]
    in_letters: frozenset[str]
    met_by: frozenset[str]


def get_uses(session: Session, case_ids: Collection[int]) -> Uses:
    """What was done with the facts of these cases, the registrations of one household; one statement."""

    def referred(states: Collection[ReferralState]) -> Any:
        return exists().where(Referral.case_id.in_(case_ids), Referral.state.in_(states))

    sent = (
        select(func.unnest(Disclosure.fields).label("field"))
        .join(Referral, Referral.id == Disclosure.referral_id)
        .where(
            Referral.case_id.in_(case_ids),
            Referral.state.in_(HELD_BY_PROVIDER),
            Disclosure.withdrawn_at.is_(None),
        )
        .subquery()
    )
    letters = select(func.unnest(Letter.fields).label("field")).where(Letter.case_id.in_(case_ids)).subquery()
    messaged = exists().where(OutboxMessage.case_id.in_(case_ids), OutboxMessage.state == MessageState.SENT)
    met = select(func.array_agg(FollowUp.kind.distinct())).where(
        FollowUp.case_id.in_(case_ids), FollowUp.done_at.is_not(None)
    )
    row = session.execute(
        select(
            referred(LIVE),
            referred(BEYOND_PROPOSAL),
            messaged,
            select(func.array_agg(sent.c.field.distinct())).scalar_subquery(),
            select(func.array_agg(letters.c.field.distinct())).scalar_subquery(),
            met.scalar_subquery(),
        )
    ).one()
    live, beyond, messages, *fields = row
    return Uses(live, beyond, messages, *(frozenset(found or ()) for found in fields))


def list_conflicts_of_case(session: Session, case_id: int) -> list[FactConflict]:
    """The newest conflict of each fact of a registration, held until the transaction ends."""
    newest = select(func.max(FactConflict.id)).where(FactConflict.case_id == case_id)
    return list(
        session.scalars(
            select(FactConflict)
            .where(FactConflict.id.in_(newest.group_by(FactConflict.fact)))
            .order_by(FactConflict.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def list_facts_of_version(session: Session, submission_id: int) -> set[str]:
    """Facts of which this version of a form became a conflict."""
    return set(session.scalars(select(FactConflict.fact).where(FactConflict.submission_id == submission_id)))


def lock_conflict(session: Session, conflict_id: int) -> FactConflict | None:
    """One conflict, held until the transaction ends; the caller holds its household."""
    return session.scalar(
        select(FactConflict)
        .where(FactConflict.id == conflict_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def has_open_conflict(session: Session, case_id: int, fact: str | None = None) -> bool:
    """Whether a conflict (of this fact) waits in any registration of the household of this case."""
    member, own = aliased(Case), aliased(Case)
    root = select(func.coalesce(own.merged_into_id, own.id)).where(own.id == case_id).scalar_subquery()
    waiting = (
        exists()
        .where(FactConflict.case_id == member.id, FactConflict.state == ConflictState.OPEN)
        .where(or_(member.id == root, member.merged_into_id == root))
        .where(FactConflict.fact == fact if fact else true())
    )
    return bool(session.scalar(select(waiting)))


def has_open_of_registration(session: Session, case_id: int) -> bool:
    """Whether a conflict waits in this very registration."""
    waiting = exists().where(FactConflict.case_id == case_id, FactConflict.state == ConflictState.OPEN)
    return bool(session.scalar(select(waiting)))


def list_contested_referral_ids(session: Session, referral_ids: Collection[int], fact: str) -> set[int]:
    """Those of the referrals in whose household a conflict of this fact waits."""
    member = aliased(Case)
    waiting = exists().where(
        or_(member.id == Referral.case_id, member.merged_into_id == Referral.case_id),
        FactConflict.case_id == member.id,
        FactConflict.state == ConflictState.OPEN,
        FactConflict.fact == fact,
    )
    return set(session.scalars(select(Referral.id).where(Referral.id.in_(referral_ids), waiting)))


def supersede_open(session: Session, case_ids: Collection[int], now: datetime) -> None:
    """End what waits in these cases without a decision: the data are gone."""
    session.execute(
        update(FactConflict)
        .where(FactConflict.case_id.in_(case_ids), FactConflict.state == ConflictState.OPEN)
        .values(state=ConflictState.SUPERSEDED, settled_at=now)
        .execution_options(synchronize_session="fetch")
    )


def list_overridden_need_ids(session: Session, case_id: int) -> set[int]:
    """Needs with a live referral that was sent for a vital interest, which only an emergency allows."""
    return set(
        session.scalars(
            select(Referral.need_id)
            .join(Consent, Consent.referral_id == Referral.id)
            .where(
                Referral.case_id == case_id,
                Referral.state.in_(LIVE),
                Consent.basis == VITAL_INTEREST,
                Consent.withdrawn_at.is_(None),
            )
        )
    )


def list_told_referral_ids(session: Session, case_id: int) -> list[int]:
    """Live referrals of a case whose provider holds what was sent, in the order of their slots."""
    statement = (
        select(Referral.id)
        .join(Disclosure, Disclosure.referral_id == Referral.id)
        .where(Referral.case_id == case_id, Referral.state.in_(DISCLOSED), Disclosure.withdrawn_at.is_(None))
        .order_by(Referral.capacity_id, Referral.id)
    )
    return list(session.scalars(statement))


def get_disclosure(session: Session, referral_id: int) -> Disclosure | None:
    """What was sent with a referral and has not been withdrawn since."""
    return session.scalar(
        select(Disclosure).where(Disclosure.referral_id == referral_id, Disclosure.withdrawn_at.is_(None))
    )


def list_amendments(
    session: Session, disclosure_ids: Collection[int]
) -> Mapping[int, Sequence[DisclosureAmendment]]:
    """What providers were told since, by disclosure, oldest first."""
    found: dict[int, list[DisclosureAmendment]] = {}
    rows = session.scalars(
        select(DisclosureAmendment)
        .where(DisclosureAmendment.disclosure_id.in_(disclosure_ids))
        .order_by(DisclosureAmendment.id)
    )
    for row in rows:
        found.setdefault(row.disclosure_id, []).append(row)
    return found


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """One conflict as its list shows it, by the code of the case that stands for it."""

    conflict_id: int
    case_code: str
    fact: str
    opened_at: datetime
    settled_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ConflictPage(Paged):
    """One page of conflicts in one state, how many there are, and how many in each state."""

    rows: Sequence[ConflictRow]
    total: int
    page: int
    counts: Mapping[ConflictState, int]


_STANDING = aliased(Case)


def visible_conflicts(viewer: Viewer) -> Select[FactConflict]:
    """Conflicts that the viewer may settle, joined with the registration's case and the one that stands for it.

    An officer's office's; of coordinators only the operator's have them, in the cases that they may see.
    """
    statement = (
        select(FactConflict)
        .join(Case, Case.id == FactConflict.case_id)
        .join(_STANDING, _STANDING.id == func.coalesce(Case.merged_into_id, Case.id))
    )
    if viewer.role != Role.OFFICER and not is_operators_coordinator(viewer):
        return statement.where(false())
    own_cases: Select[Any] = visible_cases(viewer).with_only_columns(Case.id)
    return statement.where(_STANDING.id.in_(own_cases))


def list_conflicts(session: Session, viewer: Viewer, state: ConflictState, page: int = 1) -> ConflictPage:
    """One page of conflicts: those that wait, the oldest first; else the newest first. Two statements."""
    base = visible_conflicts(viewer)
    counted: Any = base.with_only_columns(FactConflict.state, func.count()).group_by(FactConflict.state)
    found = {ConflictState(name): int(number) for name, number in session.execute(counted)}
    counts = {one: found.get(one, 0) for one in ConflictState}
    is_open = state == ConflictState.OPEN
    order = (FactConflict.opened_at, FactConflict.id)
    rows: Any = session.execute(
        base.where(FactConflict.state == state)
        .with_only_columns(
            FactConflict.id,
            _STANDING.printed_code,
            FactConflict.fact,
            FactConflict.opened_at,
            FactConflict.settled_at,
            FactConflict.reason,
        )
        .order_by(*(order if is_open else (one.desc() for one in order)))
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return ConflictPage([ConflictRow(*row) for row in rows], counts[state], page, counts)


def get_visible_conflict(session: Session, viewer: Viewer, conflict_id: int) -> FactConflict | None:
    """A conflict that the viewer may settle; None when it does not exist for them."""
    return session.scalar(visible_conflicts(viewer).where(FactConflict.id == conflict_id))


def list_open_conflicts(
    session: Session, viewer: Viewer, case_ids: Collection[int]
) -> list[tuple[int, FactConflict]]:
    """Conflicts that wait in these cases and in those merged into them, with the case that shows each."""
    statement = visible_conflicts(viewer).where(
        _STANDING.id.in_(case_ids), FactConflict.state == ConflictState.OPEN
    )
    rows: Any = session.execute(
        statement.with_only_columns(_STANDING.id, FactConflict).order_by(FactConflict.id)
    )
    return [(row[0], row[1]) for row in rows]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a form: its number in the order of arrival, and when it arrived."""

    submission_id: int
    number: int
    received_at: datetime


def list_versions(session: Session, submission_id: int) -> list[VersionRow]:
    """Every version of the form that this is one of, in the order in which they arrived."""
    one = aliased(Submission)
    statement = (
        select(Submission.id, Submission.received_at)
        .join(
            one,
            (one.source == Submission.source)
            & (one.form_id == Submission.form_id)
            & (one.root_instance_id == Submission.root_instance_id),
        )
        .where(one.id == submission_id)
        .order_by(Submission.id)
    )
    return [
        VersionRow(row[0], number, row[1]) for number, row in enumerate(session.execute(statement), start=1)
    ]


def get_standing_case_of_conflict(session: Session, conflict_id: int) -> Case:
    """The case that stands for the registration of a conflict."""
    statement = (
        select(_STANDING)
        .select_from(FactConflict)
        .join(Case, Case.id == FactConflict.case_id)
        .join(_STANDING, _STANDING.id == func.coalesce(Case.merged_into_id, Case.id))
        .where(FactConflict.id == conflict_id)
    )
    return session.scalars(statement).one()


def get_sent_version(session: Session, referral_id: int) -> int | None:
    """The version of the form whose answers were sent with a referral, if something was."""
    return session.scalar(select(Disclosure.submission_id).where(Disclosure.referral_id == referral_id))


def get_case_of_conflict(session: Session, conflict_id: int) -> Case | None:
    """The registration's case of a conflict."""
    return session.scalar(
        select(Case).join(FactConflict, FactConflict.case_id == Case.id).where(FactConflict.id == conflict_id)
    )


def list_live_needs(session: Session, case_id: int) -> list[Need]:
    """Needs of a case with a referral under way."""
    live = exists().where(Referral.need_id == Need.id, Referral.state.in_(LIVE))
    return list(session.scalars(select(Need).where(Need.case_id == case_id, live).order_by(Need.id)))
