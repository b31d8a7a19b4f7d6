"""Whatever happens in Central, and whenever the poll is killed: in the end the database equals the server."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.keyfile import MasterKeys
from db.session import make_engine
from governorates import Governorate
from ingest.central.account import CentralAccount
from tests.central.faults import STORE, Fault
from tests.central.histories import History
from tests.central.server import running
from tests.central.store import Row, Store
from tests.conftest import Database
from tests.unit.ingest.invented import assessment, to_odata

SEED = 20261123
QUICK = 60
BATCHES, BATCH = 40, 100
STEPS = 14
SMALL = {
    "ingest.sources.central.LARGE": (2, 2, 2000),
    "ingest.sources.central.MANY": (2, 4, 500),
    "ingest.sources.central.IDS_PER_REQUEST": (2, 3, 50),
    "ingest.sources.central.LISTED_AT_ONCE": (2, 3, 2000),
    "ingest.central.submissions.ROWS_PER_PAGE": (2, 3, 1000),
}


class Lives:
    """Histories one after the other on one server and one database, a form each."""

    def __init__(
        self, store: Store, account: CentralAccount, engine: Engine, masters: MasterKeys, template: Row
    ) -> None:
        self.store, self.account, self.engine, self.masters = store, account, engine, masters
        self.template = template
        self.kills = self.errors = self.struck = 0

    def live(self, seed: int, fault: Fault | None = None, steps: int = STEPS) -> None:
        rng = random.Random(seed)
        self.store.reset()
        history = History(
            self.store, self.account, self.engine, self.masters, f"history_{seed}", rng, self.template
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, values in SMALL.items():
                patch.setattr(name, rng.choice(values))
            if fault is not None:
                every = rng.randint(1, 3) if fault in STORE else rng.randint(2, 6)
                self.store.faults.set(fault, every=every)
            history.live(steps)
            self.store.faults.clear()
            history.last_poll()
            history.check()
        if fault is not None:
            self.struck += self.store.faults.struck.get(fault, 0)
        self.kills += history.kills
        self.errors += len(history.errors)


@pytest.fixture
def lives(
    fresh_database: Database, masters: MasterKeys, governorate: Governorate, tmp_path: Path
) -> Iterator[Lives]:
    store, engine = Store(), make_engine(fresh_database.app_url)
    with running(store) as url:
        account = CentralAccount(url, "reader@example.org", "a long password", 1, (), tmp_path / "central")
        yield Lives(store, account, engine, masters, to_odata(assessment(governorate, case_code=None)))
    engine.dispose()


def test_after_the_last_poll_the_database_equals_the_server(lives: Lives) -> None:
    for number in range(QUICK):
        lives.live(SEED + number)
    assert lives.kills > QUICK // 4, "the kills came too late to interrupt anything"


@pytest.mark.parametrize("fault", list(Fault))
def test_with_each_fault_switched_on(lives: Lives, fault: Fault) -> None:
    for number in range(3):
        lives.live(SEED + 1000 + number, fault)
    assert lives.struck or fault in {Fault.SKEW, Fault.TIES}  # these two are there all the time


@pytest.mark.deep
@pytest.mark.parametrize("batch", range(BATCHES))
def test_thousands_of_histories(lives: Lives, batch: int) -> None:
    for number in range(BATCH):
        lives.live(SEED + 10_000 + batch * BATCH + number, steps=20)


@pytest.mark.deep
@pytest.mark.parametrize("fault", list(Fault))
def test_many_histories_with_each_fault(lives: Lives, fault: Fault) -> None:
    for number in range(BATCH // 2):
        lives.live(SEED + 90_000 + number, fault, steps=20)
