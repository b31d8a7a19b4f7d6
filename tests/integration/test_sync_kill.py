"""The ingester is killed at random moments, again and again: nothing is lost and nothing doubled."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from db import submissions as query
from db.keyfile import MasterKeys
from db.models import (
    Base,
    Case,
    Consent,
    DataKey,
    Need,
    Office,
    Person,
    Referral,
    ReferralEvent,
    Submission,
    SubmissionIssue,
    Tablet,
)
from db.referrals import list_slot_mismatches
from db.session import make_engine, session_scope
from db.tablets import create_tablet
from db.vault import Vault
from governorates import Governorate
from ingest.sources.inbox import receive
from ingest.sync import SyncReport, SyncSettings, sync
from referral_engine.sop import LIVE
from tests.conftest import Database
from tests.unit.ingest.invented import assessment, to_xml

KILLS = 50
POSTS_A_KILL = 5
LONGEST_LIFE_SECONDS = 0.3
SEED = 20261123

NEEDS = ["shelter_repair", "primary_health_care", "startup_grant", "counselling", "civil_documents"]


def run_for_ever(url: str, masters: MasterKeys, governorate: Governorate) -> None:
    """Ingest until killed, in small pages; a child process, with connections of its own."""
    engine = make_engine(url)
    while True:
        if sync(engine, masters, governorate, SyncSettings(page=2)).busy:
            time.sleep(0.005)  # the server has not noticed yet that the former one was killed


def invent(rng: random.Random, governorate: Governorate) -> tuple[bytes, int]:
    """Fill one assessment; return it with the number of its needs, 0 for a refusal."""
    if rng.random() < 0.1:
        return to_xml(assessment(governorate, consent__given="no")), 0
    types = rng.sample(NEEDS, rng.randint(1, 3))
    answers: dict[str, Any] = {
        "case_code": None,  # one issue each, so that doubled issues show
        "contact__phone": None,
        "consent__categories": " ".join(governorate.categories),
        "needs__types": " ".join(types),
        "needs__need": [{"service_type": kind, "urgency": "urgent"} for kind in types],
    }
    return to_xml(assessment(governorate, **answers)), len(types)


def post(engine: Engine, masters: MasterKeys, tablet: Tablet, xml: bytes) -> str:
    with session_scope(engine) as session:
        vault = Vault(session, masters)
        now = datetime.now(UTC)
        return receive(session, vault, tablet, xml, {}, governorate_code="nineveh", now=now).kind


def is_unfinished(engine: Engine) -> bool:
    """Tell whether work was left lying: a submission not taken in, or a need not decided."""
    undecided = select(func.count()).where(
        Need.status == "open", Need.unmet_reason.is_(None), ~Need.id.in_(select(Referral.need_id))
    )
    with Session(engine) as session:
        return query.count_waiting(session, "nineveh") > 0 or (session.scalar(undecided) or 0) > 0


def finish(engine: Engine, masters: MasterKeys, governorate: Governorate) -> SyncReport:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        report = sync(engine, masters, governorate)
        if not report.busy:
            return report
        time.sleep(0.05)
    raise AssertionError("the lock of a killed ingester was never freed")


def test_killed_fifty_times(
    fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    rng = random.Random(SEED)
    fork = multiprocessing.get_context("fork")  # from this warm process: no import before each death
    with session_scope(fresh_engine) as session:
        office_id = session.scalars(select(Office.id)).first()
        assert office_id is not None
        tablet, _ = create_tablet(session, "mosul-1", office_id)
    posted: list[tuple[bytes, int]] = []
    unfinished = 0
    for _ in range(KILLS):
        for _ in range(POSTS_A_KILL):
            posted.append(invent(rng, governorate))
            post(fresh_engine, masters, tablet, posted[-1][0])
        assert post(fresh_engine, masters, tablet, rng.choice(posted)[0]) == "repeated"
        child = fork.Process(
            target=run_for_ever, args=(fresh_database.app_url, masters, governorate), daemon=True
        )
        child.start()
        time.sleep(rng.uniform(0, LONGEST_LIFE_SECONDS))
        assert child.pid is not None
        assert child.is_alive()
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        unfinished += is_unfinished(fresh_engine)
    finish(fresh_engine, masters, governorate)
    assert unfinished >= KILLS // 2, "the kills came too late to interrupt anything"
    check(fresh_engine, [needs for _, needs in posted])


def check(engine: Engine, needs_of: list[int]) -> None:
    cases = sum(needs > 0 for needs in needs_of)
    with Session(engine) as session:

        def count(model: type[Base]) -> int:
            return session.scalar(select(func.count()).select_from(model)) or 0

        def counts(column: Any) -> Counter[Any]:
            rows = session.execute(select(column, func.count()).group_by(column))
            return Counter({value: number for value, number in rows})  # noqa: C416

        assert counts(Submission.status) == Counter(taken_in=cases, refused=len(needs_of) - cases)
        assert count(Case) == cases
        assert len(counts(Case.root_instance_id)) == cases
        assert set(counts(Submission.case_id).values()) == {1, len(needs_of) - cases}
        assert count(Person) == 2 * cases
        assert count(Consent) == 4 * cases  # registration, assessment, statistics, contact: an answer each
        assert count(DataKey) == cases
        assert counts(SubmissionIssue.code) == Counter(answer_missing=cases)
        assert set(counts(SubmissionIssue.submission_id).values()) == {1}
        assert count(Need) == sum(needs_of)
        live = session.scalars(select(Referral.need_id).where(Referral.state.in_(LIVE))).all()
        assert len(live) == len(set(live)) == count(Referral)
        assert count(ReferralEvent) == count(Referral) > 0
        undecided = select(Need.id).where(Need.unmet_reason.is_(None), ~Need.id.in_(live))
        assert session.scalars(undecided).all() == []
        assert list_slot_mismatches(session) == []
