"""PostgreSQL inside Ihala: one private server for a laptop or a small office, with nothing to install.

The programs come from a wheel; the database files, the socket and the passwords stand in the data folder.
The server listens on a Unix socket only and asks every role for its password. "Running" means that a
connection answers. The process that starts the server (or finds one whose starter was killed) owns it and
stops it at its end; any other process may use it meanwhile and leaves it running.
"""

import atexit
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import psycopg
from psycopg import pq
from sqlalchemy import URL

from db import embedded_process as server
from db.embedded_cluster import (
    ADMIN_ROLE,
    APP_ROLE,
    OWNER_ROLE,
    check_cluster_version,
    grant_application_rights,
    init_cluster,
    provide_database,
    provide_roles,
)
from db.embedded_errors import EmbeddedPostgresError
from db.embedded_folders import (
    SERVER_ROOT,
    Folders,
    hand_over,
    make_data_folder,
    open_folders,
    read_passwords,
    socket_folder,
)
from db.embedded_programs import copy_programs, wheel_programs
from db.private_files import FileLock

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

DEFAULT_PORT = 5432
"""Part of the socket's name only: no port of the machine is opened."""

START_LOCK_SECONDS = 400.0

Progress = Callable[[str], None]


class EmbeddedPostgres:
    """One embedded server and its folder.

    `data_folder` is created if it is missing. `programs` is a PostgreSQL tree (`bin`, `lib`, `share`) to use
    in the wheel's place; `server_root` is where root keeps the database files when the server's account
    can't reach the data folder. Use it as a context manager, or call `start` and let the end of the
    process stop it.
    """

    def __init__(
        self,
        data_folder: Path,
        *,
        port: int | None = None,
        programs: Path | None = None,
        server_root: Path = SERVER_ROOT,
    ) -> None:
        self.data_folder = data_folder.absolute()
        self.port = port or DEFAULT_PORT
        self._programs = programs
        self._server_root = server_root
        self._owner_lock = FileLock(self.data_folder / "owner.lock")
        self._mutex = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._starter = os.getpid()
        self._folders: Folders | None = None
        self._socket_folder: Path | None = None
        self._passwords: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_owner(self) -> bool:
        """Whether this object stops the server."""
        return self._owner_lock.is_held and os.getpid() == self._starter

    @property
    def is_running(self) -> bool:
        """Whether a connection answers: one that logs in and gets a reply."""
        if self._socket_folder is None:
            return False
        try:
            with self._connect(ADMIN_ROLE, "postgres") as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    @property
    def folders(self) -> Folders:
        """Where the server's files are; known after `start`."""
        if self._folders is None:
            raise EmbeddedPostgresError("not_started", "The embedded database was not started.")
        return self._folders

    def owner_url(self, database: str = "ihala") -> str:
        """Return the address for migrations and backups, password included: never print it."""
        return self._url(OWNER_ROLE, database)

    def app_url(self, database: str = "ihala") -> str:
        """Return the address for the application, password included: never print it."""
        return self._url(APP_ROLE, database)

    def start(self, progress: Progress | None = None) -> None:
        """Start the server, or use the running one; harmless when it runs already.

        The first start makes the database files, the roles and the database `ihala`. `progress` is called
        with a short English sentence at each step that a person may wait for or should know of.
        Raises `EmbeddedPostgresError`.
        """
        tell = progress or _say_nothing
        with self._mutex:
            make_data_folder(self.data_folder)
            with self._start_lock():
                try:
                    self._start(tell)
                except BaseException:
                    # Not half started: whoever tries next finds either a whole server or none.
                    if self._process is not None and self._process.poll() is None:
                        self._stop_server()
                    self._owner_lock.release()
                    raise
                finally:
                    hand_over(self.data_folder)
            atexit.register(self.stop)
            _exit_on_signals()

    def stop(self) -> None:
        """Stop the server if this object owns it; otherwise leave it to its owner. Harmless when repeated."""
        with self._mutex:
            if not self.is_owner:
                return
            atexit.unregister(self.stop)
            with self._start_lock():
                try:
                    self._stop_server()
                finally:
                    self._owner_lock.release()

    def create_database(self, database: str, template: str | None = None) -> None:
        """Create another database beside `ihala`, with the same owner and rights; harmless when it exists.

        With `template` it begins as a copy of that database, to which nobody may be connected.
        """
        with self._connect(ADMIN_ROLE, "postgres") as admin:
            provide_database(admin, database, template)
        with self._connect(OWNER_ROLE, database) as owner:
            grant_application_rights(owner)

    def drop_database(self, database: str) -> None:
        """Drop a database and end its connections; harmless when it doesn't exist."""
        with self._connect(ADMIN_ROLE, "postgres") as admin:
            drop = psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            admin.execute(drop.format(psycopg.sql.Identifier(database)))

    def remove_server_folder(self) -> None:
        """Delete what root had to keep elsewhere, after `stop`; for temporary data folders."""
        folders = self.folders
        if folders.server_folder != self.data_folder and not server.server_processes(folders.pgdata):
            shutil.rmtree(folders.server_folder)
            (self.data_folder / "server-folder").unlink(missing_ok=True)
        if self._socket_folder is not None and self._socket_folder.parent != folders.server_folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def _start(self, tell: Progress) -> None:
        folders = self._folders = open_folders(self.data_folder, self._server_root)
        self._socket_folder = socket_folder(folders, self.port)
        self._passwords = read_passwords(self.data_folder, may_create=not folders.pgdata.exists())
        self._owner_lock.try_acquire()
        files = self._files()
        if self._wait_for_running(files):
            self._provide()
            return
        if folders.server_folder != self.data_folder:
            tell(
                f"The database files are in {folders.server_folder}: PostgreSQL must not run as root, "
                f"and the account it runs as can't reach {self.data_folder}"
            )
        tree = self._reachable_programs()
        if not folders.pgdata.exists():
            tell("Making the database files")
            init_cluster(tree, folders.pgdata, self._passwords[ADMIN_ROLE], folders.account)
        check_cluster_version(folders.pgdata)
        server.clear_stale_files(files)
        tell("Starting PostgreSQL")
        self._process = server.launch(tree, files, folders.account)
        server.wait_until_ready(self._process, files)
        self._provide()

    def _wait_for_running(self, files: server.ServerFiles) -> bool:
        """Return whether a server of these files answers, after waiting for one that is starting or stopping.

        A head process that answers nothing and has no living owner (its socket was cleaned away) is stopped,
        because nobody can use it any more.
        """
        if server.head_process(files.pgdata) is None:
            return False
        if server.ping(files) == pq.Ping.REJECT:
            try:
                server.wait_until_ready(None, files)
            except EmbeddedPostgresError:
                if server.head_process(files.pgdata) is None:
                    return False  # it was on its way out
                raise
        if server.ping(files) == pq.Ping.OK:
            return True
        if not self._owner_lock.is_held:
            raise EmbeddedPostgresError(
                "not_answering",
                f"A database server of {self.data_folder} runs and does not answer. Stop the Ihala process "
                f"that started it, then try again. Its log is {files.log}",
            )
        server.stop_server(files, None)
        return False

    def _provide(self) -> None:
        """Make what an interrupted first start may have left out; each step is harmless when repeated."""
        try:
            with self._connect(ADMIN_ROLE, "postgres") as admin:
                provide_roles(admin, self._passwords)
            self.create_database("ihala")
        except psycopg.OperationalError as problem:
            if "password authentication failed" not in str(problem):
                raise EmbeddedPostgresError(
                    "start_failed",
                    f"PostgreSQL started and then did not answer. Its log is {self.folders.log}",
                ) from problem
            raise EmbeddedPostgresError(
                "login_refused",
                f"The embedded database refuses the passwords in {self.data_folder / 'secrets'}. Put back "
                f"the file that belongs to these database files. The server's log is {self.folders.log}",
            ) from problem

    def _reachable_programs(self) -> Path:
        tree = self._programs or wheel_programs()
        folders = self.folders
        if not folders.account.is_other or folders.account.can_enter(tree / "bin" / "postgres"):
            return tree
        copies = folders.server_folder / "programs"
        if not copies.exists():
            copies.mkdir(mode=0o755)
            copies.chmod(0o755)
        return copy_programs(tree, copies)

    def _stop_server(self) -> None:
        server.stop_server(self._files(), self._process)
        self._process = None

    def _files(self) -> server.ServerFiles:
        folders = self.folders
        if self._socket_folder is None:
            raise EmbeddedPostgresError("not_started", "The embedded database was not started.")
        return server.ServerFiles(folders.pgdata, self._socket_folder, self.port, folders.log)

    def _connect(self, role: str, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._socket_folder),
            port=self.port,
            user=role,
            password=self._passwords[role],
            dbname=database,
            connect_timeout=10,
            autocommit=True,
            application_name="ihala embedded",
        )

    def _url(self, role: str, database: str) -> str:
        files = self._files()
        query = {"host": str(files.socket_folder), "port": str(files.port)}
        url = URL.create("postgresql+psycopg", role, self._passwords[role], database=database, query=query)
        return url.render_as_string(hide_password=False)

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        """Let one process at a time start or stop the server of this folder."""
        lock = FileLock(self.data_folder / "start.lock")
        try:
            with lock.waiting(START_LOCK_SECONDS):
                yield
        except TimeoutError as problem:
            raise EmbeddedPostgresError(
                "start_locked",
                f"Another process has been starting or stopping the database in {self.data_folder}.",
            ) from problem


def _say_nothing(_: str) -> None:
    return None


def _exit_on_signals() -> None:
    """Turn the signals that end a process at once into an ordinary end, so that the server is stopped.

    A handler that somebody has set already (a web server's) stays: it ends the process in its own good way.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
