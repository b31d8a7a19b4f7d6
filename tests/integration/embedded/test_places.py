"""Where the embedded server stands: awkward folders, other users, and what it leaves alone."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from db.embedded_accounts import server_account
from db.embedded_programs import wheel_programs
from tests.integration.embedded.steps import ROOT, read_notes, write_note

IS_ROOT = os.geteuid() == 0


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


@pytest.mark.parametrize("mode", [0o777, 0o700])
def test_a_socket_folder_that_somebody_else_put_there_is_not_used(place: Path, mode: int) -> None:
    folder, trap = place / ("x" * 120) / "var", place / "trap"
    trap.mkdir()
    trap.chmod(mode)
    if IS_ROOT:
        os.chown(trap, 12345, 12345)
    elif mode == 0o700:
        trap.rmdir()
        trap.symlink_to(place)
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
