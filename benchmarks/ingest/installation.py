"""An installation of the bench's own: embedded PostgreSQL on a real disk, fsync on, real migrations, real keys."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from api.context import AppContext, open_context
from api.settings import Settings
from db.directory import upsert_directory, upsert_offices
from db.offices import list_offices
from db.session import session_scope
from db.tablets import create_tablet
from governorates.directory import read_directory


def make_settings(folder: Path) -> Settings:
    """Settings that nothing of the environment changes, with the database in `folder`."""
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_folder=folder,
        host="127.0.0.1",
        port=0,
        database_url=None,
        owner_database_url=None,
        public_url=None,
        master_key=None,
        index_key=None,
        key_file=None,
        central_url=None,
    )


@contextmanager
def temporary_installation() -> Iterator[AppContext]:
    """Make an installation with the sample directory for the block; nothing is left behind."""
    folder = Path(tempfile.gettempdir()) / f"ihala-bench-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with open_context(make_settings(folder), migrate=True, temporary=True) as context:
            with session_scope(context.engine) as session:
                upsert_offices(session, context.governorate)
                directory = read_directory(context.governorate.directory_path, context.governorate)
                upsert_directory(session, context.governorate, directory.starting(datetime.now(UTC).date()))
            yield context
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def add_tablets(context: AppContext, count: int) -> list[str]:
    """Add tablets to the first office; returns their tokens."""
    with session_scope(context.engine) as session:
        office = list_offices(session, context.governorate.code)[0]
        return [create_tablet(session, f"bench-{secrets.token_hex(4)}", office.id)[1] for _ in range(count)]
