"""Engines, sessions and locks. One request or one page of a job is one transaction, committed at the edge."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool


def make_engine(url: str, *, pool_size: int = 10) -> Engine:
    """Engine for the application role; connections speak UTC and answer within half a minute."""
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=20,
        pool_pre_ping=True,
        hide_parameters=True,  # an error must not quote what a person said
        connect_args={"options": "-c timezone=utc -c statement_timeout=30000", "application_name": "ihala"},
    )


@contextmanager
def session_scope(bind: Engine | Connection) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any error."""
    with Session(bind, expire_on_commit=False) as session, session.begin():
        yield session


def lock_number(name: str) -> int:
    """The number by which PostgreSQL knows a named lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def lock_in_transaction(session: Session, name: str) -> bool:
    """Take the named lock until the transaction ends; False when another transaction holds it."""
    return bool(
        session.scalar(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": lock_number(name)})
    )


@contextmanager
def exclusive(engine: Engine, name: str) -> Iterator[bool]:
    """Hold the named lock for the block; yields False when somebody else holds it.

    The lock lives on its own unpooled connection: it is gone with the process however that ends,
    and can never leak into a pooled connection.
    """
    lock_engine = create_engine(engine.url, poolclass=NullPool)
    try:
        with lock_engine.connect() as connection:
            number = lock_number(name)
            held = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}))
            connection.rollback()
            try:
                yield held
            finally:
                if held:
                    connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": number})
                    connection.rollback()
    finally:
        lock_engine.dispose()
