"""The pipes of a backup: pg_dump into a writer, and chunks through pg_restore into psql."""

import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from db.backup_container import BackupError
from db.backup_programs import ClientPrograms, program_environment

PIPE_BYTES = 1 << 18
LOCK_SECONDS = 30

COUNT_OBJECTS = r"""
WITH user_schemas AS (
    SELECT oid FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%'
)
SELECT (SELECT count(*) FROM pg_class c JOIN user_schemas u ON u.oid = c.relnamespace)
     + (SELECT count(*) FROM pg_proc p JOIN user_schemas u ON u.oid = p.pronamespace)
     + (SELECT count(*) FROM pg_type t JOIN user_schemas u ON u.oid = t.typnamespace)
"""
"""How many tables, functions and types of anybody's are in the database: 0 when it is empty."""

# A new table gets the rights of ALTER DEFAULT PRIVILEGES, and a dump grants but never takes away: with them
# in place before the restore, an append-only table would come back with the right to delete. So they go
# first; the dump brings its own at its end.
PREPARE_EMPTY = """
DO $$
DECLARE entry record;
BEGIN
    IF (:count_objects) > 0 THEN
        RAISE 'the database is not empty';
    END IF;
    FOR entry IN
        SELECT defaclnamespace, defaclobjtype, (aclexplode(defaclacl)).grantee
        FROM pg_default_acl WHERE defaclrole = current_user::regrole
    LOOP
        CONTINUE WHEN entry.grantee = current_user::regrole;
        EXECUTE concat_ws(' ', 'ALTER DEFAULT PRIVILEGES',
            'IN SCHEMA ' || nullif(entry.defaclnamespace, 0)::regnamespace::text,
            'REVOKE ALL ON',
            CASE entry.defaclobjtype
                WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
            'FROM', CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE entry.grantee::regrole::text END);
    END LOOP;
END $$;
""".replace(":count_objects", COUNT_OBJECTS)

Progress = Callable[[int], None]
"""Called with the bytes of the dump that are done so far."""


class Sink(Protocol):
    """Where a dump goes."""

    def write(self, content: bytes) -> None:
        """Take the next bytes."""


def dump(programs: ClientPrograms, owner_url: str, writer: Sink, progress: Progress) -> int:
    """Run pg_dump into `writer`; returns the number of bytes."""
    command: list[str | Path] = [programs.folder / "pg_dump", "--format=custom", "--no-password"]
    command.append(f"--lock-wait-timeout={LOCK_SECONDS}s")
    done = 0
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(  # noqa: S603 - a fixed program, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=program_environment(owner_url),
        ) as process,
    ):
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            while content := process.stdout.read(PIPE_BYTES):
                writer.write(content)
                done += len(content)
                progress(done)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            raise BackupError(
                "dump_failed", f"The database could not be read whole. {_first_error(complaints)}"
            )
    return done


class Restore:
    """One run of pg_restore (turns the archive into statements) into psql (runs them in one transaction).

    The COMMIT is sent by us, and only after pg_restore has ended well: psql's own --single-transaction would
    commit whatever it got when its input ends early.
    """

    def __init__(self, programs: ClientPrograms, owner_url: str, *, replace: bool) -> None:
        self._programs = programs
        self._environment = program_environment(owner_url)
        self._replace = replace
        self._problem: BaseException | None = None

    def run(self, chunks: Iterator[bytes], progress: Progress) -> None:
        """Restore the archive that `chunks` yields.

        Raises `BackupError("restore_failed")`, and whatever `chunks` raises; the database is then as before.
        """
        folder = self._programs.folder
        reader: list[str | Path] = [folder / "pg_restore", "--no-owner", "--file=-"]
        writer: list[str | Path] = [folder / "psql", "--no-psqlrc", "--quiet", "--no-password", "--file=-"]
        writer += ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(  # noqa: S603 - a fixed program, no shell
                reader,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=self._environment,
            ) as archive,
            subprocess.Popen(  # noqa: S603 - a fixed program, no shell
                writer,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=self._environment,
            ) as database,
        ):
            try:
                feeder = threading.Thread(target=self._feed, args=(archive, chunks, progress), daemon=True)
                feeder.start()
                self._pump(archive, database)
                feeder.join()
                is_done = archive.wait() == 0 and self._problem is None
                _send(database.stdin, b"\nCOMMIT;\n" if is_done else b"")
                is_done = database.wait() == 0 and is_done
            except BaseException:
                archive.kill()
                database.kill()
                raise
            if self._problem is not None:
                raise self._problem
            if not is_done:
                raise BackupError(
                    "restore_failed",
                    f"Nothing was restored, the database is as it was. {_first_error(complaints)}",
                )

    def _feed(self, archive: subprocess.Popen[bytes], chunks: Iterator[bytes], progress: Progress) -> None:
        assert archive.stdin is not None  # noqa: S101 - asked for by the only caller
        done = 0
        try:
            with archive.stdin as pipe:
                for chunk in chunks:
                    pipe.write(chunk)
                    done += len(chunk)
                    progress(done)
        except BrokenPipeError:
            pass  # pg_restore stopped reading; its exit code and its complaint tell why
        except BaseException as problem:
            self._problem = problem
            archive.kill()

    def _pump(self, archive: subprocess.Popen[bytes], database: subprocess.Popen[bytes]) -> None:
        assert archive.stdout is not None and database.stdin is not None  # noqa: S101
        start = f"BEGIN;\nSET LOCAL lock_timeout = '{LOCK_SECONDS}s';\n"
        start += "DROP OWNED BY CURRENT_USER;\n" if self._replace else PREPARE_EMPTY
        try:
            database.stdin.write(start.encode())
            while statements := archive.stdout.read(PIPE_BYTES):
                database.stdin.write(statements)
        except BrokenPipeError:
            archive.kill()  # psql gave up at the first error; its complaint tells why


def _send(pipe: IO[bytes] | None, last_words: bytes) -> None:
    """Write the last words and close the pipe; a reader that is gone has told why already."""
    assert pipe is not None  # noqa: S101 - asked for by the only caller
    try:
        with pipe:
            pipe.write(last_words)
    except BrokenPipeError:
        pass


def _first_error(complaints: IO[bytes]) -> str:
    """Return the first complaint of a PostgreSQL program: tables and roles, no rows (VERBOSITY=terse)."""
    complaints.seek(0)
    lines = complaints.read(100_000).decode(errors="replace").splitlines()
    return next((line for line in lines if "error:" in line.lower()), "")
