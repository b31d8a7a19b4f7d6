"""An engine that can be told to stop: what runs on it finishes its transaction and begins no other.

So every job stops between two pages without a line of its own for it, and one that takes too long is cut off: its
statement is cancelled and its transaction rolled back.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from psycopg import Connection as Psycopg
from sqlalchemy import Connection, Engine, event

_CANCEL_SECONDS = 1.0


class StopAsked(BaseException):
    """The work was asked to stop; raised where it would begin another transaction."""


class Guard:
    """Stands before the transactions of `engine`, which shares the pool of the engine it was made from."""

    def __init__(self, engine: Engine, may_begin: Callable[[], bool]) -> None:
        self.engine: Engine = engine.execution_options()
        self._may_begin = may_begin
        self._mutex = threading.Lock()
        self._under_way: set[Connection] = set()
        self.is_cut = False
        event.listen(self.engine, "begin", self._begin)
        event.listen(self.engine, "commit", self._end)
        event.listen(self.engine, "rollback", self._end)
        event.listen(self.engine, "before_cursor_execute", self._before_statement)

    def cut(self) -> None:
        """Cancel the statements that are under way and let no other through, so that all is rolled back."""
        with self._mutex:
            self.is_cut = True
            under_way = list(self._under_way)
        for connection in under_way:
            with suppress(Exception):  # it may have ended meanwhile; then there is nothing to cancel
                driver = connection.connection.dbapi_connection
                if isinstance(driver, Psycopg):
                    driver.cancel_safe(timeout=_CANCEL_SECONDS)

    def _begin(self, connection: Connection) -> None:
        if self.is_cut or not self._may_begin():
            raise StopAsked
        with self._mutex:
            self._under_way.add(connection)

    def _end(self, connection: Connection) -> None:
        with self._mutex:
            self._under_way.discard(connection)

    def _before_statement(self, _connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if self.is_cut and not statement.startswith("ROLLBACK"):
            raise StopAsked
