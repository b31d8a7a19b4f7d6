"""The drill: backup, drop, restore; the same figures, the same queue, the same readable names."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from casework.matching import match_open_needs
from casework.moves import Actor
from db.backup import create_backup, restore_backup
from db.cases import count_figures
from db.embedded import EmbeddedPostgres
from db.keyfile import MasterKeys
from db.models import Person
from db.queue import QueueFilters, list_queue
from db.session import make_engine, session_scope
from db.vault import Vault
from governorates import Governorate
from tests.conftest import Database
from tests.factories.cases import make_assessment, open_case
from tests.factories.snapshots import snapshot

NAME = "زهراء"


def _look(database: Database, masters: MasterKeys) -> tuple[object, ...]:
    """What people see: the figures, the coordinator's queue, and a name opened with its key."""
    engine = make_engine(database.app_url)
    coordinator = Actor(None, "coordinator", "nineveh", ministry="momd")
    try:
        with session_scope(engine) as session:
            vault = Vault(session, masters)
            names = vault.open_many("person.given_name", session.scalars(select(Person.given_name)).all())
            return count_figures(session), list_queue(session, coordinator, QueueFilters()), names
    finally:
        engine.dispose()


def test_backup_drop_restore(
    server: EmbeddedPostgres,
    fresh_database: Database,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
) -> None:
    engine = make_engine(fresh_database.app_url)
    with session_scope(engine) as session:
        vault = Vault(session, masters)
        for place in ("IQG15Q05N04", "IQG15Q07N03", "IQG15Q08N01", "IQG15Q03N03"):
            needs = [("counselling", "urgent"), ("shelter_repair", "normal")]
            open_case(session, vault, governorate, make_assessment(governorate, needs, place=place))
        match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    engine.dispose()
    seen, content = _look(fresh_database, masters), snapshot(fresh_database.owner_url)
    target = tmp_path / "ihala.backup"
    create_backup(fresh_database.owner_url, target, masters)
    assert NAME.encode() not in target.read_bytes()

    server.drop_database(fresh_database.name)
    server.create_database(fresh_database.name)
    restore_backup(target, fresh_database.owner_url, masters)

    assert _look(fresh_database, masters) == seen
    assert snapshot(fresh_database.owner_url) == content
    assert content["case_file"][0] == 4
