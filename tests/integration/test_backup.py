"""The drill: back up, lose everything, restore, have the same; and every way a backup is refused."""

import dataclasses
import io
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from db import backup_pipes
from db.backup import BackupError, create_backup, restore_backup, verify_backup
from db.backup_container import CHUNK_BYTES, ChunkWriter, read_chunks
from db.backup_programs import connection_info, find_programs, program_environment
from db.embedded import EmbeddedPostgres
from db.keyfile import MasterKey, MasterKeys

OLD, NEW = MasterKey("old", b"o" * 32), MasterKey("new", b"n" * 32)
MASTERS = MasterKeys.of([OLD], b"i" * 32)
NAME = "Zainab-Example"

SCHEMA = """
CREATE TYPE urgency AS ENUM ('normal', 'urgent');
CREATE TABLE office (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE person (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, office_id int REFERENCES office,
                     name text NOT NULL, urgency urgency NOT NULL, sealed bytea);
CREATE TABLE history (id serial PRIMARY KEY, word text);
REVOKE UPDATE, DELETE ON history FROM ihala_app;
CREATE VIEW names AS SELECT name FROM person;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'append only'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON history FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO office VALUES (1, 'الموصل'), (2, 'سنجار');
INSERT INTO person (office_id, name, urgency, sealed)
    SELECT 1 + n % 2, 'Zainab-Example ' || n, 'urgent', sha256(n::text::bytea) FROM generate_series(1, 500) n;
INSERT INTO history (word) VALUES ('one'), ('two');
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="ihala-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder / "var") as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def url(server: EmbeddedPostgres) -> Iterator[str]:
    """Give a database with the small schema in it."""
    server.drop_database("drill")
    server.create_database("drill")
    with connect(server.owner_url("drill")) as owner:
        owner.execute(SCHEMA)
    yield server.owner_url("drill")
    server.drop_database("drill")


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def content(url: str) -> dict[str, list[tuple[object, ...]]]:
    with connect(url) as connection:
        tables = [
            str(name)
            for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        return {
            table: connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
            for table in sorted(tables)
        }


def code_of(refusal: pytest.ExceptionInfo[BackupError]) -> str:
    assert NAME not in str(refusal.value)
    return refusal.value.code


def test_the_drill(server: EmbeddedPostgres, url: str, tmp_path: Path) -> None:
    before, steps = content(url), list[int]()
    report = create_backup(url, tmp_path / "day.ihala", MASTERS, progress=steps.append)
    server.drop_database("drill")
    server.create_database("drill")
    assert content(url) == {}
    restored = restore_backup(tmp_path / "day.ihala", url, MASTERS)
    assert content(url) == before
    assert len(before["person"]) == 500
    assert restored.dump_bytes == report.dump_bytes == steps[-1] > 0
    assert restored.backup_id == report.backup_id
    # Rights, rules and counters are back too, and new tables are the application's as before.
    with connect(url) as owner, connect(server.app_url("drill")) as app:
        app.execute("INSERT INTO person (name, urgency) VALUES ('new', 'normal')")
        app.execute("INSERT INTO history (word) VALUES ('three')")
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("DELETE FROM history")
        with pytest.raises(errors.RaiseException):
            owner.execute("DELETE FROM history")
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("CREATE TABLE mine (x int)")
        owner.execute("CREATE TABLE later (x int)")
        app.execute("INSERT INTO later VALUES (1)")


def test_the_file_is_private_and_shows_nothing(url: str, tmp_path: Path) -> None:
    target = tmp_path / "day.ihala"
    create_backup(url, target, MASTERS)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    written = target.read_bytes()
    # The same names stand readable in an unencrypted dump's table of contents.
    for word in (NAME.encode(), b"person", b"CREATE TABLE", b"PGDMP", "سنجار".encode(), OLD.key):
        assert word not in written
    assert [entry.name for entry in tmp_path.iterdir()] == ["day.ihala"]


def test_a_backup_never_overwrites_another(url: str, tmp_path: Path) -> None:
    (tmp_path / "day.ihala").write_text("yesterday")
    with pytest.raises(BackupError) as refusal:
        create_backup(url, tmp_path / "day.ihala", MASTERS)
    assert code_of(refusal) == "target_exists"
    assert (tmp_path / "day.ihala").read_text() == "yesterday"


def test_replace_puts_everything_back_and_leaves_nothing_else(
    server: EmbeddedPostgres, url: str, tmp_path: Path
) -> None:
    before = content(url)
    create_backup(url, tmp_path / "day.ihala", MASTERS)
    with connect(url) as owner:
        owner.execute("TRUNCATE person")
        owner.execute("CREATE TABLE later (person_id int REFERENCES person)")
    with pytest.raises(BackupError) as refusal:
        restore_backup(tmp_path / "day.ihala", url, MASTERS)
    assert code_of(refusal) == "not_empty"
    restore_backup(tmp_path / "day.ihala", url, MASTERS, replace=True)
    assert content(url) == before
    with connect(url) as owner, connect(server.app_url("drill")) as app:
        owner.execute("CREATE TABLE later (x int)")
        app.execute("INSERT INTO later VALUES (1)")


@pytest.mark.parametrize("replace", [False, True])
def test_a_damaged_file_is_refused_before_anything_happens(url: str, tmp_path: Path, replace: bool) -> None:
    source = tmp_path / "day.ihala"
    create_backup(url, source, MASTERS)
    whole, before = source.read_bytes(), content(url)
    header_end = 12 + int.from_bytes(whole[8:12], "big")
    damaged = {
        "cut": whole[:-1],
        "cut at the header": whole[:header_end],
        "empty": b"",
        "longer": whole + b"x",
        "a bit in the content": whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:],
        "another date": whole.replace(b'"created_at": "2', b'"created_at": "3', 1),
        "another file": b"PGDMP" + whole,
        "huge header": whole[:8] + b"\xff\xff\xff\xff" + whole[12:],
    }
    for name, content_of_file in damaged.items():
        assert content_of_file != whole, name
        source.write_bytes(content_of_file)
        with pytest.raises(BackupError) as refusal:
            restore_backup(source, url, MASTERS, replace=replace)
        assert code_of(refusal) in {"damaged", "not_a_backup"}, name
    assert content(url) == before


def test_the_wrong_keys_are_refused_with_what_to_do(url: str, tmp_path: Path) -> None:
    source = tmp_path / "day.ihala"
    create_backup(url, source, MASTERS)
    for masters, code in [
        (MasterKeys.of([NEW], b"i" * 32), "wrong_key"),
        (MasterKeys.of([MasterKey("old", b"x" * 32)], b"i" * 32), "wrong_key"),
        (MasterKeys.of([OLD], b"x" * 32), "wrong_index_key"),
    ]:
        with pytest.raises(BackupError) as refusal:
            restore_backup(source, url, masters, replace=True)
        assert code_of(refusal) == code
        assert "key file" in str(refusal.value)
    rotated = MasterKeys.of([NEW, OLD], b"i" * 32)
    assert verify_backup(source, rotated).master_key_id == "old"


def test_a_restore_that_fails_changes_nothing(url: str, tmp_path: Path) -> None:
    source = tmp_path / "day.ihala"
    with connect(url) as owner:
        owner.execute("CREATE ROLE drill_guest")
        owner.execute("GRANT SELECT ON office TO drill_guest")
    create_backup(url, source, MASTERS)
    with connect(url) as owner:
        owner.execute("REVOKE ALL ON office FROM drill_guest")
        owner.execute("DROP ROLE drill_guest")
        owner.execute("DELETE FROM person WHERE id > 10")
    before = content(url)
    with pytest.raises(BackupError) as refusal:
        restore_backup(source, url, MASTERS, replace=True)
    assert code_of(refusal) == "restore_failed"
    assert "drill_guest" in str(refusal.value)
    assert content(url) == before


def test_a_restore_cut_off_in_the_middle_changes_nothing(url: str) -> None:
    """The archive ends early, as when the disk fails between the check and the restore."""
    before = content(url)
    programs = find_programs(url, 18)
    archive = io.BytesIO()
    backup_pipes.dump(programs, url, archive, lambda _: None)

    def cut() -> Iterator[bytes]:
        yield archive.getvalue()[:-3000]
        raise BackupError("damaged", "cut")

    with pytest.raises(BackupError) as refusal:
        backup_pipes.Restore(programs, url, replace=True).run(cut(), lambda _: None)
    assert code_of(refusal) == "damaged"
    assert content(url) == before
    # The archive merely ends, and nobody complains but pg_restore.
    with pytest.raises(BackupError) as refusal:
        backup_pipes.Restore(programs, url, replace=True).run(
            iter([archive.getvalue()[:-3000]]), lambda _: None
        )
    assert code_of(refusal) == "restore_failed"
    assert content(url) == before


def test_a_dump_that_fails_leaves_no_file(server: EmbeddedPostgres, url: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError) as refusal:
        create_backup(server.app_url("drill").replace("ihala_app", "nobody_known"), tmp_path / "a", MASTERS)
    assert code_of(refusal) == "no_connection"
    with connect(url) as owner:
        owner.execute("ALTER TABLE person ENABLE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE person FORCE ROW LEVEL SECURITY")
    with pytest.raises(BackupError) as refusal:  # half a table must never look like a backup
        create_backup(url, tmp_path / "day.ihala", MASTERS)
    assert code_of(refusal) == "dump_failed"
    assert list(tmp_path.iterdir()) == []


def test_no_password_on_any_command_line(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    real = subprocess.Popen

    def watched(command: list[object], **options: object) -> object:
        if "--version" not in command:
            commands.append(" ".join(map(str, command)))
        return real(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(backup_pipes.subprocess, "Popen", watched)
    monkeypatch.setenv("IHALA_MASTER_KEY", "secret")
    create_backup(url, tmp_path / "day.ihala", MASTERS)
    restore_backup(tmp_path / "day.ihala", url, MASTERS, replace=True)
    assert len(commands) == 3
    password = connection_info(url)["password"]
    assert not any(password in command for command in commands)
    assert "IHALA_MASTER_KEY" not in program_environment(url)


def test_no_plaintext_dump_on_the_disk(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    seen: list[str] = []

    def look(_: int) -> None:
        seen.extend(str(file) for file in tmp_path.rglob("*") if NAME.encode() in file.read_bytes())

    create_backup(url, tmp_path / "day.ihala", MASTERS, progress=look)
    restore_backup(tmp_path / "day.ihala", url, MASTERS, replace=True, progress=look)
    assert seen == []


def test_the_application_may_write_during_a_backup(
    server: EmbeddedPostgres, url: str, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        with connect(server.app_url("drill")) as app:
            while not stop.is_set():
                app.execute("INSERT INTO history (word) VALUES ('meanwhile')")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        create_backup(url, tmp_path / "day.ihala", MASTERS)
    finally:
        stop.set()
        writer.join()
    restore_backup(tmp_path / "day.ihala", url, MASTERS, replace=True)
    assert content(url)["history"][:2] == [(1, "one"), (2, "two")]


# --- the container alone --------------------------------------------------------------------------------


def container(parts: list[bytes]) -> bytes:
    stream = io.BytesIO()
    writer = ChunkWriter(stream, b"k" * 32, b"context")
    for part in parts:
        writer.write(part)
    writer.close()
    return stream.getvalue()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_every_size_comes_back(size: int) -> None:
    content_in = os.urandom(size)
    parts = [content_in[start : start + 300_000] for start in range(0, size, 300_000)]
    stored = container(parts)
    assert b"".join(read_chunks(io.BytesIO(stored), b"k" * 32, b"context")) == content_in


def test_chunks_cannot_be_moved_left_out_repeated_or_cut() -> None:
    size = CHUNK_BYTES + 16
    stored = container([bytes([number]) * CHUNK_BYTES for number in range(3)])
    one, two, three = stored[:size], stored[size : 2 * size], stored[2 * size :]
    assert len(three) == size
    for changed in (
        two + one + three,
        one + three,
        one + two,
        one + one + two + three,
        one + two + three + three,
        one + two + three[:-1],
        one + two + three + b"x",
        b"",
    ):
        with pytest.raises(BackupError) as refusal:
            list(read_chunks(io.BytesIO(changed), b"k" * 32, b"context"))
        assert refusal.value.code == "damaged"
    with pytest.raises(BackupError):
        list(read_chunks(io.BytesIO(stored), b"k" * 32, b"another header"))


def test_the_report_is_complete(url: str, tmp_path: Path) -> None:
    report = create_backup(url, tmp_path / "day.ihala", MASTERS)
    assert report.file_bytes == (tmp_path / "day.ihala").stat().st_size > report.dump_bytes
    checked = verify_backup(tmp_path / "day.ihala", MASTERS)
    assert dataclasses.replace(checked, seconds=0) == dataclasses.replace(report, seconds=0)
    assert report.server_version.startswith("18.")
