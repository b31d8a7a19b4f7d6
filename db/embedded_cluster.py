"""What is inside an embedded server: the cluster's files, its roles, its databases and their rights."""

import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from db.embedded_accounts import Account
from db.embedded_errors import EmbeddedPostgresError
from db.embedded_programs import POSTGRES_MAJOR, client_environment
from db.private_files import fsync_folder

ADMIN_ROLE = "ihala_admin"
OWNER_ROLE = "ihala_owner"
APP_ROLE = "ihala_app"
INIT_SECONDS = 300

_ROLE_OPTIONS: Mapping[str, str] = {
    OWNER_ROLE: "LOGIN NOSUPERUSER NOCREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS",
    APP_ROLE: "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
}


def init_cluster(tree: Path, pgdata: Path, password: str, account: Account) -> None:
    """Make a new cluster in `pgdata`, whole or not at all.

    An interrupted try leaves only a draft, which the next one removes. Every log-in needs a password
    (scram-sha-256). Raises `EmbeddedPostgresError("init_failed")`.
    """
    for draft in pgdata.parent.glob(".init-*"):
        shutil.rmtree(draft, ignore_errors=True)  # an orphan of the earlier try may still be writing in it
    draft = pgdata.parent / f".init-{secrets.token_hex(4)}"
    draft.mkdir(mode=0o700)
    password_file = draft / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    account.give(password_file)
    account.give(draft)
    command: list[str | Path] = [tree / "bin" / "initdb", "-D", draft / "pgdata", "-U", ADMIN_ROLE]
    command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-clean"]
    try:
        with subprocess.Popen(  # noqa: S603 - a fixed program, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=client_environment(),
            start_new_session=True,
            **account.child_options(),
        ) as process:
            try:
                output, _ = process.communicate(timeout=INIT_SECONDS)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            said = [line for line in output.decode(errors="replace").splitlines() if "error" in line.lower()]
            raise EmbeddedPostgresError(
                "init_failed", f"The database files can't be made in {pgdata}. {' '.join(said[-2:])}"
            )
        (draft / "pgdata").rename(pgdata)
        fsync_folder(pgdata.parent)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise EmbeddedPostgresError(
            "init_failed", f"The database files can't be made in {pgdata}: {problem}"
        ) from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_cluster_version(pgdata: Path) -> None:
    """Raise `EmbeddedPostgresError("version_mismatch")` when the files are of another major version."""
    found = (pgdata / "PG_VERSION").read_text().strip()
    if found != str(POSTGRES_MAJOR):
        raise EmbeddedPostgresError(
            "version_mismatch",
            f"The database files in {pgdata} are of PostgreSQL {found}, and this release of Ihala uses "
            f"{POSTGRES_MAJOR}. Make a backup with the earlier release and restore it with this one.",
        )


def provide_roles(admin: psycopg.Connection[tuple[object, ...]], passwords: Mapping[str, str]) -> None:
    """Create the owner's and the application's role where they are missing; what exists is left as it is."""
    for role, options in _ROLE_OPTIONS.items():
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            # Only the verifier travels, so that no log and no statistics view can ever show the password.
            verifier = admin.pgconn.encrypt_password(
                passwords[role].encode(), role.encode(), b"scram-sha-256"
            )
            statement = "CREATE ROLE {} " + options + " PASSWORD {}"
            admin.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(verifier.decode())))


def provide_database(
    admin: psycopg.Connection[tuple[object, ...]], database: str, template: str | None = None
) -> None:
    """Create a database of the owner's where it is missing. `admin` is in autocommit mode.

    The files are copied as they are, which takes a third of the work of writing every block through the log.
    """
    if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
        create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(database), sql.Identifier(OWNER_ROLE), sql.Identifier(template or "template1")
        )
        admin.execute(create)


def grant_application_rights(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    """Let the application use what migrations make, and make nothing itself. Run as the database's owner.

    Tables: select, insert, update, delete; sequences: usage and select. A migration may take rights away
    from a table of its own (an append-only one); that is not undone here.
    """
    database = sql.Identifier(owner.info.dbname)
    names = {"database": database, "owner": sql.Identifier(OWNER_ROLE), "app": sql.Identifier(APP_ROLE)}
    for statement in (
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {app}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
        " GRANT USAGE, SELECT ON SEQUENCES TO {app}",
    ):
        owner.execute(sql.SQL(statement).format(**names))
