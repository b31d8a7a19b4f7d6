"""The embedded server: its rights, its ends (good and bad), its starters, and what it leaves alone.

Every test works as root (the server then runs as an account without rights) and as an ordinary user.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from db.embedded_accounts import server_account
from db.embedded_process import head_process, server_processes
from db.embedded_programs import wheel_programs

ROOT = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0

STARTER = """
import json, sys, pathlib
from db.embedded import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
if "wait" in sys.argv: sys.stdin.readline()
server.start()
print(json.dumps({"owner": server.is_owner, "running": server.is_running}), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder that any account may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="ihala-test-"))
    folder.chmod(0o755)
    yield folder
    for pgdata in folder.rglob("pgdata"):
        for process in server_processes(pgdata):
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


# --- what it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
        ("password_encryption", "scram-sha-256"),
    ],
)
def test_it_is_durable_and_private(running: EmbeddedPostgres, setting: str, value: str) -> None:
    with connect(running.app_url()) as app:
        assert app.execute(f"SHOW {setting}").fetchone() == (value,)


def test_it_is_postgresql_18_sorted_by_unicode_code_points(running: EmbeddedPostgres) -> None:
    with connect(running.app_url()) as app:
        assert app.info.server_version // 10000 == 18
        found = app.execute(
            "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'ihala'"
        ).fetchone()
    assert found == ("b", "C.UTF-8")


def test_the_server_never_runs_as_root(running: EmbeddedPostgres) -> None:
    processes = server_processes(running.folders.pgdata)
    assert head_process(running.folders.pgdata) in processes
    for process in processes:
        assert Path(f"/proc/{process}").stat().st_uid == running.folders.account.uid != 0


def test_its_folders_are_private(running: EmbeddedPostgres) -> None:
    folders = running.folders
    for private in (folders.pgdata, folders.server_folder / "run", folders.log.parent):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    passwords = running.data_folder / "secrets" / "database.json"
    assert stat.S_IMODE(passwords.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600


def test_no_password_is_on_a_command_line(running: EmbeddedPostgres) -> None:
    passwords = json.loads((running.data_folder / "secrets" / "database.json").read_text()).values()
    for process in server_processes(running.folders.pgdata):
        shown = Path(f"/proc/{process}/cmdline").read_bytes()
        assert not any(password.encode() in shown for password in passwords)


# --- who may do what ------------------------------------------------------------------------------------


def test_roles_have_no_more_rights_than_they_need(running: EmbeddedPostgres) -> None:
    with connect(running.app_url()) as app:
        rows = app.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles"
            " WHERE rolname IN ('ihala_app', 'ihala_owner') ORDER BY rolname"
        ).fetchall()
    assert rows == [
        ("ihala_app", False, False, False, False, False),
        ("ihala_owner", False, False, False, True, False),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "CREATE TEMPORARY TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "SET ROLE ihala_owner",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
def test_the_application_makes_nothing(running: EmbeddedPostgres, statement: str) -> None:
    with connect(running.app_url()) as app, pytest.raises(errors.InsufficientPrivilege):
        app.execute(statement)


def test_the_application_uses_what_the_owner_makes(running: EmbeddedPostgres) -> None:
    with connect(running.owner_url()) as owner, connect(running.app_url()) as app:
        owner.execute("CREATE TABLE used (id int GENERATED BY DEFAULT AS IDENTITY, n serial, word text)")
        app.execute("INSERT INTO used (word) VALUES ('a'), ('b')")
        app.execute("UPDATE used SET word = 'c' WHERE id = 1")
        app.execute("DELETE FROM used WHERE id = 2")
        assert app.execute("SELECT id, n, word FROM used").fetchall() == [(1, 1, "c")]
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("TRUNCATE used")
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("DROP TABLE used")


@pytest.mark.parametrize("role", ["ihala_admin", "ihala_owner", "ihala_app"])
@pytest.mark.parametrize("password", [None, "wrong"])
def test_nobody_gets_in_without_the_password(
    running: EmbeddedPostgres, role: str, password: str | None
) -> None:
    run = running.folders.server_folder / "run"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(run), port=5432, user=role, dbname="postgres", password=password)


def test_another_database_beside_it(running: EmbeddedPostgres) -> None:
    running.create_database("drill")
    running.create_database("drill")
    with connect(running.owner_url("drill")) as owner, connect(running.app_url("drill")) as app:
        owner.execute("CREATE TABLE there (x int)")
        app.execute("INSERT INTO there VALUES (1)")
    running.drop_database("drill")
    with pytest.raises(psycopg.OperationalError):
        connect(running.app_url("drill"))


def test_the_log_shows_no_values(running: EmbeddedPostgres) -> None:
    with connect(running.owner_url()) as owner:
        owner.execute("CREATE TABLE person (name text PRIMARY KEY, age int CHECK (age < 111))")
        owner.execute("INSERT INTO person VALUES ('Zainab-Example', 1)")
        with pytest.raises(errors.UniqueViolation):
            owner.execute("INSERT INTO person VALUES ('Zainab-Example', 1)")
        with pytest.raises(errors.CheckViolation):
            owner.execute("INSERT INTO person VALUES (%s, 300)", ["Zainab-Example"])
        with pytest.raises(errors.SyntaxError):
            owner.execute("INSERT 'Zainab-Example'")
    log = running.folders.log.read_text()
    assert "duplicate key" in log
    # "syntax error at or near ..." quotes the statement itself: values never stand in our statements.
    lines = [line for line in log.splitlines() if "syntax error" not in line]
    assert not any("Zainab" in line for line in lines)


# --- starting and stopping ------------------------------------------------------------------------------


def test_start_and_stop_may_be_repeated_and_data_stays(place: Path) -> None:
    server = EmbeddedPostgres(place / "var")
    assert not server.is_running
    started = time.monotonic()
    server.start()
    first = time.monotonic() - started
    server.start()
    assert server.is_running
    assert server.is_owner
    write_note(server, "kept")
    server.stop()
    server.stop()
    assert not server.is_running
    assert wait_until_gone(server.folders.pgdata)
    started = time.monotonic()
    server.start()
    again = time.monotonic() - started
    assert read_notes(server) == ["kept"]
    server.stop()
    assert first < 6
    assert again < 2


def test_kill_9_of_the_server_loses_nothing(existing: Path) -> None:
    with EmbeddedPostgres(existing) as server:
        for round_number in range(3):
            write_note(server, f"round {round_number}")
            head = head_process(server.folders.pgdata)
            assert head is not None
            os.kill(head, signal.SIGKILL)
            if round_number == 1:  # everything of it, as in a power cut
                for process in server_processes(server.folders.pgdata):
                    os.kill(process, signal.SIGKILL)
            server.start()
            assert read_notes(server) == [f"round {number}" for number in range(round_number + 1)]


def test_two_starters_at_once_get_one_server_and_one_owner(place: Path) -> None:
    folder = place / "var"
    starters = [starter(folder, "wait") for _ in range(3)]
    for process in starters:
        tell(process)
    answers = [answer(process) for process in starters]
    assert all(said["running"] for said in answers)
    assert sorted(said["owner"] for said in answers) == [False, False, True]
    pgdata = folder / "pgdata"
    heads = [process for process in server_processes(pgdata) if process == head_process(pgdata)]
    assert len(heads) == 1
    # A guest leaves: the server stays. The owner leaves: it is stopped.
    for said, process in sorted(zip(answers, starters, strict=True), key=lambda pair: pair[0]["owner"]):
        assert head_process(pgdata) == heads[0]
        tell(process)
        assert process.wait(timeout=30) == 0
        assert (head_process(pgdata) is None) == said["owner"]


def test_a_server_whose_starter_was_killed_is_adopted(existing: Path) -> None:
    process = starter(existing)
    assert answer(process) == {"owner": True, "running": True}
    head = head_process(existing / "pgdata")
    process.kill()
    process.wait()
    with EmbeddedPostgres(existing) as server:
        assert head_process(server.folders.pgdata) == head
        assert server.is_owner
        write_note(server, "adopted")
    assert wait_until_gone(server.folders.pgdata)


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_owner_stops_the_server(existing: Path, order: signal.Signals) -> None:
    process = starter(existing)
    assert answer(process)["owner"]
    process.send_signal(order)
    assert process.wait(timeout=30) != 0
    assert server_processes(existing / "pgdata") == set()


@pytest.mark.parametrize("content", ["reused", "empty", "nonsense"])
def test_a_stale_pid_file_is_survived(existing: Path, content: str) -> None:
    server = EmbeddedPostgres(existing)
    with server:
        write_note(server, "kept")
        pid_file = server.folders.pgdata / "postmaster.pid"
        left_behind = pid_file.read_text().splitlines()
    options = server.folders.account.child_options()
    with subprocess.Popen(["sleep", "60"], **options) as stranger:
        left_behind[0] = str(stranger.pid)
        pid_file.write_text({"reused": "\n".join(left_behind), "empty": "", "nonsense": "x\ny"}[content])
        lock = server.folders.server_folder / "run" / ".s.PGSQL.5432.lock"
        lock.write_text("\n".join(left_behind))
        for file in (pid_file, lock):
            file.chmod(0o600)
            server.folders.account.give(file)
        assert not server.is_running
        with server:
            assert read_notes(server) == ["kept"]
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_first_start_is_made_good(place: Path) -> None:
    process = starter(place / "var")
    until = time.monotonic() + 20
    while not list((place / "var").glob(".init-*/pgdata/base")) and time.monotonic() < until:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not (place / "var" / "pgdata").exists()
    with EmbeddedPostgres(place / "var") as server:
        write_note(server, "whole")
        assert read_notes(server) == ["whole"]
    time.sleep(1)  # the killed starter's initdb has ended by now
    with server:
        assert read_notes(server) == ["whole"]


def test_a_server_that_cannot_start_says_where_its_log_is(existing: Path) -> None:
    server = EmbeddedPostgres(existing)
    (existing / "pgdata" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedPostgresError) as refusal:
        server.start()
    assert refusal.value.code == "start_failed"
    assert str(server.folders.log) in refusal.value.message
    assert not server.is_owner
    assert server_processes(server.folders.pgdata) == set()


def test_lost_passwords_are_an_error_and_not_new_ones(existing: Path) -> None:
    server = EmbeddedPostgres(existing)
    (existing / "secrets" / "database.json").unlink()
    with pytest.raises(EmbeddedPostgresError) as refusal:
        server.start()
    assert refusal.value.code == "passwords_missing"


def test_files_of_another_major_version_are_refused(existing: Path) -> None:
    server = EmbeddedPostgres(existing)
    (existing / "pgdata" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError) as refusal:
        server.start()
    assert refusal.value.code == "version_mismatch"


# --- where it stands ------------------------------------------------------------------------------------


def copy_of_wheel(folder: Path) -> Path:
    """Copy the programs and their libraries with the two folder levels that they expect."""
    tree = wheel_programs()
    shutil.copytree(tree, folder / tree.parent.name / tree.name, symlinks=True)
    libraries = f"{tree.parent.name}.libs"
    shutil.copytree(tree.parents[1] / libraries, folder / libraries)
    return folder / tree.parent.name / tree.name


def ownership(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_mode, found.st_uid, found.st_gid


def test_nothing_outside_the_folder_changes_mode_or_owner(place: Path) -> None:
    home = place / "home" / "project"
    home.mkdir(parents=True)
    (home / "README.md").write_text("hello")
    (place / "home").chmod(0o750 if not IS_ROOT else 0o751)
    tree = wheel_programs()
    watched = [*home.parents, home, home / "README.md", tree, tree / "bin", tree / "bin" / "postgres"]
    before = {path: ownership(path) for path in watched}
    with EmbeddedPostgres(home / "var") as server:
        assert server.folders.server_folder == home / "var"
    assert {path: ownership(path) for path in watched} == before
    assert sorted(entry.name for entry in home.iterdir()) == ["README.md", "var"]


def test_a_clone_that_only_root_can_enter(place: Path) -> None:
    """As in /root: the files go elsewhere, the programs are copied, and no mode is changed on the way."""
    private, elsewhere = place / "root", place / "elsewhere"
    private.mkdir(mode=0o700)
    programs = copy_of_wheel(private / "wheel")
    told: list[str] = []
    before = ownership(private)
    server = EmbeddedPostgres(private / "ihala" / "var", programs=programs, server_root=elsewhere)
    server.start(told.append)
    try:
        write_note(server, "kept")
    finally:
        server.stop()
    assert ownership(private) == before
    with server:
        assert read_notes(server) == ["kept"]
    folders = server.folders
    if IS_ROOT:
        assert folders.server_folder.parent == elsewhere
        assert any(str(folders.server_folder) in line for line in told)
        copied = next(folders.server_folder.glob("programs/*/*/*/bin/postgres"))
        assert ownership(copied)[1:] == (0, 0)
        server.remove_server_folder()
        assert list(elsewhere.iterdir()) == []
    else:
        assert folders.server_folder == server.data_folder


def test_a_copied_data_folder_does_not_share_the_files(place: Path) -> None:
    private, elsewhere = place / "root", place / "elsewhere"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "var", server_root=elsewhere) as server:
        write_note(server, "kept")
    shutil.copytree(private / "var", private / "copy", ignore=shutil.ignore_patterns("pgdata", "run"))
    if IS_ROOT:
        with pytest.raises(EmbeddedPostgresError) as refusal:
            EmbeddedPostgres(private / "copy", server_root=elsewhere).start()
        assert refusal.value.code == "folder_shared"
    (private / "var").rename(private / "moved")
    with EmbeddedPostgres(private / "moved", server_root=elsewhere) as moved:
        assert read_notes(moved) == ["kept"]


@pytest.mark.parametrize("name", ["x" * 120, "a b'c\"d, é"])
def test_awkward_paths(place: Path, name: str) -> None:
    folder = place / name / "var"
    with EmbeddedPostgres(folder) as server:
        write_note(server, "kept")
        socket_folder = Path(str(server._socket_folder))
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        assert place not in socket_folder.parents
    with EmbeddedPostgres(folder) as server:
        assert read_notes(server) == ["kept"]
        assert Path(str(server._socket_folder)) == socket_folder
    server.remove_server_folder()
    assert not socket_folder.exists()


def test_a_socket_folder_that_somebody_else_put_there_is_not_used(place: Path) -> None:
    folder, trap = place / ("x" * 120) / "var", place / "trap"
    trap.mkdir()
    trap.chmod(0o777)
    folder.mkdir(parents=True)
    (folder / "socket-folder").write_text(f"{trap}\n")
    with EmbeddedPostgres(folder) as server:
        assert Path(str(server._socket_folder)) != trap
    server.remove_server_folder()


ORDINARY = """
import os, sys, pathlib
import encodings.idna, psycopg, db.embedded  # read before the rights are given up: the project may be root's
from db.embedded import EmbeddedPostgres
folder, programs, uid, gid = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *map(int, sys.argv[3:5])
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
assert os.geteuid() != 0
os.chdir(folder)
for _ in range(2):
    with EmbeddedPostgres(folder / "var", programs=programs) as server:
        assert server.is_running and server.is_owner
        assert server.folders.server_folder == folder / "var"
        with psycopg.connect(server.owner_url().replace("+psycopg", ""), autocommit=True) as owner:
            owner.execute("CREATE TABLE IF NOT EXISTS t (x int)")
            owner.execute("INSERT INTO t VALUES (1)")
            rows = owner.execute("SELECT count(*) FROM t").fetchone()
    assert not server.is_running
print(rows[0], oct((folder / "var").stat().st_mode & 0o777))
"""


def test_an_ordinary_user(place: Path) -> None:
    account = server_account()
    home = place / "user"
    home.mkdir(mode=0o700)
    account.give(home)
    # Copied, because an ordinary user could not read the programs in a clone that is root's.
    programs = copy_of_wheel(place / "programs")
    result = subprocess.run(
        [sys.executable, "-c", ORDINARY, home, programs, str(account.uid), str(account.gid)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.stdout.split(), result.stderr) == (["2", "0o700"], "")


def test_root_works_in_a_folder_of_another_user_without_locking_him_out(place: Path) -> None:
    account = server_account()
    home = place / "user"
    home.mkdir(mode=0o700)
    (home / "var").mkdir(mode=0o700)
    for folder in (home, home / "var"):
        account.give(folder)
    with EmbeddedPostgres(home / "var") as server:
        assert server.folders.account.uid == account.uid
        assert server.folders.server_folder == home / "var"
    assert {entry.lstat().st_uid for entry in (home / "var").rglob("*")} == {account.uid}
