"""The main job over HTTP: 300 assessments from tablets become cases, needs and proposals, once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import Engine

from api.context import AppContext
from api.demo import running_demo
from api.demo_accounts import DemoRefusedError, provide_tablets
from api.server import running_server
from api.settings import Settings
from db.accounts import create_user
from db.cases import count_figures
from db.keyfile import MasterKeys
from db.models import Role
from db.referrals import list_slot_mismatches
from db.session import session_scope
from governorates import DEFAULT_GOVERNORATE, Governorate, available
from ingest.sync import SyncReport, sync
from tests.conftest import Database
from tests.factories.snapshots import snapshot
from xlsforms.compile import compile_form
from xlsforms.fill import FilledForm, fill_batch

COUNT = 300


@pytest.fixture
def context(
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
) -> Iterator[AppContext]:
    settings = Settings(data_folder=tmp_path, port=0)
    yield AppContext(settings, fresh_engine, fresh_database.owner_url, masters, governorate)


def _post(url: str, filled: FilledForm) -> int:
    answer = requests.post(
        f"{url}/submission?deviceID=collect%3Atest",
        headers={"X-OpenRosa-Version": "1.0"},
        files={"xml_submission_file": ("submission.xml", filled.xml, "text/xml")},
        timeout=30,
    )
    return answer.status_code


def _post_all(url: str, batch: list[FilledForm]) -> Counter[int]:
    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(lambda filled: _post(url, filled), batch))


def _sync(context: AppContext) -> SyncReport:
    return sync(context.engine, context.masters, context.governorate, context.settings.sync_settings())


def test_posting_the_same_assessments_again_changes_nothing(context: AppContext) -> None:
    batch = fill_batch(compile_form("needs_assessment"), COUNT, 7)
    token = provide_tablets(context)[0]
    with running_server(context) as base_url:
        url = f"{base_url}/openrosa/{token}"
        assert _post_all(url, batch) == {201: COUNT}
        report = _sync(context)
        assert report.cases + report.refusals == COUNT
        before = snapshot(context.owner_url)

        assert _post_all(url, batch) == {201: COUNT}
        again = _sync(context)
        assert (again.received, again.cases, again.refusals) == (0, 0, 0)
        assert snapshot(context.owner_url) == before
    with session_scope(context.engine) as session:
        figures = count_figures(session)
        assert figures["stored"] == COUNT
        assert figures["needs"] == figures["proposed"] + figures["unmet"]
        assert figures["undecided"] == 0
        assert list_slot_mismatches(session) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize("governorate", [code for code in available() if code != DEFAULT_GOVERNORATE])
def test_the_demo_does_its_job_in_every_governorate(governorate: str) -> None:
    """Forms of that governorate are filled, sent, taken in and matched, with its own directory."""
    ihala = Path(sys.executable).with_name("ihala")
    run = subprocess.run(
        [ihala, "demo", "--check", "--json", "--count", "60"],
        env=os.environ | {"IHALA_GOVERNORATE": governorate},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    figures = json.loads(run.stdout)
    assert figures["received"] == figures["cases"] + figures["refusals"] == 60
    assert figures["needs"] == figures["proposed"] + figures["unmet"]
    assert figures["proposed"] > figures["needs"] / 4


@pytest.mark.timeout(240)
def test_the_demo_checks_itself() -> None:
    """`ihala demo --check --json`, as a new user runs it: exit code, figures, and nothing lost."""
    ihala = Path(sys.executable).with_name("ihala")
    run = subprocess.run(
        [ihala, "demo", "--check", "--json"], capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    figures = json.loads(run.stdout)
    assert figures["received"] == figures["stored"] == COUNT
    assert figures["cases"] + figures["refusals"] == COUNT
    assert figures["needs"] == figures["proposed"] + figures["unmet"]
    assert figures["lost"] == 0
    assert {"seconds"} <= figures.keys()


def test_what_the_server_refused_counts_as_lost(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of eight posts fail: the demo must not call the other five complete."""
    real, posts = requests.post, iter(range(8))

    def flaky(url: str, **options: Any) -> requests.Response:
        turn = next(posts)
        if turn == 0:
            raise requests.ConnectionError
        return real(url.replace("/submission", "/nowhere") if turn < 3 else url, **options)

    monkeypatch.setattr(requests, "post", flaky)
    settings = Settings(
        data_folder=tmp_path,
        port=0,
        database_url=SecretStr(fresh_database.app_url),
        owner_database_url=SecretStr(fresh_database.owner_url),
    )
    with running_demo(settings, count=8, console=Console(quiet=True)) as demo:
        assert (demo.figures.received, demo.figures.stored, demo.figures.lost) == (5, 5, 3)
        assert not demo.figures.is_complete


def test_the_demo_keeps_out_of_a_real_installation(
    context: AppContext,
) -> None:
    with session_scope(context.engine) as session:
        create_user(
            session, login="coordinator-1", password_hash="x", role=Role.COORDINATOR, governorate="nineveh"
        )
    before = snapshot(context.owner_url)
    settings = Settings(
        data_folder=context.settings.data_folder,
        port=0,
        database_url=SecretStr(context.engine.url.render_as_string(hide_password=False)),
        owner_database_url=SecretStr(context.owner_url),
    )
    demo = running_demo(settings, count=1, console=Console(quiet=True))
    with pytest.raises(DemoRefusedError), demo:
        pass
    assert snapshot(context.owner_url) == before
