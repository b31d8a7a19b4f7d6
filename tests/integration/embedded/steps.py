"""What the tests of the embedded server do again and again."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from db.embedded import EmbeddedPostgres
from db.embedded_process import server_processes

ROOT = Path(__file__).parents[3]

# As from a terminal: what runs in the background of a script is born deaf to these signals.
STARTER = """
import json, sys, pathlib, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
for order in (signal.SIGTERM, signal.SIGHUP): signal.signal(order, signal.SIG_DFL)
from db.embedded import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
if "wait" in sys.argv: sys.stdin.readline()
server.start()
print(json.dumps({"owner": server.is_owner, "running": server.is_running}), flush=True)
sys.stdin.readline()
"""


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def write_note(server: EmbeddedPostgres, text: str) -> None:
    with connect(server.owner_url()) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS note (text text)")
    with connect(server.app_url()) as app:
        app.execute("INSERT INTO note VALUES (%s)", [text])


def read_notes(server: EmbeddedPostgres) -> list[object]:
    with connect(server.app_url()) as app:
        return [row[0] for row in app.execute("SELECT text FROM note ORDER BY text")]


def starter(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder), *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen[str]) -> dict[str, bool]:
    assert process.stdout is not None
    said: dict[str, bool] = json.loads(process.stdout.readline())
    return said


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def wait_until_gone(pgdata: Path) -> bool:
    until = time.monotonic() + 15
    while server_processes(pgdata) and time.monotonic() < until:
        time.sleep(0.05)
    return not server_processes(pgdata)
