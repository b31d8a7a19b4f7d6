"""Everything between the field and the coordinator's queue, in order: pull, take in, find duplicates, match.

The command, the scheduled job and the demo call `sync`. Every page is one transaction, so a run may be killed
at any moment and started again: `sync(); sync()` leaves the same database as one run.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from casework.assessment import Assessment
from casework.capacities import roll_intake_periods
from casework.cases import take_in
from casework.duplicates import find_duplicates
from casework.matching import match_open_needs
from db import submissions as query
from db import sync_states
from db.attachment_checks import list_due_checks
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Submission
from db.session import exclusive, session_scope
from db.sync_index import IndexKey
from db.vault import Vault
from governorates import Governorate
from ingest.central.account import CentralAccount
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession
from ingest.forms import unknown_form_reason
from ingest.parse import parse_assessment
from ingest.quarantine import QuarantineError
from ingest.sources.central import CentralSource, source_name
from ingest.sources.central_files import fetch_files
from ingest.sources.encrypted import Decrypter
from ingest.sources.inbox import SOURCE as INBOX
from ingest.sources.inbox import XML
from ingest.trees import Reading, from_odata, from_xml
from ingest.versions import join_case, settle

logger = logging.getLogger(__name__)

PAGE = 50

Progress = Callable[[str, int, int], None]
"""Called with a step (pull, take_in, duplicates, match), how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What a run needs to know besides the database. Without an account Central is not asked."""

    central: CentralAccount | None = None
    match_seed: int = 0
    page: int = PAGE


@dataclass(slots=True)
class SyncReport:
    """What one run did. `busy`: another run was under way and nothing was done.

    `received`: submissions that this run found waiting and worked through; `stored`: versions that it
    stored from Central, `files`: files of submissions. `duplicates`: pairs of cases found that a person should look
    at. `unmet`: open needs without a proposal, by reason. `errors`: `form: code` of sources that could not be read;
    what they hold is read next time.
    """

    received: int = 0
    stored: int = 0
    files: int = 0
    cases: int = 0
    updated: int = 0
    refusals: int = 0
    quarantined: int = 0
    duplicates: int = 0
    needs: int = 0
    proposed: int = 0
    unmet: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    busy: bool = False
    errors: tuple[str, ...] = ()


def lock_name(governorate: str) -> str:
    """Name of the lock that a run holds: two governorates in one database do not wait for each other."""
    return f"sync {governorate}"


def sync(
    engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    settings: SyncSettings | None = None,
    *,
    progress: Progress | None = None,
    reprocess: bool = False,
) -> SyncReport:
    """Pull every source, take in what waits, find duplicates, match all open needs.

    `reprocess` first puts what is in quarantine back into the line. Raises OperationalError when the
    database goes away; what was committed stays and the next run goes on from there.
    """
    run = _Run(engine, masters, governorate, settings or SyncSettings(), progress or _tell_nobody)
    started = time.perf_counter()
    with exclusive(engine, lock_name(governorate.code)) as free:
        if not free:
            return SyncReport(busy=True)
        if reprocess:
            with run.scope() as session:
                query.release_quarantined(session, governorate.code)
        if run.settings.central is not None:
            run.pull(run.settings.central)
        run.take_in_all()
        run.find_duplicates()
        run.match()
        if run.settings.central is not None:
            run.fetch_files(run.settings.central)
    run.report.seconds = round(time.perf_counter() - started, 3)
    return run.report


def _tell_nobody(_step: str, _done: int, _total: int) -> None:
    """Stand in for a progress bar that nobody asked for."""


class _Run:
    """The steps of one run, and what they have done so far."""

    def __init__(
        self,
        engine: Engine,
        masters: MasterKeys,
        governorate: Governorate,
        settings: SyncSettings,
        tell: Progress,
    ) -> None:
        self.scope = partial(session_scope, engine)
        self.masters = masters
        self.governorate = governorate
        self.settings = settings
        self.tell = tell
        self.report = SyncReport()
        self.stopped: set[str] = set()

    def pull(self, account: CentralAccount) -> None:
        """Read each form of Central; one that cannot be read now stops nothing else."""
        for done, form_id in enumerate(account.form_ids):
            self.tell("pull", done, len(account.form_ids))
            code = self._with_central(account, partial(self._pull_form, form_id))
            if code is not None:
                self.stopped.add(form_id)
                self._note(account, form_id, code)

    def _pull_form(self, form_id: str, source: CentralSource) -> None:
        self.report.stored += source.pull(form_id, datetime.now(UTC)).stored
        for code in sorted(source.decrypt.problems if source.decrypt else ()):
            self._note(source.client.account, form_id, code)

    def fetch_files(self, account: CentralAccount) -> None:
        """Fetch the files that submissions of Central wait for; last, since nothing else waits for them."""
        for form_id in account.form_ids:
            if form_id in self.stopped or not self._awaits_files(account, form_id):
                continue
            code = self._with_central(account, partial(self._fetch_files, form_id))
            if code is not None:
                self._note(account, form_id, code)

    def _awaits_files(self, account: CentralAccount, form_id: str) -> bool:
        key = IndexKey(self.governorate.code, source_name(account.project_id), form_id)
        with self.scope() as session:
            return bool(list_due_checks(session, key, datetime.now(UTC), 1))

    def _fetch_files(self, form_id: str, source: CentralSource) -> None:
        self.report.files += fetch_files(source, self.masters, form_id, datetime.now(UTC)).files

    def _note(self, account: CentralAccount, form_id: str, code: str) -> None:
        logger.warning("pull of %s stopped: %s", form_id, code)
        self.report.errors += (f"{form_id}: {code}",)
        with self.scope() as session:
            sync_states.set_sync_error(
                session, self.governorate.code, source_name(account.project_id), form_id, code
            )

    def _with_central(self, account: CentralAccount, act: Callable[[CentralSource], None]) -> str | None:
        """Do something with Central; returns why it stopped, if it did."""
        try:
            with closing(CentralSession(account)) as client:
                decrypt = Decrypter(client, account.passphrase)
                act(CentralSource(client, self.scope, self.masters, self.governorate.code, decrypt=decrypt))
        except (CentralError, DomainError) as error:
            return error.code
        except (OperationalError, InterfaceError):
            raise  # the database: nothing else would work either
        except Exception as error:  # an answer that nobody thought of must not stop the tablets' submissions
            logger.warning("pull: %s at %s", type(error).__name__, _where(error))
            return "pull_failed"
        return None

    def take_in_all(self) -> None:
        """Work through the waiting line, a page a transaction; rows held by others wait for a later run."""
        with self.scope() as session:
            total = query.count_waiting(session, self.governorate.code)
        after_id = 0
        while True:
            page = take_in_page(self.scope, self.masters, self.governorate, after_id, self.settings.page)
            if page is None:
                return
            after_id, outcomes = page.last_id, page.outcomes
            self.report.received += outcomes.total()
            self.report.cases += outcomes["opened"]
            self.report.updated += outcomes["updated"]
            self.report.refusals += outcomes["refused"]
            self.report.quarantined += outcomes["quarantined"]
            self.tell("take_in", self.report.received, max(total, self.report.received))

    def find_duplicates(self) -> None:
        """Search for other registrations of the new and changed cases, a page a transaction.

        A search that fails is made up for by the next run; it must not keep anybody from being matched.
        """
        try:
            while self._find_duplicates():
                pass
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            code = type(error).__name__
            logger.error("search for duplicates stopped: %s %s", code, _where(error))  # noqa: TRY400  no text
            self.report.errors += (f"duplicates: {code}",)

    def _find_duplicates(self) -> int:
        with self.scope() as session:
            page = find_duplicates(session, Vault(session, self.masters), self.governorate)
        self.report.duplicates += page.found
        if page.searched:
            self.tell("duplicates", page.searched, page.searched)
        return page.searched

    def match(self) -> None:
        """Open the intake periods that are due, then let the engine propose for every open need."""
        self.tell("match", 0, 1)
        with self.scope() as session:
            roll_intake_periods(session, self.governorate, datetime.now(UTC))
        now, seed = datetime.now(UTC), self.settings.match_seed
        try:
            with self.scope() as session:
                vault = Vault(session, self.masters)
                matched = match_open_needs(session, vault, self.governorate, now=now, seed=seed)
        except DomainError as error:  # busy: somebody is matching just now, with the same cases
            self.report.errors += (f"match: {error.code}",)
        else:
            self.report.needs, self.report.proposed = matched.needs, matched.proposed
            self.report.unmet = dict(matched.unmet)
        self.tell("match", 1, 1)


@dataclass(frozen=True, slots=True)
class TakenInPage:
    """A page of the waiting line that was worked through: how often each outcome came."""

    last_id: int
    outcomes: Counter[str]


def take_in_page(
    scope: Callable[[], AbstractContextManager[Session]],
    masters: MasterKeys,
    governorate: Governorate,
    after_id: int,
    limit: int,
) -> TakenInPage | None:
    """Work through the next page of the waiting line in one transaction; None at its end."""
    with scope() as session:
        waiting = query.claim_waiting(session, governorate.code, after_id, limit)
        vault = Vault(session, masters)
        vault.load_keys(submission.data_key_id for submission in waiting)
        outcomes = Counter(_take_in_one(session, vault, governorate, one) for one in waiting)
        return TakenInPage(waiting[-1].id, outcomes) if waiting else None


def parse_waiting(
    session: Session, masters: MasterKeys, governorate: Governorate, after_id: int, limit: int
) -> list[int]:
    """Open and parse the next page of the waiting line and change nothing; returns the ids. Raises QuarantineError."""
    waiting = query.claim_waiting(session, governorate.code, after_id, limit)
    vault = Vault(session, masters)
    vault.load_keys(submission.data_key_id for submission in waiting)
    for submission in waiting:
        _read(vault, governorate, submission)
    return [submission.id for submission in waiting]


def _take_in_one(session: Session, vault: Vault, governorate: Governorate, submission: Submission) -> str:
    """Take in one submission in a savepoint: whatever is wrong with it sets it aside, alone."""
    submission_id = submission.id
    details: dict[str, Any]
    try:
        with session.begin_nested():
            assessment = _read(vault, governorate, submission)
            join_case(session, vault, submission)
            taken_in = take_in(session, vault, governorate, submission, assessment)
            settle(session, vault, submission)
            return taken_in.status
    except QuarantineError as why:
        reason, details = why.reason, why.details
    except (OperationalError, InterfaceError):
        raise  # the database, not the submission: the page rolls back and waits for the next run
    except Exception as error:  # a bug of ours must not stop everybody else's submissions
        reason, details = "processing_failed", {"error": type(error).__name__, "at": _where(error)}
    logger.warning("submission %d set aside: %s %s", submission_id, reason, details)
    query.set_quarantined(session, submission_id, reason, details, datetime.now(UTC))
    return "quarantined"


def _read(vault: Vault, governorate: Governorate, submission: Submission) -> Assessment:
    """Open and parse one submission. Raises QuarantineError."""
    reason = unknown_form_reason(submission.form_id, submission.form_version, governorate.code)
    # Central accepts only versions that were published there, and names the first one after an edit.
    if reason is not None and (reason == "form_unknown" or submission.source == INBOX):
        raise QuarantineError(reason)
    reading = _reading(vault, submission)
    return parse_assessment(reading.tree, governorate, received=submission.received_at)


def _reading(vault: Vault, submission: Submission) -> Reading:
    if submission.payload is None:
        raise QuarantineError("unreadable", cause="erased")
    payload = vault.open_bytes("submission.payload", submission.payload)
    try:
        if submission.media_type == XML:
            return from_xml(payload, instance_id=submission.instance_id)
        return from_odata(json.loads(payload), submission.form_id)
    except DomainError as error:
        raise QuarantineError("unreadable", **error.details) from None


def _where(error: BaseException) -> str:
    """Name file and line of an error: its text may quote what a person said, so it is kept nowhere."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
