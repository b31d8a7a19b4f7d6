"""The way into the database, measured: ``python -m benchmarks.ingest --help``."""
