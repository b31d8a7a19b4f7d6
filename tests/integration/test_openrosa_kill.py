"""The server and its database are killed while tablets post: what was answered with 201 stands afterwards."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.context import AppContext, open_context
from api.settings import Settings
from db.directory import upsert_offices
from db.embedded import EmbeddedPostgres
from db.models import DataKey, Office, Submission
from db.session import make_engine, session_scope
from db.tablets import create_tablet
from db.vault import Vault
from tests.unit.ingest.invented import assessment, new_instance_id, to_xml

SERVE = "import sys; from api.cli import main; sys.argv[1:] = ['serve', '--no-scheduler']; main()"
ROOT = Path(__file__).parents[2]
TABLETS, KILLS = 6, 3
LIFE_SECONDS = 0.7


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder on a real disk, which the database's account can reach."""
    made = Path(tempfile.gettempdir()) / f"ihala-kill-{secrets.token_hex(6)}"
    yield made
    shutil.rmtree(made, ignore_errors=True)


def settings_of(folder: Path) -> Settings:
    return Settings(_env_file=None, data_folder=folder, database_url=None)  # type: ignore[call-arg]


@contextmanager
def serving(folder: Path, context: AppContext) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run `ihala serve` on the installation's database, as a process that can be killed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("IHALA_")}
    environment = plain | {
        "IHALA_DATA_FOLDER": str(folder),
        "IHALA_PORT": str(port),
        "IHALA_DATABASE_URL": context.engine.url.render_as_string(hide_password=False),
        "IHALA_OWNER_DATABASE_URL": context.owner_url,
    }
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield server, port
    finally:
        server.kill()
        server.wait()


class Tablet(threading.Thread):
    """Posts one submission after the other until the server is gone; `answered`: instance id -> bytes."""

    def __init__(self, url: str, tree: dict[str, object]) -> None:
        super().__init__()
        self.url, self.tree = url, tree
        self.answered: dict[str, bytes] = {}
        self.other: list[int] = []

    def run(self) -> None:
        with requests.Session() as http:
            while True:
                instance_id = new_instance_id()
                xml = to_xml(self.tree, instance_id=instance_id)
                try:
                    status = http.post(
                        f"{self.url}/submission",
                        headers={"X-OpenRosa-Version": "1.0"},
                        files={"xml_submission_file": ("s.xml", xml, "text/xml")},
                        timeout=20,
                    ).status_code
                except requests.RequestException:
                    return
                if status != 201:
                    self.other.append(status)
                    return
                self.answered[instance_id] = xml


def wait_for_answers(tablets: list[Tablet]) -> None:
    """Wait until every tablet is in the midst of posting: the first post of a server compiles the forms."""
    deadline = time.monotonic() + 60
    while not all(tablet.answered for tablet in tablets) and time.monotonic() < deadline:
        time.sleep(0.02)


def postmaster(context: AppContext) -> int:
    with psycopg.connect(context.owner_url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return int(Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("victim", ["server", "database"])
def test_what_was_answered_stands(folder: Path, victim: str) -> None:
    answered: dict[str, bytes] = {}
    for _ in range(KILLS):
        with open_context(settings_of(folder), migrate=True) as context:
            with session_scope(context.engine) as session:
                upsert_offices(session, context.governorate)
                office = session.scalars(select(Office.id)).first()
                assert office is not None
                tokens = [create_tablet(session, secrets.token_hex(5), office)[1] for _ in range(TABLETS)]
            tree = assessment(context.governorate)
            with serving(folder, context) as (server, port):
                tablets = [Tablet(f"http://127.0.0.1:{port}/openrosa/{token}", tree) for token in tokens]
                for tablet in tablets:
                    tablet.start()
                wait_for_answers(tablets)
                time.sleep(LIFE_SECONDS * secrets.randbelow(1000) / 1000)
                if victim == "server":
                    os.kill(server.pid, signal.SIGKILL)
                else:
                    os.kill(postmaster(context), signal.SIGQUIT)  # immediate: no checkpoint, as a power cut
                for tablet in tablets:
                    tablet.join(30)
        for tablet in tablets:
            assert set(tablet.other) <= {503}, "nothing but `keep it and send it again`"
            answered |= tablet.answered
    assert len(answered) > KILLS * TABLETS, "the kills came too early to prove anything"
    with EmbeddedPostgres(folder) as database:
        check(database, folder, answered)
        database.stop()
        database.remove_server_folder()


def check(database: EmbeddedPostgres, folder: Path, answered: dict[str, bytes]) -> None:
    from db.keyfile import MasterKeys

    engine = make_engine(database.app_url())
    with Session(engine) as session:
        stored = {one.instance_id: one for one in session.scalars(select(Submission))}
        vault = Vault(session, MasterKeys.from_file(settings_of(folder).key_path))
        assert answered.keys() <= stored.keys(), "answered with 201, and lost"
        for instance_id, xml in answered.items():
            payload = stored[instance_id].payload
            assert payload is not None
            assert vault.open_bytes("submission.payload", payload) == xml
        keys = set(session.scalars(select(DataKey.id)))
        assert keys == {one.data_key_id for one in stored.values()}, "a submission and its key are one"
    engine.dispose()
