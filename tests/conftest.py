"""Fixtures: a real PostgreSQL with the real migrations, and one transaction a test, rolled back at its end."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.directory import upsert_directory, upsert_offices
from db.embedded import EmbeddedPostgres
from db.keyfile import MasterKey, MasterKeys
from db.migrate import migrate
from db.session import make_engine, session_scope
from db.vault import Vault
from governorates import Governorate, load
from governorates.directory import read_directory

if TYPE_CHECKING:
    from api.settings import Settings
    from tests.factories.world import World

TEMPLATE = "template_ihala"
MEMORY = Path("/dev/shm")  # noqa: S108  a folder of the run's own is made in it
"""A file system in memory, where there is one: hundreds of databases are made and dropped, none outlives the run."""
ROOM_IN_MEMORY = 2 << 30


@dataclass(frozen=True)
class Database:
    """One migrated database with the sample directory."""

    name: str
    owner_url: str
    app_url: str


def _scratch() -> Path:
    """Where the server of a run lives."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY:
        return MEMORY
    return Path(tempfile.gettempdir())


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """One embedded server for the whole run, in a folder of its own that any account can reach."""
    folder = _scratch() / f"ihala-test-{os.getpid()}-{secrets.token_hex(3)}"
    with EmbeddedPostgres(folder) as running:
        yield running
        running.stop()
        running.remove_server_folder()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def governorate() -> Governorate:
    """The governorate that the tests live in."""
    return load("nineveh")


@pytest.fixture(scope="session")
def masters() -> MasterKeys:
    """Master keys of the test run."""
    return MasterKeys.of([MasterKey("test", b"t" * 32)])


@pytest.fixture(scope="session")
def product_hasher() -> Iterator[PasswordHash]:
    """How the product keeps passwords; in tests that use the database it works with the smallest figures.

    A real one takes a seventh of a second of both cores, and a run makes thousands.
    """
    from api import auth

    real = auth.hasher
    auth.hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    yield real
    auth.hasher = real


@pytest.fixture(scope="session")
def template(server: EmbeddedPostgres, governorate: Governorate, product_hasher: PasswordHash) -> str:
    """A migrated database with offices and the sample directory, never connected to again: clones are quick."""
    server.create_database(TEMPLATE)
    migrate(server.owner_url(TEMPLATE))
    engine = make_engine(server.app_url(TEMPLATE))
    directory = read_directory(governorate.directory_path, governorate)
    with session_scope(engine) as session:
        upsert_offices(session, governorate)
        upsert_directory(session, governorate, directory.starting(datetime.now(UTC).date()))
    engine.dispose()
    return TEMPLATE


@pytest.fixture(scope="session")
def clone(server: EmbeddedPostgres, template: str) -> Callable[..., Database]:
    """Make a new database: a copy of the template, or of another one that nobody is connected to."""

    def make(origin: str = template) -> Database:
        name = f"t_{secrets.token_hex(5)}"
        server.create_database(name, origin)
        return Database(name, server.owner_url(name), server.app_url(name))

    return make


@pytest.fixture(scope="session")
def database(clone: Callable[[], Database]) -> Database:
    """The database that tests of one transaction share."""
    return clone()


@pytest.fixture
def fresh_database(server: EmbeddedPostgres, clone: Callable[[], Database]) -> Iterator[Database]:
    """A database of this test's own, for tests that commit."""
    made = clone()
    yield made
    server.drop_database(made.name)


@pytest.fixture(scope="session")
def prepared_world(
    clone: Callable[..., Database], masters: MasterKeys, governorate: Governorate
) -> tuple[Database, "World"]:
    """The world of `tests.factories.world`, built once; nobody is connected to its database any more."""
    from api.context import AppContext
    from api.settings import Settings
    from tests.factories.world import build_world

    made = clone()
    engine = make_engine(made.app_url)
    world = build_world(AppContext(Settings(), engine, made.owner_url, masters, governorate))
    engine.dispose()
    return made, world


@pytest.fixture(scope="session")
def clone_world(
    server: EmbeddedPostgres, clone: Callable[..., Database], prepared_world: tuple[Database, "World"]
) -> Callable[["Settings"], AbstractContextManager["World"]]:
    """Open a copy of the prepared world; its database is dropped afterwards."""
    from api.context import AppContext

    origin, world = prepared_world
    masters, governorate = world.context.masters, world.context.governorate

    @contextmanager
    def opened(settings: "Settings") -> Iterator["World"]:
        made = clone(origin.name)
        engine = make_engine(made.app_url)
        yield world.copied_to(AppContext(settings, engine, made.owner_url, masters, governorate))
        engine.dispose()
        server.drop_database(made.name)

    return opened


@pytest.fixture(scope="session")
def engine(database: Database) -> Iterator[Engine]:
    """Engine of the application role on the shared database."""
    made = make_engine(database.app_url)
    yield made
    made.dispose()


@pytest.fixture
def fresh_engine(fresh_database: Database) -> Iterator[Engine]:
    """Engine of the application role on this test's own database."""
    made = make_engine(fresh_database.app_url)
    yield made
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session whose transaction is rolled back after the test."""
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as inside:
            yield inside
        transaction.rollback()


@pytest.fixture
def vault(session: Session, masters: MasterKeys) -> Vault:
    """Keys of the test's session."""
    return Vault(session, masters)
