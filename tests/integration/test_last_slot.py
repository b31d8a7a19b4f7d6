"""Two coordinators and fifty threads race for the last slot of a provider: exactly one wins."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from api.auth import add_user
from casework import drafts, referrals, sending
from casework.matching import match_open_needs
from casework.moves import Actor
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Capacity, MatchCandidate, Referral, ReferralEvent, Role
from db.referrals import list_slot_mismatches
from db.session import make_engine, session_scope
from db.vault import Vault
from governorates import Governorate
from tests.conftest import Database
from tests.factories.cases import make_assessment, open_case

THREADS, ROUNDS = 50, 3

Act = Callable[[Session, Vault, int, Actor], None]


@dataclass
class Ground:
    """The provider `wanted`, and referrals that could each be given its last slot, with the act that gives it."""

    engine: Engine
    masters: MasterKeys
    coordinators: tuple[Actor, Actor]
    wanted: int = 0
    racers: list[tuple[int, Act]] = field(default_factory=list)

    def leave_one_slot(self) -> int:
        """Leave the provider exactly one free slot; returns how many are used."""
        with session_scope(self.engine) as session:
            own = Capacity.service_at_location_id == self.wanted
            session.execute(update(Capacity).where(own).values(slots=Capacity.reserved + 1))
            return session.scalars(select(Capacity.reserved).where(own)).one()

    def used(self) -> int:
        with session_scope(self.engine) as session:
            assert list_slot_mismatches(session) == []
            own = Capacity.service_at_location_id == self.wanted
            return session.scalars(select(Capacity.reserved).where(own)).one()


@pytest.fixture
def crowd_engine(fresh_database: Database) -> Iterator[Engine]:
    """A connection for every thread, so that none waits for another's before the race."""
    made = make_engine(fresh_database.app_url, pool_size=THREADS)
    yield made
    made.dispose()


@pytest.fixture
def ground(crowd_engine: Engine, masters: MasterKeys, governorate: Governorate) -> Ground:
    """Half of the referrals are proposals for somebody else, to be changed; half are drafts, to be proposed."""
    with session_scope(crowd_engine) as session:
        vault = Vault(session, masters)
        first, second = (
            add_user(
                session,
                login=login,
                password="korrekt-pferd-batterie",
                role=Role.COORDINATOR,
                governorate="nineveh",
                ministry="momd",
            )
            for login in ("first", "second")
        )
        actors = tuple(Actor(user.id, "coordinator", "nineveh", ministry="momd") for user in (first, second))
        made = Ground(crowd_engine, masters, (actors[0], actors[1]))
        session.execute(update(Capacity).values(slots=1000))
        for _ in range(THREADS + ROUNDS - 1):
            open_case(session, vault, governorate, make_assessment(governorate))
        match_open_needs(session, vault, governorate, now=datetime.now(UTC))
        _name_the_wanted(session, made)
        _line_up(session, vault, made)
    return made


def _name_the_wanted(session: Session, ground: Ground) -> None:
    """A provider that is an option for every need and proposed for none."""
    proposed = select(Referral.service_at_location_id)
    ground.wanted = session.scalars(
        select(MatchCandidate.service_at_location_id)
        .where(MatchCandidate.status == "option", MatchCandidate.service_at_location_id.not_in(proposed))
        .group_by(MatchCandidate.service_at_location_id)
        .having(func.count() == THREADS + ROUNDS - 1)
        .order_by(MatchCandidate.service_at_location_id)
        .limit(1)
    ).one()


def _line_up(session: Session, vault: Vault, ground: Ground) -> None:
    def change(session: Session, vault: Vault, referral_id: int, actor: Actor) -> None:
        referrals.choose_other(session, vault, referral_id, ground.wanted, actor, "transport")

    found = session.execute(select(Referral.id, Referral.need_id).order_by(Referral.id)).all()
    for number, (referral_id, need_id) in enumerate(found):
        actor = ground.coordinators[number % 2]
        if number % 4 < 2:
            ground.racers.append((referral_id, change))
            continue
        sending.recall(session, vault, referral_id, actor, "error", "خطأ")
        drafted = drafts.draft(session, vault, need_id, ground.wanted, actor, "transport")
        ground.racers.append((drafted, drafts.propose))


def race(ground: Ground, racers: list[tuple[int, Act]]) -> dict[int, str]:
    """Let each racer act in a transaction of its own, all at once: referral -> "won", or the code of the refusal."""
    outcomes: dict[int, str] = {}
    start = threading.Barrier(len(racers))

    def run(number: int, referral_id: int, act: Act) -> None:
        actor = ground.coordinators[number % 2]
        try:
            with session_scope(ground.engine) as session:
                session.connection()
                start.wait()
                act(session, Vault(session, ground.masters), referral_id, actor)
            outcomes[referral_id] = "won"
        except DomainError as refusal:
            outcomes[referral_id] = refusal.code
        except BaseException as error:  # a thread's error would be lost
            outcomes[referral_id] = type(error).__name__

    threads = [threading.Thread(target=run, args=(number, *racer)) for number, racer in enumerate(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_two_coordinators_and_fifty_threads_race_for_the_last_slot(ground: Ground) -> None:
    for turn in range(1, ROUNDS + 1):
        assert ground.leave_one_slot() == turn - 1
        outcomes = race(ground, ground.racers[:THREADS])
        assert Counter(outcomes.values()) == {"won": 1, "no_slot": THREADS - 1}
        assert ground.used() == turn, "one slot a round, and it adds up"
        [winner] = [referral_id for referral_id, outcome in outcomes.items() if outcome == "won"]
        with session_scope(ground.engine) as session:
            referral = session.get_one(Referral, winner)
            assert (referral.state, referral.service_at_location_id) == ("proposed", ground.wanted)
            by = select(ReferralEvent.user_id).where(ReferralEvent.referral_id == winner)
            assert session.scalars(by.order_by(ReferralEvent.id.desc()).limit(1)).one() in {
                actor.user_id for actor in ground.coordinators
            }
            holding = select(func.count()).where(
                Referral.service_at_location_id == ground.wanted, Referral.state == "proposed"
            )
            assert session.scalar(holding) == turn
        ground.racers = [racer for racer in ground.racers if racer[0] != winner]
