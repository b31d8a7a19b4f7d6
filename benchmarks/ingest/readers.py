"""What reads a Central, each in a process of its own: ``python -m benchmarks.ingest.readers ihala|get_table|poll``.

Its memory and processor time are then its own alone. Takes its plan as JSON on the input, prints figures as JSON.
"""

import json
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

Plan = dict[str, Any]
Figures = dict[str, float]


def read_with_ihala(plan: Plan) -> Figures:
    """Catch up as the worker does, then parse all, then open cases for some. Seconds, rows and megabytes."""
    from collections import Counter

    from db.keyfile import MasterKeys
    from db.session import make_engine, session_scope
    from governorates import load
    from ingest.central.session import CentralSession
    from ingest.forms import published_forms
    from ingest.sources.central import CentralSource
    from ingest.sync import parse_waiting, take_in_page

    engine = make_engine(plan["database"])
    masters, governorate = MasterKeys.from_file(Path(plan["keys"])), load(plan["governorate"])
    scope = partial(session_scope, engine)
    figures: Figures = {"rest_mb": _reset_peak()}
    with closing(CentralSession(_account(plan))) as client:
        source = CentralSource(client, scope, masters, governorate.code)
        start, cpu = time.perf_counter(), time.process_time()
        pulled = source.pull(plan["form"], datetime.now(UTC))
        figures |= {"store_s": time.perf_counter() - start, "store_cpu_s": time.process_time() - cpu}
    figures |= {"stored": pulled.stored, "peak_mb": _peak()}
    published_forms(governorate.code)  # compiled once a process, whatever is read
    start, after, parsed = time.perf_counter(), 0, 0
    while parsed < plan["parse"]:
        with scope() as session:
            ids = parse_waiting(session, masters, governorate, after, 500)
        if not ids:
            break
        after, parsed = ids[-1], parsed + len(ids)
    figures |= {"parsed": parsed, "parse_s": time.perf_counter() - start}
    start, after, outcomes = time.perf_counter(), 0, Counter[str]()
    while outcomes.total() < plan["cases"]:
        page = take_in_page(scope, masters, governorate, after, 50)
        if page is None:
            break
        after, outcomes = page.last_id, outcomes + page.outcomes
    figures |= {
        "cased": outcomes.total(),
        "opened": outcomes["opened"],
        "case_s": time.perf_counter() - start,
    }
    return figures | {"all_peak_mb": _peak()}


def read_with_get_table(plan: Plan) -> Figures:
    """Download the same rows with pyODK, as its users do, into memory."""
    import toml
    from pyodk.client import Client

    with tempfile.TemporaryDirectory() as folder:
        config, cache = Path(folder) / "config.toml", Path(folder) / "cache.toml"
        account = {"base_url": plan["url"], "username": plan["email"], "password": plan["password"]}
        config.write_text(toml.dumps({"central": account | {"default_project_id": plan["project"]}}))
        with Client(config_path=str(config), cache_path=str(cache), project_id=plan["project"]) as client:
            client.projects.list()
            rest = _reset_peak()
            start = time.perf_counter()
            table = client.submissions.get_table(form_id=plan["form"], expand="*")
            seconds = time.perf_counter() - start
    return {"rows": len(table["value"]), "store_s": seconds, "rest_mb": rest, "peak_mb": _peak()}


def poll_without_news(plan: Plan) -> Figures:
    """Poll a form that was caught up, again and again. `own_ms`: without waiting for Central's answer."""
    from db.keyfile import MasterKeys
    from db.session import make_engine, session_scope
    from governorates import load
    from ingest.central.session import CentralSession
    from ingest.sources.central import CentralSource

    engine = make_engine(plan["database"])
    masters, governorate = MasterKeys.from_file(Path(plan["keys"])), load(plan["governorate"])
    walls, waits, processor = [], [], []
    for _ in range(plan["polls"]):
        waited = 0.0
        with closing(CentralSession(_account(plan))) as client:
            ask = client._session.send

            def timed(*args: Any, _ask: Any = ask, **options: Any) -> Any:
                nonlocal waited
                start = time.perf_counter()
                try:
                    return _ask(*args, **options)
                finally:
                    waited += time.perf_counter() - start

            client._session.send = timed
            start, cpu = time.perf_counter(), time.process_time()
            source = CentralSource(client, partial(session_scope, engine), masters, governorate.code)
            pulled = source.pull(plan["form"], datetime.now(UTC) + timedelta(seconds=1))
            walls.append(time.perf_counter() - start)
            processor.append(time.process_time() - cpu)
        waits.append(waited)
        if pulled.stored:
            raise RuntimeError("There was news.")
    own = sorted(wall - wait for wall, wait in zip(walls, waits, strict=True))
    middle = len(own) // 2
    return {
        "polls": len(own),
        "wall_ms": sorted(walls)[middle] * 1000,
        "own_ms": own[middle] * 1000,
        "own_worst_ms": own[-1] * 1000,
        "cpu_ms": sorted(processor)[middle] * 1000,
    }


def _account(plan: Plan) -> Any:
    from ingest.central.account import CentralAccount

    names = ("url", "email", "password")
    return CentralAccount(
        *(plan[name] for name in names), plan["project"], (plan["form"],), Path(plan["cache"])
    )


def _reset_peak() -> float:
    """Forget the peak so far (Linux); returns the memory in use now, in megabytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak() -> float:
    """The most memory that this process had at once since `_reset_peak`, in megabytes."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def main() -> None:
    """Read the plan, do it, print the figures."""
    ways = {"ihala": read_with_ihala, "get_table": read_with_get_table, "poll": poll_without_news}
    json.dump(ways[sys.argv[1]](json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
