"""Queries on open days: the days, their stations and tablets, and the cases that carry them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.orm import Session

from db.models import Case, Need, Office, OpenDay, OpenDayState, OpenDayTablet, Referral, Station, Tablet
from db.paging import PAGE_SIZE, Paged
from db.visibility import Viewer, visible_cases, visible_open_days
from referral_engine.sop import LIVE


@dataclass(frozen=True, slots=True)
class OpenDayRow:
    """An open day with its office's names, and how many cases carry it."""

    day: OpenDay
    office: dict[str, str]
    cases: int


@dataclass(frozen=True, slots=True)
class OpenDayPage(Paged):
    """One page of open days, the newest first, and how many there are."""

    rows: Sequence[OpenDayRow]
    total: int
    page: int


def list_open_days(session: Session, viewer: Viewer, page: int = 1) -> OpenDayPage:
    """The open days that the viewer may see, the newest first."""
    total = session.scalar(visible_open_days(viewer).with_only_columns(func.count())) or 0
    rows = session.execute(
        _rows(viewer)
        .order_by(OpenDay.date.desc(), OpenDay.id.desc())
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    )
    return OpenDayPage([OpenDayRow(row[0], row[1], row[2]) for row in rows], total, page)


@dataclass(frozen=True, slots=True)
class OpenDayLine:
    """An open day as the command line shows it, with its office's code."""

    day: OpenDay
    office: str
    cases: int


def list_open_days_of_governorate(session: Session, governorate: str, limit: int) -> list[OpenDayLine]:
    """The newest open days of a governorate: for whoever runs the machine."""
    rows = session.execute(
        select(OpenDay, Office.code, _carried())
        .join(Office, Office.id == OpenDay.office_id)
        .where(Office.governorate == governorate)
        .order_by(OpenDay.date.desc(), OpenDay.id.desc())
        .limit(limit)
    )
    return [OpenDayLine(row[0], row[1], row[2]) for row in rows]


def list_printed_codes(session: Session, open_day_id: int, limit: int) -> list[str]:
    """Codes of cases that carry an open day, each of one case alone, the oldest first."""
    return list(
        session.scalars(
            select(Case.printed_code)
            .where(Case.open_day_id == open_day_id)
            .group_by(Case.printed_code)
            .having(func.count() == 1)
            .order_by(func.min(Case.id))
            .limit(limit)
        )
    )


def get_open_day_row(session: Session, viewer: Viewer, open_day_id: int) -> OpenDayRow | None:
    """One open day as the list shows it, when the viewer may see it."""
    row = session.execute(_rows(viewer).where(OpenDay.id == open_day_id)).one_or_none()
    return None if row is None else OpenDayRow(row[0], row[1], row[2])


def _rows(viewer: Viewer) -> Select[OpenDay, dict[str, str], int]:
    return visible_open_days(viewer).add_columns(Office.names, _carried())


def _carried() -> ScalarSelect[int]:
    """How many cases carry an open day."""
    return select(func.count()).where(Case.open_day_id == OpenDay.id).correlate(OpenDay).scalar_subquery()


def get_visible_open_day(
    session: Session, viewer: Viewer, open_day_id: int, *, lock: bool = False
) -> OpenDay | None:
    """One open day, when the viewer may see it; `lock` holds it until the transaction ends."""
    statement = visible_open_days(viewer).where(OpenDay.id == open_day_id)
    if lock:
        statement = statement.with_for_update(of=OpenDay, key_share=True)
    return session.scalar(statement.execution_options(populate_existing=True))


def create_open_day(
    session: Session, office_id: int, date: dt.date, planned_by: int | None, planned_at: dt.datetime
) -> int | None:
    """Plan an open day; None where the office has one on that date already."""
    return session.scalar(
        insert_or_not(OpenDay)
        .values(
            office_id=office_id,
            date=date,
            state=OpenDayState.PLANNED,
            tokens=0,
            priorities={},
            planned_by=planned_by,
            planned_at=planned_at,
        )
        .on_conflict_do_nothing()
        .returning(OpenDay.id)
    )


def create_stations(session: Session, open_day_id: int, wanted: Mapping[str, int]) -> None:
    """Add stations: kind -> how many, numbered from 1."""
    rows = [
        {"open_day_id": open_day_id, "kind": kind, "number": number}
        for kind, count in wanted.items()
        for number in range(1, count + 1)
    ]
    if rows:
        session.execute(insert(Station), rows)


def add_tablets(session: Session, open_day_id: int, tablet_ids: Sequence[int]) -> None:
    """Assign tablets to an open day; one that is assigned already stays so."""
    rows = [{"open_day_id": open_day_id, "tablet_id": tablet_id} for tablet_id in tablet_ids]
    if rows:
        session.execute(insert_or_not(OpenDayTablet).on_conflict_do_nothing(), rows)


def list_usable_tablets(session: Session, governorate: str) -> list[Tablet]:
    """The governorate's tablets that may send, by label."""
    return list(
        session.scalars(
            select(Tablet)
            .join(Office, Office.id == Tablet.office_id)
            .where(Office.governorate == governorate, Tablet.revoked_at.is_(None))
            .order_by(Tablet.label)
        )
    )


def list_stations(session: Session, open_day_id: int) -> list[Station]:
    """The stations of an open day, by kind and number."""
    return list(
        session.scalars(
            select(Station).where(Station.open_day_id == open_day_id).order_by(Station.kind, Station.number)
        )
    )


def get_station(session: Session, station_id: int, *, lock: bool = False) -> Station | None:
    """One station; `lock` lets one desk do one thing at a time."""
    statement = select(Station).where(Station.id == station_id)
    return session.scalar(statement.with_for_update(key_share=True) if lock else statement)


def get_open_day_of_tablet(session: Session, tablet_id: int, date: dt.date) -> OpenDay | None:
    """The open day of a date at which a tablet works: the one it is assigned to, else its own office's."""
    assigned = exists().where(OpenDayTablet.open_day_id == OpenDay.id, OpenDayTablet.tablet_id == tablet_id)
    own_office = OpenDay.office_id == select(Tablet.office_id).where(Tablet.id == tablet_id).scalar_subquery()
    return session.scalar(
        select(OpenDay)
        .where(OpenDay.date == date, or_(assigned, own_office))
        .order_by(assigned.desc(), OpenDay.id)
        .limit(1)
    )


def list_open_day_ids(session: Session, governorate: str, date: dt.date) -> set[int]:
    """Ids of the governorate's open days on a date."""
    return set(
        session.scalars(
            select(OpenDay.id)
            .join(Office, Office.id == OpenDay.office_id)
            .where(Office.governorate == governorate, OpenDay.date == date)
        )
    )


def set_open_day(session: Session, case_ids: Sequence[int], day: OpenDay) -> None:
    """Let cases carry an open day, unless they carry a later one."""
    later = exists().where(OpenDay.id == Case.open_day_id, OpenDay.date > day.date).correlate(Case)
    session.execute(update(Case).where(Case.id.in_(case_ids), ~later).values(open_day_id=day.id))


def is_received_at(session: Session, case_id: int, office_id: int) -> bool:
    """Whether a case came to an open day of this office that is not closed yet."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    Case.id == case_id,
                    OpenDay.id == Case.open_day_id,
                    OpenDay.office_id == office_id,
                    OpenDay.state == OpenDayState.OPEN,
                )
            )
        )
    )


def get_visible_case(session: Session, viewer: Viewer, case_id: int) -> Case | None:
    """One case, when the viewer may see it, locked until the transaction ends."""
    statement = visible_cases(viewer).where(Case.id == case_id)
    return session.scalar(statement.with_for_update(of=Case, key_share=True))


def list_cases_to_link(session: Session, viewer: Viewer, open_day_id: int, code: str) -> list[Case]:
    """Cases with this code in hand: the day's own where there are any, else those that the viewer may see."""
    held = or_(Case.printed_code == code, Case.code == code)
    own = list(session.scalars(select(Case).where(held, Case.open_day_id == open_day_id).order_by(Case.id)))
    return own or list(session.scalars(visible_cases(viewer).where(held).order_by(Case.id)))


def count_proposed(session: Session, open_day_id: int, match_run_id: int) -> int:
    """How many referrals a run proposed that carry this open day."""
    return (
        session.scalar(
            select(func.count()).where(
                Referral.open_day_id == open_day_id, Referral.match_run_id == match_run_id
            )
        )
        or 0
    )


def count_open_needs(session: Session, open_day_id: int) -> dict[str | None, int]:
    """Open needs without a live referral of the day's households, by why nobody was found; None: not tried yet."""
    standing = select(func.coalesce(Case.merged_into_id, Case.id)).where(Case.open_day_id == open_day_id)
    live = exists().where(Referral.need_id == Need.id, Referral.state.in_(LIVE))
    rows = session.execute(
        select(Need.unmet_reason, func.count())
        .where(and_(Need.case_id.in_(standing), Need.status == "open", ~live))
        .group_by(Need.unmet_reason)
        .order_by(func.count().desc(), Need.unmet_reason)
    )
    return {row[0]: int(row[1]) for row in rows}


def set_slip_given(session: Session, case: Case, user_id: int | None, now: dt.datetime) -> None:
    """Note that a household holds its slip."""
    case.slip_given_at, case.slip_given_by = now, user_id
    session.flush()
