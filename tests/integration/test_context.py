"""Opening an installation: its own database, its own keys, and refusals that say what to do."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from api.context import open_context
from api.settings import Settings
from db.keyfile import KeyFileError
from db.session import session_scope
from db.vault import Vault
from tests.conftest import Database


def _settings(database: Database, folder: Path) -> Settings:
    return Settings(
        data_folder=folder,
        database_url=SecretStr(database.app_url),
        owner_database_url=SecretStr(database.owner_url),
    )


def test_a_lost_key_file_is_not_replaced(fresh_database: Database, tmp_path: Path) -> None:
    settings = _settings(fresh_database, tmp_path)
    with open_context(settings) as context, session_scope(context.engine) as session:
        Vault(session, context.masters).create_key()
    with open_context(settings):
        pass
    settings.key_path.unlink()
    with pytest.raises(KeyFileError, match="is not there"), open_context(settings):
        pass
    assert not settings.key_path.exists()


def test_the_key_file_is_private(fresh_database: Database, tmp_path: Path) -> None:
    settings = _settings(fresh_database, tmp_path)
    with open_context(settings):
        assert settings.key_path.stat().st_mode & 0o077 == 0
