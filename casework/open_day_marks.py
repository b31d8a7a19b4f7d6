"""Which open day a referral made by hand or by a clock carries; matching marks its own in one statement."""

from datetime import datetime

from sqlalchemy.orm import Session

from db.models import Case
from db.open_days import list_open_day_ids
from governorates import load
from governorates.calendar import local_day


def open_day_of(session: Session, case: Case, now: datetime) -> int | None:
    """The open day that the case carries, where it is held on the local date of `now`."""
    if case.open_day_id is None:
        return None
    today = list_open_day_ids(session, case.governorate, local_day(load(case.governorate), now))
    return case.open_day_id if case.open_day_id in today else None
