"""The job over the clocks is killed at random moments, and two of them run at once: no breach is acted on twice."""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from casework import referrals, sending
from casework.breaches import Breach, Outcome
from casework.deadline_runs import act_on_breaches, run_deadlines
from casework.matching import match_open_needs
from casework.moves import Actor
from db.keyfile import MasterKeys
from db.models import (
    Case,
    Deadline,
    Escalation,
    MatchCandidate,
    Need,
    Referral,
    ReferralEvent,
    Service,
    ServiceAtLocation,
)
from db.referrals import list_slot_mismatches
from db.session import make_engine, session_scope
from db.vault import Vault
from governorates import Governorate
from referral_engine.sop import LIVE
from tests.conftest import Database
from tests.factories.cases import make_assessment, open_case

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
CASES = 30
KILLS = 15
SEED = 20261124
LONGEST_LIFE_SECONDS = 0.25


def fill(engine: Engine, masters: MasterKeys, governorate: Governorate, count: int = CASES) -> datetime:
    """Open cases, send some referrals and leave others; returns a moment at which every first clock ran out."""
    rng = random.Random(SEED)
    with session_scope(engine) as session:
        session.execute(text("UPDATE capacity SET slots = slots + 20"))
        vault = Vault(session, masters)
        for number in range(count):
            urgency = ("emergency", "urgent", "normal")[number % 3]
            needs = [("counselling", urgency), ("primary_health_care", urgency)]
            open_case(session, vault, governorate, make_assessment(governorate, needs))
        match_open_needs(session, vault, governorate, now=datetime.now(UTC))
        for referral_id in session.scalars(select(Referral.id).order_by(Referral.id)).all():
            if (way := rng.random()) < 0.8:
                referrals.approve(session, vault, referral_id, MOMD)
            if way < 0.6:
                sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
        last = session.scalar(select(func.max(Deadline.due_at)))
    assert last is not None
    return last + timedelta(minutes=1)


def check(engine: Engine) -> None:
    """What must hold at any moment, however often the job was killed."""
    with Session(engine) as session:
        assert list_slot_mismatches(session) == []
        live = session.scalars(select(Referral.id).where(Referral.state.in_(LIVE))).all()
        clocks = session.scalars(select(Deadline.referral_id).where(Deadline.closed_at.is_(None))).all()
        assert sorted(live) == sorted(clocks)
        expired = select(ReferralEvent.referral_id, func.count()).where(ReferralEvent.move == "expire")
        assert all(number == 1 for _, number in session.execute(expired.group_by(ReferralEvent.referral_id)))
        undone = select(Need.id).where(
            Need.status == "referred", ~Need.id.in_(select(Referral.need_id).where(Referral.state.in_(LIVE)))
        )
        assert session.scalars(undone).all() == []
        waiting = select(Need.id).where(Need.status == "open", Need.unmet_reason.is_(None))
        assert session.scalars(waiting).all() == []
        open_ones = select(Escalation.referral_id).where(
            Escalation.settled_at.is_(None), Escalation.referral_id.is_not(None)
        )
        found = session.scalars(open_ones).all()
        assert len(found) == len(set(found))
        assert set(found) <= set(live)


def summary(engine: Engine) -> list[tuple[object, ...]]:
    """The end state, without ids: case by need, what became of each referral, and who was told."""
    with Session(engine) as session:
        rows = session.execute(
            select(
                Need.case_id,
                Need.service_type,
                Need.status,
                Need.unmet_reason,
                Referral.state,
                func.count(Escalation.id),
            )
            .join(Referral, Referral.need_id == Need.id)
            .join(Case, Case.id == Need.case_id)
            .outerjoin(Escalation, Escalation.referral_id == Referral.id)
            .group_by(
                Need.case_id, Need.service_type, Need.status, Need.unmet_reason, Referral.id, Referral.state
            )
        )
        return sorted(tuple(str(value) for value in row) for row in rows)


def run_for_ever(url: str, masters: MasterKeys, governorate: Governorate, now: datetime) -> None:
    """Act until killed; a child process, with connections of its own."""
    engine = make_engine(url)
    while True:
        if run_deadlines(engine, masters, governorate, now=now, limit=4).busy:
            time.sleep(0.005)


def finish(engine: Engine, masters: MasterKeys, governorate: Governorate, now: datetime) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        report = run_deadlines(engine, masters, governorate, now=now)
        if not report.busy and not report.outcomes:
            assert report.errors == ()
            return
        time.sleep(0.02)
    raise AssertionError("the job never came to its end")


def test_killed_again_and_again(
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    clone: Callable[[], Database],
) -> None:
    rng, now = random.Random(SEED), fill(fresh_engine, masters, governorate)
    fork = multiprocessing.get_context("fork")  # from this warm process: no import before each death
    unfinished = 0
    for _ in range(KILLS):
        child = fork.Process(
            target=run_for_ever, args=(fresh_database.app_url, masters, governorate, now), daemon=True
        )
        child.start()
        time.sleep(rng.uniform(0, LONGEST_LIFE_SECONDS))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        check(fresh_engine)
        with Session(fresh_engine) as session:
            unfinished += (session.scalar(select(func.count()).where(Deadline.act_at <= now)) or 0) > 0
    finish(fresh_engine, masters, governorate, now)
    check(fresh_engine)
    assert unfinished >= 3, "the kills came too late to interrupt anything"
    undisturbed = make_engine(clone().app_url)
    then = fill(undisturbed, masters, governorate)
    finish(undisturbed, masters, governorate, then)
    assert summary(fresh_engine) == summary(undisturbed)
    undisturbed.dispose()


def test_two_workers_never_act_twice(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    now = fill(fresh_engine, masters, governorate)
    acted: list[Breach] = []
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            barrier.wait()
            for _ in range(3):
                done = act_on_breaches(fresh_engine, masters, governorate, now=now)
                assert done.errors == []
                acted.extend(done.breaches)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]

    def match() -> None:
        try:
            barrier.wait()
            for _ in range(3):
                with session_scope(fresh_engine) as session:
                    match_open_needs(session, Vault(session, masters), governorate, now=datetime.now(UTC))
        except BaseException as error:
            failures.append(error)

    threads.append(threading.Thread(target=match))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    ended = [one.referral_id for one in acted if one.outcome in {Outcome.EXPIRED, Outcome.REROUTED}]
    assert len(ended) == len(set(ended)) > 0
    others = [one.referral_id for one in acted if one.outcome not in {Outcome.EXPIRED, Outcome.REROUTED}]
    assert len(others) == len(set(others)), "a reminder or an escalation came twice"
    with Session(fresh_engine) as session:
        assert list_slot_mismatches(session) == []
        # Whoever took the place of a silent provider is of another organization, and an option of the matching.
        organization = (
            select(Service.organization_id)
            .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
            .where(ServiceAtLocation.id == Referral.service_at_location_id)
            .scalar_subquery()
        )
        for one in acted:
            if one.outcome is Outcome.REROUTED:
                pair = session.scalars(
                    select(organization).where(Referral.id.in_([one.referral_id, one.next_referral_id]))
                ).all()
                assert len(set(pair)) == 2
        chosen = (
            select(func.count())
            .select_from(Referral)
            .outerjoin(
                MatchCandidate,
                (MatchCandidate.need_id == Referral.need_id)
                & (MatchCandidate.service_at_location_id == Referral.service_at_location_id)
                & (MatchCandidate.match_run_id == Referral.match_run_id)
                & (MatchCandidate.status == "option"),
            )
            .where(MatchCandidate.need_id.is_(None))
        )
        assert session.scalar(chosen) == 0
