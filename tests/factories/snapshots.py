"""The whole content of a database as fingerprints, to tell whether anything changed."""

from sqlalchemy import Connection, Engine, create_engine, text

# Moves on its own: when a tablet was last heard of.
_VOLATILE = {"tablet": ("last_seen_at",)}


def snapshot(owner_url: str) -> dict[str, tuple[int, str]]:
    """Number of rows and a fingerprint of their content, by table."""
    engine = create_engine(owner_url)
    try:
        return _snapshot(engine)
    finally:
        engine.dispose()


def _snapshot(engine: Engine) -> dict[str, tuple[int, str]]:
    with engine.connect() as connection:
        return snapshot_of(connection)


def snapshot_of(connection: Connection) -> dict[str, tuple[int, str]]:
    """The same as one transaction sees it."""
    found = {}
    tables = connection.scalars(
        text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    ).all()
    for table in tables:
        dropped = "".join(f" - '{column}'" for column in _VOLATILE.get(table, ()))
        row = connection.execute(
            text(
                "SELECT count(*), coalesce(md5(string_agg(line, '|' ORDER BY line)), '')"
                f' FROM (SELECT (to_jsonb(t){dropped})::text AS line FROM "{table}" t) lines'
            )
        ).one()
        found[table] = (int(row[0]), str(row[1]))
    return found
