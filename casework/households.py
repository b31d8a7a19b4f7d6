"""A household that registered twice is one when it speaks of its consent: its cases are held and answered together."""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from casework.moves import Actor, is_at_office
from db import cases as case_query
from db import consents as query
from db.case_events import is_case_visible
from db.errors import DomainError
from db.models import Case, Consent
from db.visibility import is_operators_coordinator
from referral_engine import sop


def lock_household(session: Session, case_id: int, actor: Actor) -> list[Case]:
    """The case that stands for this one, then those merged into it, all held until the transaction ends.

    Raises DomainError `not_found` for what is not the actor's office, or has nothing in the actor's mandate.
    """
    ids: list[int] = []
    while ids != (found := query.list_household_ids(session, case_id)):
        ids = found  # a merge may have ended while we waited for a case
        for one in sorted(ids):
            case_query.lock_case(session, one)
    cases = [case for one in ids if (case := case_query.get_case(session, one)) is not None]
    if not cases or not _is_within_reach(session, cases[0], actor):
        raise DomainError("not_found", case_id=case_id)
    return cases


def lock_own_household(session: Session, case_id: int, actor: Actor) -> list[Case]:
    """As `lock_household`, for what is said about the whole consent: by the case's office, or the operator.

    Raises DomainError `forbidden` for another ministry's coordinator.
    """
    household = lock_household(session, case_id, actor)
    if actor.role == sop.Actor.COORDINATOR and not is_operators_coordinator(actor):
        raise DomainError("forbidden", case_id=household[0].id)
    return household


def _is_within_reach(session: Session, root: Case, actor: Actor) -> bool:
    if actor.role == sop.Actor.SYSTEM:
        return True
    if actor.governorate != root.governorate:
        return False
    if actor.role == sop.Actor.OFFICER:
        return is_at_office(session, root.id, root.office_id, actor)
    return actor.role == sop.Actor.COORDINATOR and is_case_visible(session, actor, root.id)


def answer_anew(former: Consent, **changes: Any) -> Consent:
    """A new answer that says what the former one said, but for `changes`; the former stays as it was."""
    left_out = {"id", "recorded_at", *changes}
    same = {
        column.key: getattr(former, column.key)
        for column in inspect(Consent).column_attrs
        if column.key not in left_out
    }
    return Consent(**same, **changes)
