"""Named locks that live on a connection of their own: who leads, and which job is under way.

A lock on a pooled connection leaks into whoever gets the connection next. One on its own connection is gone with
the process, however that ends, and says at any moment whether it is still held.
"""

import threading
from contextlib import suppress

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from db.session import lock_number

APPLICATION = "ihala lock"

# Both ends give up a silent peer within seconds: the holder, so that it stops acting; the server, so that the lock of
# a machine that lost its power is free for the next one. Unix sockets ignore these.
_ALIVE = {"keepalives": 1, "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3}
_SERVER = "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c timezone=utc"


class NamedLock:
    """A lock of the whole database, by name; `holder` names who has it (`get_lock_holder`)."""

    def __init__(self, engine: Engine, name: str, holder: str = "") -> None:
        self._number = lock_number(name)
        self._engine = create_engine(
            engine.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args={
                "options": f"{_SERVER} -c statement_timeout=5000",
                "application_name": f"{APPLICATION} {holder}".strip()[:63],
                "connect_timeout": 3,
                "tcp_user_timeout": 5000,
                **_ALIVE,
            },
        )
        self._connection: Connection | None = None
        self._held = False
        self._mutex = threading.RLock()  # a job may have threads, and a connection serves one at a time

    def take(self) -> bool:
        """Try to take the lock; False when somebody else has it.

        Raises OperationalError while the database is away. The connection is kept for the next attempt.
        """
        with self._mutex:
            if self._held:
                return True
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                statement = text("SELECT pg_try_advisory_lock(:number)")
                self._held = bool(self._connection.scalar(statement, {"number": self._number}))
            except SQLAlchemyError:
                self.release()
                raise
            return self._held

    def is_held(self) -> bool:
        """Ask the database whether the lock's connection is still there, and with it the lock."""
        with self._mutex:
            if not self._held or self._connection is None:
                return False
            try:
                self._connection.scalar(text("SELECT 1"))
            except SQLAlchemyError:
                self.release()
                return False
            return True

    def release(self) -> None:
        """Give the lock back by closing its connection; harmless when repeated."""
        with self._mutex:
            connection, self._connection, self._held = self._connection, None, False
            if connection is not None:
                with suppress(SQLAlchemyError):
                    connection.close()


def get_lock_holder(session: Session, name: str) -> str | None:
    """Who holds a `NamedLock` now, as it was named there; None when nobody does."""
    statement = text(
        "SELECT activity.application_name FROM pg_locks JOIN pg_stat_activity AS activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND (classid::bigint << 32 | objid::bigint) = :number"
    )
    found: str | None = session.scalar(statement, {"number": lock_number(name)})
    return None if found is None else found.removeprefix(APPLICATION).strip()
