"""Files of submissions in Central, which arrive when they arrive.

Neither `updatedAt` nor the list's ETag shows a late photo, so every version that expects files is asked about again,
with growing pauses, until all are here or GIVE_UP has passed. A person who refused or was erased has no key any more,
and nothing of theirs is fetched. One transaction a file: what was stored stays.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db import attachment_checks
from db import submissions as query
from db.attachment_checks import DueCheck
from db.keyfile import MasterKeys
from db.vault import Vault
from ingest.attachments import blind_name, store_files
from ingest.central.attachments import CentralFile, get_attachment, list_attachments
from ingest.central.errors import CentralError
from ingest.sources.central import CentralSource
from ingest.sources.encrypted import CSV
from ingest.sources.encrypted_files import plain_names, read_files

_SENT_ANEW = re.compile("~[0-9a-f]{12}$")

FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(days=1)
GIVE_UP = timedelta(days=30)
"""How long a file is waited for since Central last showed anything new about its submission."""
CHECKS_A_RUN = 200


@dataclass(slots=True)
class Fetched:
    """What one run did: files stored, versions that have all their files, and versions given up."""

    files: int = 0
    complete: int = 0
    given_up: int = 0


def fetch_files(
    source: CentralSource, masters: MasterKeys, form_id: str, now: datetime, limit: int = CHECKS_A_RUN
) -> Fetched:
    """Ask about the files of the versions that are due, at most `limit` of them, and store what is there.

    Raises CentralError where Central cannot be asked now; the versions that are left stay due.
    """
    fetched = Fetched()
    with source.scope() as session:
        due = attachment_checks.list_due_checks(session, source.key(form_id), now, limit)
    for check in due:
        _check(source, masters, form_id, check, now, fetched)
    return fetched


def pause_after(tries: int) -> timedelta:
    """How long to wait after so many vain tries."""
    doubled: int = 2 ** min(tries, 20)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


def _check(
    source: CentralSource,
    masters: MasterKeys,
    form_id: str,
    check: DueCheck,
    now: datetime,
    fetched: Fetched,
) -> None:
    if check.data_key_id is None:
        with source.scope() as session:
            attachment_checks.delete_check(session, check.submission_id)
        return
    try:
        listed = list_attachments(source.client, form_id, check.root_instance_id, _sent_id(check))
    except CentralError as error:
        if error.code not in {"central_not_found", "central_refused"}:
            raise
        _put_off(source, check, now, fetched, missing=0, too_large=0)  # gone, and may be restored
        return
    if check.media_type == CSV:
        listed = plain_names(listed)
    with source.scope() as session:
        present = query.list_attachment_indexes(session, check.submission_id)
        vault = Vault(session, masters)
        wanted = [name for name, there in listed.items() if there and blind_name(vault, name) not in present]
    missing, too_large = sum(not there for there in listed.values()), 0
    for name, file in _files(source, form_id, check, wanted):
        if file is None:
            missing += 1
        elif file.content is None:
            too_large += 1
        else:
            fetched.files += _store(source, masters, form_id, check, name, file, now)
    if missing or too_large:
        _put_off(source, check, now, fetched, missing=missing, too_large=too_large)
        return
    with source.scope() as session:
        attachment_checks.delete_check(session, check.submission_id)
    fetched.complete += 1


def _files(
    source: CentralSource, form_id: str, check: DueCheck, wanted: Sequence[str]
) -> Iterator[tuple[str, CentralFile | None]]:
    """Fetch files; None where one is gone meanwhile."""
    if check.media_type == CSV:
        if source.decrypt is None:
            raise CentralError("central_encrypted")
        yield from read_files(source.decrypt, form_id, check.root_instance_id, _sent_id(check), wanted)
        return
    for name in wanted:
        yield name, _file(source, form_id, check, name)


def _file(source: CentralSource, form_id: str, check: DueCheck, name: str) -> CentralFile | None:
    """Fetch a file; None where it is gone meanwhile."""
    try:
        return get_attachment(source.client, form_id, check.root_instance_id, _sent_id(check), name)
    except CentralError as error:
        if error.code not in {"central_not_found", "central_refused"}:
            raise
        return None


def _store(
    source: CentralSource,
    masters: MasterKeys,
    form_id: str,
    check: DueCheck,
    name: str,
    file: CentralFile,
    now: datetime,
) -> int:
    """Store a file with the key that its submission has now: it may have been sealed anew, or erased."""
    with source.scope() as session:
        query.lock_submission_root(session, source.source, form_id, check.root_instance_id)
        key_id = query.get_data_key_id(session, check.submission_id)
        if key_id is None or file.content is None:
            return 0
        vault = Vault(session, masters)
        files = {name: (file.content_type, file.content)}
        return store_files(session, vault, check.submission_id, key_id, files, now)


def _put_off(
    source: CentralSource, check: DueCheck, now: datetime, fetched: Fetched, *, missing: int, too_large: int
) -> None:
    is_late = now - check.created_at >= GIVE_UP
    given_up_at = now if is_late or (too_large and not missing) else None
    with source.scope() as session:
        attachment_checks.put_off_check(
            session,
            check.submission_id,
            missing=missing,
            too_large=too_large,
            next_at=now + pause_after(check.tries),
            given_up_at=given_up_at,
        )
    fetched.given_up += given_up_at is not None


def _sent_id(check: DueCheck) -> str:
    """Return the id of the version in Central: one that was sent anew after a purge has a suffix here."""
    return _SENT_ANEW.sub("", check.instance_id)
