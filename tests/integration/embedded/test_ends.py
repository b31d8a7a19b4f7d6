"""Starts and ends of the embedded server, good and bad."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from db.embedded_process import head_process, server_processes
from tests.integration.embedded.steps import (
    answer,
    read_notes,
    starter,
    tell,
    wait_until_gone,
    write_note,
)


def test_start_and_stop_may_be_repeated_and_data_stays(place: Path) -> None:
    server = EmbeddedPostgres(place / "var")
    assert not server.is_running
    server.start()
    server.start()
    assert server.is_running
    assert server.is_owner
    write_note(server, "kept")
    server.stop()
    server.stop()
    assert not server.is_running
    assert wait_until_gone(server.folders.pgdata)
    server.start()
    assert read_notes(server) == ["kept"]
    server.stop()


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
