"""Several versions of one submission: the newest that could be read decides, and a case has one key.

Deleting a case's key must erase every version of its submissions. Each version arrives with a key of its own
unless its case was there already, so it is sealed anew with the case's key when it turns out to belong to it.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from db import submissions as query
from db.cases import get_case, get_case_of_submission
from db.models import Submission, SubmissionStatus
from db.vault import Vault


def join_case(session: Session, vault: Vault, submission: Submission) -> None:
    """Give an edit the key of the case that an earlier version opened; before it is taken in."""
    if not _is_edit(submission):
        return
    case = get_case_of_submission(session, submission.source, submission.form_id, submission.root_instance_id)
    if case is not None and case.data_key_id is not None:
        _seal_anew(session, vault, submission, case.data_key_id)


def settle(session: Session, vault: Vault, submission: Submission) -> None:
    """After a version was taken in or refused: what belongs to it and still waits goes its way.

    An earlier version in quarantine must not come back over a newer one, least of all as a yes over a no.
    """
    case = None if submission.case_id is None else get_case(session, submission.case_id)
    if case is None:
        _erase(session, vault, submission)
    if not _is_edit(submission):
        return
    for older in query.list_older_unsettled(session, submission):
        older.processed_at, older.reason, older.reason_details = submission.processed_at, None, None
        if case is None or case.data_key_id is None:
            older.status = SubmissionStatus.REFUSED
            _erase(session, vault, older)
        else:
            older.status, older.case_id = SubmissionStatus.TAKEN_IN, case.id
            _seal_anew(session, vault, older, case.data_key_id)
    session.flush()


def _is_edit(submission: Submission) -> bool:
    return submission.instance_id != submission.root_instance_id


def _lock(session: Session, submission: Submission) -> None:
    """Hold late files off until the end of the transaction: they are sealed with the submission's key."""
    query.lock_submission_root(session, submission.source, submission.form_id, submission.root_instance_id)


def _erase(session: Session, vault: Vault, submission: Submission) -> None:
    """Delete the key, the content and the files of a submission."""
    _lock(session, submission)
    key_id, submission.data_key_id, submission.payload = submission.data_key_id, None, None
    session.flush()
    if key_id is not None:
        vault.erase_key(key_id)
    query.delete_attachments(session, submission.id)


def _seal_anew(session: Session, vault: Vault, submission: Submission, key_id: UUID) -> None:
    """Seal a version and its files with another key, and delete the key that they had."""
    former = submission.data_key_id
    if former is None or former == key_id:
        return
    _lock(session, submission)
    submission.payload = _with_key(vault, key_id, "submission.payload", submission.payload)
    submission.data_key_id = key_id
    for file in query.list_attachments(session, submission.id):
        name = _with_key(vault, key_id, "submission_attachment.name", file.name)
        file.name = name or file.name
        file.payload = _with_key(vault, key_id, "submission_attachment.payload", file.payload)
    session.flush()
    vault.erase_key(former)


def _with_key(vault: Vault, key_id: UUID, field: str, sealed: bytes | None) -> bytes | None:
    return None if sealed is None else vault.seal(key_id, field, vault.open_bytes(field, sealed))
