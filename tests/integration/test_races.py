"""People and matching runs at the same time: nothing is lost, doubled or stuck, and slots always add up."""

import random
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from casework import matching, provider_acts, referrals, sending
from casework.cases import take_in
from casework.consent import settle_exclusion
from casework.disclosure import preview, read_out_mark
from casework.matching import match_open_needs
from casework.moves import SYSTEM, Actor
from casework.withdrawals import withdraw
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import (
    Capacity,
    Case,
    Consent,
    MatchCandidate,
    Need,
    Referral,
    Service,
    ServiceAtLocation,
    Submission,
)
from db.referrals import list_slot_mismatches
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate, offered_codes
from referral_engine.sop import LIVE
from tests.factories.cases import make_assessment, make_consent, open_case

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")


@dataclass
class Ground:
    """A database of the test's own, with what every thread needs."""

    engine: Engine
    masters: MasterKeys
    governorate: Governorate
    failures: list[BaseException] = field(default_factory=list)

    def open(self, count: int, needs: Iterable[str] = ("counselling",)) -> list[int]:
        wanted = [(service_type, "normal") for service_type in needs]
        with session_scope(self.engine) as session:
            vault = Vault(session, self.masters)
            taken = [
                open_case(session, vault, self.governorate, make_assessment(self.governorate, wanted))
                for _ in range(count)
            ]
        return [one.case_id or 0 for one in taken]

    def match(self) -> None:
        with session_scope(self.engine) as session:
            match_open_needs(session, Vault(session, self.masters), self.governorate, now=datetime.now(UTC))

    def act(self, act: Callable[[Session, Vault], None]) -> None:
        """One act in its own transaction; a refusal is an answer too, anything else is a failure."""
        try:
            with session_scope(self.engine) as session:
                act(session, Vault(session, self.masters))
        except DomainError:
            pass
        except BaseException as error:
            self.failures.append(error)

    def together(self, *works: Callable[[], None]) -> None:
        """Let the works run at once and fail with what any of them failed with."""
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]


@pytest.fixture
def ground(fresh_engine: Engine, masters: MasterKeys, governorate: Governorate) -> Ground:
    return Ground(fresh_engine, masters, governorate)


def test_two_coordinators_exchange_their_choices(ground: Ground) -> None:
    """Each takes from where the other gives back: without one order of locks they would wait for each other."""
    ground.open(2)
    ground.match()
    with session_scope(ground.engine) as session:
        first, second = session.scalars(select(Referral.id).order_by(Referral.id)).all()
        options = session.scalars(
            select(MatchCandidate.service_at_location_id)
            .where(MatchCandidate.status == "option")
            .group_by(MatchCandidate.service_at_location_id)
            .having(func.count() == 2)
            .order_by(MatchCandidate.service_at_location_id)
        ).all()[:2]
        session.execute(update(Capacity).values(slots=9))

    def swing(referral_id: int, ways: list[int]) -> Callable[[], None]:
        def work() -> None:
            for turn in range(60):
                ground.act(
                    lambda session, vault, to=ways[turn % 2]: referrals.choose_other(  # type: ignore[misc]
                        session, vault, referral_id, to, MOMD, "transport"
                    )
                )

        return work

    ground.together(swing(first, list(options)), swing(second, list(reversed(options))))
    with session_scope(ground.engine) as session:
        assert list_slot_mismatches(session) == []


def test_two_refusals_of_one_person_are_both_kept(ground: Ground) -> None:
    for _ in range(6):
        [case_id] = ground.open(1, ("counselling", "civil_documents"))
        ground.match()
        with session_scope(ground.engine) as session:
            ids = session.scalars(select(Referral.id).where(Referral.case_id == case_id)).all()
        for one in ids:
            ground.act(lambda session, vault, one=one: referrals.approve(session, vault, one, MOMD))  # type: ignore[misc]
        ready = threading.Barrier(2)

        def refuse(one: int, ready: threading.Barrier = ready) -> None:
            ready.wait()
            ground.act(lambda session, vault: sending.refuse_consent(session, vault, one, MOMD))

        ground.together(*(lambda one=one: refuse(one) for one in ids))  # type: ignore[misc]
        with session_scope(ground.engine) as session:
            refused = session.scalars(
                select(Service.organization_id)
                .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
                .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
                .where(Referral.id.in_(ids))
            ).all()
            kept = session.scalars(
                select(Consent.excluded_organizations).where(
                    Consent.case_id == case_id, Consent.kind == "assessment"
                )
            ).one()
            assert set(kept) == set(refused)


def test_an_edit_between_page_and_sending_stops_the_sending(ground: Ground) -> None:
    """The sending waits for the edit that holds the case, and then sees that other words were read out."""
    [case_id] = ground.open(1)
    ground.match()
    with session_scope(ground.engine) as session:
        vault = Vault(session, ground.masters)
        referral_id = session.scalars(select(Referral.id)).one()
        referrals.approve(session, vault, referral_id, MOMD)
        mark = read_out_mark(vault, preview(session, vault, referral_id))
    codes: list[str] = []

    def send() -> None:
        try:
            with session_scope(ground.engine) as session:
                sending.send(
                    session, Vault(session, ground.masters), referral_id, MOMD,
                    channel="desk", language="ar", read_out=mark,
                )  # fmt: skip
        except DomainError as error:
            codes.append(error.code)

    with session_scope(ground.engine) as session:
        session.execute(update(Case).where(Case.id == case_id).values(residence_district="IQG15Q03"))
        session.flush()
        sender = threading.Thread(target=send)
        sender.start()
        _wait_until_somebody_waits(ground.engine)
    sender.join()
    assert codes == ["changed_meanwhile"]


def _wait_until_somebody_waits(engine: Engine) -> None:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    pause = threading.Event()
    for _ in range(400):
        with engine.connect() as connection:
            if connection.scalar(waiting):
                return
        pause.wait(0.02)
    raise AssertionError("nobody waited")


def test_consent_taken_back_while_the_engine_thinks_is_heard(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    [case_id, other] = ground.open(2)
    hold = matching._hold_unchanged

    def late(*args: object) -> list[object]:
        with session_scope(ground.engine) as session:
            withdraw(
                session, Vault(session, ground.masters), case_id, SYSTEM,
                channel="desk", scope="everything", now=datetime.now(UTC),
            )  # fmt: skip
        return hold(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(matching, "_hold_unchanged", late)
    ground.match()
    with session_scope(ground.engine) as session:
        assert session.scalars(select(Referral.case_id)).all() == [other]
        assert session.scalars(select(Need.status).where(Need.case_id == case_id)).all() == ["withdrawn"]
        assert list_slot_mismatches(session) == []


def test_a_case_that_somebody_holds_waits_for_the_next_run(ground: Ground) -> None:
    [case_id] = ground.open(1)
    with session_scope(ground.engine) as busy:
        busy.execute(update(Case).where(Case.id == case_id).values(household_size=2))
        ground.match()
        with session_scope(ground.engine) as session:
            assert session.scalars(select(Referral.id)).all() == []
    ground.match()
    with session_scope(ground.engine) as session:
        assert session.scalars(select(Referral.case_id)).all() == [case_id]


@pytest.mark.parametrize(("seed", "turns"), [(1, 40), pytest.param(2, 400, marks=pytest.mark.deep)])
def test_a_storm_of_acts_leaves_every_slot_accounted_for(ground: Ground, seed: int, turns: int) -> None:
    types = ("counselling", "civil_documents", "primary_health_care")
    case_ids = ground.open(12, types)
    with session_scope(ground.engine) as session:
        session.execute(update(Capacity).values(slots=2))
    ground.match()
    ground.together(*(_Storm(ground, case_ids, seed * 100 + one, turns).work for one in range(6)))
    ground.match()
    with session_scope(ground.engine) as session:
        assert list_slot_mismatches(session) == []
        live = select(Referral.need_id).where(Referral.state.in_(LIVE))
        assert session.scalars(select(Need.status).where(Need.id.in_(live)).distinct()).all() in (
            [],
            ["referred"],
        )
        astray = select(Need.id).where(Need.status == "referred", Need.id.not_in(live))
        assert session.scalars(astray).all() == []
        unsaid = select(Need.id).where(Need.status == "open", Need.unmet_reason.is_(None))
        assert session.scalars(unsaid).all() == []


class _Storm:
    """One person who does whatever comes to mind."""

    def __init__(self, ground: Ground, case_ids: list[int], seed: int, turns: int) -> None:
        self.ground, self.case_ids, self.turns = ground, case_ids, turns
        self.random = random.Random(seed)

    def work(self) -> None:
        for _ in range(self.turns):
            self.ground.act(self._something)

    def _something(self, session: Session, vault: Vault) -> None:
        roll = self.random.random()
        if roll < 0.1:
            match_open_needs(session, vault, self.ground.governorate, now=datetime.now(UTC))
        elif roll < 0.2:
            self._edit(session, vault)
        elif roll < 0.23:
            consent = session.scalars(
                select(Consent.id).where(Consent.kind == "assessment").order_by(Consent.id.desc()).limit(5)
            ).all()
            settle_exclusion(session, vault, MOMD, self.random.choice(consent), [])
        else:
            self._move(session, vault)

    def _edit(self, session: Session, vault: Vault) -> None:
        first = session.scalars(
            select(Submission).join(Case, Case.submission_id == Submission.id)
            .where(Case.id == self.random.choice(self.case_ids))
        ).one()  # fmt: skip
        names = ("source", "form_id", "root_instance_id", "media_type", "data_key_id", "received_at")
        edited = Submission(
            governorate="nineveh",
            instance_id=f"uuid:{uuid.uuid4()}",
            fingerprint=b"\0" * 32,
            **{name: getattr(first, name) for name in names},
        )
        session.add(edited)
        session.flush()
        consent = self.random.choice(
            [
                make_consent(self.ground.governorate),
                make_consent(self.ground.governorate, given=False),
                make_consent(self.ground.governorate, categories=("mhpss",)),
                make_consent(self.ground.governorate, exclusions=("named_organization",), exclusion_note="ن"),
            ]
        )
        assessment = make_assessment(
            self.ground.governorate, [("counselling", "urgent"), ("civil_documents", "normal")]
        )
        take_in(session, vault, self.ground.governorate, edited, replace(assessment, consent=consent))

    def _move(self, session: Session, vault: Vault) -> None:
        rows = session.execute(
            select(Referral.id, Referral.need_id, Service.organization_id)
            .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
            .join(Service, Service.id == ServiceAtLocation.service_id)
            .where(Referral.state.in_(LIVE))
        ).all()
        if not rows:
            return
        referral_id, need_id, organization_id = self.random.choice(rows)
        provider = Actor(None, "provider", "nineveh", organization_id=organization_id)
        options = session.scalars(
            select(MatchCandidate.service_at_location_id).where(
                MatchCandidate.need_id == need_id, MatchCandidate.status == "option"
            )
        ).all()
        reason = self.random.choice(offered_codes("recall_reason"))
        acts: list[Callable[[], None]] = [
            lambda: referrals.approve(session, vault, referral_id, MOMD),
            lambda: referrals.approve(session, vault, referral_id, MOMD),
            lambda: referrals.hold(session, vault, referral_id, MOMD, "check_consent"),
            lambda: referrals.release_hold(session, vault, referral_id, MOMD),
            lambda: referrals.choose_other(
                session, vault, referral_id, self.random.choice(options), MOMD, "other"
            ),
            lambda: sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar"),
            lambda: sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar"),
            lambda: sending.refuse_consent(session, vault, referral_id, MOMD),
            lambda: provider_acts.accept(session, vault, referral_id, provider),
            lambda: provider_acts.acknowledge(session, vault, referral_id, provider),
            lambda: provider_acts.waitlist(session, vault, referral_id, provider, "full_now", "ممتلئ"),
            lambda: provider_acts.decline(session, vault, referral_id, provider, "no_funds", "انتهى"),
            lambda: provider_acts.start(session, vault, referral_id, provider),
            lambda: provider_acts.not_complete(session, vault, referral_id, provider, "no_show", "لم يحضر"),
            lambda: sending.recall(session, vault, referral_id, MOMD, reason, "طلب المكتب"),
        ]
        self.random.choice(acts)()
