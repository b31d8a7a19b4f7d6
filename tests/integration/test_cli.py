"""The command line against a real database: what an operator types on the first day."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from api.cli import app, main
from api.jobs.runs import lock_name
from db.locks import NamedLock
from db.models import Tablet, User
from db.session import make_engine, session_scope
from governorates import load
from tests.conftest import Database

COMMANDS = (
    "demo", "serve", "worker", "migrate", "sync", "match", "backup", "restore",
    "tablets", "users", "directory", "places", "forms", "open-days", "messages", "deadlines", "jobs",
    "central",
)  # fmt: skip


@pytest.fixture
def run(fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("IHALA_DATABASE_URL", fresh_database.app_url)
    monkeypatch.setenv("IHALA_OWNER_DATABASE_URL", fresh_database.owner_url)
    monkeypatch.setenv("IHALA_DATA_FOLDER", str(tmp_path))
    runner = CliRunner()

    def call(*arguments: str, code: int = 0) -> str:
        result = runner.invoke(app, list(arguments))
        assert result.exit_code == code, result.output
        return result.output

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output) > 100


def test_the_first_day(run: object, fresh_database: Database, tmp_path: Path) -> None:
    assert callable(run)
    assert "up to date" in run("migrate")
    assert "Mosul" not in run("tablets", "list")
    shown = run("tablets", "add", "MOS-01", "--office", "mosul")
    assert "MOS-01" in shown
    run("tablets", "add", "MOS-01", "--office", "mosul", code=2)
    run("tablets", "add", "X-01", "--office", "nowhere", code=2)
    picture = tmp_path / "qr.png"
    run("tablets", "add", "MOS-02", "--office", "mosul", "--png", str(picture))
    assert picture.stat().st_mode & 0o077 == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    run("tablets", "add", "MOS-03", "--office", "mosul", "--png", str(picture), code=2)
    run("tablets", "add", "MOS-03", "--office", "mosul", "--png", str(tmp_path / "no" / "x.png"), code=2)
    run("tablets", "add", "MOS-03", "--office", "nowhere", "--png", str(tmp_path / "x.png"), code=2)
    assert not (tmp_path / "x.png").exists()
    for label in ("", " ", "L" * 61, "a\nb"):
        run("tablets", "add", label, "--office", "mosul", code=2)
    assert "MOS-03" not in run("tablets", "list")
    assert "shut out" in run("tablets", "revoke", "MOS-01")
    assert "revoked" in run("tablets", "list")

    first = run("users", "add", "officer-1", "--role", "officer", "--office", "mosul")
    assert first.startswith("officer-1: ")
    run("users", "add", "officer-2", "--role", "officer", code=2)
    run("users", "add", "coordinator-1", "--role", "coordinator", "--ministry", "momd")
    run("users", "add", "coordinator-2", "--role", "coordinator", "--ministry", "health", code=2)
    again = run("users", "password", "officer-1")
    assert again != first
    run("users", "off", "officer-1")
    assert "off" in run("users", "list")
    assert json.loads(run("deadlines", "run", "--json"))["errors"] == []
    assert run("deadlines", "list") == ""

    engine = make_engine(fresh_database.app_url)
    with session_scope(engine) as session:
        tablet = session.scalars(select(Tablet).where(Tablet.label == "MOS-01")).one()
        assert tablet.revoked_at is not None
        user = session.scalars(select(User).where(User.login == "officer-1")).one()
        assert not user.active
        assert again.split(": ")[1].strip() not in user.password_hash
    engine.dispose()


def test_an_address_that_no_tablet_reaches_is_told(run: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(run)
    run("migrate")
    assert "IHALA_PUBLIC_URL" in run("tablets", "add", "MOS-01", "--office", "mosul")
    monkeypatch.setenv("IHALA_PUBLIC_URL", "https://ihala.example.org")
    shown = run("tablets", "add", "MOS-02", "--office", "mosul")
    assert "IHALA_PUBLIC_URL" not in shown
    assert "https://ihala.example.org" in shown


def test_a_directory_is_loaded_and_its_providers_get_accounts(run: object, tmp_path: Path) -> None:
    assert callable(run)
    folder = tmp_path / "directory"
    shutil.copytree(load("nineveh").directory_path, folder)
    assert "services at locations" in run("directory", "load", str(folder))
    code = run("directory", "list").split()[0]
    assert run("users", "add", "provider-1", "--role", "provider", "--organization", code)
    run("users", "add", "provider-2", "--role", "provider", "--organization", "nobody", code=2)


def test_sync_and_match_report_as_json(run: object) -> None:
    assert callable(run)
    report = json.loads(run("sync", "--json"))
    assert (report["received"], report["errors"]) == (0, [])
    assert json.loads(run("match", "--json"))["run_id"] is None


def test_jobs_by_hand(run: object, fresh_database: Database) -> None:
    assert callable(run)
    listed = {row["job"]: row for row in json.loads(run("jobs", "list", "--json"))}
    assert listed["sync"]["every_seconds"] == 60
    assert listed["sync"]["outcome"] is None
    done = json.loads(run("jobs", "run", "sync", "--json"))
    assert (done["outcome"], done["error"], done["figures"]["cases"]) == ("ok", None, 0)
    assert "sync         every     60 s  ok" in run("jobs", "list")
    run("jobs", "run", "nothing", code=2)
    engine = make_engine(fresh_database.app_url)
    lock = NamedLock(engine, lock_name("nineveh", "sync"))
    assert lock.take()
    assert "busy" in run("jobs", "run", "sync", code=3)
    lock.release()
    engine.dispose()


def test_a_job_that_fails_says_so(run: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(run)
    monkeypatch.setenv("IHALA_CENTRAL_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("IHALA_CENTRAL_EMAIL", "viewer@example.org")
    monkeypatch.setenv("IHALA_CENTRAL_PASSWORD", "not a secret")
    monkeypatch.setenv("IHALA_CENTRAL_PROJECT_ID", "1")
    failed = json.loads(run("jobs", "run", "sync", "--json", code=1))
    assert (failed["outcome"], failed["error"]) == ("failed", "central_unreachable")


def test_backup_and_restore(run: object, tmp_path: Path) -> None:
    assert callable(run)
    target = tmp_path / "one.backup"
    assert "Written" in run("backup", str(target))
    assert "Restored" in run("restore", str(target), "--replace")
    assert "up to date" in run("migrate")


def test_import_of_places_tells_counts_and_refuses_what_is_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target, wrong = tmp_path / "places.csv", tmp_path / "wrong.csv"
    listed = tmp_path / "list.csv"
    listed.write_text(
        "Place ID,Location Name (English),Location Name (Arabic),Latitude,Longitude,Governorate,District,Sub-district\n"
        "99999991,New Camp,مخيم جديد,36.34,43.13,Ninewa,Al-Mosul,Al-Muhamadath\n"
    )
    wrong.write_bytes(b"\xff\xfe\x00")

    def call(path: Path, source: str) -> int:
        arguments = ["places", "import", str(path), "--source", source, "--target", str(target)]
        monkeypatch.setattr(sys, "argv", ["ihala", *arguments])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    assert call(listed, "dtm") == 0
    assert "added 1, changed 0" in capsys.readouterr().out
    before = target.read_bytes()
    assert call(wrong, "dtm") == 1
    assert capsys.readouterr().err == "wrong.csv is no CSV or XLSX list: UnicodeDecodeError\n"
    assert call(wrong, "hearsay") == 2
    assert target.read_bytes() == before


def test_places_and_forms(run: object, tmp_path: Path) -> None:
    assert callable(run)
    assert "IQG15Q07" in run("places", "list", "سنجار")
    assert "district       101" in run("places", "list")
    assert "needs_assessment" in run("forms", "list")
    written = run("forms", "build", str(tmp_path / "forms"))
    assert (tmp_path / "forms" / "needs_assessment.xlsx").exists()
    assert "needs_assessment.xml" in written


def test_messages_wait_without_settings(run: object, fresh_database: Database) -> None:
    assert callable(run)
    run("migrate")
    figures = json.loads(run("messages", "send", "--json"))
    assert figures["not_configured"] == ["email", "sms"]
    assert figures["sent"] == 0
    assert json.loads(run("messages", "list", "--json")) == {"counts": [], "failures": []}
    assert "not_configured  email, sms" in run("messages", "send")


def test_the_address_of_an_account(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IHALA_DATABASE_URL", fresh_database.app_url)
    monkeypatch.setenv("IHALA_OWNER_DATABASE_URL", fresh_database.owner_url)
    monkeypatch.setenv("IHALA_DATA_FOLDER", str(tmp_path))
    runner = CliRunner()

    def call(*arguments: str, typed: str = "") -> tuple[int, str]:
        result = runner.invoke(app, ["messages", "address", *arguments], input=typed)
        return result.exit_code, result.output

    runner.invoke(app, ["users", "add", "admin-1", "--role", "admin"])
    code, shown = call("--user", "admin-1", typed="admin@example.org\n")
    assert (code, shown.endswith("Kept.\n")) == (0, True)
    assert call("--user", "admin-1", typed="nobody\n")[0] == 2
    assert call("--user", "nobody", typed="a@example.org\n")[0] == 2
    assert call("--user", "admin-1", "--organization", "x")[0] == 2
    assert call("--user", "admin-1", "--remove") == (0, "Forgotten.\n")
    code, shown = call("--organization", "afiyat_iraq", "--channel", "sms", typed="+9647701234567\n")
    assert (code, shown.endswith("Kept.\n")) == (0, True)
