"""The answers on consent that a form gives, each as a row of its own.

An edit of the form is not a new word of the person: it renews nothing, forgets no exclusion, and gives back
nothing that was taken back at the desk, on the phone or in a letter.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from casework.assessment import ConsentAnswers
from casework.consent_gate import expires_at
from db import cases as case_query
from db import consents as query
from db import withdrawals as withdrawal_query
from db.models import Case, Consent, Submission, Withdrawal
from db.vault import Vault
from governorates import KIND_ASKED_APART

CHANNEL = "tablet"
BY_FORM = "form_edit"
PLAIN_KINDS = ("registration", "statistics", "contact")
"""Kinds that are a mere yes or no; the assessment's has bounds."""


def record_form_consents(
    session: Session,
    vault: Vault,
    key_id: UUID,
    case: Case,
    submission: Submission,
    answers: ConsentAnswers,
    said_at: datetime,
) -> bool:
    """Add the form's answers to a case; returns whether the case had an assessment's consent before."""
    former = case_query.get_assessment_consent(session, case.id)
    taken_back: Sequence[Withdrawal] = ()
    if former is not None:
        household = query.list_household_ids(session, case.id)
        taken_back = withdrawal_query.list_withdrawals(session, household)
    assessment = _assessment(vault, key_id, case, submission, answers, said_at)
    if former is not None:
        _keep_what_was_said(vault, former, assessment, taken_back, case.governorate)
    plain = [_plain(kind, case, submission, answers, said_at) for kind in PLAIN_KINDS]
    if former is not None:
        _keep_plain_withdrawals(session, case, plain, taken_back)
    session.add_all([assessment, *plain])
    session.flush()
    return former is not None


def _assessment(
    vault: Vault,
    key_id: UUID,
    case: Case,
    submission: Submission,
    answers: ConsentAnswers,
    said_at: datetime,
) -> Consent:
    return Consent(
        **_of_form(case, submission, answers),
        kind="assessment",
        given=answers.given,
        given_at=said_at,
        expires_at=expires_at(case.governorate, said_at),
        proxy_reason=vault.seal(key_id, "consent.proxy_reason", answers.proxy_reason),
        interpreter=vault.seal(key_id, "consent.interpreter", answers.interpreter),
        child_assent=answers.child_assent,
        categories=list(answers.categories),
        recipients=[*answers.recipients, *([KIND_ASKED_APART] if answers.moi else [])],
        exclusions=list(answers.exclusions),
        exclusion_note=vault.seal(key_id, "consent.exclusion_note", answers.exclusion_note),
        excluded_organizations=[],
        fields=[],
    )


def _of_form(case: Case, submission: Submission, answers: ConsentAnswers) -> Mapping[str, object]:
    return {
        "case_id": case.id,
        "submission_id": submission.id,
        "text_version": answers.text_version,
        "language": answers.language,
        "channel": CHANNEL,
        "respondent": answers.respondent,
        "proxy_relation": answers.proxy_relation,
    }


def _plain(
    kind: str, case: Case, submission: Submission, answers: ConsentAnswers, said_at: datetime
) -> Consent:
    given = {"statistics": answers.statistics, "contact": answers.contact}.get(kind, answers.given)
    return Consent(**_of_form(case, submission, answers), kind=kind, given=given, given_at=said_at)


def _keep_what_was_said(
    vault: Vault, former: Consent, consent: Consent, taken_back: Sequence[Withdrawal], governorate: str
) -> None:
    """Carry over the age, what was excluded or settled since, and what was taken back by the person."""
    consent.excluded_organizations = list(former.excluded_organizations)
    notes = [one.exclusion_note for one in (former, consent)]
    before, now = vault.open_many("consent.exclusion_note", notes)
    if "named_organization" in former.exclusions and before == now:
        consent.exclusion_settled_at = former.exclusion_settled_at
    if former.in_force and former.given_at < consent.given_at:
        consent.given_at = former.given_at
        consent.expires_at = expires_at(governorate, former.given_at)
    if former.withdrawn_at is not None and _was_in_person(taken_back, {"everything"}):
        consent.withdrawn_at = former.withdrawn_at
    lost = {code for one in taken_back if one.channel != BY_FORM for code in one.categories}
    consent.categories = [code for code in consent.categories if code not in lost]


def _keep_plain_withdrawals(
    session: Session, case: Case, answers: Sequence[Consent], taken_back: Sequence[Withdrawal]
) -> None:
    for answer in answers:
        former = query.list_newest_of_kind(session, [case.id], answer.kind)
        if former and former[0].withdrawn_at and _was_in_person(taken_back, {"everything", answer.kind}):
            answer.withdrawn_at = former[0].withdrawn_at


def _was_in_person(taken_back: Sequence[Withdrawal], scopes: set[str]) -> bool:
    """Whether the newest of these withdrawals came from the person and not from a form."""
    newest = next((one for one in taken_back if one.scope in scopes), None)
    return newest is not None and newest.channel != BY_FORM
