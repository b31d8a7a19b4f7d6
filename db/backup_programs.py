"""pg_dump, pg_restore and psql: which ones fit a server, and how they are told its address.

Nothing secret is ever on a command line, where every user of the machine could read it: address and password
go through the environment of the child.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import make_url

from db.backup_container import BackupError
from db.embedded_errors import EmbeddedPostgresError
from db.embedded_programs import program_version, wheel_programs

SYSTEM_FOLDERS = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu keep the client programs of each major version."""

NEEDED = ("pg_dump", "pg_restore", "psql")


@dataclass(frozen=True, slots=True)
class ClientPrograms:
    """A folder with pg_dump, pg_restore and psql of one version."""

    folder: Path
    version: tuple[int, ...]


def connection_info(url: str) -> dict[str, str]:
    """Return libpq's keywords of an address as SQLAlchemy or libpq writes it."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}


def program_environment(url: str) -> dict[str, str]:
    """Return the environment that makes libpq's programs connect to `url`.

    Raises `BackupError("no_connection")` for a part of the address that has no environment variable.
    """
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar is not None
    }
    info = connection_info(url)
    unknown = sorted(info.keys() - variables.keys())
    if unknown:
        raise BackupError(
            "no_connection", f"The database address has parts that can't be used here: {unknown}"
        )
    # The caller's own PG* settings count, as they do for psycopg; our keys are no business of these programs.
    own = {name: value for name, value in os.environ.items() if not name.startswith("IHALA_")}
    return {**own, "LC_ALL": "C", **{variables[name]: value for name, value in info.items()}}


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Open a connection for questions about the database. Raises `BackupError("no_connection")`."""
    try:
        return psycopg.connect(
            make_conninfo(**{"connect_timeout": "10", **connection_info(url)}), autocommit=True
        )
    except psycopg.OperationalError as problem:
        raise BackupError(
            "no_connection", "The database does not answer, or refuses the log-in."
        ) from problem


def find_programs(url: str, server_major: int) -> ClientPrograms:
    """Return the programs of the lowest version that can read a server of `server_major`.

    The nearest version is best: a newer pg_restore writes settings that an older server doesn't know. The
    wheel's programs speak no TLS, so they stand back where the address is not a socket.
    Raises `BackupError("programs_missing")`.
    """
    info = connection_info(url)
    is_socket = info.get("host", "/").startswith("/")
    folders = [folder / "bin" for folder in sorted(SYSTEM_FOLDERS.glob("*"))]
    if on_path := shutil.which("pg_dump"):
        folders.append(Path(on_path).parent)
    if is_socket or info.get("sslmode", "prefer") not in {"require", "verify-ca", "verify-full"}:
        with suppress(EmbeddedPostgresError):  # an installation with a server of its own may do without it
            folders.insert(0 if is_socket else len(folders), wheel_programs() / "bin")
    found = [
        ClientPrograms(folder, version)
        for folder in folders
        if all((folder / name).exists() for name in NEEDED)
        and (version := program_version(folder / "pg_dump"))[:1] >= (server_major,)
    ]
    if not found:
        raise BackupError(
            "programs_missing",
            f"The server is PostgreSQL {server_major}, and no pg_dump of that version is on this machine. "
            f"Install the package postgresql-client-{server_major}.",
        )
    return min(found, key=lambda programs: programs.version[0])
