"""The way into the database, measured beside named peers: ``python -m benchmarks.ingest``.

Catch-up: an installation that has read nothing yet reads all submissions of a Central, which is the stand-in of the
tests in a process of its own, and a real one too where IHALA_TEST_CENTRAL_URL, _EMAIL and _PASSWORD are set (it
gets a project of the bench's own; --real-rows). Beside it pyODK's `get_table` downloads the same rows in the same
run, without parsing or storing them. Stages: `stored` is fetched, sealed, and committed to a disk with fsync on,
up to and with the comparison of the whole list; `parsed` opens and reads what was stored; `cased` opens cases.
Memory is that of the reading process alone, over what it holds before it begins.

Intake: posts of tablets answered with 201, durable and sealed, beside a real Central where one is set. Every round
checks that what was answered stands in the database. Poll: a pull without news, without the wait for Central. (A
real Central's rows came just now here, and a large form's polls read those of the last quarter of an hour again.)

The quietest round counts, since other work on the machine can only slow one down; all rounds are in --json.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from api.context import AppContext
from benchmarks.ingest.installation import temporary_installation
from benchmarks.ingest.intake import FORM, Intake, PeerCentral, measure_central, measure_ihala
from benchmarks.ingest.tables import show_catch_up, show_intake, show_poll
from tests.central.store import PASSWORD, READER

REAL = ("IHALA_TEST_CENTRAL_URL", "IHALA_TEST_CENTRAL_EMAIL", "IHALA_TEST_CENTRAL_PASSWORD")
Figures = dict[str, Any]


def real_central() -> tuple[str, str, str] | None:
    """Address, e-mail and password of a real Central; None where they are not all set."""
    url, email, password = (os.environ.get(name) for name in REAL)
    return (url, email, password) if url and email and password else None


def measure_catch_up(which: str, account: Figures, rows: int, asked: argparse.Namespace) -> Figures:
    """Read all rows of one form: pyODK and Ihala by turns, each time from nothing; then poll it without news."""
    rounds = []
    poll: Figures = {}
    for number in range(asked.rounds):
        load = os.getloadavg()[0]
        peer = _run("get_table", account)
        with temporary_installation() as context:
            last = number == asked.rounds - 1
            plan = account | _installation(context)
            plan |= {"parse": asked.cases if last else 0, "cases": asked.cases if last else 0}
            ours = _run("ihala", plan)
            if not peer["rows"] == ours["stored"] == rows:
                raise RuntimeError(f"{rows} rows: get_table got {peer['rows']}, stored {ours['stored']}.")
            poll = _run("poll", plan | {"polls": asked.polls}) if last else {}
        _tell(f"{which}, {rows} rows: get_table {peer['store_s']:.1f} s, stored {ours['store_s']:.1f} s")
        rounds.append({"get_table": peer, "ihala": ours, "load": load})
    return {"central": which, "rows": rows, "rounds": rounds, "poll": poll}


def _installation(context: AppContext) -> Figures:
    return {
        "database": context.engine.url.render_as_string(hide_password=False),
        "keys": str(context.settings.key_path),
        "cache": str(context.settings.data_folder / "central"),
        "governorate": context.governorate.code,
    }


@contextmanager
def stand_in(rows: int, seed: int) -> Iterator[Figures]:
    """Serve a filled stand-in for the block; yields how to reach it."""
    _tell(f"inventing {rows} submissions")
    command = [sys.executable, "-m", "benchmarks.ingest.stand_in", "--rows", str(rows), "--seed", str(seed)]
    server = subprocess.Popen(  # noqa: S603  our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None and server.stdout is not None  # noqa: S101  both are pipes
    try:
        url = server.stdout.readline().strip()
        yield {"url": url, "email": READER, "password": PASSWORD, "project": 1, "form": FORM}
    finally:
        server.stdin.close()
        server.wait(60)


def _run(way: str, plan: Figures) -> Figures:
    """Run one reader in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.ingest.readers", way]
    ran = subprocess.run(  # noqa: S603
        command, input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True
    )
    figures: Figures = json.loads(ran.stdout)
    return figures


def _measure_real(central: tuple[str, str, str], asked: argparse.Namespace) -> tuple[Figures, Intake]:
    url, email, password = central
    filled = PeerCentral(url, email, password)
    _tell(f"posting {asked.real_rows} submissions to {url}")
    intake = measure_central(filled, asked.real_rows, asked.connections, asked.seed)
    account = {"url": url, "email": email, "password": password, "project": filled.project_id, "form": FORM}
    return measure_catch_up("ODK Central", account, filled.count(), asked), intake


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    """Read the sizes from the command line, measure, print tables or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="benchmarks.ingest"
    )
    parser.add_argument(
        "--rows", type=int, nargs="*", default=[10_000, 100_000], help="sizes of the catch-up"
    )
    parser.add_argument(
        "--real-rows", type=int, default=5_000, help="posted to a real Central where one is set"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement; the quietest counts")
    parser.add_argument("--cases", type=int, default=1_000, help="how many rows to parse and open cases for")
    parser.add_argument("--polls", type=int, default=50)
    parser.add_argument("--posts", type=int, default=2_000, help="of a round of the intake")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print every round as JSON")
    asked = parser.parse_args()
    intake: list[Intake] = []
    catch_up: list[Figures] = []
    if asked.posts:
        _tell(f"{asked.rounds} rounds of {asked.posts} posts")
        with temporary_installation() as context:
            intake += measure_ihala(context, asked.posts, asked.connections, asked.rounds, asked.seed)
    for rows in asked.rows:
        with stand_in(rows, asked.seed) as account:
            catch_up.append(measure_catch_up("stand-in", account, rows, asked))
    central = real_central()
    if central is not None:
        read, posted = _measure_real(central, asked)
        catch_up.append(read)
        intake.append(posted)
    if asked.json:
        json.dump({"intake": [asdict(one) for one in intake], "catch_up": catch_up}, sys.stdout, indent=1)
        return
    show_intake(intake, asked.connections)
    show_catch_up(catch_up)
    show_poll(catch_up)


if __name__ == "__main__":
    main()
