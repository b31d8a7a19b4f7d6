"""Run the migrations, from code: there is no ini file, and the owner's address never touches one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(owner_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`, in one transaction, under an advisory lock (two starters are safe)."""
    engine = create_engine(owner_url, poolclass=NullPool)
    config = _config()
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7411200126)")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
