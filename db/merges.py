"""Queries that make two cases one and two again; the rules stand in `casework.merges`."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from db.models import Case, CaseMerge, Consent, Need, Referral
from referral_engine.sop import LIVE

MERGE_CHANNEL = "merge"
"""Channel of the consent that holds the narrower of both registrations' bounds: nobody gave it, it only restricts."""


def lock_cases(session: Session, case_ids: Collection[int]) -> list[Case]:
    """These cases, locked in the order of their ids."""
    statement = (
        select(Case)
        .where(Case.id.in_(case_ids))
        .order_by(Case.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def list_merged_ids(session: Session, case_ids: Collection[int]) -> dict[int, int]:
    """The cases that were merged into these: merged case -> surviving case."""
    rows = session.execute(
        select(Case.id, Case.merged_into_id).where(Case.merged_into_id.in_(case_ids)).order_by(Case.id)
    )
    return {merged: surviving for merged, surviving in rows if surviving is not None}


def set_merged_into(session: Session, case_ids: Collection[int], surviving: int | None) -> None:
    """Point these cases to the one that survives, or (None) let them stand for themselves."""
    session.execute(
        update(Case)
        .where(Case.id.in_(case_ids))
        .values(merged_into_id=surviving)
        .execution_options(synchronize_session="fetch")
    )


def list_needs_locked(session: Session, case_ids: Collection[int]) -> list[Need]:
    """Needs of these cases, locked, oldest first."""
    statement = (
        select(Need)
        .where(Need.case_id.in_(case_ids))
        .order_by(Need.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def list_live_need_ids(session: Session, need_ids: Collection[int]) -> set[int]:
    """Which of these needs have a referral under way."""
    return set(
        session.scalars(
            select(Referral.need_id).where(Referral.need_id.in_(need_ids), Referral.state.in_(LIVE))
        )
    )


def move_referrals(session: Session, need_ids: Collection[int], case_id: int) -> None:
    """Let every referral of these needs, and the consent to it, follow the need to its case.

    Consents go first: the database refuses a sent referral whose consent is another case's.
    """
    own = select(Referral.id).where(Referral.need_id.in_(need_ids))
    for statement in (
        update(Consent).where(Consent.referral_id.in_(own)).values(case_id=case_id),
        update(Referral).where(Referral.need_id.in_(need_ids)).values(case_id=case_id),
    ):
        session.execute(statement.execution_options(synchronize_session="fetch"))


def get_standing_merge(
    session: Session, *, pair_id: int | None = None, merged_case_id: int | None = None
) -> CaseMerge | None:
    """The merge that a pair led to, or that a case went by, unless it was undone; locked."""
    wanted = CaseMerge.pair_id == pair_id if pair_id else CaseMerge.merged_case_id == merged_case_id
    return session.scalar(select(CaseMerge).where(wanted, CaseMerge.undone_at.is_(None)).with_for_update())


def list_standing_merges(session: Session, surviving: int) -> list[CaseMerge]:
    """Merges into this case that stand, oldest first."""
    return list(
        session.scalars(
            select(CaseMerge)
            .where(CaseMerge.surviving_case_id == surviving, CaseMerge.undone_at.is_(None))
            .order_by(CaseMerge.id)
        )
    )


def has_later_merge(session: Session, merge: CaseMerge) -> bool:
    """Whether something was merged after this into the same case, or that case into another."""
    same = merge.surviving_case_id
    later = exists().where(
        CaseMerge.id > merge.id,
        CaseMerge.undone_at.is_(None),
        or_(CaseMerge.surviving_case_id == same, CaseMerge.merged_case_id == same),
    )
    return bool(session.scalar(select(later)))


def list_newest_consents(session: Session, case_ids: Collection[int]) -> list[Consent]:
    """The newest assessment consent that a person gave in each of these cases, by case."""
    rows = session.scalars(
        select(Consent)
        .where(Consent.case_id.in_(case_ids), Consent.kind == "assessment", Consent.channel != MERGE_CHANNEL)
        .order_by(Consent.case_id, Consent.id)
    )
    return list({consent.case_id: consent for consent in rows}.values())


def get_joint_consent(session: Session, case_id: int) -> Consent | None:
    """The newest row that holds the narrower bounds of a merged household."""
    return session.scalar(
        select(Consent)
        .where(Consent.case_id == case_id, Consent.channel == MERGE_CHANNEL)
        .order_by(Consent.id.desc())
        .limit(1)
    )


def delete_joint_consents(session: Session, consent_ids: Sequence[int]) -> None:
    """Take the bounds away that a merge had drawn."""
    session.execute(delete(Consent).where(Consent.id.in_(consent_ids), Consent.channel == MERGE_CHANNEL))


def set_undone(session: Session, merge: CaseMerge, user_id: int | None, at: datetime) -> None:
    """Record that a merge was undone; the record itself stays."""
    merge.undone_by, merge.undone_at = user_id, at
    session.flush()


def is_office_of_merged(session: Session, case_id: int, office_id: int) -> bool:
    """Whether a case of this office was merged into the case."""
    found = exists().where(Case.merged_into_id == case_id, Case.office_id == office_id)
    return bool(session.scalar(select(found)))
