"""The server process of one cluster: found by what it is, never by a number in a file alone.

A process belongs to a cluster when it is called `postgres` and its working folder is that cluster's
`pgdata` (PostgreSQL keeps it there for its whole life, in every child too). The number in
`postmaster.pid` only says which of those is the head; after a power cut it may be anybody's.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg import pq
from psycopg.conninfo import make_conninfo

from db.embedded_accounts import Account
from db.embedded_errors import EmbeddedPostgresError
from db.embedded_programs import client_environment

POLL_SECONDS = 0.02
STOP_SECONDS = 30.0
RECOVERY_SECONDS = 300.0
MAX_LOG_BYTES = 5_000_000

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",  # the socket only: nothing to reach from the network
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # Small containers give /dev/shm 64 MB, and some systems empty it when a person logs out.
    "dynamic_shared_memory_type": "mmap",
    "io_method": "sync",
    # Nothing of what is stored may reach the log: no statement, no parameter, no "Key (...)=(...)" detail.
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """What one server is known by: its database files, its socket (folder and port) and its log."""

    pgdata: Path
    socket_folder: Path
    port: int
    log: Path


def server_processes(pgdata: Path, among: int | None = None) -> set[int]:
    """Return the numbers of all live `postgres` processes of the cluster in `pgdata`, children included.

    With `among` only that one process is looked at.
    """
    try:
        home = pgdata.stat()
    except FileNotFoundError:
        return set()
    found, hidden = set(), []
    for entry in Path("/proc").glob("[0-9]*" if among is None else str(among)):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            if (entry / "comm").read_text() != "postgres\n" or entry.stat().st_uid != home.st_uid:
                continue
            try:
                place = (entry / "cwd").stat()
            except PermissionError:
                hidden.append(entry)
                continue
            if (place.st_dev, place.st_ino) == (home.st_dev, home.st_ino):
                found.add(int(entry.name))
    return found | _hidden_processes(hidden, home) if hidden else found


def _hidden_processes(entries: list[Path], home: os.stat_result) -> set[int]:
    """Look at the working folders of another user's processes, as that user.

    Root in a container (no CAP_SYS_PTRACE) may end and replace such a process and yet not look at it.
    """
    account = Account(home.st_uid, home.st_gid, is_other=os.geteuid() == 0)
    command = ["/usr/bin/stat", "--dereference", "--format=%d %i %n"]
    answer = subprocess.run(  # noqa: S603 - a fixed program, no shell
        [*command, *(entry / "cwd" for entry in entries)],
        capture_output=True,
        text=True,
        check=False,  # fails for those that ended meanwhile
        env=client_environment(),
        **account.child_options(),
    ).stdout
    lines = [line.split() for line in answer.splitlines()]
    return {
        int(Path(name).parent.name)
        for device, inode, name in lines
        if (int(device), int(inode)) == (home.st_dev, home.st_ino)
    }


def head_process(pgdata: Path) -> int | None:
    """Return the number of the running head process (postmaster), or None."""
    number = _noted_number(pgdata / "postmaster.pid")
    return number if number is not None and server_processes(pgdata, among=number) else None


def _noted_number(note: Path) -> int | None:
    try:
        return int(note.read_text(errors="replace").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def ping(files: ServerFiles) -> pq.Ping:
    """Ask the socket, without logging in: OK, REJECT (starting or stopping) or NO_RESPONSE."""
    address = make_conninfo(
        host=str(files.socket_folder), port=files.port, dbname="postgres", user="ihala", connect_timeout=3
    )
    return pq.Ping(pq.PGconn.ping(os.fsencode(address)))


def clear_stale_files(files: ServerFiles) -> None:
    """Remove what a killed server left behind. The caller has seen that no connection answers.

    PostgreSQL itself refuses to start while the number in `postmaster.pid` is alive, whoever has it now.
    The file is removed only when no process of this cluster is left, head or child: a child that
    outlived its head still writes to the shared memory that the file protects.

    Raises `EmbeddedPostgresError("orphans")` when such processes don't end.
    """
    until = time.monotonic() + STOP_SECONDS
    while left := server_processes(files.pgdata):
        if time.monotonic() > until:
            raise EmbeddedPostgresError(
                "orphans",
                f"Processes of an earlier database server ({', '.join(map(str, sorted(left)))}) still use "
                f"{files.pgdata} and do not end. Restart the machine, or end them.",
            )
        if time.monotonic() > until - STOP_SECONDS / 2:
            _signal(left, signal.SIGQUIT)  # to each of them "leave at once", never kill -9
        time.sleep(POLL_SECONDS)
    for note in (files.pgdata / "postmaster.pid", files.socket_folder / f".s.PGSQL.{files.port}.lock"):
        number = _noted_number(note)
        # A dead number is PostgreSQL's own business; it stumbles over a reused one and over an empty file.
        if number is None or Path(f"/proc/{number}").exists():
            note.unlink(missing_ok=True)


def launch(tree: Path, files: ServerFiles, account: Account) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own (Ctrl-C in our terminal isn't for it); doesn't wait."""
    settings = {**SETTINGS, "unix_socket_directories": f'"{files.socket_folder}"', "port": str(files.port)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = files.log
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - a fixed program, no shell
            [tree / "bin" / "postgres", "-D", files.pgdata, *options],
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            env=client_environment(),
            start_new_session=True,
            **account.child_options(),
        )
    except OSError as problem:
        raise EmbeddedPostgresError(
            "start_failed", f"PostgreSQL can't be run from {tree}: {problem}"
        ) from problem
    finally:
        os.close(handle)


def wait_until_ready(process: subprocess.Popen[bytes] | None, files: ServerFiles) -> None:
    """Wait until the server answers; replaying the journal after a power cut may take its time.

    Raises `EmbeddedPostgresError` (`start_failed`, `start_slow`) with the place of the server's log.
    """
    until = time.monotonic() + RECOVERY_SECONDS
    while ping(files) != pq.Ping.OK:
        gone = process.poll() is not None if process else head_process(files.pgdata) is None
        if gone:
            raise EmbeddedPostgresError(
                "start_failed", f"PostgreSQL did not start. {_last_failure(files.log)}Its log is {files.log}"
            )
        if time.monotonic() > until:
            raise EmbeddedPostgresError("start_slow", f"PostgreSQL does not answer. Its log is {files.log}")
        time.sleep(POLL_SECONDS)


def _last_failure(log: Path) -> str:
    """Return the server's last words; they are about files and settings, not about what is stored."""
    with suppress(OSError):
        for line in reversed(log.read_text(errors="replace").splitlines()[-20:]):
            if "FATAL:" in line or "PANIC:" in line:
                return line[line.index(":  ") + 3 :].rstrip(".") + ". "
    return ""


def stop_server(files: ServerFiles, process: subprocess.Popen[bytes] | None) -> None:
    """Stop the server: connections are closed and everything is on the disk before it ends.

    After half a minute it is told to leave at once (the next start replays the journal).
    Raises `EmbeddedPostgresError("stop_failed")` when it stays even so.
    """
    for order in (signal.SIGINT, signal.SIGQUIT):
        head = head_process(files.pgdata)
        if head is None:
            break
        _signal({head}, order)
        until = time.monotonic() + STOP_SECONDS
        while time.monotonic() < until and head_process(files.pgdata) is not None:
            if process is not None:
                process.poll()
            time.sleep(POLL_SECONDS)
    if process is not None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)
    if head_process(files.pgdata) is not None:
        raise EmbeddedPostgresError("stop_failed", f"PostgreSQL does not stop. Its log is {files.log}")


def _signal(numbers: set[int], order: signal.Signals) -> None:
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, order)
