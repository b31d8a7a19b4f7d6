"""Backup and restore: the whole database in one encrypted file, and back.

The dump goes from pg_dump through the cipher to the disk by pipes; no plaintext touches the disk. The key
file is NOT in the backup: keep a copy of it in another place. Without it a backup is worthless to a thief,
and to you.
"""

import datetime
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from db.backup_container import (
    BackupError,
    BackupHeader,
    ChunkWriter,
    new_header,
    open_key,
    read_chunks,
    read_header,
    write_header,
)
from db.backup_pipes import COUNT_OBJECTS, Progress, Restore, dump
from db.backup_programs import connect, find_programs
from db.keyfile import MasterKeys
from db.private_files import fsync_folder

__all__ = ["BackupError", "BackupReport", "create_backup", "restore_backup", "verify_backup"]


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was written or restored: sizes in bytes, time in seconds."""

    path: Path
    backup_id: str
    created_at: datetime.datetime
    master_key_id: str
    server_version: str
    dump_bytes: int
    file_bytes: int
    seconds: float


def create_backup(
    owner_url: str, target: Path, masters: MasterKeys, *, progress: Progress | None = None
) -> BackupReport:
    """Write one consistent, encrypted backup of the database to `target` (mode 600), whole or not at all.

    The application may run meanwhile. Raises `BackupError` (`target_exists`, `dump_failed`,
    `programs_missing`, `no_connection`).
    """
    started = time.monotonic()
    if target.exists():
        raise BackupError("target_exists", f"{target} exists already; a backup never overwrites another.")
    with connect(owner_url) as connection:
        server = connection.info.server_version
    programs = find_programs(owner_url, server // 10000)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    version = f"{server // 10000}.{server % 10000}"
    header, key = new_header(masters, now, version, ".".join(map(str, programs.version)))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            writer = ChunkWriter(stream, key, write_header(stream, header))
            dumped = dump(programs, owner_url, writer, progress or _say_nothing)
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    fsync_folder(target.absolute().parent)
    return _report(target, header, dumped, started)


def verify_backup(source: Path, masters: MasterKeys) -> BackupReport:
    """Read a whole backup and check every part of it, without a database.

    Raises `BackupError` (`not_a_backup`, `wrong_key`, `wrong_index_key`, `damaged`).
    """
    started = time.monotonic()
    with source.open("rb") as stream:
        header, context = read_header(stream)
        size = sum(len(chunk) for chunk in read_chunks(stream, open_key(header, masters), context))
    return _report(source, header, size, started)


def restore_backup(
    source: Path,
    owner_url: str,
    masters: MasterKeys,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> BackupReport:
    """Restore a backup into the database at `owner_url`, all of it or nothing.

    The whole file is checked before the database is touched, and everything happens in one transaction. The
    database must be empty; with `replace` everything in it that the owner's role owns is dropped first
    (stop the application: an open transaction would hold the restore up, and it gives up after half a
    minute). Roles are not part of a backup; the roles named in grants must exist.

    Raises `BackupError` (also `not_empty`, `restore_failed`).
    """
    started = time.monotonic()
    with source.open("rb") as stream:
        header, context = read_header(stream)
        key = open_key(header, masters)
        content_starts = stream.tell()
        size = sum(len(chunk) for chunk in read_chunks(stream, key, context))
        with connect(owner_url) as connection:
            programs = find_programs(owner_url, connection.info.server_version // 10000)
            row = connection.execute(COUNT_OBJECTS).fetchone()
        if row != (0,) and not replace:
            raise BackupError(
                "not_empty",
                "The database is not empty. Restore into an empty one, or ask to replace what is there.",
            )
        # The same open file, so that what was checked is what is restored; each part is checked again anyway.
        stream.seek(content_starts)
        Restore(programs, owner_url, replace=replace).run(
            read_chunks(stream, key, context), progress or _say_nothing
        )
    with connect(owner_url) as connection:
        connection.execute("ANALYZE")
    return _report(source, header, size, started)


def _report(path: Path, header: BackupHeader, dumped: int, started: float) -> BackupReport:
    return BackupReport(
        path=path,
        backup_id=header.backup_id,
        created_at=datetime.datetime.fromisoformat(header.created_at),
        master_key_id=header.master_key_id,
        server_version=header.server_version,
        dump_bytes=dumped,
        file_bytes=path.stat().st_size,
        seconds=time.monotonic() - started,
    )


def _say_nothing(_: int) -> None:
    return None
