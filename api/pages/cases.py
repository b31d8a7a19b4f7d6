"""A case by the code that the person holds in hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api import intake_texts, texts
from api.auth import CurrentUser, Database, Keys, Require
from api.conflict_view import ConflictPanel, conflict_panels
from api.consent_words import spoken_texts, unreviewed_languages
from api.permissions import Permission, may, permits
from api.redirects import see
from api.rendering import language_of, render
from api.waking import Wake
from casework import consent as consent_acts
from casework.consent_gate import is_complete
from casework.withdrawals import ASKED_ON_OCCASION
from db import accounts
from db.case_events import is_case_visible
from db.case_sheets import (
    NeedRow,
    get_visible_case_of_consent,
    list_active_organizations,
    list_assessment_consents,
    list_case_issues,
    list_decided_categories,
    list_merged_codes,
    list_needs_with_referrals,
    list_persons,
    list_visible_cases,
)
from db.consents import ConsentFacts, list_consent_facts
from db.errors import DomainError
from db.models import Case, Consent, Person, SubmissionIssue, Withdrawal
from db.tasks import TaskRow, list_case_tasks
from db.vault import Vault
from db.visibility import is_asked_apart
from db.withdrawals import list_visible_withdrawals
from governorates import KIND_ASKED_APART, Governorate, load, normalise_code

router = APIRouter()

CaseReader = Annotated[CurrentUser, Depends(Require(Permission.CASE_READ))]


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person of the household; names only for who may read them."""

    person: Person
    name: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class NeedView:
    """A need with its newest referral (`current`) and the ones before."""

    current: NeedRow
    earlier: Sequence[NeedRow]


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case as its page shows it. `categories`, `recipients`: what was agreed to, as far as the user may know."""

    case: Case
    needs: Sequence[NeedView]
    issues: Sequence[SubmissionIssue]
    merged_codes: Sequence[str]
    consent: Consent | None
    categories: Sequence[str]
    recipients: Sequence[str]
    facts: ConsentFacts
    withdrawals: Sequence[Withdrawal]
    exclusion_note: str | None
    persons: Sequence[PersonView]
    tasks: Sequence[TaskRow]
    conflicts: Sequence[ConflictPanel]


def _code_of(text: str, governorate: Governorate) -> str | None:
    return normalise_code(text, governorate.code_alphabet, governorate.code_length)


@router.get("/cases")
def search_page(request: Request, user: CaseReader) -> Response:
    """Ask for a code."""
    return render(request, "case_search.html", {"code": "", "problem": None})


@router.post("/cases")
def find_case(
    request: Request, session: Database, user: CaseReader, code: Annotated[str, Form(max_length=60)] = ""
) -> Response:
    """Go to the case when the code is right and the case is the user's to see.

    A form by POST, since people type names and phones here: only a code ever gets into an address.
    """
    found = _code_of(code, request.app.state.context.governorate)
    if found is None:
        return render(request, "case_search.html", {"code": code, "problem": "slip"}, status=422)
    if not list_visible_cases(session, user, found):
        return render(request, "case_search.html", {"code": code, "problem": "none"}, status=404)
    return see(f"/cases/{found}")


@router.get("/cases/{code}")
def case_page(request: Request, session: Database, keys: Keys, user: CaseReader, code: str) -> Response:
    """Show the case, or both when two tablets made the same code. Reading names is audited."""
    governorate, language = request.app.state.context.governorate, language_of(request)
    found = _code_of(code, governorate)
    cases = list_visible_cases(session, user, found) if found else []
    if not cases:
        raise DomainError("not_found")
    panels = conflict_panels(session, keys, user, [case.id for case in cases], governorate, language)
    views = _views(session, keys, user, cases, panels)
    open_exclusion = may(user, Permission.EXCLUSION_SETTLE) and any(
        view.consent is not None and view.consent.exclusion_open for view in views
    )
    issues = [issue for view in views for issue in view.issues]
    values: dict[str, Any] = {
        "code": found,
        "now": datetime.now(UTC),
        "spoken": spoken_texts(governorate, "assessment", cases[0].contact_language),
        "unreviewed": unreviewed_languages(governorate, "assessment", language),
        "views": views,
        "asked_on_occasion": ASKED_ON_OCCASION,
        "is_complete": is_complete,
        "organizations": list_active_organizations(session, governorate.code) if open_exclusion else [],
        "need_states": {
            need.current.status: texts.text_of(texts.NEED_STATES, need.current.status, language)
            for view in views
            for need in view.needs
        },
        "unmet": {
            need.current.unmet_reason: texts.text_of(texts.UNMET_REASONS, need.current.unmet_reason, language)
            for view in views
            for need in view.needs
        },
        "issue_texts": {i.code: texts.text_of(intake_texts.ISSUES, i.code, language) for i in issues},
        "bases": {
            view.case.location_basis: texts.text_of(texts.LOCATION_BASES, view.case.location_basis, language)
            for view in views
        },
    }
    return render(request, "case.html", values)


def _views(
    session: Session,
    keys: Vault,
    user: CurrentUser,
    cases: Sequence[Case],
    panels: Sequence[ConflictPanel],
) -> list[CaseView]:
    ids = [case.id for case in cases]
    keys.load_keys(case.data_key_id for case in cases)
    needs = list_needs_with_referrals(session, user, ids)
    issues = list_case_issues(session, user, ids)
    merged = list_merged_codes(session, user, ids)
    consents = list_assessment_consents(session, ids)
    people = _people(session, keys, user, ids)
    tasks = list_case_tasks(session, user, ids)
    facts = list_consent_facts(session, ids, load(user.governorate).consent.adult_age)
    withdrawals = list_visible_withdrawals(session, user, ids)
    return [
        CaseView(
            case=case,
            needs=_group(need for need in needs if need.case_id == case.id),
            issues=[issue for case_id, issue in issues if case_id == case.id],
            merged_codes=[code for case_id, code in merged if case_id == case.id],
            consent=consents.get(case.id),
            **_agreed(session, user, consents.get(case.id)),
            facts=facts[case.id],
            withdrawals=[one for one in withdrawals if one.case_id == case.id],
            exclusion_note=_exclusion_note(session, keys, user, consents.get(case.id)),
            persons=[view for view in people if view.person.case_id == case.id],
            tasks=[task for task in tasks if task.case_id == case.id],
            conflicts=[panel for panel in panels if panel.case_id == case.id],
        )
        for case in cases
    ]


def _agreed(session: Session, user: CurrentUser, consent: Consent | None) -> dict[str, Sequence[str]]:
    """What the person agreed to; for the ministry asked apart, what of it is the ministry's own."""
    if consent is None:
        return {"categories": (), "recipients": ()}
    if not is_asked_apart(user):
        return {"categories": consent.categories, "recipients": consent.recipients}
    own = list_decided_categories(session, user, consent.case_id)
    return {
        "categories": [code for code in consent.categories if code in own],
        "recipients": [code for code in consent.recipients if code == KIND_ASKED_APART],
    }


def _group(rows: Any) -> list[NeedView]:
    by_need: dict[int, list[NeedRow]] = {}
    for row in rows:
        by_need.setdefault(row.need_id, []).append(row)
    return [NeedView(current=found[0], earlier=found[1:]) for found in by_need.values()]


def _people(session: Session, keys: Vault, user: CurrentUser, case_ids: Sequence[int]) -> list[PersonView]:
    """The household: with names and phones for the person's own office, whose reading is audited."""
    if not permits(user.role, Permission.CASE_NAMES):
        return []
    persons = list_persons(session, case_ids)
    accounts.record_audit(session, user.user_id, "case.read_names", "case_file", case_ids)
    given = keys.open_many("person.given_name", [person.given_name for person in persons])
    father = keys.open_many("person.father_name", [person.father_name for person in persons])
    grandfather = keys.open_many("person.grandfather_name", [person.grandfather_name for person in persons])
    phones = keys.open_many("person.phone", [person.phone for person in persons])
    return [
        PersonView(person, " ".join(name for name in names if name) or None, phone)
        for person, *names, phone in zip(persons, given, father, grandfather, phones, strict=True)
    ]


def _exclusion_note(session: Session, keys: Vault, user: CurrentUser, consent: Consent | None) -> str | None:
    """What the person said about whom to leave out, for who must settle it; the reading is audited."""
    if consent is None or not consent.exclusion_open or not may(user, Permission.EXCLUSION_SETTLE):
        return None
    accounts.record_audit(session, user.user_id, "consent.read_exclusion", "consent", [consent.id])
    return keys.open_many("consent.exclusion_note", [consent.exclusion_note])[0]


@router.post("/consents/{consent_id}/settle")
def settle_exclusion(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Annotated[CurrentUser, Depends(Require(Permission.EXCLUSION_SETTLE))],
    consent_id: int,
    organization_id: Annotated[list[int] | None, Form()] = None,
) -> Response:
    """Say which organizations the person meant; none is an answer too. Then the matching runs at once."""
    case = get_visible_case_of_consent(session, user, consent_id)
    if case is None:
        raise DomainError("not_found", consent_id=consent_id)
    consent_acts.settle_exclusion(session, keys, user.actor, consent_id, organization_id or [])
    accounts.record_audit(session, user.user_id, "consent.settle_exclusion", "consent", [consent_id])
    wake()
    is_own = is_case_visible(
        session, user, case.id
    )  # else it is the ministry's again to which it was referred
    return see(f"/cases/{case.printed_code}" if is_own else "/queue", "settled")
