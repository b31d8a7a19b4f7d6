"""Folders and servers for the tests of the embedded server.

Every test works as root (the server then runs as an account without rights) and as an ordinary user.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from db.embedded import EmbeddedPostgres
from db.embedded_process import server_processes


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder that any account may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="ihala-test-"))
    folder.chmod(0o755)
    yield folder
    for pgdata in folder.rglob("pgdata"):
        for process in server_processes(pgdata):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ihala-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder / "var"):
        pass
    yield folder / "var"
    shutil.rmtree(folder)


@pytest.fixture
def existing(place: Path, made_once: Path) -> Path:
    """Give the data folder of a server that was made and stopped before: a copy, which is quicker."""
    subprocess.run(["cp", "-a", made_once, place / "var"], check=True)
    return place / "var"


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="ihala-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder / "var") as server:
        yield server
    shutil.rmtree(folder)
