"""A withdrawal while a provider accepts, starts or delivers: never both, fifty times over."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from casework import provider_acts, referrals, sending
from casework.disclosure import read_disclosures
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.withdrawals import withdraw
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Capacity, Consent, DeletionRequest, Referral, ReferralEvent
from db.provider_list import get_provider_referral
from db.referrals import list_slot_mismatches
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case
from tests.factories.consents import NEED, provider_of, referral_of

STEPS = ("acknowledge", "accept", "start", "deliver")
WITHDRAWN = {"recalled", "closed"}
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")


@dataclass(frozen=True)
class Sent:
    """A referral that a provider has, and its case."""

    case_id: int
    referral_id: int
    provider: Actor


def _send_many(engine: Engine, masters: MasterKeys, governorate: Governorate, count: int) -> list[Sent]:
    with session_scope(engine) as session:
        vault = Vault(session, masters)
        session.execute(update(Capacity).values(slots=1000))
        assessment = make_assessment(governorate, [NEED], case_code=None)
        cases = [open_case(session, vault, governorate, assessment).case_id or 0 for _ in range(count)]
        match_open_needs(session, vault, governorate, now=datetime.now(UTC))
        found = []
        for case_id in cases:
            referral_id = referral_of(session, case_id)
            referrals.approve(session, vault, referral_id, MOMD)
            sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
            found.append(Sent(case_id, referral_id, provider_of(session, referral_id)))
    return found


@pytest.mark.parametrize(
    ("scope", "rounds"),
    [
        ("everything", 30),
        ("referral", 20),
        ("categories", 20),
        pytest.param("everything", 60, marks=pytest.mark.deep),
    ],
)
def test_never_both(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate, scope: str, rounds: int
) -> None:
    """The provider goes as far as it gets; the withdrawal comes at any moment, and holds from then on."""
    sent = _send_many(fresh_engine, masters, governorate, rounds)
    last = [_race(fresh_engine, masters, one, scope, number) for number, one in enumerate(sent)]
    assert "recall" in last


def _race(engine: Engine, masters: MasterKeys, waiting: Sent, scope: str, number: int) -> str:
    ready, failures = threading.Barrier(2), list[BaseException]()

    def run(act: Callable[[Session, Vault], object]) -> bool:
        try:
            with session_scope(engine) as session:
                act(session, Vault(session, masters))
        except (DomainError, OperationalError) as refusal:
            if isinstance(refusal, OperationalError):
                failures.append(refusal)  # nobody may wait for the other for ever
            return False
        except BaseException as error:
            failures.append(error)
            return False
        return True

    def provide() -> None:
        ready.wait()
        for step in STEPS[number % 2 :]:
            act = getattr(provider_acts, step)
            if not run(
                lambda session, vault, act=act: act(session, vault, waiting.referral_id, waiting.provider)
            ):
                return

    def take_back() -> None:
        what: dict[str, object] = {"referral_id": waiting.referral_id} if scope == "referral" else {}
        what |= {"categories": ["health"]} if scope == "categories" else {}
        ready.wait()
        threading.Event().wait((number % 9) / 100)
        done = run(
            lambda session, vault: withdraw(
                session, vault, waiting.case_id, MOMD,
                channel="phone", scope=scope, now=datetime.now(UTC), **what,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        assert done

    threads = [threading.Thread(target=work) for work in (provide, take_back)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return _settled(engine, masters, waiting)


def _settled(engine: Engine, masters: MasterKeys, waiting: Sent) -> str:
    """What stands after both: the withdrawal was the last word, and nothing is left with the provider."""
    with session_scope(engine) as session:
        vault = Vault(session, masters)
        state = session.scalar(select(Referral.state).where(Referral.id == waiting.referral_id))
        moves = session.scalars(
            select(ReferralEvent.move)
            .where(ReferralEvent.referral_id == waiting.referral_id)
            .order_by(ReferralEvent.id)
        ).all()
        assert state in WITHDRAWN
        assert moves[-1] == ("recall" if state == "recalled" else "withdraw")
        assert read_disclosures(session, vault, [waiting.referral_id]) == {}
        assert get_provider_referral(session, waiting.provider, waiting.referral_id) is None
        in_force = select(Consent.id).where(
            Consent.referral_id == waiting.referral_id, Consent.withdrawn_at.is_(None)
        )
        assert session.scalars(in_force).all() == []
        asked = select(DeletionRequest.id).where(DeletionRequest.referral_id == waiting.referral_id)
        assert len(session.scalars(asked).all()) == 1
        assert list_slot_mismatches(session) == []
        return str(moves[-1])
