"""Queries on the reintegration sustainability score."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.case_events import household
from db.models import ReintegrationScore


def list_newest_scores(session: Session, case_id: int) -> dict[str, ReintegrationScore]:
    """The newest score of each round of a household."""
    statement = (
        select(ReintegrationScore)
        .where(ReintegrationScore.case_id.in_(household(case_id)))
        .order_by(ReintegrationScore.recorded_at, ReintegrationScore.id)
    )
    return {row.round: row for row in session.scalars(statement)}
