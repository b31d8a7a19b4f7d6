"""A word from one process to another through the database (LISTEN and NOTIFY): no port, no broker, no table.

A word that nobody hears is lost. Whoever acts on words therefore also looks by the clock, and looks once whenever
it begins to listen.
"""

from collections.abc import Callable

import psycopg
from sqlalchemy import Engine, text

CHANNEL = "ihala_jobs"


def send_word(engine: Engine, word: str) -> None:
    """Tell every listener of this database, at once. Raises OperationalError while the database is away."""
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_notify(:channel, :word)"), {"channel": CHANNEL, "word": word})


def listen(
    engine: Engine,
    hear: Callable[[str], None],
    goes_on: Callable[[], bool],
    *,
    began: Callable[[], None],
    patience: float = 0.5,
) -> None:
    """Call `hear` with every word until `goes_on` says no, which is asked every `patience` seconds.

    Listens on a connection of its own; `began` is called once it hears. Raises psycopg.OperationalError when the
    database goes away.
    """
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(
        url, autocommit=True, connect_timeout=3, application_name="ihala listener"
    ) as connection:
        connection.execute(f"LISTEN {CHANNEL}".encode())
        began()
        while goes_on():
            for notice in connection.notifies(timeout=patience, stop_after=1):
                hear(notice.payload)
