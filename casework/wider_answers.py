"""An edit of a form said more than the person had agreed to: somebody asks the person, or leaves it at the narrower.

A wider answer is a new word, so it is taken like one: at the desk or on a safe call, in a language, through an
interpreter who is named where that is needed.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from casework.consent_gate import INCOMPLETE_ISSUES, expires_at
from casework.households import answer_anew, lock_own_household
from casework.merged_edits import redraw_bounds
from casework.moves import Actor
from casework.named_consents import Asked
from casework.narrowing import CONSENT_WIDER
from casework.renewals import said_again
from casework.sending import recall_uncovered
from db import merges as merge_query
from db import submission_issues as query
from db.errors import DomainError
from db.models import Case, Consent, SubmissionIssue
from db.vault import Vault
from governorates import choice_codes, load

PLAIN_ANSWERS = ("contact", "statistics")
NAMED = "named_organization"


def accept_wider(
    session: Session, vault: Vault, case_id: int, issue_id: int, actor: Actor, asked: Asked, *, now: datetime
) -> None:
    """Record that the person says yes to what the edit added, besides what stands today; for a full term.

    Whoever was excluded by name stays excluded. Raises DomainError `not_found` (no such issue in this household),
    `forbidden`, `consent_settled_already`, `consent_required` (nothing was said), `case_erased`, or what
    `Asked.require_sound` raises.
    """
    household = lock_own_household(session, case_id, actor)
    root = household[0]
    asked.require_sound(session, root.id, root.governorate, "assessment")
    issue, case = _open_issue(session, household, issue_id)
    said = merge_query.list_newest_consents(session, [case.id])
    if not said:
        raise DomainError("consent_required", case_id=case.id)
    word = said_again(vault, case, said[0], actor, asked, now, "assessment")
    ends = expires_at(root.governorate, now)
    session.add(
        answer_anew(said[0], **word, **_widened(said[0], root.governorate, issue.details), expires_at=ends)
    )
    answers = _codes(issue.details, "answers", PLAIN_ANSWERS)
    for kind in ("registration", *answers):
        session.add(Consent(case_id=case.id, **said_again(vault, case, said[0], actor, asked, now, kind)))
    query.settle_issues(session, [case.id], [CONSENT_WIDER, *INCOMPLETE_ISSUES], now, actor.user_id)
    session.flush()
    redraw_bounds(session, vault, root)
    recall_uncovered(session, vault, root.id, now)


def keep_narrower(session: Session, case_id: int, issue_id: int, actor: Actor, *, now: datetime) -> None:
    """Record that what the person had agreed to stays as it is, whatever the edit says.

    Raises DomainError `not_found`, `forbidden` or `consent_settled_already`.
    """
    household = lock_own_household(session, case_id, actor)
    issue, _ = _open_issue(session, household, issue_id)
    issue.settled_at, issue.settled_by = now, actor.user_id
    session.flush()


def _open_issue(session: Session, household: list[Case], issue_id: int) -> tuple[SubmissionIssue, Case]:
    issue = query.lock_issue(session, issue_id, CONSENT_WIDER)
    case = next((one for one in household if issue is not None and one.id == issue.case_id), None)
    if issue is None or case is None:
        raise DomainError("not_found", issue_id=issue_id)
    if issue.settled_at is not None:
        raise DomainError("consent_settled_already", issue_id=issue_id)
    return issue, case


def _widened(said: Consent, governorate: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds with what the edit adds and without the exclusions that it drops."""
    dropped = _codes(details, "exclusions", choice_codes("exclusion"))
    added = {
        "categories": _codes(details, "categories", load(governorate).categories),
        "recipients": _codes(details, "recipients", choice_codes("organization_kind")),
    }
    changes: dict[str, Any] = {
        "categories": list(dict.fromkeys([*said.categories, *added["categories"]])),
        "recipients": list(dict.fromkeys([*said.recipients, *added["recipients"]])),
        "exclusions": [code for code in said.exclusions if code not in dropped],
    }
    return changes | ({"exclusion_note": None, "exclusion_settled_at": None} if NAMED in dropped else {})


def _codes(details: Mapping[str, Any], name: str, known: Collection[str]) -> list[str]:
    """The codes that an issue tells under a name, those that still exist."""
    return [code for code in str(details.get(name) or "").split() if code in known]
