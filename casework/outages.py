"""Outages: some source is read too late. Administrators are told once that it is so, and once that it is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from casework.messages import queue_message, user_recipient
from db import contact_points as contacts
from db import lags as query
from db.lags import Lag
from db.models import Role
from governorates import Governorate

BEGAN, ENDED = "lag_alert", "lag_over"


def watch_lags(
    session: Session, governorate: Governorate, lags: Sequence[Lag], limit: timedelta, now: datetime
) -> int:
    """Begin or end the governorate's outage, with its messages, in one transaction; how many sources are late.

    Made to be run again and again: one outage is one alert and one all-clear, whoever runs it beside.
    """
    late = [lag for lag in lags if lag.seconds(now) > limit.total_seconds()]
    if late:
        outage = query.open_outage(session, governorate.code, now)
        if outage is not None:
            worst = max(lag.seconds(now) for lag in late)
            _tell(session, governorate, BEGAN, outage, now, {"forms": len(late), "minutes": int(worst // 60)})
    else:
        outage = query.end_outage(session, governorate.code, now)
        if outage is not None:
            _tell(session, governorate, ENDED, outage, now, {})
    return len(late)


def _tell(
    session: Session,
    governorate: Governorate,
    template: str,
    outage: int,
    now: datetime,
    params: dict[str, int],
) -> None:
    for user in contacts.list_reached_users(session, governorate.code, Role.ADMIN):
        recipient = user_recipient(governorate.code, user)
        queue_message(session, template, recipient, params=params, dedupe_key=str(outage), now=now)
