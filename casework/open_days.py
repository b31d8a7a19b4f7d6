"""Acts on an open day: plan, begin, close, match, slips; and which cases carry it.

An open day belongs to an office: its officers act, coordinators of the governorate read and match.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from casework.matching import MatchReport, match_open_needs
from casework.moves import Actor
from db import accounts, queue_tokens
from db import cases as case_query
from db import open_days as query
from db.errors import DomainError
from db.models import Case, OpenDay, OpenDayState, Submission
from db.vault import Vault
from governorates import Governorate, choice_codes, load
from governorates.calendar import local_day

STATIONS = "station"
MOST_STATIONS = 20
"""Desks of one kind at one open day; more is a slip of the finger."""


@dataclass(frozen=True, slots=True)
class OpenDayMatch:
    """A run of the matching as the day's households see it.

    `proposed`: their needs that this run proposed somebody for. `unmet`: their needs that nobody was found for,
    by reason. `run_id` is None when nothing had changed since the run before.
    """

    run_id: int | None
    proposed: int
    unmet: Mapping[str, int]


def plan_open_day(
    session: Session,
    actor: Actor,
    day: date,
    stations: Mapping[str, int],
    tablet_ids: Sequence[int],
    now: datetime,
) -> int:
    """Plan an open day of the officer's office; returns its id.

    `stations` says how many desks there are of each kind of the choice list `station`. Tablets may be another
    office's of the governorate. Raises DomainError `forbidden`, `open_day_exists`, `open_day_date` (a day gone by),
    `station_unknown`, `station_required` or `unknown_tablet`.
    """
    governorate = load(actor.governorate)
    if actor.role != "officer" or actor.office_id is None:
        raise DomainError("forbidden")
    if day < local_day(governorate, now):
        raise DomainError("open_day_date")
    _check_stations(stations)
    unknown = set(tablet_ids) - {tablet.id for tablet in query.list_usable_tablets(session, governorate.code)}
    if unknown:
        raise DomainError("unknown_tablet", tablet_id=min(unknown))
    open_day_id = query.create_open_day(session, actor.office_id, day, actor.user_id, now)
    if open_day_id is None:
        raise DomainError("open_day_exists")
    query.create_stations(session, open_day_id, stations)
    query.add_tablets(session, open_day_id, sorted(set(tablet_ids)))
    accounts.record_audit(session, actor.user_id, "open_day.plan", "open_day", [open_day_id])
    return open_day_id


def _check_stations(stations: Mapping[str, int]) -> None:
    unknown = stations.keys() - set(choice_codes(STATIONS))
    if unknown or any(not 0 <= count <= MOST_STATIONS for count in stations.values()):
        raise DomainError("station_unknown")
    if not any(stations.values()):
        raise DomainError("station_required")


def open_day_begins(session: Session, open_day_id: int, actor: Actor, now: datetime) -> None:
    """Open the doors: tokens can be taken. Raises DomainError `open_day_state` or `open_day_date`."""
    day = lock_open_day(session, open_day_id, actor, OpenDayState.PLANNED)
    if day.date != local_day(load(actor.governorate), now):
        raise DomainError("open_day_date", open_day_id=open_day_id)
    day.state, day.opened_at, day.opened_by = OpenDayState.OPEN, now, actor.user_id
    session.flush()
    accounts.record_audit(session, actor.user_id, "open_day.begin", "open_day", [open_day_id])


def close_open_day(session: Session, open_day_id: int, actor: Actor, now: datetime) -> None:
    """Close the doors, or call a planned day off. Whoever still waits has left; reasons of priority are forgotten.

    What is missing does not keep a day open: the reconciliation goes on showing it. Raises DomainError
    `open_day_state` when it is closed already.
    """
    day = lock_open_day(session, open_day_id, actor, OpenDayState.PLANNED, OpenDayState.OPEN)
    queue_tokens.end_tokens(session, open_day_id, now)
    day.priorities = queue_tokens.forget_priority_reasons(session, open_day_id)
    day.state, day.closed_at, day.closed_by = OpenDayState.CLOSED, now, actor.user_id
    session.flush()
    accounts.record_audit(session, actor.user_id, "open_day.close", "open_day", [open_day_id])


def lock_open_day(session: Session, open_day_id: int, actor: Actor, *states: OpenDayState) -> OpenDay:
    """The day, held until the transaction ends, in one of the states; for its own officers alone.

    Raises DomainError `forbidden`, `not_found` or `open_day_state`.
    """
    day = require_open_day(session, open_day_id, actor, lock=True)
    if day.state not in states:
        raise DomainError("open_day_state", open_day_id=open_day_id, state=str(day.state))
    return day


def require_open_day(session: Session, open_day_id: int, actor: Actor, *, lock: bool = False) -> OpenDay:
    """The day, for its own officers alone. Raises DomainError `forbidden` or `not_found`."""
    if actor.role != "officer":
        raise DomainError("forbidden")
    day = query.get_visible_open_day(session, actor, open_day_id, lock=lock)
    if day is None:
        raise DomainError("not_found", open_day_id=open_day_id)
    return day


def carry_open_day(
    session: Session,
    governorate: Governorate,
    submission: Submission,
    case: Case,
    assessed_at: datetime | None,
) -> None:
    """Let a case carry the open day at which its assessment was made, if it was made at one.

    That is the day of the tablet's office (or of the office that it was lent to) on the local date of the
    assessment, however late the tablet sends; a tablet's clock is not believed when it is ahead of the server's.
    A submission without a tablet, from ODK Central, was not made at a desk of an open day.
    """
    if submission.tablet_id is None:
        return
    made = min(assessed_at or submission.received_at, submission.received_at)
    day = query.get_open_day_of_tablet(session, submission.tablet_id, local_day(governorate, made))
    if day is not None:
        receive_at(session, case, day)


def receive_at(session: Session, case: Case, day: OpenDay) -> None:
    """Let a case, and the one it was merged into, carry the day, unless they came to a later one since."""
    session.flush()
    query.set_open_day(session, sorted({case.id, case.merged_into_id or case.id}), day)
    session.refresh(case, ["open_day_id"])


def match_open_day(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    open_day_id: int,
    actor: Actor,
    *,
    now: datetime,
    seed: int = 0,
) -> OpenDayMatch:
    """Match now, without waiting for the schedule, and tell what came of it for the day's households.

    All open needs of the governorate are solved as one batch, so that nobody's slot is taken by who happens to
    stand at a desk. Raises DomainError `not_found`, or `busy` when another run is under way.
    """
    if query.get_visible_open_day(session, actor, open_day_id) is None:
        raise DomainError("not_found", open_day_id=open_day_id)
    report: MatchReport = match_open_needs(session, vault, governorate, now=now, seed=seed)
    accounts.record_audit(session, actor.user_id, "open_day.match", "open_day", [open_day_id])
    proposed = 0 if report.run_id is None else query.count_proposed(session, open_day_id, report.run_id)
    left = query.count_open_needs(session, open_day_id)
    return OpenDayMatch(
        report.run_id, proposed, {reason: number for reason, number in left.items() if reason is not None}
    )


def mark_slip_given(session: Session, case_id: int, actor: Actor, now: datetime) -> None:
    """Record that a household of the officer's got its slip. Raises DomainError `forbidden` or `not_found`."""
    if actor.role != "officer":
        raise DomainError("forbidden")
    case_query.lock_case(session, case_id)
    case = query.get_visible_case(session, actor, case_id)
    if case is None:
        raise DomainError("not_found", case_id=case_id)
    query.set_slip_given(session, case, actor.user_id, now)
    accounts.record_audit(session, actor.user_id, "case.slip_given", "case_file", [case_id])
