"""Invented open days, planned and begun through the real acts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from casework.assessment import Assessment
from casework.cases import take_in
from casework.moves import Actor
from casework.open_days import open_day_begins, plan_open_day
from db.models import Case, Office, Station
from db.tablets import create_tablet
from db.vault import Vault
from governorates import Governorate
from governorates.calendar import local_day
from tests.factories.cases import store_submission

STATIONS = {"reception": 1, "assessment": 2, "consent": 1, "slip": 1}


def officer_of(session: Session, office_code: str = "mosul", user_id: int | None = None) -> Actor:
    """An officer of an office."""
    office = session.scalars(select(Office).where(Office.code == office_code)).one()
    return Actor(user_id, "officer", office.governorate, office_id=office.id)


def add_tablet(session: Session, label: str, office_code: str = "mosul") -> int:
    """A tablet of an office."""
    office = session.scalars(select(Office).where(Office.code == office_code)).one()
    return create_tablet(session, label, office.id)[0].id


def open_open_day(
    session: Session,
    governorate: Governorate,
    *,
    office: str = "mosul",
    stations: Mapping[str, int] = STATIONS,
    tablets: Sequence[int] = (),
    now: datetime | None = None,
) -> int:
    """An open day that has begun, on the local date of `now`."""
    at, actor = now or datetime.now(UTC), officer_of(session, office)
    open_day_id = plan_open_day(session, actor, local_day(governorate, at), stations, tablets, at)
    open_day_begins(session, open_day_id, actor, at)
    return open_day_id


def desk(session: Session, open_day_id: int, kind: str, number: int = 1) -> int:
    """The id of a station."""
    return session.scalars(
        select(Station.id).where(
            Station.open_day_id == open_day_id, Station.kind == kind, Station.number == number
        )
    ).one()


def send_from(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    tablet_id: int | None,
    assessment: Assessment,
    *,
    late: timedelta = timedelta(0),
) -> Case:
    """Take an assessment in as one that a tablet sent, `late` after it was made."""
    submission = store_submission(session, vault)
    submission.tablet_id = tablet_id
    if assessment.assessed_at is not None:
        submission.received_at = assessment.assessed_at + late
    session.flush()
    taken = take_in(session, vault, governorate, submission, assessment)
    return session.get_one(Case, taken.case_id)
