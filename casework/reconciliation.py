"""The list for the end of an open day: what has not arrived, and who has not been seen to. Changes nothing."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import open_days as day_query
from db import reconciliation as query
from db.errors import DomainError
from db.models import OpenDay
from db.reconciliation import Listed, TabletRow
from db.visibility import Viewer
from governorates import load
from governorates.calendar import day_bounds

SILENCE = timedelta(hours=1)
"""A tablet that was heard of within this time before the end of the day is taken to be still connected."""


class TabletStanding(enum.StrEnum):
    """How far a tablet's submissions can be believed to be complete."""

    SENT = "sent"
    SILENT = "silent"
    NOTHING_SENT = "nothing_sent"


@dataclass(frozen=True, slots=True)
class TabletCheck:
    """A tablet of the day and how it stands."""

    tablet: TabletRow
    standing: TabletStanding


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What is missing, list by list; each but the tablets is bounded and says how many there are in all.

    `tokens`: number, state, kind of station. `without_slip`: code, token numbers. `open_needs`: code, service
    type, reason. `awaiting_consent`: referral id, code, service type, since when.
    """

    day: OpenDay
    tablets: tuple[TabletCheck, ...]
    tokens: Listed
    without_slip: Listed
    open_needs: Listed
    awaiting_consent: Listed

    @property
    def missing_tablets(self) -> tuple[TabletCheck, ...]:
        """The tablets that somebody should look for."""
        return tuple(
            check
            for check in self.tablets
            if check.standing is not TabletStanding.SENT or check.tablet.quarantined or check.tablet.waiting
        )

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        lists = (self.tokens, self.without_slip, self.open_needs, self.awaiting_consent)
        return not self.missing_tablets and not any(listed.total for listed in lists)


def reconcile(session: Session, viewer: Viewer, open_day_id: int, now: datetime) -> Reconciliation:
    """Look for what is missing of an open day. Raises DomainError `not_found`."""
    day = day_query.get_visible_open_day(session, viewer, open_day_id)
    if day is None:
        raise DomainError("not_found", open_day_id=open_day_id)
    first, after = day_bounds(load(viewer.governorate), day.date)
    heard_since = min(now, after, day.closed_at or after) - SILENCE
    tablets = query.list_day_tablets(session, day, first, after)
    return Reconciliation(
        day,
        tuple(TabletCheck(tablet, _standing(tablet, heard_since)) for tablet in tablets),
        query.list_unlinked_tokens(session, day),
        query.list_cases_without_slip(session, viewer, day, first),
        query.list_cases_with_open_needs(session, viewer, day),
        query.list_awaiting_consent(session, viewer, day),
    )


def _standing(tablet: TabletRow, heard_since: datetime) -> TabletStanding:
    if tablet.received == 0:
        return TabletStanding.NOTHING_SENT
    if tablet.last_seen_at is None or tablet.last_seen_at < heard_since:
        return TabletStanding.SILENT
    return TabletStanding.SENT
