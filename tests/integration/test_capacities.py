"""Providers' word on their places: confirming, changing, ageing, the next period, and a crowd at one service."""

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework.capacities import confirm_capacities, roll_intake_periods, set_capacity
from casework.matching import match_open_needs
from casework.moves import Actor
from db.capacities import list_capacities, list_capacity_events
from db.errors import DomainError
from db.models import (
    Capacity,
    CapacityEvent,
    MatchCandidate,
    Need,
    Organization,
    Referral,
    Service,
    ServiceAtLocation,
)
from db.referrals import list_slot_mismatches, release_slot, reserve_slot, reserve_slots
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case

NOW = datetime.now(UTC)
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")
TODAY = NOW.date()


def provider_of(session: Session, service_type: str = "counselling") -> tuple[Actor, int]:
    """A provider of this service, and one of its services at locations."""
    organization_id, offer_id = session.execute(
        select(Service.organization_id, ServiceAtLocation.id)
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .where(Service.service_type == service_type)
        .order_by(ServiceAtLocation.id)
    ).first() or (0, 0)
    return Actor(7, "provider", "nineveh", organization_id=organization_id), offer_id


def capacities_of(session: Session, offer_id: int) -> Sequence[Capacity]:
    return session.scalars(
        select(Capacity)
        .where(Capacity.service_at_location_id == offer_id)
        .order_by(Capacity.intake_start)
        .execution_options(populate_existing=True)
    ).all()


def offers_of(session: Session, actor: Actor) -> set[int]:
    return set(
        session.scalars(
            select(ServiceAtLocation.id)
            .join(Service, Service.id == ServiceAtLocation.service_id)
            .where(Service.organization_id == actor.organization_id)
        )
    )


def test_one_word_confirms_all_services_of_the_provider_and_nobody_elses(session: Session) -> None:
    actor, _ = provider_of(session)
    long_ago = NOW - timedelta(days=20)
    session.execute(update(Capacity).values(confirmed_at=long_ago))
    own = offers_of(session, actor)
    assert confirm_capacities(session, actor, NOW) == len(own) > 1
    rows = session.execute(select(Capacity.service_at_location_id, Capacity.confirmed_at)).all()
    assert {offer for offer, at in rows if at == NOW} == own
    assert {at for offer, at in rows if offer not in own} == {long_ago}
    events = session.scalars(select(CapacityEvent)).all()
    assert {(e.action, e.actor_role, e.user_id, e.at) for e in events} == {("confirm", "provider", 7, NOW)}
    assert len(events) == len(own)


@pytest.mark.parametrize(
    "actor", [MOMD, Actor(1, "officer", "nineveh", office_id=1), Actor(1, "provider", "nineveh")]
)
def test_only_a_provider_speaks_for_its_places(session: Session, actor: Actor) -> None:
    _, offer_id = provider_of(session)
    with pytest.raises(DomainError, match="forbidden"):
        confirm_capacities(session, actor, NOW)
    with pytest.raises(DomainError, match="forbidden"):
        set_capacity(session, actor, offer_id, "waitlist", 3, NOW)


def test_somebody_elses_service_does_not_exist(session: Session) -> None:
    actor, offer_id = provider_of(session)
    other = session.scalars(select(Organization.id).where(Organization.id != actor.organization_id)).first()
    for stranger in (replace(actor, organization_id=other), replace(actor, governorate="elsewhere")):
        with pytest.raises(DomainError, match="not_found"):
            set_capacity(session, stranger, offer_id, "waitlist", 3, NOW)


def test_a_change_is_written_with_its_event(session: Session) -> None:
    actor, offer_id = provider_of(session)
    set_capacity(session, actor, offer_id, "waitlist", 3, NOW + timedelta(hours=1))
    [row] = capacities_of(session, offer_id)
    assert (row.status, row.slots, row.confirmed_at) == ("waitlist", 3, NOW + timedelta(hours=1))
    assert [(e.action, e.status, e.slots) for e in list_capacity_events(session, offer_id)] == [
        ("set", "waitlist", 3)
    ]


@pytest.mark.parametrize(
    ("status", "slots", "code"),
    [
        ("", 3, "reason_required"),
        ("closed", 3, "reason_unknown"),
        ("waitlist", -1, "slots_invalid"),
        ("waitlist", 10**9, "slots_invalid"),
        ("has_capacity", 1, "slots_below_reserved"),
    ],
)
def test_nonsense_is_refused(session: Session, status: str, slots: int, code: str) -> None:
    actor, offer_id = provider_of(session)
    session.execute(
        update(Capacity).where(Capacity.service_at_location_id == offer_id).values(slots=5, reserved=2)
    )
    with pytest.raises(DomainError, match=code):
        set_capacity(session, actor, offer_id, status, slots, NOW)


def test_a_service_without_any_period_says_so(session: Session) -> None:
    actor, offer_id = provider_of(session)
    session.execute(text("DELETE FROM capacity WHERE service_at_location_id = :id"), {"id": offer_id})
    with pytest.raises(DomainError, match="no_intake_period"):
        set_capacity(session, actor, offer_id, "has_capacity", 3, NOW)


def test_words_are_never_changed(session: Session) -> None:
    actor, _ = provider_of(session)
    confirm_capacities(session, actor, NOW)
    with pytest.raises(IntegrityError, match="append-only"):
        session.execute(text("UPDATE capacity_event SET slots = 0"))


def test_slots_stay_at_or_above_what_is_reserved_in_a_crowd(
    fresh_engine: Engine, governorate: Governorate
) -> None:
    """Twenty threads: half of them take and give back places, half of them set the number of slots."""
    with session_scope(fresh_engine) as session:
        actor, offer_id = provider_of(session)
        session.execute(update(Capacity).where(Capacity.service_at_location_id == offer_id).values(slots=4))
    failures: list[BaseException] = []
    refused = threading.Semaphore(0)
    ready = threading.Barrier(20)

    def work(number: int) -> None:
        pick = random.Random(number)
        ready.wait()
        for _ in range(15):
            try:
                with session_scope(fresh_engine) as session:
                    if number % 2:
                        set_capacity(session, actor, offer_id, "has_capacity", pick.randrange(5), NOW)
                    elif (taken := reserve_slot(session, offer_id, TODAY)) and pick.random() < 0.6:
                        release_slot(session, taken)
            except DomainError as error:
                assert error.code == "slots_below_reserved"
                refused.release()
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert refused.acquire(blocking=False), "the race was never tight"
    with session_scope(fresh_engine) as session:
        [row] = capacities_of(session, offer_id)
        assert 0 < row.reserved <= row.slots
        said = [event.slots for event in list_capacity_events(session, offer_id)]
        assert said
        assert row.slots == said[-1]


def counselling_only(session: Session, **values: object) -> None:
    """Set what all counselling services say, so that nothing else serves the need."""
    offers = (
        select(ServiceAtLocation.id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .where(Service.service_type == "counselling")
    )
    session.execute(update(Capacity).where(Capacity.service_at_location_id.in_(offers)).values(**values))


def unmet(session: Session, vault: Vault, governorate: Governorate, now: datetime = NOW) -> dict[str, int]:
    return match_open_needs(session, vault, governorate, now=now).unmet


def test_a_word_that_is_too_old_hides_the_service_until_it_is_given_again(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    """Time travel: fresh today, stale after two weeks, hidden after six, and back with one click."""
    session.execute(update(Capacity).values(intake_end=TODAY + timedelta(days=400)))
    ages = governorate.capacity_ages
    hidden = NOW + timedelta(days=ages.hide_days, hours=1)
    open_case(session, vault, governorate, make_assessment(governorate))
    assert unmet(session, vault, governorate, hidden) == {"capacity_unconfirmed": 1}
    codes = {r["code"] for reasons in session.scalars(select(MatchCandidate.reasons)) for r in reasons}
    assert "capacity_stale" in codes
    confirm_capacities(session, provider_of(session)[0], hidden)
    report = match_open_needs(session, vault, governorate, now=hidden + timedelta(minutes=1))
    assert report.proposed == 1


def test_a_stale_service_is_proposed_only_where_no_fresh_one_fits(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    open_case(session, vault, governorate, make_assessment(governorate))
    match_open_needs(session, vault, governorate, now=NOW)
    nearest = session.scalars(select(Referral.service_at_location_id)).one()
    session.execute(
        update(Capacity)
        .where(Capacity.service_at_location_id == nearest)
        .values(confirmed_at=NOW - timedelta(days=governorate.capacity_ages.stale_days))
    )
    open_case(session, vault, governorate, make_assessment(governorate))
    match_open_needs(session, vault, governorate, now=NOW)
    second = session.scalars(select(Referral.service_at_location_id).order_by(Referral.id.desc())).first()
    assert second != nearest
    run = session.scalar(select(func.max(MatchCandidate.match_run_id)))
    rows = session.execute(
        select(MatchCandidate.rank, MatchCandidate.reasons).where(
            MatchCandidate.match_run_id == run, MatchCandidate.service_at_location_id == nearest
        )
    ).one()
    assert rows.rank > 1
    assert {"capacity_old", "nearest"} <= {reason["code"] for reason in rows.reasons}


@pytest.mark.parametrize(
    ("status", "reason"), [("no_capacity", "no_slot"), ("waitlist", "waiting_list_only")]
)
def test_who_says_none_or_a_waiting_list_is_given_nobody(
    session: Session, vault: Vault, governorate: Governorate, status: str, reason: str
) -> None:
    counselling_only(session, status=status)
    open_case(session, vault, governorate, make_assessment(governorate))
    assert unmet(session, vault, governorate) == {reason: 1}


def test_a_word_said_while_the_engine_was_thinking_counts(session: Session) -> None:
    _, offer_id = provider_of(session)
    [row] = capacities_of(session, offer_id)
    for status, by_run, by_person in (
        ("has_capacity", True, True),
        ("assessment_required", True, True),
        ("waitlist", False, True),
        ("no_capacity", False, False),
    ):
        session.execute(update(Capacity).where(Capacity.id == row.id).values(status=status))
        assert (row.id in reserve_slots(session, {row.id: 1})) is by_run, status
        assert (reserve_slot(session, offer_id, TODAY) == row.id) is by_person, status


def end_yesterday(session: Session, offer_id: int, confirmed_at: datetime) -> None:
    """A half-year period that has just ended."""
    session.execute(
        update(Capacity)
        .where(Capacity.service_at_location_id == offer_id)
        .values(intake_start=TODAY - timedelta(days=30), intake_end=TODAY - timedelta(days=1),
                confirmed_at=confirmed_at, slots=9, reserved=4, status="assessment_required")
    )  # fmt: skip


def test_a_fresh_service_goes_over_into_the_next_period_once(
    session: Session, governorate: Governorate
) -> None:
    _, offer_id = provider_of(session)
    said = NOW - timedelta(days=3)
    end_yesterday(session, offer_id, said)
    assert roll_intake_periods(session, governorate, NOW) == 1
    assert roll_intake_periods(session, governorate, NOW) == 0
    old, new = capacities_of(session, offer_id)
    assert (new.intake_start, new.intake_end) == (TODAY, TODAY + timedelta(days=29))
    assert (new.slots, new.reserved, new.status, new.confirmed_at) == (9, 0, "assessment_required", said)
    assert (old.slots, old.reserved) == (9, 4)
    assert [(e.action, e.actor_role) for e in list_capacity_events(session, offer_id)] == [("roll", "system")]


def test_nothing_goes_over_while_a_period_runs_or_the_next_is_there(
    session: Session, governorate: Governorate
) -> None:
    assert roll_intake_periods(session, governorate, NOW) == 0
    _, offer_id = provider_of(session)
    end_yesterday(session, offer_id, NOW)
    session.add(
        Capacity(service_at_location_id=offer_id, intake_start=TODAY + timedelta(days=5),
                 intake_end=TODAY + timedelta(days=9), slots=1, confirmed_at=NOW)
    )  # fmt: skip
    session.flush()
    assert roll_intake_periods(session, governorate, NOW) == 0


def test_a_stale_service_waits_for_its_word_and_then_goes_over(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    actor, offer_id = provider_of(session)
    counselling_only(session, slots=0)
    end_yesterday(session, offer_id, NOW - timedelta(days=governorate.capacity_ages.stale_days))
    assert roll_intake_periods(session, governorate, NOW) == 0
    page = list_capacities(session, actor, TODAY)
    [shown] = [row for row in page.rows if row.service_at_location_id == offer_id]
    assert (shown.status, shown.is_open(TODAY)) == ("assessment_required", False)
    open_case(session, vault, governorate, make_assessment(governorate))
    assert unmet(session, vault, governorate) == {"no_slot": 1}
    confirm_capacities(session, actor, NOW)
    assert len(capacities_of(session, offer_id)) == 2
    assert capacities_of(session, offer_id)[1].confirmed_at == NOW
    report = match_open_needs(session, vault, governorate, now=NOW)
    assert report.proposed == 1
    assert list_slot_mismatches(session) in ([], [(capacities_of(session, offer_id)[0].id, 4, 0)])


def test_many_workers_roll_one_period(fresh_engine: Engine, governorate: Governorate) -> None:
    with session_scope(fresh_engine) as session:
        _, offer_id = provider_of(session)
        end_yesterday(session, offer_id, NOW)
    rolled: list[int] = []

    def work() -> None:
        with session_scope(fresh_engine) as session:
            rolled.append(roll_intake_periods(session, governorate, NOW))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rolled) == [0, 0, 0, 0, 0, 1]
    with session_scope(fresh_engine) as session:
        assert len(capacities_of(session, offer_id)) == 2
        assert len(list_capacity_events(session, offer_id)) == 1


def test_the_board_holds_the_own_ministrys_services_oldest_word_first(session: Session) -> None:
    _, offer_id = provider_of(session)
    session.execute(
        update(Capacity)
        .where(Capacity.service_at_location_id == offer_id)
        .values(confirmed_at=NOW - timedelta(days=9))
    )
    first = list_capacities(session, MOMD, TODAY, sort="age")
    assert first.rows[0].service_at_location_id == offer_id
    assert len(first.rows) == 25
    assert first.pages > 2
    seen = {row.service_at_location_id for page in range(1, first.pages + 1)
            for row in list_capacities(session, MOMD, TODAY, sort="free", page=page).rows}  # fmt: skip
    assert len(seen) == first.total
    moi = list_capacities(session, MOI, TODAY)
    assert moi.total > 0
    assert not seen & {row.service_at_location_id for row in moi.rows}
    actor, _ = provider_of(session)
    assert list_capacities(session, replace(actor, governorate="elsewhere"), TODAY).total == 0
    assert list_capacities(session, Actor(1, "officer", "nineveh", office_id=1), TODAY).total == 0


def test_statements_do_not_grow_with_services(session: Session) -> None:
    def count(actor: Actor) -> int:
        from sqlalchemy import event

        statements: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        try:
            confirm_capacities(session, actor, NOW)
            list_capacities(session, actor, TODAY)
        finally:
            event.remove(connection, "before_cursor_execute", note)
        return len(statements)

    sizes = session.execute(
        select(Service.organization_id, func.count())
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .group_by(Service.organization_id)
        .order_by(func.count())
    ).all()
    fewest, most = sizes[0], sizes[-1]
    assert fewest[1] < most[1]
    one = Actor(1, "provider", "nineveh", organization_id=fewest[0])
    assert count(one) == count(replace(one, organization_id=most[0]))


def test_a_need_is_never_counted_twice_by_a_rolled_period(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    """What is reserved in the period that ended stays there; the new one starts empty."""
    open_case(session, vault, governorate, make_assessment(governorate))
    match_open_needs(session, vault, governorate, now=NOW)
    referral = session.scalars(select(Referral)).one()
    session.execute(
        update(Capacity)
        .where(Capacity.id == referral.capacity_id)
        .values(intake_start=date(2026, 1, 1), intake_end=TODAY - timedelta(days=1))
    )
    assert roll_intake_periods(session, governorate, NOW) == 1
    assert list_slot_mismatches(session) == []
    assert session.scalars(select(Need.status)).all() == ["referred"]
