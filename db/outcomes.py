"""Queries on what referrals brought."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.case_events import household
from db.models import Need, Outcome, Referral


def list_outcomes(session: Session, case_id: int) -> Sequence[tuple[Outcome, str]]:
    """Outcomes of the household's referrals with the type of service, newest first."""
    statement = (
        select(Outcome, Need.service_type)
        .join(Referral, Referral.id == Outcome.referral_id)
        .join(Need, Need.id == Referral.need_id)
        .where(Referral.case_id.in_(household(case_id)))
        .order_by(Outcome.delivered_on.desc(), Outcome.id.desc())
    )
    return [(row[0], row[1]) for row in session.execute(statement)]
