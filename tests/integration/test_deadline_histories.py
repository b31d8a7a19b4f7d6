"""Random lives of referrals: whatever moves them, each live one has exactly one clock, and slots add up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from casework import pauses, referrals, sending
from casework.breaches import act_on_breach, end_pause
from casework.matching import match_open_needs
from casework.moves import SYSTEM, Actor, lock_referral, make_move
from db.errors import DomainError
from db.models import Deadline, Escalation, Need, Referral, ReferralEvent, Service, ServiceAtLocation
from db.referrals import get_referral_parts, list_slot_mismatches
from db.vault import Vault
from governorates import Governorate, choice_codes
from referral_engine.sop import LIVE, MOVES, Move, moves_from
from tests.factories.cases import make_assessment, open_case

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
BY_ACTS = {
    "send",
    "change",
    "hold",
    "unhold",
    "pause_clock",
    "resume_clock",
    "report_progress",
    "draft",
    "override",
}
QUICK = {"suppress_health_check": [HealthCheck.function_scoped_fixture], "deadline": None}


class Life:
    """One case's referrals under random moves, pauses, holds and passing time."""

    def __init__(
        self, session: Session, vault: Vault, governorate: Governorate, urgency: str, service_type: str
    ) -> None:
        self.session, self.vault, self.governorate = session, vault, governorate
        self.service_type = service_type
        self.now = datetime.now(UTC)
        taken = open_case(
            session, vault, governorate, make_assessment(governorate, [(service_type, urgency)])
        )
        self.case_id = taken.case_id or 0
        self.match()

    def match(self) -> None:
        match_open_needs(self.session, self.vault, self.governorate, now=self.now)

    @property
    def newest(self) -> Referral | None:
        self.session.expire_all()
        return self.session.scalars(
            select(Referral).where(Referral.case_id == self.case_id).order_by(Referral.id.desc())
        ).first()

    def step(self, data: st.DataObject) -> bool:
        """Let something happen; False when nothing can any more."""
        referral = self.newest
        if referral is None or referral.state not in LIVE:
            number = 0 if referral is None else referral.id
            self.match()
            found = self.newest
            return found is not None and found.id != number
        table = [move for move in moves_from(referral.state) if move.name not in BY_ACTS]
        names = ["send"] if referral.state == "awaiting_consent" else []
        if referral.state in MOVES["hold"].sources:
            names += ["hold", "unhold"]
        what = data.draw(st.sampled_from([*table, *names, "pause", "resume", "report", "wait", "wait"]))
        try:
            with self.session.begin_nested():
                self._do(what, referral.id, data)
        except DomainError:
            self.session.expire_all()
        return True

    def _do(self, what: Move | str, referral_id: int, data: st.DataObject) -> None:
        session, vault, now = self.session, self.vault, self.now
        if isinstance(what, Move):
            reason = choice_codes(what.reason_list)[0] if what.reason_list else None
            parts = lock_referral(session, referral_id, SYSTEM)
            role = min(what.actors)
            make_move(session, vault, parts, what.name, Actor(None, role, "nineveh"), reason, "سبب", now=now)
        elif what == "send":
            sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
        elif what == "hold":
            referrals.hold(session, vault, referral_id, MOMD, "check_consent", now=now)
        elif what == "unhold":
            referrals.release_hold(session, vault, referral_id, MOMD, now=now)
        elif what == "pause":
            hours = data.draw(st.one_of(st.none(), st.integers(1, 1500)))
            until = None if hours is None else now + timedelta(hours=hours)
            pauses.pause_clock(session, vault, referral_id, MOMD, "await_person", until, now=now)
        elif what == "resume":
            pauses.resume_clock(session, vault, referral_id, MOMD, now=now)
        elif what == "report":
            pauses.report_progress(session, vault, referral_id, MOMD, "تقدّم", now=now)
        else:
            self.now += timedelta(hours=data.draw(st.integers(1, 900)))
            end_pause(session, vault, referral_id, self.now)
            act_on_breach(session, vault, referral_id, self.now)

    def hours_of(self, referral: Referral) -> float:
        return self.governorate.clock_of(referral.state, referral.urgency, self.service_type).hours

    def check(self) -> None:
        """What holds at every moment of every life."""
        session = self.session
        session.expire_all()
        found = session.scalars(select(Referral).where(Referral.case_id == self.case_id)).all()
        organizations = []
        for referral in found:
            clocks = session.scalars(
                select(Deadline).where(Deadline.referral_id == referral.id, Deadline.closed_at.is_(None))
            ).all()
            assert len(clocks) == (referral.state in LIVE), referral.state
            for clock in clocks:
                assert clock.state == referral.state
                assert (clock.due_at is None) == (clock.paused_at is not None) == (clock.act_at is None)
                assert clock.remaining <= timedelta(hours=self.hours_of(referral))
                limit = self.governorate.deadline_rules.max_pause_days[referral.urgency]
                assert clock.paused_total <= timedelta(days=limit)
                if clock.paused_at is not None and clock.paused_until is not None:
                    assert clock.paused_total + (clock.paused_until - clock.paused_at) <= timedelta(
                        days=limit
                    )
            told = session.scalar(
                select(func.count()).where(
                    Escalation.referral_id == referral.id, Escalation.settled_at.is_(None)
                )
            )
            assert told in ({0, 1} if referral.state in LIVE else {0})
            last = session.scalars(
                select(ReferralEvent.to_state)
                .where(ReferralEvent.referral_id == referral.id)
                .order_by(ReferralEvent.id.desc())
            ).first()
            assert last == referral.state
            parts = get_referral_parts(session, referral.id)
            assert parts is not None
            if referral.state in LIVE:
                organizations.append(parts.organization.id)
        assert len(organizations) <= 1
        assert list_slot_mismatches(session) == []
        self._check_nobody_twice(organizations)

    def _check_nobody_twice(self, live: list[int]) -> None:
        """No organization that declined this need or never answered it is proposed again."""
        in_vain = self.session.scalars(
            select(Service.organization_id)
            .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
            .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
            .join(ReferralEvent, ReferralEvent.referral_id == Referral.id)
            .where(
                Referral.case_id == self.case_id,
                (ReferralEvent.move == "decline")
                | (
                    (ReferralEvent.move == "expire")
                    & ReferralEvent.from_state.in_(["sent", "acknowledged", "info_requested", "waitlisted"])
                ),
            )
        ).all()
        assert not set(live) & set(in_vain)


def live_through(
    session: Session, vault: Vault, governorate: Governorate, data: st.DataObject, most: int
) -> None:
    with session.begin_nested() as savepoint:
        urgency = data.draw(st.sampled_from(["emergency", "urgent", "normal"]))
        service_type = data.draw(st.sampled_from(["counselling", "civil_documents", "primary_health_care"]))
        life = Life(session, vault, governorate, urgency, service_type)
        for _ in range(data.draw(st.integers(1, most))):
            if not life.step(data):
                break
            life.check()
        savepoint.rollback()
    session.expire_all()
    assert session.scalar(select(func.count(Need.id))) == 0


@settings(max_examples=15, **QUICK)
@given(data=st.data())
def test_every_live_referral_has_one_clock(
    session: Session, vault: Vault, governorate: Governorate, data: st.DataObject
) -> None:
    live_through(session, vault, governorate, data, 15)


@pytest.mark.deep
@settings(max_examples=400, **QUICK)
@given(data=st.data())
def test_every_live_referral_has_one_clock_through_long_lives(
    session: Session, vault: Vault, governorate: Governorate, data: st.DataObject
) -> None:
    live_through(session, vault, governorate, data, 60)
