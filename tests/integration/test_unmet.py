"""The register of unmet needs: periods of every need that never overlap and leave no gap, and their counts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework import merges, provider_acts, referrals, sending
from casework.duplicates import find_duplicates
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.withdrawals import withdraw
from db.consents import set_withdrawn
from db.keyfile import MasterKeys
from db.models import (
    Capacity,
    Case,
    DuplicatePair,
    EligibilityRule,
    Need,
    Referral,
    Service,
    ServiceAtLocation,
    UnmetPeriod,
)
from db.referrals import get_referral_parts
from db.unmet import (
    count_unmet_by_place,
    list_register_mismatches,
    list_unmet,
    list_unmet_periods,
    record_unmet_periods,
)
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case

NOW = datetime.now(UTC)
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")


def set_counselling(session: Session, **values: object) -> None:
    offers = (
        select(ServiceAtLocation.id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .where(Service.service_type == "counselling")
    )
    session.execute(update(Capacity).where(Capacity.service_at_location_id.in_(offers)).values(**values))


def run(session: Session, vault: Vault, governorate: Governorate, now: datetime = NOW) -> None:
    match_open_needs(session, vault, governorate, now=now)


def only_need(session: Session) -> Need:
    return session.scalars(select(Need).execution_options(populate_existing=True)).one()


def periods(session: Session) -> list[tuple[str, datetime, datetime | None]]:
    return [(one.reason, one.since, one.until) for one in list_unmet_periods(session, only_need(session).id)]


def test_a_period_opens_goes_on_changes_and_closes(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    hours = [NOW + timedelta(hours=step) for step in range(5)]
    set_counselling(session, status="no_capacity")
    open_case(session, vault, governorate, make_assessment(governorate))
    run(session, vault, governorate, hours[0])
    run(session, vault, governorate, hours[1])
    assert periods(session) == [("no_slot", hours[0], None)]
    set_counselling(session, status="waitlist")
    run(session, vault, governorate, hours[2])
    assert periods(session) == [("no_slot", hours[0], hours[2]), ("waiting_list_only", hours[2], None)]
    set_counselling(session, status="has_capacity")
    run(session, vault, governorate, hours[3])
    assert periods(session)[1] == ("waiting_list_only", hours[2], hours[3])


def test_where_the_person_lives_and_which_rule_blocked_are_kept_in_words(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    counselling = session.scalars(select(Service.id).where(Service.service_type == "counselling")).all()
    names = {"ar": "للرجال", "en": "For men"}
    session.add_all(
        EligibilityRule(service_id=one, attribute="sex", operator="in", values=["male"], names=names)
        for one in counselling
    )
    session.flush()
    open_case(session, vault, governorate, make_assessment(governorate))
    run(session, vault, governorate)
    [period] = list_unmet_periods(session, only_need(session).id)
    assert period.reason == "not_eligible"
    assert period.rule_id is not None
    assert period.rule == names
    assert (period.district, period.subdistrict) == ("IQG15Q05", "IQG15Q05N04")
    assert (period.governorate, period.service_type) == ("nineveh", "counselling")
    [row] = list_unmet(session, MOMD).rows
    assert (row.rule, row.since, row.district, row.reason) == (names, NOW, "IQG15Q05", "not_eligible")


def test_the_same_rule_loaded_again_under_another_id_is_no_change(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    open_case(session, vault, governorate, make_assessment(governorate))
    need = only_need(session)
    first, second = session.scalars(select(EligibilityRule).order_by(EligibilityRule.id).limit(2)).all()
    record_unmet_periods(session, {need.id: ("not_eligible", first.id)}, NOW)
    session.execute(update(EligibilityRule).where(EligibilityRule.id == second.id).values(names=first.names))
    record_unmet_periods(session, {need.id: ("not_eligible", second.id)}, NOW + timedelta(hours=1))
    assert len(periods(session)) == 1
    other = {"ar": "شرط آخر", "en": "Another"}
    session.execute(update(EligibilityRule).where(EligibilityRule.id == second.id).values(names=other))
    record_unmet_periods(session, {need.id: ("not_eligible", second.id)}, NOW + timedelta(hours=2))
    assert [one.rule for one in list_unmet_periods(session, need.id)] == [first.names, other]


def test_moving_house_begins_another_period(session: Session, vault: Vault, governorate: Governorate) -> None:
    open_case(session, vault, governorate, make_assessment(governorate))
    need = only_need(session)
    record_unmet_periods(session, {need.id: ("no_slot", None)}, NOW)
    session.execute(update(Case).values(residence_district="IQG15Q07", residence_subdistrict="IQG15Q07N01"))
    record_unmet_periods(session, {need.id: ("no_slot", None)}, NOW + timedelta(hours=1))
    found = list_unmet_periods(session, need.id)
    assert [one.district for one in found] == ["IQG15Q05", "IQG15Q07"]
    assert found[0].until == found[1].since


def test_whatever_takes_a_need_out_of_the_search_closes_its_period(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    set_counselling(session, status="no_capacity")
    case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id
    run(session, vault, governorate, NOW - timedelta(days=1))
    withdraw(session, vault, case_id or 0, MOMD, channel="desk", scope="everything", now=NOW)
    [(_, since, until)] = periods(session)
    assert until is not None
    assert until > since


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM unmet_period",
        "UPDATE unmet_period SET reason = 'consent'",
        "UPDATE unmet_period SET since = since - interval '1 day'",
        "UPDATE unmet_period SET until = now() + interval '1 day', reason = 'consent'",
        "UPDATE unmet_period SET until = now() + interval '9 days';UPDATE unmet_period SET until = NULL",
        "UPDATE unmet_period SET until = since - interval '1 day'",
        "INSERT INTO unmet_period (need_id, governorate, service_type, reason, since, until)"
        " SELECT need_id, governorate, service_type, reason, since - interval '1 day', since + interval '1 day'"
        " FROM unmet_period",
    ],
)
def test_the_register_can_only_be_added_to(
    session: Session, vault: Vault, governorate: Governorate, statement: str
) -> None:
    open_case(session, vault, governorate, make_assessment(governorate))
    record_unmet_periods(session, {only_need(session).id: ("no_slot", None)}, NOW)
    with pytest.raises(IntegrityError):
        session.execute(text(statement))


@contextmanager
def rolled_back(engine: Engine) -> Iterator[Session]:
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as inside:
            yield inside
        transaction.rollback()


STEPS = st.lists(
    st.sampled_from(
        [
            "none",
            "list",
            "places",
            "hide",
            "run",
            "run",
            "decline",
            "recall",
            "withdraw",
            "move",
            "back_in_time",
        ]
    ),
    min_size=3,
    max_size=9,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_periods_never_overlap_and_cover_the_time_without_a_proposal(
    engine: Engine, masters: MasterKeys, governorate: Governorate, steps: list[str]
) -> None:
    """Random lives of a need; an hour passes at each step, sometimes the clock is put back.

    At every run: unmet exactly when the need is open and was matched in vain; since the last change of reason.
    """
    with rolled_back(engine) as session:
        vault = Vault(session, masters)
        case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id or 0
        now = NOW
        for step in [*steps, "run"]:
            now += timedelta(hours=-2 if step == "back_in_time" else 1)
            _live(session, vault, governorate, case_id, step, now)
            need = only_need(session)
            found = list_unmet_periods(session, need.id)
            unmet_now = need.status == "open" and need.unmet_reason is not None
            assert [one.reason for one in found if one.until is None] == (
                [need.unmet_reason] if unmet_now else []
            )
            assert list_register_mismatches(session) == []
            for one, following in pairwise(found):
                assert one.since <= (one.until or following.since) <= following.since


def _live(
    session: Session, vault: Vault, governorate: Governorate, case_id: int, step: str, now: datetime
) -> None:
    said = {"none": "no_capacity", "list": "waitlist", "places": "has_capacity"}
    referral_id = session.scalar(
        select(Referral.id).where(Referral.case_id == case_id, Referral.state == "proposed")
    )
    if step in said:
        set_counselling(session, status=said[step], confirmed_at=now)
    elif step == "hide":
        set_counselling(session, confirmed_at=now - timedelta(days=90))
    elif step == "move":
        session.execute(update(Case).values(residence_district="IQG15Q07"))
        session.expire_all()
    elif step == "withdraw":
        withdraw(session, vault, case_id, MOMD, channel="desk", scope="everything", now=now)
    elif step == "recall" and referral_id is not None:
        sending.recall(session, vault, referral_id, MOMD, "error", "خطأ")
    elif step == "decline" and referral_id is not None:
        referrals.approve(session, vault, referral_id, MOMD)
        sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
        parts = get_referral_parts(session, referral_id)
        assert parts is not None
        provider = Actor(None, "provider", "nineveh", organization_id=parts.organization.id)
        provider_acts.decline(session, vault, referral_id, provider, "wrong_service", "ليست لدينا")
    elif step == "run":
        run(session, vault, governorate, now)


def test_the_number_of_statements_does_not_grow_with_needs(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    set_counselling(session, status="no_capacity")

    def count(cases: int, now: datetime) -> int:
        for _ in range(cases):
            open_case(session, vault, governorate, make_assessment(governorate))
        needs = session.scalars(select(Need.id)).all()
        statements: list[str] = []
        connection: Connection = session.connection()

        def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(connection, "before_cursor_execute", note)
        try:
            record_unmet_periods(session, dict.fromkeys(needs, ("no_slot", None)), now)
        finally:
            event.remove(connection, "before_cursor_execute", note)
        return len(statements)

    assert count(1, NOW) == count(30, NOW + timedelta(hours=1)) == 2
    assert len(session.scalars(select(UnmetPeriod)).all()) == 31


def test_planners_get_counts_by_place_and_no_small_ones(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    places = [("IQG15Q05", 7), ("IQG15Q07", 6), ("IQG15Q08", 2), (None, 5)]
    for district, number in places:
        for _ in range(number):
            case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id
            session.execute(update(Case).where(Case.id == case_id).values(residence_district=district))
    first = session.scalars(select(Need.id).order_by(Need.id)).first()
    session.execute(update(Need).values(unmet_reason="no_slot"))
    session.execute(update(Need).where(Need.id == first).values(unmet_reason="consent"))

    def counts(smallest: int, reason: str = "no_slot", viewer: Actor = MOMD) -> dict[str | None, int | None]:
        rows = count_unmet_by_place(session, viewer, smallest)
        return {row.place: row.number for row in rows if row.reason == reason}

    assert counts(1) == {"IQG15Q05": 6, "IQG15Q07": 6, "IQG15Q08": 2, None: 5}
    # The one small figure could be had from a total, so the next smallest is not said either.
    assert counts(5) == {"IQG15Q05": 6, "IQG15Q07": 6, "IQG15Q08": None, None: None}
    assert counts(6) == {"IQG15Q05": 6, "IQG15Q07": 6, "IQG15Q08": None, None: None}
    assert counts(1, "consent") == {"IQG15Q05": 1}
    assert counts(5, "consent") == {"IQG15Q05": None}
    said_no = select(Case.id).where(Case.residence_district == "IQG15Q07").limit(1).scalar_subquery()
    set_withdrawn(session, [session.scalar(select(said_no)) or 0], ["statistics"], NOW)
    assert counts(1)["IQG15Q07"] == 5
    assert [row.place for row in count_unmet_by_place(session, MOMD)][-1] is None
    assert counts(1, viewer=MOI) == {}, "the needs are in another ministry's mandate"
    assert counts(1, viewer=Actor(None, "coordinator", "anbar", ministry="momd")) == {}


def test_the_list_holds_the_own_mandates_needs(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    set_counselling(session, status="no_capacity")
    open_case(session, vault, governorate, make_assessment(governorate))
    run(session, vault, governorate)
    assert [row.reason for row in list_unmet(session, MOMD).rows] == ["no_slot"]
    assert list_unmet(session, MOI).total == 0
    assert list_unmet(session, MOMD, reason="consent").total == 0


def two_registrations(
    session: Session, vault: Vault, governorate: Governorate, places: Sequence[str | None] = (None, None)
) -> DuplicatePair:
    """One household registered twice, with one need that nobody can serve."""
    set_counselling(session, status="no_capacity")
    for place in places:
        open_case(session, vault, governorate, make_assessment(governorate, place=place))
    run(session, vault, governorate)
    find_duplicates(session, vault, governorate)
    return session.scalars(select(DuplicatePair)).one()


def open_periods(session: Session) -> dict[int, str | None]:
    """Need -> district of its open period."""
    rows = session.execute(
        select(UnmetPeriod.need_id, UnmetPeriod.district).where(UnmetPeriod.until.is_(None))
    )
    return {row.need_id: row.district for row in rows}


def test_parting_registrations_puts_the_register_right_at_once(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    pair = two_registrations(session, vault, governorate)
    merges.merge(session, vault, pair.id, pair.first_case_id, MOMD)
    assert (list_unmet(session, MOMD).total, len(open_periods(session))) == (1, 1)
    assert list_register_mismatches(session) == []
    merges.unmerge(session, pair.id, MOMD)
    assert (list_unmet(session, MOMD).total, len(open_periods(session))) == (2, 2)
    assert list_register_mismatches(session) == []
    closed = session.scalars(select(UnmetPeriod).where(UnmetPeriod.until.is_not(None))).all()
    assert len(closed) == 1
    found = list_unmet(session, MOMD).rows
    assert {row.reason for row in found} == {"no_slot"}


def test_a_need_is_registered_where_its_household_lives_whenever_it_is_joined_or_parted(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    pair = two_registrations(session, vault, governorate, (None, "IQG15Q07"))
    second = session.get_one(Case, pair.second_case_id)
    assert second.residence_district == "IQG15Q07"
    [moved] = session.scalars(select(Need.id).where(Need.case_id == second.id))
    session.execute(update(Need).where(Need.id == moved).values(service_type="mental_health"))
    session.expire_all()
    assert open_periods(session)[moved] == "IQG15Q07"
    merges.merge(session, vault, pair.id, pair.first_case_id, MOMD)
    assert open_periods(session)[moved] == "IQG15Q05"
    merges.unmerge(session, pair.id, MOMD)
    assert open_periods(session)[moved] == "IQG15Q07"
