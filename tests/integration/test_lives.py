"""Random lives of cases: whatever people do, in whatever order, the promises of the SOP hold."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from casework import closure, drafts, overrides, pauses, provider_acts, referrals, sending
from casework.breaches import act_on_breach, end_pause
from casework.disclosure import read_disclosures
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.withdrawals import withdraw
from db.deadlines import list_due_referral_ids, list_ended_pauses
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import (
    Capacity,
    Case,
    Consent,
    Deadline,
    MatchCandidate,
    Need,
    Referral,
    ReferralEvent,
    Service,
)
from db.models import ServiceAtLocation as Offer
from db.referrals import list_slot_mismatches
from db.vault import Vault
from governorates import Governorate, choice_codes, disclosure_profiles
from referral_engine import sop
from tests.factories.cases import make_assessment, make_consent, open_case

SERVICES = ("counselling", "ration_card", "womens_legal_counselling")
WORDS = "طلب المكتب"
Act = Callable[[Session, Vault, int, Actor, str], None]

ACTS: dict[str, Act] = {
    "propose": lambda s, v, r, a, _: drafts.propose(s, v, r, a),
    "change": lambda s, v, r, a, reason: referrals.choose_other(s, v, r, _other_option(s, r), a, reason),
    "hold": referrals.hold,
    "unhold": lambda s, v, r, a, _: referrals.release_hold(s, v, r, a),
    "approve": lambda s, v, r, a, _: referrals.approve(s, v, r, a),
    "send": lambda s, v, r, a, _: sending.send(s, v, r, a, channel="desk", language="ar"),
    "acknowledge": lambda s, v, r, a, _: provider_acts.acknowledge(s, v, r, a),
    "request_info": lambda s, v, r, a, reason: provider_acts.request_info(s, v, r, a, reason, WORDS),
    "answer_info": lambda s, v, r, a, _: closure.answer_info(s, v, r, a, WORDS, agreed=True),
    "waitlist": lambda s, v, r, a, reason: provider_acts.waitlist(s, v, r, a, reason, WORDS),
    "accept": lambda s, v, r, a, _: provider_acts.accept(s, v, r, a),
    "decline": lambda s, v, r, a, reason: provider_acts.decline(s, v, r, a, reason, WORDS),
    "start": lambda s, v, r, a, _: provider_acts.start(s, v, r, a),
    "deliver": lambda s, v, r, a, _: provider_acts.deliver(s, v, r, a),
    "confirm": lambda s, v, r, a, _: closure.confirm(s, v, r, a),
    "dispute": lambda s, v, r, a, reason: closure.dispute(s, v, r, a, reason, WORDS),
    "resume": lambda s, v, r, a, _: closure.resume(s, v, r, a),
    "not_complete": lambda s, v, r, a, reason: provider_acts.not_complete(s, v, r, a, reason, WORDS),
    "close": closure.close,
    "override": lambda s, v, r, a, reason: overrides.override_consent(
        s, v, r, a, reason=reason, note=WORDS, now=datetime.now(UTC)
    ),
    "pause_clock": pauses.pause_clock,
    "resume_clock": lambda s, v, r, a, _: pauses.resume_clock(s, v, r, a),
    "report_progress": lambda s, v, r, a, _: pauses.report_progress(s, v, r, a, WORDS),
    "close_unheard": lambda s, v, r, a, reason: closure.close_unheard(s, v, r, a, reason, WORDS),
    "recall": lambda s, v, r, a, reason: sending.recall(s, v, r, a, reason, WORDS),
}
"""How each move of the table is made. `draft` and the system's own moves have rules of their own."""


def _other_option(session: Session, referral_id: int) -> int:
    referral = session.get_one(Referral, referral_id)
    found = session.scalars(
        select(MatchCandidate.service_at_location_id).where(
            MatchCandidate.need_id == referral.need_id,
            MatchCandidate.status == "option",
            MatchCandidate.service_at_location_id != referral.service_at_location_id,
        )
    ).first()
    return found or 0


class Lives(RuleBasedStateMachine):
    """A few cases, three kinds of service with hardly any place, and people who try everything."""

    engine: Engine
    masters: MasterKeys
    governorate: Governorate

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.engine.connect()
        self.transaction = self.connection.begin()
        self.session = Session(
            self.connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        self.vault = Vault(self.session, self.masters)
        self.now = datetime.now(UTC)

    def teardown(self) -> None:
        """Forget everything."""
        self.session.close()
        self.transaction.rollback()
        self.connection.close()

    @initialize(slots=st.integers(1, 2), seed=st.integers(0, 2**32))
    def scarce(self, slots: int, seed: int) -> None:
        """Leave as many places as `slots` at each service."""
        self.random = random.Random(seed)
        self.session.execute(update(Capacity).values(slots=slots))
        self.someone_comes(3, moi=True, urgency="normal")
        self.match()

    @rule(count=st.integers(1, 3), moi=st.booleans(), urgency=st.sampled_from(("emergency", "normal")))
    def someone_comes(self, count: int, moi: bool, urgency: str) -> None:
        """A household is registered."""
        needs = [(service, urgency) for service in SERVICES[:count]]
        consent = make_consent(self.governorate, moi=moi)
        assessment = make_assessment(self.governorate, needs, consent=consent)
        open_case(self.session, self.vault, self.governorate, assessment)

    @rule()
    def match(self) -> None:
        """Matching runs."""
        match_open_needs(self.session, self.vault, self.governorate, now=self.now)

    def attempt(self, act: Callable[[], object]) -> None:
        """Do something that may be refused, as one request would: all of it or nothing."""
        try:
            with self.session.begin_nested():
                act()
        except DomainError:
            self.session.expire_all()

    def some_referral(self) -> tuple[Referral, Need, int] | None:
        """A referral, mostly a live one, with its need and the organization it is addressed to."""
        rows = self.session.execute(
            select(Referral, Need, Service.organization_id)
            .join(Need, Need.id == Referral.need_id)
            .join(Offer, Offer.id == Referral.service_at_location_id)
            .join(Service, Service.id == Offer.service_id)
            .order_by(Referral.id)
        ).all()
        live = [row for row in rows if row.Referral.state in sop.LIVE]
        choices = live if live and self.random.random() < 0.95 else rows
        return tuple(self.random.choice(choices)) if choices else None

    def some_actor(self, need: Need, organization_id: int, role: str) -> Actor:
        """Mostly the right person of that role, sometimes one of elsewhere."""
        wrong = self.random.random() < 0.05
        ministry = self.governorate.categories[need.category].ministry
        office_id = self.session.get_one(Case, need.case_id).office_id
        return Actor(
            None,
            role,
            "nineveh",
            office_id=-1 if wrong else office_id,
            organization_id=-1 if wrong else organization_id,
            ministry="nobody" if wrong else ministry,
        )

    @rule(acts=st.integers(1, 8))
    def people_act(self, acts: int) -> None:
        """A few moves in a row: mostly what the table allows, mostly forward, now and then anything."""
        for _ in range(acts):
            self.somebody_acts()

    def some_move(self, state: str) -> sop.Move:
        """A move of the table: forward, aside, or one that is not possible here."""
        allowed = [move for move in sop.moves_from(state) if move.name in ACTS]
        forward = [move for move in allowed if move.target in sop.LIVE and not move.swaps]
        chance = self.random.random()
        if chance < 0.75 and forward:
            return self.random.choice(forward)
        if chance < 0.92 and allowed:
            return self.random.choice(allowed)
        return sop.MOVES[self.random.choice(sorted(ACTS))]

    def somebody_acts(self) -> None:
        """One move by one person."""
        found = self.some_referral()
        if found is None:
            return
        referral, need, organization_id = found
        move = self.some_move(referral.state)
        role = self.random.choice(sorted(move.actors - {sop.Actor.SYSTEM}))
        reason = self.random.choice(choice_codes(move.reason_list)) if move.reason_list else ""
        actor = self.some_actor(need, organization_id, role)
        before = referral.state
        self.attempt(lambda: ACTS[move.name](self.session, self.vault, referral.id, actor, reason))
        after = self.session.get_one(Referral, referral.id, populate_existing=True).state
        if before not in move.sources or actor.ministry == "nobody":
            assert after == before, f"{move.name} from {before} must be refused"

    @rule()
    def somebody_drafts(self) -> None:
        """A referral by hand, to a service that matching left out or offered."""
        rows = self.session.execute(
            select(MatchCandidate.need_id, MatchCandidate.service_at_location_id)
            .join(Need, Need.id == MatchCandidate.need_id)
            .where(Need.status == "open")
            .order_by(MatchCandidate.need_id, MatchCandidate.service_at_location_id)
        ).all()
        if not rows:
            return
        need_id, offer = self.random.choice(rows)
        need = self.session.get_one(Need, need_id)
        actor = self.some_actor(need, -1, "officer")
        self.attempt(lambda: drafts.draft(self.session, self.vault, need_id, offer, actor, "transport"))

    @rule()
    def consent_is_taken_back(self) -> None:
        """Somebody withdraws everything."""
        found = self.some_referral()
        if found is None or self.random.random() < 0.8:
            return
        referral, need, organization_id = found
        scope = self.random.choice(("everything", "referral", "categories", "contact"))
        actor = self.some_actor(need, organization_id, "officer")
        self.attempt(
            lambda: withdraw(
                self.session,
                self.vault,
                referral.case_id,
                actor,
                channel="phone",
                scope=scope,
                now=datetime.now(UTC),
                categories=[need.category],
                referral_id=referral.id,
            )
        )

    @rule(hours=st.sampled_from((1, 12, 60, 200)))
    def time_passes(self, hours: int) -> None:
        """Clocks run out, and the job acts on them."""
        self.now += timedelta(hours=hours)
        for referral_id in list_ended_pauses(self.session, "nineveh", self.now, 50):
            end_pause(self.session, self.vault, referral_id, self.now)
        for referral_id in list_due_referral_ids(self.session, "nineveh", self.now, 50):
            act_on_breach(self.session, self.vault, referral_id, self.now)

    @invariant()
    def slots_add_up(self) -> None:
        """Reserved equals the referrals that hold a slot, and never exceeds the slots."""
        assert list_slot_mismatches(self.session) == []
        over = select(Capacity.id).where(Capacity.reserved > Capacity.slots)
        assert self.session.scalars(over).all() == []

    @invariant()
    def nobody_knows_without_consent(self) -> None:
        """No referral is with a provider without consent in force, both steps."""
        known = select(Referral.id, Referral.case_id).where(Referral.state.in_(sop.DISCLOSED))
        for referral_id, case_id in self.session.execute(known):
            own = self.session.scalars(
                select(Consent).where(Consent.referral_id == referral_id, Consent.withdrawn_at.is_(None))
            )
            assert any(word.given or word.basis == "vital_interest" for word in own), referral_id
            bounds = self.session.scalars(
                select(Consent)
                .where(Consent.case_id == case_id, Consent.kind == "assessment")
                .order_by(Consent.id.desc())
            ).first()
            assert bounds is not None
            assert bounds.in_force

    @invariant()
    def every_live_referral_has_one_clock(self) -> None:
        """And no other has one that still runs."""
        running = self.session.scalars(select(Deadline).where(Deadline.closed_at.is_(None))).all()
        live = self.session.execute(
            select(Referral.id, Referral.state).where(Referral.state.in_(sop.LIVE))
        ).all()
        assert sorted((one.referral_id, one.state) for one in running) == sorted(map(tuple, live))

    @invariant()
    def every_move_has_an_event(self) -> None:
        """The history of each referral is a chain of moves of the table that ends at its state."""
        events = self.session.execute(
            select(ReferralEvent, Referral.state)
            .join(Referral, Referral.id == ReferralEvent.referral_id)
            .order_by(ReferralEvent.referral_id, ReferralEvent.id)
        ).all()
        chains: dict[int, tuple[str | None, str]] = {}
        for event, state in events:
            last, _ = chains.get(event.referral_id, (None, ""))
            assert event.from_state == last
            move = sop.MOVES[event.move]
            assert last is None or last in move.sources
            chains[event.referral_id] = (event.to_state, state)
        assert all(last == state for last, state in chains.values())
        assert chains.keys() == set(self.session.scalars(select(Referral.id)))

    @invariant()
    def a_need_has_one_live_referral_at_most(self) -> None:
        """And an open need has none."""
        live = self.session.execute(
            select(Need.id, Need.status)
            .join(Referral, Referral.need_id == Need.id)
            .where(Referral.state.in_(sop.LIVE))
        ).all()
        assert len({need_id for need_id, _ in live}) == len(live)
        assert {status for _, status in live} <= {"referred"}

    @invariant()
    def providers_read_their_profile_only(self) -> None:
        """What is disclosed are fields of the service's profile, and only while the provider may know."""
        rows = self.session.execute(select(Referral, Need).join(Need, Need.id == Referral.need_id)).all()
        disclosed = read_disclosures(self.session, self.vault, [referral.id for referral, _ in rows])
        for referral, need in rows:
            if referral.id in disclosed:
                profile = disclosure_profiles().fields_for(need.service_type, need.category)
                assert disclosed[referral.id].keys() <= set(profile)
                assert referral.state != sop.ReferralState.RECALLED


def _live(engine: Engine, masters: MasterKeys, governorate: Governorate, examples: int, steps: int) -> None:
    class Here(Lives):
        pass

    Here.engine, Here.masters, Here.governorate = engine, masters, governorate
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_few_lives(engine: Engine, masters: MasterKeys, governorate: Governorate) -> None:
    _live(engine, masters, governorate, examples=8, steps=25)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_thousands_of_lives(engine: Engine, masters: MasterKeys, governorate: Governorate) -> None:
    _live(engine, masters, governorate, examples=500, steps=40)


def test_every_move_is_tried_by_a_rule() -> None:
    own_rules = {"draft", "ask_consent", "withdraw", "expire"}
    assert ACTS.keys() | own_rules == sop.MOVES.keys()
