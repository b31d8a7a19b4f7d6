"""Storing posts of tablets in groups: those that come while one transaction is written share the next one.

A transaction that is forced to the disk costs the same for one post as for many. An answer is still given only
after the transaction that holds its post was committed. What is not plainly new, and every post of a group that
failed, goes its own way in a transaction of its own (`api.openrosa`).
"""

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Condition

from sqlalchemy import Connection

from api.context import AppContext
from db.session import session_scope
from db.vault import Vault
from ingest.sources.inbox import PlainPost, Receipt, receive_new

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 32
LINGER_SECONDS = 0.002


@dataclass(slots=True)
class _Waiting:
    """A post without files in the line; `stored` is told its receipt, or None where it must go its own way."""

    token: str = field(repr=False)
    xml: bytes = field(repr=False)
    stored: "Future[Receipt | None]" = field(default_factory=Future, repr=False)


class GroupCommit:
    """The line of one application; one transaction at a time is written, on a thread of its own.

    As many posts as there were at once a moment ago are waited for, LINGER_SECONDS at most: else the posts of a
    few busy tablets would split into small groups that keep each other waiting. One tablet alone never waits.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._changed = Condition()
        self._line: list[_Waiting] = []
        self._is_writing = False
        self._expected = 1
        self._connection: Connection | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")

    async def store(self, token: str, xml: bytes) -> Receipt | None:
        """Store a post without files, committed when this returns; None where nothing was stored here."""
        waiting = _Waiting(token, xml)
        with self._changed:
            self._line.append(waiting)
            begin, self._is_writing = not self._is_writing, True
            if len(self._line) >= self._expected:
                self._changed.notify()
        if begin:
            self._writer.submit(self._write)
        return await asyncio.wrap_future(waiting.stored)

    def _write(self) -> None:
        """Write group after group until nobody waits."""
        while (group := self._next_group()) is not None:
            for one, receipt in zip(group, self._store(group), strict=True):
                one.stored.set_result(receipt)
        self._disconnect()

    def _next_group(self) -> list[_Waiting] | None:
        with self._changed:
            if self._expected > 1:
                self._changed.wait_for(lambda: len(self._line) >= self._expected, LINGER_SECONDS)
            group, self._line = self._line[:MOST_AT_ONCE], self._line[MOST_AT_ONCE:]
            self._expected = min(max(len(group) + len(self._line), 1), MOST_AT_ONCE)
            if not group:
                self._is_writing = False
                return None
        # From here on it is stored even if the tablet hangs up; one that hung up before is left out.
        return [one for one in group if one.stored.set_running_or_notify_cancel()]

    def _store(self, group: list[_Waiting]) -> list[Receipt | None]:
        try:
            if self._connection is None:
                # One statement a group: it is a transaction by itself, without going to and fro for more.
                self._connection = self._context.engine.connect().execution_options(
                    isolation_level="AUTOCOMMIT"
                )
            return _store(self._context, self._connection, group)
        except Exception as error:  # whichever post it was: each is tried alone, and fails alone
            logger.warning("a group of %d posts goes one by one: %s", len(group), type(error).__name__)
            self._disconnect()
            return [None] * len(group)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it is broken already
                connection.close()


def _store(context: AppContext, connection: Connection, group: list[_Waiting]) -> list[Receipt | None]:
    """Store a group in one statement, committed when this returns."""
    posts = [PlainPost(one.token, one.xml) for one in group]
    with session_scope(connection) as session:
        vault = Vault(session, context.masters)
        return receive_new(vault, posts, governorate_code=context.governorate.code, now=datetime.now(UTC))
