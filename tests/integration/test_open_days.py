"""An open day from plan to reconciliation: who may act, what carries it, what is missing at its end."""

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.cli import app
from api.context import AppContext
from api.demo_open_days import DESKS, PEOPLE, begin_open_days, fill_lines
from api.settings import Settings
from casework import drafts, referrals, sending
from casework import open_days as acts
from casework import queue_tokens as queue
from casework.matching import match_open_needs
from casework.merges import merge
from casework.moves import Actor
from casework.reconciliation import TabletStanding, reconcile
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Case, DuplicatePair, Need, OpenDay, QueueToken, Referral, Submission
from db.open_days import list_open_days
from db.session import session_scope
from db.vault import Vault
from db.visibility import visible_cases
from governorates import Governorate, new_code
from governorates.calendar import day_bounds, local_day
from tests.conftest import Database
from tests.factories.cases import make_assessment
from tests.factories.open_days import STATIONS, add_tablet, desk, officer_of, open_open_day, send_from

NOON = datetime(2031, 5, 6, 9, 0, tzinfo=UTC)
SINJAR_DISTRICT_PLACE = "IQG15Q07"
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.value.code


def assessed(governorate: Governorate, at: datetime = NOON, **changes: object):  # type: ignore[no-untyped-def]
    needs = changes.pop("needs", [("primary_health_care", "normal")])
    values = {"assessed_at": at, "case_code": new_code(secrets)} | changes
    return make_assessment(governorate, needs, **values)  # type: ignore[arg-type]


class TestWho:
    """Only officers of the office act; coordinators look; the Ministry of Interior's do not even that."""

    def strangers(self, session: Session) -> dict[str, tuple[Actor, str]]:
        return {
            "another office": (officer_of(session, "sinjar"), "not_found"),
            "another governorate": (replace(officer_of(session), governorate="elsewhere"), "not_found"),
            "a coordinator": (MOMD, "forbidden"),
            "a provider": (Actor(None, "provider", "nineveh", organization_id=1), "forbidden"),
        }

    def test_nobody_else_acts(self, session: Session, governorate: Governorate) -> None:
        day = open_open_day(session, governorate, now=NOON)
        own = officer_of(session)
        token = queue.take_token(session, day, own, NOON)
        acting: list[Callable[[Actor], object]] = [
            lambda who: acts.open_day_begins(session, day, who, NOON),
            lambda who: acts.close_open_day(session, day, who, NOON),
            lambda who: queue.take_token(session, day, who, NOON),
            lambda who: queue.call_next(session, desk(session, day, "reception"), who, NOON),
            lambda who: queue.link_token(session, day, token.id, "AAAAAAAAA", who),
            lambda who: queue.serve(session, day, token.id, who, NOON),
            lambda who: queue.leave(session, day, token.id, who, NOON),
            lambda who: queue.come_back(session, day, token.id, who),
        ]
        for who, (actor, code) in self.strangers(session).items():
            for number, act in enumerate(acting):
                assert refused(lambda act=act, actor=actor: act(actor)) == code, (who, number)  # type: ignore[misc]
        assert session.get_one(QueueToken, token.id).state == "waiting"
        assert session.get_one(OpenDay, day).state == "open"

    def test_only_officers_plan(self, session: Session) -> None:
        for actor in (MOMD, Actor(None, "admin", "nineveh"), Actor(None, "officer", "nineveh")):
            assert (
                refused(
                    lambda actor=actor: acts.plan_open_day(  # type: ignore[misc]
                        session, actor, NOON.date(), STATIONS, [], NOON
                    )
                )
                == "forbidden"
            )

    def test_who_sees_which_days(self, session: Session, governorate: Governorate) -> None:
        mosul = open_open_day(session, governorate, now=NOON)
        sinjar = open_open_day(session, governorate, office="sinjar", now=NOON)
        seen = {
            "officer": {row.day.id for row in list_open_days(session, officer_of(session)).rows},
            "coordinator": {row.day.id for row in list_open_days(session, MOMD).rows},
            "interior": {row.day.id for row in list_open_days(session, MOI).rows},
            "elsewhere": {
                row.day.id for row in list_open_days(session, replace(MOMD, governorate="anbar")).rows
            },
        }
        assert seen == {
            "officer": {mosul},
            "coordinator": {mosul, sinjar},
            "interior": set(),
            "elsewhere": set(),
        }
        assert refused(lambda: reconcile(session, MOI, mosul, NOON)) == "not_found"
        assert refused(lambda: reconcile(session, officer_of(session, "sinjar"), mosul, NOON)) == "not_found"

    def test_a_slip_is_given_by_the_households_officer(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        case = send_from(session, vault, governorate, None, assessed(governorate))
        stranger = officer_of(session, "sinjar")
        assert refused(lambda: acts.mark_slip_given(session, case.id, stranger, NOON)) == "not_found"
        assert refused(lambda: acts.mark_slip_given(session, case.id, MOMD, NOON)) == "forbidden"
        acts.mark_slip_given(session, case.id, officer_of(session), NOON)
        assert session.get_one(Case, case.id).slip_given_at == NOON


class TestPlan:
    """What a plan may say, and when a day begins and ends."""

    def test_one_day_an_office_a_date(self, session: Session) -> None:
        own, other, day = officer_of(session), officer_of(session, "sinjar"), NOON.date()
        acts.plan_open_day(session, own, day, STATIONS, [], NOON)
        assert refused(lambda: acts.plan_open_day(session, own, day, STATIONS, [], NOON)) == "open_day_exists"
        acts.plan_open_day(session, other, day, STATIONS, [], NOON)
        acts.plan_open_day(session, own, day + timedelta(days=1), STATIONS, [], NOON)

    @pytest.mark.parametrize(
        ("stations", "code"),
        [
            ({}, "station_required"),
            ({"reception": 0}, "station_required"),
            ({"bar": 1}, "station_unknown"),
            ({"reception": -1}, "station_unknown"),
            ({"reception": 21}, "station_unknown"),
        ],
    )
    def test_stations_make_sense(self, session: Session, stations: dict[str, int], code: str) -> None:
        own = officer_of(session)
        assert refused(lambda: acts.plan_open_day(session, own, NOON.date(), stations, [], NOON)) == code

    def test_not_on_a_day_gone_by_in_the_offices_own_time(
        self, session: Session, governorate: Governorate
    ) -> None:
        own = officer_of(session)
        # Half an hour past midnight in Iraq is still the day before in UTC.
        night = day_bounds(governorate, NOON.date())[0] + timedelta(minutes=30)
        assert night.date() < NOON.date() == local_day(governorate, night)
        yesterday = NOON.date() - timedelta(days=1)
        assert (
            refused(lambda: acts.plan_open_day(session, own, yesterday, STATIONS, [], night))
            == "open_day_date"
        )
        day = acts.plan_open_day(session, own, NOON.date(), STATIONS, [], night)
        for at in (night - timedelta(hours=1), night + timedelta(days=1)):
            assert refused(lambda at=at: acts.open_day_begins(session, day, own, at)) == "open_day_date"  # type: ignore[misc]
        acts.open_day_begins(session, day, own, night)
        assert refused(lambda: acts.open_day_begins(session, day, own, night)) == "open_day_state"

    def test_tablets_are_the_governorates(self, session: Session) -> None:
        own, lent = officer_of(session), add_tablet(session, "P-1", "sinjar")
        plan = lambda ids: acts.plan_open_day(session, own, NOON.date(), STATIONS, ids, NOON)  # noqa: E731
        assert refused(lambda: plan([lent, 10**9])) == "unknown_tablet"
        assert plan([lent, lent])

    def test_closing_sends_home_and_forgets_why_somebody_had_priority(
        self, session: Session, governorate: Governorate
    ) -> None:
        day, own = open_open_day(session, governorate, now=NOON), officer_of(session)
        for reason in ("pregnant", "pregnant", "disability", None):
            queue.take_token(session, day, own, NOON, reason)
        queue.call_next(session, desk(session, day, "reception"), own, NOON)
        acts.close_open_day(session, day, own, NOON + timedelta(hours=5))
        session.expire_all()
        tokens = session.scalars(select(QueueToken).order_by(QueueToken.number)).all()
        assert [token.state for token in tokens] == ["left"] * 4
        assert [(token.priority, token.priority_reason) for token in tokens] == [(True, None)] * 3 + [
            (False, None)
        ]
        assert session.get_one(OpenDay, day).priorities == {"disability": 1, "pregnant": 2}
        assert refused(lambda: queue.take_token(session, day, own, NOON)) == "open_day_state"
        assert refused(lambda: acts.close_open_day(session, day, own, NOON)) == "open_day_state"
        assert refused(lambda: queue.come_back(session, day, tokens[0].id, own)) == "open_day_state"


class TestCarrying:
    """What a tablet sends on the day carries the day."""

    def test_a_submission_of_the_days_tablet(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, lent = add_tablet(session, "M-1"), add_tablet(session, "S-1", "sinjar")
        far = add_tablet(session, "S-2", "sinjar")
        day = open_open_day(session, governorate, tablets=[lent], now=NOON)

        def carried(tablet_id: int | None, at: datetime = NOON, late: timedelta = timedelta(0)) -> int | None:
            return send_from(
                session, vault, governorate, tablet_id, assessed(governorate, at), late=late
            ).open_day_id

        first, after = day_bounds(governorate, NOON.date())
        assert carried(tablet) == day
        assert carried(lent) == day
        assert carried(far) is None
        assert carried(None) is None  # ODK Central
        assert carried(tablet, first) == day
        assert carried(tablet, first - timedelta(seconds=1)) is None
        assert carried(tablet, after) is None
        # Sent a week later, it was still made at the open day; a clock ahead of ours is not believed.
        assert carried(tablet, NOON, timedelta(days=7)) == day
        assert carried(tablet, NOON + timedelta(days=3), timedelta(days=-3)) == day

    def test_a_tablet_lent_to_another_office_serves_that_one(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        lent = add_tablet(session, "M-2")
        open_open_day(session, governorate, now=NOON)
        sinjar = open_open_day(session, governorate, office="sinjar", tablets=[lent], now=NOON)
        assert send_from(session, vault, governorate, lent, assessed(governorate)).open_day_id == sinjar

    def test_an_old_form_sent_late_does_not_take_the_newer_day_away(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, own = add_tablet(session, "M-3"), officer_of(session)
        case = send_from(session, vault, governorate, None, assessed(governorate))
        open_open_day(session, governorate, now=NOON)
        later = NOON + timedelta(days=2)
        second = open_open_day(session, governorate, now=later)
        token = queue.take_token(session, second, own, later)
        queue.link_token(session, second, token.id, case.printed_code, own)
        assert case.open_day_id == second
        submission = session.get_one(Submission, case.submission_id)
        submission.tablet_id = tablet
        acts.carry_open_day(session, governorate, submission, case, NOON)
        assert case.open_day_id == second

    def test_referrals_made_on_the_day_carry_it_and_later_ones_do_not(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, now = add_tablet(session, "M-4"), datetime.now(UTC)
        day = open_open_day(session, governorate, now=now)
        here = send_from(session, vault, governorate, tablet, assessed(governorate, now))
        elsewhere = send_from(session, vault, governorate, None, assessed(governorate, now))
        report = acts.match_open_day(session, vault, governorate, day, officer_of(session), now=now)
        assert (report.proposed, report.unmet) == (1, {})
        made = dict(session.execute(select(Referral.case_id, Referral.open_day_id)).all())
        assert made == {here.id: day, elsewhere.id: None}
        session.add(
            Need(
                case_id=here.id, service_type="counselling", category="mhpss", urgency="normal", status="open"
            )
        )
        session.flush()
        match_open_needs(session, vault, governorate, now=now + timedelta(days=1))
        assert sorted(
            session.scalars(select(Referral.open_day_id).where(Referral.case_id == here.id)),
            key=lambda carried: carried or 0,
        ) == [None, day]

    def test_a_referral_drafted_at_the_desk_carries_the_day(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, own, now = add_tablet(session, "M-8"), officer_of(session), datetime.now(UTC)
        day = open_open_day(session, governorate, now=now)
        send_from(session, vault, governorate, tablet, assessed(governorate, now))
        send_from(session, vault, governorate, None, assessed(governorate, now))
        match_open_needs(session, vault, governorate, now=now)
        carried = {}
        for made in session.scalars(select(Referral)).all():
            sending.recall(session, vault, made.id, own, "error", "wrong")
            drafted = drafts.draft(
                session, vault, made.need_id, made.service_at_location_id, own, "returnee_wish"
            )
            carried[made.open_day_id] = session.get_one(Referral, drafted).open_day_id
        assert carried == {day: day, None: None}

    def test_the_days_match_tells_what_is_left_and_why(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, now = add_tablet(session, "M-5"), datetime.now(UTC)
        day = open_open_day(session, governorate, now=now)
        stranger = officer_of(session, "sinjar")
        match = lambda who: acts.match_open_day(session, vault, governorate, day, who, now=now)  # noqa: E731
        assert refused(lambda: match(stranger)) == "not_found"
        assert refused(lambda: match(MOI)) == "not_found"
        narrow = assessed(governorate, now)
        narrow = replace(narrow, consent=replace(narrow.consent, categories=("education",)))
        send_from(session, vault, governorate, tablet, narrow)
        send_from(session, vault, governorate, None, replace(narrow, case_code=new_code(secrets)))
        first = match(MOMD)
        assert first.run_id is not None
        assert (first.proposed, first.unmet) == (0, {"consent": 1})
        again = match(officer_of(session))
        assert (again.run_id, again.proposed, again.unmet) == (None, 0, {"consent": 1})


class TestReceivingSomebodyFromElsewhere:
    """A person of another office's area stands before the desk: the day's office sees them until it is closed."""

    def test_until_the_day_is_closed(self, session: Session, vault: Vault, governorate: Governorate) -> None:
        tablet, own, now = add_tablet(session, "M-6"), officer_of(session), datetime.now(UTC)
        sinjar = officer_of(session, "sinjar")
        place = next(place.pcode for place in governorate.populated(SINJAR_DISTRICT_PLACE) if place.pcode)
        at_home = send_from(session, vault, governorate, None, assessed(governorate, now, place=place))
        assert at_home.office_id == sinjar.office_id
        day = open_open_day(session, governorate, now=now)
        case = send_from(session, vault, governorate, tablet, assessed(governorate, now, place=place))
        assert case.office_id == sinjar.office_id
        match_open_needs(session, vault, governorate, now=now)
        referral = session.scalars(select(Referral.id).where(Referral.case_id == case.id)).one()
        referrals.approve(session, vault, referral, MOMD)

        def seen(who: Actor) -> set[int]:
            return {one.id for one in session.scalars(visible_cases(who))}

        assert seen(own) == {case.id}
        assert seen(sinjar) == {case.id, at_home.id}
        acts.mark_slip_given(session, case.id, own, now)
        acts.close_open_day(session, day, own, now)
        assert seen(own) == set()
        assert refused(lambda: sending.recall(session, vault, referral, own, "error")) == "not_found"
        assert seen(sinjar) == {case.id, at_home.id}

    def test_the_desk_may_ask_for_consent(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, own, now = add_tablet(session, "M-7"), officer_of(session), datetime.now(UTC)
        place = governorate.populated(SINJAR_DISTRICT_PLACE)[0].pcode
        open_open_day(session, governorate, now=now)
        case = send_from(session, vault, governorate, tablet, assessed(governorate, now, place=place))
        match_open_needs(session, vault, governorate, now=now)
        referral = session.scalars(select(Referral.id).where(Referral.case_id == case.id)).one()
        referrals.approve(session, vault, referral, MOMD)
        sending.send(session, vault, referral, own, channel="desk", language="ar")
        assert session.get_one(Referral, referral).state == "sent"


class TestReconciliation:
    """The list names exactly what is missing."""

    def test_everything_missing_and_nothing_else(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        own, now = officer_of(session), datetime.now(UTC)
        sent, silent, empty, unassigned = (
            add_tablet(session, label) for label in ("A-sent", "B-silent", "C-empty", "D-unassigned")
        )
        del unassigned
        day = open_open_day(session, governorate, tablets=[sent, silent, empty], now=now)
        self.see(session, sent, now)
        self.see(session, silent, now - timedelta(hours=2))
        done = send_from(session, vault, governorate, sent, assessed(governorate, now))
        without_slip = send_from(session, vault, governorate, silent, assessed(governorate, now))
        narrow = assessed(governorate, now)
        narrow = replace(narrow, consent=replace(narrow.consent, categories=("education",)))
        unmet = send_from(session, vault, governorate, sent, narrow)
        elsewhere = send_from(session, vault, governorate, None, assessed(governorate, now))
        acts.match_open_day(session, vault, governorate, day, own, now=now)
        waiting = session.scalars(select(Referral.id).where(Referral.case_id == done.id)).one()
        referrals.approve(session, vault, waiting, MOMD)
        for case in (done, unmet):
            acts.mark_slip_given(session, case.id, own, now)
        numbers = [queue.take_token(session, day, own, now) for _ in range(3)]
        queue.link_token(session, day, numbers[1].id, without_slip.printed_code, own)
        queue.leave(session, day, numbers[2].id, own, now)

        found = reconcile(session, own, day, now)
        assert [(check.tablet.label, check.standing, check.tablet.received) for check in found.tablets] == [
            ("A-sent", TabletStanding.SENT, 2),
            ("B-silent", TabletStanding.SILENT, 1),
            ("C-empty", TabletStanding.NOTHING_SENT, 0),
        ]
        assert [check.tablet.label for check in found.missing_tablets] == ["B-silent", "C-empty"]
        assert [tuple(row) for row in found.tokens.rows] == [
            (1, "waiting", "reception"),
            (3, "left", "reception"),
        ]
        assert [tuple(row) for row in found.without_slip.rows] == [(without_slip.printed_code, [2])]
        assert [tuple(row) for row in found.open_needs.rows] == [
            (unmet.printed_code, "primary_health_care", "consent")
        ]
        assert [row[:3] for row in found.awaiting_consent.rows] == [
            (waiting, done.printed_code, "primary_health_care")
        ]
        assert not found.is_complete
        assert elsewhere.printed_code not in str(found)

    def test_nothing_is_missing(self, session: Session, vault: Vault, governorate: Governorate) -> None:
        own, now = officer_of(session), datetime.now(UTC)
        tablet = add_tablet(session, "A-1")
        day = open_open_day(session, governorate, tablets=[tablet], now=now)
        case = send_from(session, vault, governorate, tablet, assessed(governorate, now))
        self.see(session, tablet, now)
        token = queue.take_token(session, day, own, now)
        queue.link_token(session, day, token.id, case.printed_code, own)
        acts.match_open_day(session, vault, governorate, day, own, now=now)
        acts.mark_slip_given(session, case.id, own, now)
        assert reconcile(session, own, day, now).is_complete

    def test_what_is_set_aside_counts_as_missing(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        now = datetime.now(UTC)
        tablet = add_tablet(session, "A-1")
        day = open_open_day(session, governorate, tablets=[tablet], now=now)
        case = send_from(session, vault, governorate, tablet, assessed(governorate, now))
        self.see(session, tablet, now)
        session.get_one(Submission, case.submission_id).status = "quarantined"
        session.flush()
        found = reconcile(session, officer_of(session), day, now)
        assert [(one.tablet.label, one.tablet.quarantined) for one in found.missing_tablets] == [("A-1", 1)]

    def test_a_tablet_that_sends_the_day_after_is_no_longer_missing(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, later = add_tablet(session, "A-1"), NOON + timedelta(days=1)
        day = open_open_day(session, governorate, tablets=[tablet], now=NOON)
        checked = lambda: reconcile(session, officer_of(session), day, later).tablets[0]  # noqa: E731
        assert checked().standing is TabletStanding.NOTHING_SENT
        send_from(
            session, vault, governorate, tablet, assessed(governorate, later), late=timedelta(minutes=1)
        )
        assert checked().standing is TabletStanding.NOTHING_SENT  # that one was made elsewhere
        send_from(session, vault, governorate, tablet, assessed(governorate, NOON), late=timedelta(days=1))
        self.see(session, tablet, later)
        assert (checked().standing, checked().tablet.received) == (TabletStanding.SENT, 1)

    def test_last_years_slip_is_not_todays(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        own = officer_of(session)
        case = send_from(session, vault, governorate, None, assessed(governorate, NOON - timedelta(days=90)))
        acts.mark_slip_given(session, case.id, own, NOON - timedelta(days=90))
        day = open_open_day(session, governorate, now=NOON)
        token = queue.take_token(session, day, own, NOON)
        queue.link_token(session, day, token.id, case.printed_code, own)
        assert reconcile(session, own, day, NOON).without_slip.total == 1
        acts.mark_slip_given(session, case.id, own, NOON)
        assert reconcile(session, own, day, NOON).without_slip.total == 0

    def test_a_coordinator_sees_cases_of_their_mandate_only(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, now = add_tablet(session, "A-1"), datetime.now(UTC)
        day = open_open_day(session, governorate, tablets=[tablet], now=now)
        own = send_from(session, vault, governorate, tablet, assessed(governorate, now))
        interior = [("womens_legal_counselling", "normal")]
        other = send_from(session, vault, governorate, tablet, assessed(governorate, now, needs=interior))
        both = {own.printed_code, other.printed_code}
        officer, momd = (reconcile(session, who, day, now) for who in (officer_of(session), MOMD))
        for seen in (officer, momd):  # what nobody was asked about yet is the operator's
            assert {row[0] for row in seen.without_slip.rows} == both
            assert {row[0] for row in seen.open_needs.rows} == both
        acts.match_open_day(session, vault, governorate, day, officer_of(session), now=now)
        officer, momd = (reconcile(session, who, day, now) for who in (officer_of(session), MOMD))
        assert {row[0] for row in officer.without_slip.rows} == both
        assert {row[0] for row in momd.without_slip.rows} == {own.printed_code}

    def test_two_registrations_of_one_household_are_looked_after_once(
        self, session: Session, vault: Vault, governorate: Governorate
    ) -> None:
        tablet, now = add_tablet(session, "A-1"), datetime.now(UTC)
        day = open_open_day(session, governorate, tablets=[tablet], now=now)
        first, second = (
            send_from(session, vault, governorate, tablet, assessed(governorate, now)) for _ in range(2)
        )
        pair = DuplicatePair(
            governorate="nineveh", first_case_id=first.id, second_case_id=second.id, score=90, parts=[],
            weights="1", state="open",
        )  # fmt: skip
        session.add(pair)
        session.flush()
        merge(session, vault, pair.id, first.id, MOMD)
        session.expire_all()
        assert reconcile(session, officer_of(session), day, now).open_needs.total == 1

    @staticmethod
    def see(session: Session, tablet_id: int, at: datetime) -> None:
        from db.models import Tablet

        session.get_one(Tablet, tablet_id).last_seen_at = at
        session.flush()


def test_linking_needs_one_case_with_that_code(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    own = officer_of(session)
    day = open_open_day(session, governorate, now=NOON)
    token = queue.take_token(session, day, own, NOON)
    link = lambda code: refused(lambda: queue.link_token(session, day, token.id, code, own))  # noqa: E731
    place = governorate.populated(SINJAR_DISTRICT_PLACE)[0].pcode
    foreign = send_from(session, vault, governorate, None, assessed(governorate, place=place))
    assert link("not a code") == "code_unknown"
    assert link(new_code(secrets)) == "code_unknown"
    assert link(foreign.printed_code) == "code_unknown"
    code = new_code(secrets)
    first = send_from(session, vault, governorate, None, assessed(governorate, case_code=code))
    send_from(session, vault, governorate, None, assessed(governorate, case_code=code))
    assert link(code) == "code_ambiguous"
    # Of two that made the same code, the one who is here today is meant.
    first.open_day_id = day
    session.flush()
    queue.link_token(session, day, token.id, f" {code[:3]}-{code[3:]} ".lower(), own)
    assert session.get_one(QueueToken, token.id).case_id == first.id


def test_the_command_line_lists_them(
    fresh_database: Database,
    fresh_engine: Engine,
    governorate: Governorate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IHALA_DATABASE_URL", fresh_database.app_url)
    monkeypatch.setenv("IHALA_OWNER_DATABASE_URL", fresh_database.owner_url)
    monkeypatch.setenv("IHALA_DATA_FOLDER", str(tmp_path))
    with session_scope(fresh_engine) as session:
        day = open_open_day(session, governorate, now=NOON)
        queue.take_token(session, day, officer_of(session), NOON)
    answer = CliRunner().invoke(app, ["open-days", "list", "--json"])
    assert json.loads(answer.stdout) == [
        {"id": day, "office": "mosul", "date": "2031-05-06", "state": "open", "tokens": 1, "cases": 0}
    ]
    assert "mosul" in CliRunner().invoke(app, ["open-days", "list"]).stdout


def test_the_demos_lines_use_every_desk(
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
) -> None:
    context = AppContext(
        Settings(data_folder=tmp_path), fresh_engine, fresh_database.owner_url, masters, governorate
    )
    with session_scope(fresh_engine) as session:
        tablet = add_tablet(session, "M-1")
    begin_open_days(context)
    with session_scope(fresh_engine) as session:
        vault, now = Vault(session, masters), datetime.now(UTC)
        for _ in range(5):
            send_from(session, vault, governorate, tablet, assessed(governorate, now))
    for _ in range(2):  # a second start changes nothing
        begin_open_days(context)
        fill_lines(context)
    with session_scope(fresh_engine) as session:
        days = list_open_days(session, MOMD).rows
        assert [row.day.tokens for row in days] == [PEOPLE] * len(governorate.offices)
        mosul = next(row for row in days if row.cases)
        assert mosul.cases == 5
        tokens = session.scalars(select(QueueToken).where(QueueToken.open_day_id == mosul.day.id)).all()
        assert len({one.case_id for one in tokens if one.case_id}) == 5
        assert {one.state for one in tokens} == {"waiting", "called", "served"}
        assert len({one.station_id for one in tokens if one.state == "called"}) == sum(DESKS.values())
