"""A stand-in for ODK Central with its script, and an installation that reads it, as a fixture."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db.keyfile import MasterKeys
from db.models import Submission
from db.session import session_scope
from governorates import Governorate
from ingest.central.account import CentralAccount
from ingest.central.session import CentralSession
from ingest.sources.central import CentralSource
from ingest.sources.central_pages import Pulled
from ingest.sync import SyncReport, SyncSettings, sync
from tests.central.server import running
from tests.central.store import Store
from tests.unit.ingest.invented import assessment, to_odata

FORM = "needs_assessment"


@dataclass
class Reader:
    """A Central with its script, and an installation that reads it."""

    store: Store
    account: CentralAccount
    engine: Engine
    masters: MasterKeys
    governorate: Governorate

    def row(self, **answers: Any) -> dict[str, Any]:
        return to_odata(assessment(self.governorate, case_code=None, **answers))

    def sync(self) -> SyncReport:
        settings = SyncSettings(central=self.account)
        return sync(self.engine, self.masters, self.governorate, settings)

    def pull(self) -> Pulled:
        client = CentralSession(self.account)
        try:
            source = CentralSource(client, partial(session_scope, self.engine), self.masters, "nineveh")
            return source.pull(FORM, datetime.now(UTC))
        finally:
            client.close()

    def stored(self) -> list[Submission]:
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(select(Submission).order_by(Submission.id)))

    def roots(self) -> set[str]:
        return {one.root_instance_id for one in self.stored()}

    def asked(self, part: str) -> int:
        return sum(part in request for request in self.store.requests)


@pytest.fixture
def reader(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate, tmp_path: Path
) -> Iterator[Reader]:
    store = Store()
    with running(store) as url:
        account = CentralAccount(
            url, "reader@example.org", "a long password", 1, (FORM,), tmp_path / "central"
        )
        yield Reader(store, account, fresh_engine, masters, governorate)
