"""A need as its own page shows it, and whose it is."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Case, InformationGiven, Need, Referral
from db.visibility import Viewer, visible_needs
from referral_engine.sop import LIVE


@dataclass(frozen=True, slots=True)
class NeedSheet:
    """One visible need with its case, its live referral, and the newest information given about it."""

    need: Need
    case: Case
    live_referral_id: int | None
    information_id: int | None


def get_need_sheet(session: Session, viewer: Viewer, need_id: int) -> NeedSheet | None:
    """A need that the viewer may see; None when it does not exist for them."""
    live = (
        select(Referral.id)
        .where(Referral.need_id == Need.id, Referral.state.in_(LIVE))
        .order_by(Referral.id.desc())
        .limit(1)
        .correlate(Need)
        .scalar_subquery()
    )
    told = (
        select(InformationGiven.id)
        .where(InformationGiven.need_id == Need.id)
        .order_by(InformationGiven.id.desc())
        .limit(1)
        .correlate(Need)
        .scalar_subquery()
    )
    statement = visible_needs(viewer).where(Need.id == need_id).with_only_columns(Need, Case, live, told)
    row: Any = session.execute(statement).one_or_none()
    return None if row is None else NeedSheet(*row)


def is_need_visible(session: Session, viewer: Viewer, need_id: int) -> bool:
    """Whether this need exists for the viewer."""
    statement = visible_needs(viewer).where(Need.id == need_id).with_only_columns(Need.id)
    return session.scalar(statement) is not None


def get_case_of_visible_need(session: Session, viewer: Viewer, need_id: int) -> Case | None:
    """The case of a need that the viewer may see."""
    return session.scalar(visible_needs(viewer).where(Need.id == need_id).with_only_columns(Case))
