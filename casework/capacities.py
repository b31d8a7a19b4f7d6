"""What providers say of their places: the weekly word, a change, and the next intake period.

Every word is an event. Slots never fall below what is reserved; places are taken by `db.referrals` alone.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from casework.moves import Actor
from casework.tasks import ASSESSMENT, open_task
from db import capacities as query
from db.errors import DomainError
from db.models import Capacity
from db.referrals import ReferralParts
from governorates import Governorate, load, next_period
from referral_engine.capacity_states import CAPACITY_STATES

MOST_SLOTS = 100_000


def confirm_capacities(session: Session, actor: Actor, now: datetime) -> int:
    """The provider says that all its services stand as they are shown; returns how many.

    A period that has ended meanwhile goes over into the next one. Raises DomainError `forbidden` for whoever is
    no provider.
    """
    _require_provider(actor)
    offer_ids = query.list_own_offer_ids(session, actor)
    query.lock_capacities(session, offer_ids)
    confirmed = query.confirm_standing(session, offer_ids, now.date(), now)
    _record(session, confirmed, "confirm", actor, now)
    _roll(session, load(actor.governorate), now, offer_ids)
    return len(confirmed)


def set_capacity(
    session: Session, actor: Actor, service_at_location_id: int, status: str, slots: int, now: datetime
) -> None:
    """The provider says how one of its services stands and how many places this period has; also confirms it.

    Raises DomainError `forbidden`, `not_found`, `reason_required` or `reason_unknown` (status), `slots_invalid`,
    `slots_below_reserved`, or `no_intake_period` when the service never had one.
    """
    _require_provider(actor)
    if not status:
        raise DomainError("reason_required", reason_list="capacity_status")
    if status not in CAPACITY_STATES:
        raise DomainError("reason_unknown", reason_list="capacity_status")
    if not 0 <= slots <= MOST_SLOTS:
        raise DomainError("slots_invalid")
    if not query.list_own_offer_ids(session, actor, [service_at_location_id]):
        raise DomainError("not_found", service_at_location_id=service_at_location_id)
    query.lock_capacities(session, [service_at_location_id])
    today = now.date()
    if not query.confirm_standing(session, [service_at_location_id], today, now):
        raise DomainError("no_intake_period", service_at_location_id=service_at_location_id)
    _roll(session, load(actor.governorate), now, [service_at_location_id])
    said = query.set_standing(session, service_at_location_id, today, {"status": status, "slots": slots})
    if said is None:
        raise DomainError("slots_below_reserved", service_at_location_id=service_at_location_id)
    _record(session, [said], "set", actor, now)


def report_no_capacity(session: Session, service_at_location_id: int, actor: Actor, now: datetime) -> None:
    """A decline says that there are no places: from this moment nobody is referred there.

    That is no confirmation of everything else, so the age of the last one goes on.
    """
    said = query.set_standing(session, service_at_location_id, now.date(), {"status": "no_capacity"})
    _record(session, [] if said is None else [said], "decline", actor, now)


def roll_intake_periods(session: Session, governorate: Governorate, now: datetime) -> int:
    """Open the next intake period of every fresh service whose periods have all ended; returns how many.

    Same slots, same status, same age of the provider's word. Safe to run at any time, twice or at once. A stale
    service waits for its provider's word (`confirm_capacities`).
    """
    return len(_roll(session, governorate, now))


def _roll(
    session: Session, governorate: Governorate, now: datetime, offer_ids: Collection[int] | None = None
) -> list[Capacity]:
    today, fresh_since = now.date(), now - timedelta(days=governorate.capacity_ages.stale_days)
    rows = []
    for ended in query.list_ended_capacities(session, governorate.code, today, fresh_since, offer_ids):
        start, end = next_period(ended.intake_start, ended.intake_end, today)
        rows.append(
            {
                "service_at_location_id": ended.service_at_location_id,
                "intake_start": start,
                "intake_end": end,
                "slots": ended.slots,
                "status": ended.status,
                "confirmed_at": ended.confirmed_at,
            }
        )
    opened = query.insert_periods(session, rows)
    _record(session, opened, "roll", None, now)
    return opened


def ask_for_assessment(session: Session, parts: ReferralParts, now: datetime) -> None:
    """Give the office a task where the provider assesses each person before it accepts."""
    status = query.get_standing_status(session, parts.referral.service_at_location_id, now.date())
    if status == "assessment_required":
        open_task(session, parts.case, ASSESSMENT, now, need=parts.need, referral_id=parts.referral.id)


def _require_provider(actor: Actor) -> None:
    if actor.role != "provider" or actor.organization_id is None:
        raise DomainError("forbidden")


def _record(
    session: Session, capacities: list[Capacity], action: str, actor: Actor | None, now: datetime
) -> None:
    role, user_id = ("system", None) if actor is None else (actor.role, actor.user_id)
    query.insert_capacity_events(session, capacities, action, role, user_id, now)
