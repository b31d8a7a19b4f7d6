"""The stand-in for ODK Central, filled and served: ``python -m benchmarks.ingest.stand_in --rows N``.

A process of its own, so that its work and memory are not counted. Prints its address, and ends with its input.
"""

import argparse
import sys
from datetime import timedelta

from benchmarks.ingest.people import make_rows
from tests.central.projects import Entry, Project, Sent
from tests.central.server import running
from tests.central.store import FORM, Store


class StillProject(Project):
    """A project in which nothing happens, so that its list has to be sorted only once."""

    _sorted: list[Entry] | None = None

    def listed(self, form_id: str, *, deleted: bool | None = False) -> list[Entry]:
        """List newest first."""
        if deleted:
            return []
        if self._sorted is None:
            self._sorted = super().listed(form_id, deleted=deleted)
        return self._sorted


def filled_store(rows: int, seed: int) -> Store:
    """Make a store with `rows` submissions that came a second apart, the last one an hour ago."""
    store = Store()
    project = StillProject(store.project_id, "Nineveh", store.clock, {FORM: []})
    tablet = store.users["reader@example.org"]
    at = store.clock - timedelta(hours=1, seconds=rows)
    entries = project.forms[FORM]
    for number, row in enumerate(make_rows(rows, seed), start=1):
        at += timedelta(seconds=1)
        sent = [Sent(at, row["__id"], tablet)]
        entries.append(Entry(number, row["__id"], at, [row], sent=sent, event=number))
    project.events[FORM] = rows
    store.projects[store.project_id] = project
    return store


def main() -> None:
    """Fill, serve, and wait for the end of the input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=15)
    asked = parser.parse_args()
    with running(filled_store(asked.rows, asked.seed)) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
