"""Offers that are not answered in time: of a case to another office, of a need to another ministry."""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from db.escalations import ENDED_NEEDS
from db.mandates import within_mandate
from db.models import Case, CaseTransfer, Consent, HandOver, Need, OfferState
from db.queue import urgency_rank
from governorates import Governorate

AnyOffer = TypeVar("AnyOffer", CaseTransfer, HandOver)


def _due(table: type[AnyOffer], governorate: str, now: datetime) -> Select[Any]:
    """Offers that the job must act on, joined with their case.

    Nobody is asked to hurry about what has ended, or about what the person does not agree to any more.
    """
    standing = aliased(Case)
    statement: Select[Any] = select(table)
    if table is HandOver:
        statement = (
            statement.join(Need, Need.id == HandOver.need_id)
            .join(Case, Case.id == Need.case_id)
            .where(Need.status.not_in(ENDED_NEEDS), Need.same_as_id.is_(None))
        )
    else:
        statement = statement.join(Case, Case.id == CaseTransfer.case_id)
    return (
        statement.join(standing, standing.id == func.coalesce(Case.merged_into_id, Case.id))
        .join(Consent, Consent.id == table.consent_id)
        .where(
            Case.governorate == governorate,
            standing.closed_at.is_(None),
            Consent.withdrawn_at.is_(None),
            table.state == OfferState.OFFERED,
            table.act_at <= now,
        )
    )


def list_due_offer_ids(
    session: Session, table: type[AnyOffer], governorate: str, now: datetime, limit: int
) -> list[int]:
    """Offers that the job must act on now, the longest overdue first."""
    statement = _due(table, governorate, now).order_by(table.act_at, table.id).limit(limit)
    return list(session.scalars(statement.with_only_columns(table.id)))


def hold_due_offer(
    session: Session, table: type[AnyOffer], governorate: str, offer_id: int, now: datetime
) -> AnyOffer | None:
    """Hold one of them, unless it was acted on meanwhile or somebody is answering it just now; waits for nobody."""
    statement = _due(table, governorate, now).where(table.id == offer_id)
    held: AnyOffer | None = session.scalar(
        statement.with_for_update(of=table, key_share=True, skip_locked=True).execution_options(
            populate_existing=True
        )
    )
    return held


def get_pressing_need(session: Session, governorate: Governorate, ministry: str, case_id: int) -> Need | None:
    """The most pressing wanted need of a case, or of the one it went into, whose decisions are the ministry's."""
    own = aliased(Case)
    standing = select(func.coalesce(own.merged_into_id, own.id)).where(own.id == case_id).scalar_subquery()
    return session.scalar(
        select(Need)
        .join(Case, Case.id == Need.case_id)
        .where(
            Case.id == standing,
            Need.status.not_in(ENDED_NEEDS),
            Need.same_as_id.is_(None),
            within_mandate(governorate, ministry),
        )
        .order_by(urgency_rank(Need.urgency), Need.id)
        .limit(1)
    )
