"""The register of needs for which nobody suitable was found, with the rule that blocked them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, and_, column, exists, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from db.consents import counts_in_statistics
from db.models import Case, EligibilityRule, Need, UnmetPeriod
from db.paging import PAGE_SIZE, Paged
from db.queue import urgency_rank
from db.visibility import Viewer, visible_needs

SMALLEST = 5
"""Smaller figures of a place are not shown to planners."""

_UNMET = and_(Need.status == "open", Need.unmet_reason.is_not(None))


@dataclass(frozen=True, slots=True)
class UnmetRow:
    """One unmet need, by case code; `since` is when this reason began to block it, `rule` the rule's own names."""

    need_id: int
    case_code: str
    service_type: str
    category: str
    urgency: str
    district: str | None
    subdistrict: str | None
    reason: str
    rule: dict[str, str] | None
    since: datetime
    waiting_since: datetime


@dataclass(frozen=True, slots=True)
class UnmetPage(Paged):
    """One page of unmet needs, how many match, and how many there are for each reason."""

    rows: Sequence[UnmetRow]
    total: int
    page: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class PlaceCount:
    """How many needs are unmet at a place (P-code, None: not known) for a reason; `number`: None is suppressed."""

    place: str | None
    reason: str
    number: int | None


def list_unmet(
    session: Session, viewer: Viewer, *, reason: str | None = None, page: int | None = 1
) -> UnmetPage:
    """Needs that are unmet now, by urgency, then the longest waiting first; two statements. `page` None: all."""
    base = (
        visible_needs(viewer)
        .outerjoin(UnmetPeriod, and_(UnmetPeriod.need_id == Need.id, UnmetPeriod.until.is_(None)))
        .where(_UNMET)
    )
    counted = base.with_only_columns(Need.unmet_reason, func.count(Need.id)).group_by(Need.unmet_reason)
    by_reason = {str(code): int(number) for code, number in session.execute(counted)}
    wanted = base if reason is None else base.where(Need.unmet_reason == reason)
    rows: Iterable[Any] = session.execute(
        wanted.with_only_columns(
            Need.id,
            Case.printed_code,
            Need.service_type,
            Need.category,
            Need.urgency,
            Case.residence_district,
            Case.residence_subdistrict,
            Need.unmet_reason,
            UnmetPeriod.rule,
            func.coalesce(UnmetPeriod.since, Need.unmet_since, Need.opened_at),
            Need.opened_at,
        )
        .order_by(urgency_rank(Need.urgency), Need.opened_at, Need.id)
        .limit(None if page is None else PAGE_SIZE)
        .offset(None if page is None else (page - 1) * PAGE_SIZE)
    )
    total = sum(by_reason.values()) if reason is None else by_reason.get(reason, 0)
    return UnmetPage([UnmetRow(*row) for row in rows], total, page or 1, dict(sorted(by_reason.items())))


def record_unmet_periods(
    session: Session, reasons: Mapping[int, tuple[str, int | None]], now: datetime
) -> None:
    """Write down why needs (id -> reason and blocking rule) found nobody; two statements for any number.

    A period goes on while reason, rule (by its words) and place are the same; else it ends and another begins.
    """
    if not reasons:
        return
    needs = sorted(reasons)
    told = func.unnest(
        literal(needs, ARRAY(BigInteger)),
        literal([reasons[need][0] for need in needs], ARRAY(String)),
        literal([reasons[need][1] for need in needs], ARRAY(BigInteger)),
    ).table_valued(column("need_id", BigInteger), column("reason", String), column("rule_id", BigInteger))
    told = told.render_derived(name="told")
    found = (
        select(
            told.c.need_id,
            Case.governorate,
            Case.residence_district.label("district"),
            Case.residence_subdistrict.label("subdistrict"),
            Need.service_type,
            told.c.reason,
            told.c.rule_id,
            EligibilityRule.names.label("rule"),
        )
        .select_from(told)
        .join(Need, Need.id == told.c.need_id)
        .join(Case, Case.id == Need.case_id)
        .outerjoin(EligibilityRule, EligibilityRule.id == told.c.rule_id)
        .subquery("found")
    )
    changed = or_(
        *(
            getattr(UnmetPeriod, name).is_distinct_from(found.c[name])
            for name in ("reason", "rule", "district", "subdistrict")
        )
    )
    _close(session, and_(UnmetPeriod.need_id == found.c.need_id, changed), now)
    goes_on = exists().where(UnmetPeriod.need_id == found.c.need_id, UnmetPeriod.until.is_(None))
    # A clock that was put back must not make two periods overlap.
    last = select(func.max(UnmetPeriod.until)).where(UnmetPeriod.need_id == found.c.need_id).scalar_subquery()
    begins = select(*found.c, func.greatest(literal(now), last)).where(~goes_on)
    session.execute(insert(UnmetPeriod).from_select([*found.c.keys(), "since"], begins))


def list_misregistered(session: Session, case_ids: Sequence[int]) -> dict[int, tuple[str, list[Any]]]:
    """Unmet needs of these cases without an open period, or with one of another place: id -> reason and details."""
    place = ("district", "subdistrict")
    elsewhere = or_(
        *(getattr(UnmetPeriod, one).is_distinct_from(getattr(Case, f"residence_{one}")) for one in place)
    )
    rows = session.execute(
        select(Need.id, Need.unmet_reason, Need.unmet_details)
        .join(Case, Case.id == Need.case_id)
        .outerjoin(UnmetPeriod, and_(UnmetPeriod.need_id == Need.id, UnmetPeriod.until.is_(None)))
        .where(
            _UNMET,
            Case.id.in_(case_ids),
            or_(UnmetPeriod.id.is_(None), elsewhere),
        )
    )
    return {
        need_id: (str(reason), list((details or {}).get("reasons", []))) for need_id, reason, details in rows
    }


def list_register_mismatches(session: Session) -> list[int]:
    """Needs of which the register says otherwise than they do: always empty.

    An open need with a reason has exactly one open period, with that reason; no other need has an open one.
    """
    statement = (
        select(Need.id)
        .outerjoin(UnmetPeriod, and_(UnmetPeriod.need_id == Need.id, UnmetPeriod.until.is_(None)))
        .group_by(Need.id)
        .having(
            func.count(UnmetPeriod.id).filter(UnmetPeriod.reason == Need.unmet_reason, _UNMET)
            != func.count(Need.id.distinct()).filter(_UNMET)
        )
    )
    others = select(UnmetPeriod.need_id).join(Need).where(UnmetPeriod.until.is_(None), ~_UNMET)
    return sorted({*session.scalars(statement), *session.scalars(others)})


def close_unmet_periods(session: Session, need_ids: Sequence[int], now: datetime) -> None:
    """End the open period of needs for which somebody was found."""
    wanted = literal(list(need_ids), ARRAY(BigInteger))
    _close(session, UnmetPeriod.need_id == func.any(wanted), now)


def _close(session: Session, which: Any, now: datetime) -> None:
    session.execute(
        update(UnmetPeriod)
        .where(which, UnmetPeriod.until.is_(None))
        .values(until=func.greatest(literal(now), UnmetPeriod.since))
        .execution_options(synchronize_session=False)
    )


def count_unmet_by_place(session: Session, viewer: Viewer, smallest: int = SMALLEST) -> list[PlaceCount]:
    """The viewer's unmet needs by district and reason, for planners: no case can be told from it; one statement.

    Only needs of households that agree to statistics as their answers stand now. Of each reason, figures below
    `smallest` are suppressed; where only one is, the next smallest goes with it, because the register says how many
    there are in all. Order: by P-code, the unknown place last, then by reason.
    """
    kinds = (Case.residence_district, Need.unmet_reason)
    statement = (
        visible_needs(viewer)
        .where(_UNMET, counts_in_statistics())
        .with_only_columns(*kinds, func.count(Need.id))
        .group_by(*kinds)
        .order_by(Case.residence_district.asc().nulls_last(), Need.unmet_reason)
    )
    rows: Iterable[Any] = session.execute(statement)
    counted = [(place, str(reason), int(number)) for place, reason, number in rows]
    hidden = {
        (place, reason)
        for reason in {reason for _, reason, _ in counted}
        for place in _hidden(
            [(place, number) for place, found, number in counted if found == reason], smallest
        )
    }
    return [
        PlaceCount(place, reason, None if (place, reason) in hidden else number)
        for place, reason, number in counted
    ]


def _hidden(counts: Sequence[tuple[str | None, int]], smallest: int) -> set[str | None]:
    hidden = {place for place, number in counts if number < smallest}
    shown = sorted((number, place or "") for place, number in counts if place not in hidden)
    if len(hidden) == 1 and shown:
        hidden.add(shown[0][1] or None)
    return hidden


def list_unmet_periods(session: Session, need_id: int) -> list[UnmetPeriod]:
    """All that the register holds of one need, oldest first."""
    statement = select(UnmetPeriod).where(UnmetPeriod.need_id == need_id).order_by(UnmetPeriod.id)
    return list(session.scalars(statement.execution_options(populate_existing=True)))
