"""What every route, job and command is given: settings, database, keys, governorate. Nothing is global."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlalchemy import Engine

from api.settings import Settings
from db.keyfile import MasterKeys
from db.session import make_engine, session_scope
from db.vault import has_data_keys
from governorates import Governorate, load

if TYPE_CHECKING:
    from db.embedded import EmbeddedPostgres


def _no_one_to_wake() -> None:
    """Nobody listens: the schedule finds the new submission."""


@dataclass(slots=True)
class AppContext:
    """One installation, opened. `wake` tells the ingester that something has arrived."""

    settings: Settings
    engine: Engine
    owner_url: str
    masters: MasterKeys
    governorate: Governorate
    wake: Callable[[], None] = _no_one_to_wake


@contextmanager
def open_context(
    settings: Settings,
    *,
    migrate: bool = False,
    temporary: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Iterator[AppContext]:
    """Open the installation: the embedded database is started unless IHALA_DATABASE_URL is set.

    `migrate` brings the schema up to date first; `temporary` also removes what root had to keep outside the
    data folder. Raises `EmbeddedPostgresError` or `KeyFileError`.
    """
    embedded: EmbeddedPostgres | None = None
    if settings.database_url is not None:
        app_url = settings.database_url.get_secret_value()
        owner_url = (settings.owner_database_url or settings.database_url).get_secret_value()
    else:
        from db import embedded as server

        embedded = server.EmbeddedPostgres(settings.data_folder)
        embedded.start(progress)
        app_url, owner_url = embedded.app_url(), embedded.owner_url()
    try:
        if migrate:
            from db.migrate import migrate as run_migrations

            run_migrations(owner_url)
        engine = make_engine(app_url)
        try:
            masters = _load_masters(settings, engine)
            yield AppContext(settings, engine, owner_url, masters, load(settings.governorate))
        finally:
            engine.dispose()
    finally:
        if embedded is not None:
            embedded.stop()
            if temporary:
                embedded.remove_server_folder()


def _load_masters(settings: Settings, engine: Engine) -> MasterKeys:
    """The keys of this installation; new ones are made only where nothing was ever sealed."""

    def plain(secret: SecretStr | None) -> str | None:
        return None if secret is None else secret.get_secret_value()

    with session_scope(engine) as session:
        create = not has_data_keys(session)
    return MasterKeys.load(
        settings.key_path,
        master_value=plain(settings.master_key),
        index_value=plain(settings.index_key),
        create=create,
    )
