"""ODK Central: nothing is missed and nothing is read twice.

No timestamp of Central is a sound cursor (late commits, equal instants, restores, purges). So a form's list of
submissions is compared with what was read before, and what is new or different is fetched: at every pull, under the
list's ETag, where a form is small; where it is large, once in FULL_EVERY, and in between a window of what changed
since the last reading began, by the server's own clock and with an overlap. Many rows at once come through the feed,
a page a transaction, and a reading that was cut short goes on from the page where it stopped. Each page is stored
together with the state of the source, guarded by its version.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from db import sync_index, sync_states
from db.keyfile import MasterKeys
from db.models import SyncState
from db.sync_index import IndexKey
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession, FeedPage
from ingest.central.submissions import IDS_PER_REQUEST, get_feed_page, get_index, list_rows
from ingest.sources.central_pages import Page, PageReader, Pulled, needs_versions
from ingest.sources.encrypted import Decrypter

LARGE = 2000
"""A form with more submissions than this is read by window; its list is 0.6 kB a submission."""
MANY = 500
"""More changes than this come through the feed; fewer are asked for by id, IDS_PER_REQUEST at once."""
OVERLAP = timedelta(minutes=15)
"""How long before the last reading began a window starts: a transaction may commit that much later than its stamp."""
FULL_EVERY = timedelta(hours=20)
"""At least daily, and far within the 30 days after which Central removes what was deleted."""
LISTED_AT_ONCE = 2000

SessionScope = Callable[[], AbstractContextManager[Session]]
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _State:
    """The state of one form as it was read or last written."""

    key: IndexKey
    version: int
    etag: str | None
    since: datetime | None
    listed_at: datetime | None
    walk: str | None
    walk_started_at: datetime | None
    is_large: bool


def source_name(project_id: int) -> str:
    """Return the name under which a project's submissions are stored."""
    return f"central:{project_id}"


class CentralSource:
    """One project of one Central, read for a governorate through `client`; `scope` opens one transaction.

    Without `decrypt` a form of a project with managed encryption is not read (`central_encrypted`).
    """

    def __init__(
        self,
        client: CentralSession,
        scope: SessionScope,
        masters: MasterKeys,
        governorate: str,
        *,
        decrypt: Decrypter | None = None,
    ) -> None:
        self._client = client
        self._governorate = governorate
        self._scope = scope
        self._masters = masters
        self.decrypt = decrypt
        self.source = source_name(client.account.project_id)

    def pull(self, form_id: str, now: datetime, *, full: bool = False) -> Pulled:
        """Bring one form up to date. `full` compares the whole list, whatever its ETag and age.

        Raises CentralError, or DomainError `changed_meanwhile` when another pull of the same form runs;
        pages stored before stay stored.
        """
        return _Pull(self, form_id, now).run(full=full)

    def key(self, form_id: str) -> IndexKey:
        """Name one form of the project."""
        return IndexKey(self._governorate, self.source, form_id)

    def reader(self, form_id: str, now: datetime) -> PageReader:
        """Make what stores pages of one form."""
        return PageReader(self._client, self._scope, self._masters, self.key(form_id), now, self.decrypt)

    def load(self, form_id: str) -> _State:
        """Read the state of one form."""
        key = self.key(form_id)
        with self._scope() as session:
            state: SyncState = sync_states.get_or_create_sync_state(
                session, key.governorate, key.source, key.form_id
            )
            return _State(
                key,
                state.version,
                state.etag,
                state.since,
                state.listed_at,
                state.walk,
                state.walk_started_at,
                sync_index.is_larger_than(session, key, LARGE),
            )

    @property
    def client(self) -> CentralSession:
        """The session that the project is read through."""
        return self._client

    @property
    def scope(self) -> SessionScope:
        """What opens one transaction."""
        return self._scope


class _Pull:
    """One pull of one form."""

    def __init__(self, source: CentralSource, form_id: str, now: datetime) -> None:
        self.source, self.form_id, self.now = source, form_id, now
        self.reader = source.reader(form_id, now)
        self.state = source.load(form_id)

    def run(self, *, full: bool) -> Pulled:
        state = self.state
        full = full or not self._was_listed_lately()
        walked = False
        if (
            state.walk is not None
        ):  # cut short; a page's link may have died with its row, so the list is compared
            walked, full = self._go_on(), True
        elif state.listed_at is None and state.since is None:
            self._walk(None)
            walked, full = True, True
        elif state.is_large and state.since is not None:
            full = self._walk(state.since) or full
        else:
            self._compare(None if full else state.etag, walked=False)
            return self.reader.pulled
        if full:
            self._compare(None, walked=walked)
        else:
            self._advance(last_success_at=self.now)
        return self.reader.pulled

    def _was_listed_lately(self) -> bool:
        at = self.state.listed_at
        return at is not None and at <= self.now < at + FULL_EVERY

    def _go_on(self) -> bool:
        """Go on with a reading that was cut short; False where Central no longer knows the page."""
        try:
            self._walk(None)
        except CentralError as error:
            if error.code not in {"central_refused", "central_not_found"}:
                raise
            self._advance(walk=None, walk_started_at=None)
            return False
        return True

    def _walk(self, since: datetime | None) -> bool:
        """Read the feed page by page to its end; True where the server's clock was set back meanwhile.

        While a page is prepared, Central makes the next one and the database stores the one before. Pages are
        stored in their order, one transaction each.
        `since`: of the last reading; None for all rows.
        """
        link, started = self.state.walk, self.state.walk_started_at
        start_at = None if since is None else since - OVERLAP
        is_first = link is None
        page = get_feed_page(self.source.client, self.form_id, since=start_at, link=link)
        if is_first:
            started = page.server_time
        with ThreadPoolExecutor(1) as ahead, ThreadPoolExecutor(1) as writer:
            written: Future[None] | None = None
            roots: set[str] = set()
            while True:
                following = partial(get_feed_page, self.source.client, self.form_id, link=page.next_path)
                asked: Future[FeedPage] | None = None
                # A session does one thing at a time.
                if page.next_path is not None and not any(needs_versions(row) for row in page.rows):
                    asked = ahead.submit(following)
                former, roots = roots, {str(row.get("__id")) for row in page.rows}
                if written is not None and former & roots:
                    written.result()  # it came twice: the second time it has to be known what was stored
                prepared = self.reader.prepare(page.rows, None)
                if page.next_path is not None:
                    asked = asked or ahead.submit(following)
                if written is not None:
                    written.result()
                values: dict[str, Any] = {"walk": page.next_path, "walk_started_at": started}
                if asked is None:
                    self._write(prepared, {"walk": None, "walk_started_at": None, "since": started})
                    return started is None or (since is not None and started < since)
                written = writer.submit(self._write, prepared, values)
                page = asked.result()

    def _compare(self, etag: str | None, *, walked: bool) -> None:
        """Compare Central's whole list with what was read, and fetch what is new or different."""
        listed: list[str] = []
        changed: dict[str, str] = {}
        with get_index(self.source.client, self.form_id, etag) as index:
            if index.rows is None:
                self._advance(last_success_at=self.now)
                return
            rows = index.rows
            while page := {row.instance_id: row.fingerprint for row in islice(rows, LISTED_AT_ONCE)}:
                listed.extend(page)
                with self.source.scope() as session:
                    found = sync_index.list_changed(session, self.state.key, page)
                changed |= {root: page[root] for root in found[: MANY + 1 - len(changed)]}
        if len(changed) > MANY and not walked:
            self._walk(None)
            self._compare(None, walked=True)
            return
        with self.source.scope() as session:
            self.reader.pulled.deleted += sync_index.set_unlisted_gone(
                session, self.state.key, listed, self.now
            )
            state = self._advance_in(session)
        self.state = state
        delivered = sum(self._fetch(dict(chunk), changed) for chunk in _chunks(changed, IDS_PER_REQUEST))
        is_complete = len(changed) <= MANY
        values: dict[str, Any] = {"since": index.server_time, "last_success_at": self.now}
        if is_complete:
            values["listed_at"] = self.now
        # Listed but not delivered: gone between two requests, or still under way in Central.
        # Without the new ETag the next pull lists again.
        values["etag"] = index.etag if is_complete and delivered == len(changed) else None
        self._advance(**values)

    def _fetch(self, chunk: dict[str, str], changed: dict[str, str]) -> int:
        """Fetch and store submissions by their ids; returns how many came."""
        delivered = 0
        for page in list_rows(self.source.client, self.form_id, list(chunk)):
            rows = [row for row in page.rows if str(row.get("__id")) in changed]
            delivered += self._store(rows, chunk, {})
        return delivered

    def _store(self, rows: Rows, listed: dict[str, str] | None, values: dict[str, Any]) -> int:
        page = self.reader.prepare(rows, listed)
        self._write(page, values)
        return page.delivered

    def _write(self, page: Page, values: dict[str, Any]) -> None:
        with self.source.scope() as session:
            self.reader.write(session, page)
            state = self._advance_in(session, **values)
        self.state = state
        self.reader.count(page)

    def _advance(self, **values: Any) -> None:
        with self.source.scope() as session:
            state = self._advance_in(session, **values)
        self.state = state

    def _advance_in(self, session: Session, **values: Any) -> _State:
        key = self.state.key
        version = sync_states.advance_sync_state(
            session, key.governorate, key.source, key.form_id, self.state.version, **values
        )
        names = {"etag", "since", "listed_at", "walk", "walk_started_at"}
        moved = {name: value for name, value in values.items() if name in names}
        return replace(self.state, version=version, **moved)


def _chunks(items: dict[str, str], size: int) -> Iterator[list[tuple[str, str]]]:
    left = iter(items.items())
    while chunk := list(islice(left, size)):
        yield chunk
