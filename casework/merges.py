"""Make two registrations of one household one case, and two again. Only a person does this.

Needs, their referrals and the consents to these follow the surviving case; slots stay reserved as they are,
because no referral changes its state. The merged case keeps its row, its people, its submissions and its key:
its printed code leads to the surviving case, and `unmerge` puts everything back.
"""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.duplicates import lock_pair
from casework.merged_consents import join_consents, part_consents
from casework.merged_needs import join_needs, part_needs
from casework.moves import Actor
from casework.sending import recall_uncovered
from casework.tasks import clear_if_untraced
from casework.unmet_periods import register_moved
from db import accounts
from db import duplicates as pair_query
from db import merges as query
from db.errors import DomainError
from db.models import Case, CaseMerge, Need, PairState
from db.models.base import Details
from db.session import lock_in_transaction
from db.vault import Vault


def merge(session: Session, vault: Vault, pair_id: int, keep_case_id: int, actor: Actor) -> int:
    """Say that a pair is one household and keep one of its cases; returns the id of the merge.

    A case that was merged before is stood for by the one it went into. Raises DomainError `forbidden`,
    `not_found`, `changed_meanwhile`, `not_an_option` (another case was named), `case_erased` or `busy`
    (matching is under way).
    """
    pair = lock_pair(session, pair_id, actor, PairState.OPEN)
    _wait_for_matching(session, pair.governorate)
    cases = query.lock_cases(session, [pair.first_case_id, pair.second_case_id])
    standing = {case.merged_into_id or case.id for case in cases}
    if len(standing) == 1:
        raise DomainError("changed_meanwhile", pair_id=pair_id)
    if keep_case_id not in standing:
        raise DomainError("not_an_option", case_id=keep_case_id)
    by_id = {case.id: case for case in query.lock_cases(session, standing)}
    surviving, merged = by_id.pop(keep_case_id), next(iter(by_id.values()))
    if surviving.data_key_id is None or merged.data_key_id is None:
        raise DomainError("case_erased")
    record = CaseMerge(
        pair_id=pair_id,
        surviving_case_id=surviving.id,
        merged_case_id=merged.id,
        changes=_join(session, vault, surviving, merged, actor),
        merged_by=actor.user_id,
    )
    session.add(record)
    now = datetime.now(UTC)
    register_moved(session, [surviving.id], now)
    pair_query.set_pair_state(session, pair, PairState.SAME, actor.user_id, now)
    accounts.record_audit(
        session, actor.user_id, "case.merge", "case_file", [surviving.id, merged.id], f"pair {pair_id}"
    )
    recall_uncovered(session, vault, surviving.id)  # what only one of the registrations had agreed to
    return record.id


def _wait_for_matching(session: Session, governorate: str) -> None:
    """Keep the matching out: a proposal must not be written for a need that is just moving."""
    if not lock_in_transaction(session, f"match {governorate}"):
        raise DomainError("busy")


def _join(session: Session, vault: Vault, surviving: Case, merged: Case, actor: Actor) -> Details:
    needs = query.list_needs_locked(session, [surviving.id, merged.id])
    own = [need for need in needs if need.case_id == surviving.id]
    coming = [need for need in needs if need.case_id == merged.id]
    live = query.list_live_need_ids(session, [need.id for need in needs])
    pointers = [merged.id, *query.list_merged_ids(session, [merged.id])]
    changed = join_needs(surviving.id, own, coming, live)
    _flush_needs(session, needs)
    query.move_referrals(session, [need.id for need in coming], surviving.id)
    query.set_merged_into(session, pointers, surviving.id)
    joint = join_consents(session, vault, surviving, actor.user_id)
    return {
        "needs": changed,
        "pointers": pointers,
        "consents": [joint.id] if joint else [],
        "in_force": bool(joint and joint.in_force),
    }


def _flush_needs(session: Session, needs: list[Need]) -> None:
    """Write changed needs so that no two of one kind stand for themselves in one case, even for a moment."""
    changed = {need: need.same_as_id for need in needs if session.is_modified(need)}
    for need in changed:
        need.same_as_id = need.id
    session.flush()
    for need, same_as_id in changed.items():
        need.same_as_id = same_as_id
    session.flush()


def unmerge(session: Session, pair_id: int, actor: Actor) -> None:
    """Take back that a pair is one household: needs and referrals return to the case they came from.

    What happened to them since stays as it happened. Raises DomainError `undo_later_first` when something was
    merged with the household after this, else as `merge`.
    """
    pair = lock_pair(session, pair_id, actor, PairState.SAME)
    _wait_for_matching(session, pair.governorate)
    record = query.get_standing_merge(session, pair_id=pair_id)
    if record is None:
        raise DomainError("changed_meanwhile", pair_id=pair_id)
    if query.has_later_merge(session, record):
        raise DomainError("undo_later_first", pair_id=pair_id)
    cases = {
        case.id: case for case in query.lock_cases(session, [record.surviving_case_id, record.merged_case_id])
    }
    surviving = cases[record.surviving_case_id]
    needs = query.list_needs_locked(session, [surviving.id])
    back = part_needs(needs, record.changes["needs"])
    _flush_needs(session, needs)
    for case_id, need_ids in back.items():
        query.move_referrals(session, need_ids, case_id)
    query.set_merged_into(session, record.changes["pointers"], record.merged_case_id)
    query.set_merged_into(session, [record.merged_case_id], None)
    now = datetime.now(UTC)
    for need in needs:
        clear_if_untraced(session, need)
    register_moved(session, list(cases), now)
    query.set_undone(session, record, actor.user_id, now)
    part_consents(
        session, surviving, record.merged_case_id, record.changes["consents"], record.changes["in_force"]
    )
    pair_query.set_pair_state(session, pair, PairState.OPEN, None, None)
    accounts.record_audit(
        session,
        actor.user_id,
        "case.unmerge",
        "case_file",
        [record.surviving_case_id, record.merged_case_id],
        f"pair {pair_id}",
    )
