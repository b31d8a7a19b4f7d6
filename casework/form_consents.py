"""The answers on consent that a form gives, each as a row of its own.

An edit of the form is not a new word of the person: it renews nothing, forgets no exclusion, and by itself it
only narrows. Where it says more than the person had agreed to, that becomes an issue (`consent_wider`) whose
details hold the codes of what it adds; the person is asked before any of it counts (`casework.wider_answers`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from casework.assessment import ConsentAnswers, Issue
from casework.consent_gate import expires_at
from casework.narrowing import CONSENT_WIDER, hold_plain, hold_wider
from db import cases as case_query
from db import consents as query
from db import merges as merge_query
from db import submission_issues as issue_query
from db.models import Case, Consent, Submission
from db.vault import Vault
from governorates import KIND_ASKED_APART

CHANNEL = "tablet"
BY_FORM = "form_edit"
PLAIN_KINDS = ("registration", "statistics", "contact")
"""Kinds that are a mere yes or no; the assessment's has bounds."""


@dataclass(frozen=True, slots=True)
class FormConsents:
    """What came of a form's answers. `had_consent`: the case had an assessment's consent before."""

    had_consent: bool
    issues: Sequence[Issue]


def record_form_consents(
    session: Session,
    vault: Vault,
    key_id: UUID,
    case: Case,
    submission: Submission,
    answers: ConsentAnswers,
    said_at: datetime,
) -> FormConsents:
    """Add the form's answers to a case; of an edit only what narrows the person's word."""
    assessment = _assessment(vault, key_id, case, submission, answers, said_at)
    plain = [_plain(kind, case, submission, answers, said_at) for kind in PLAIN_KINDS]
    said = merge_query.list_newest_consents(session, [case.id])
    issues: list[Issue] = []
    if said:
        standing = case_query.get_assessment_consent(session, case.id) or said[0]
        _keep_what_was_said(vault, key_id, said[0], standing, assessment, case.governorate)
        formerly = {kind: query.list_newest_of_kind(session, [case.id], kind) for kind in PLAIN_KINDS}
        wider = hold_wider(said[0], assessment, case.governorate)
        held = hold_plain(plain, {kind: rows[0] for kind, rows in formerly.items() if rows})
        wider |= {"answers": " ".join(filter(None, (wider.get("answers"), held)))}
        details: dict[str, str | int | float | None] = {name: codes for name, codes in wider.items() if codes}
        now = datetime.now(UTC)
        issue_query.settle_issues(session, [case.id], [CONSENT_WIDER], now, None)  # this edit says it anew
        issues = [Issue("consent_wider", "consent", details)] if details else []
    session.add_all([assessment, *plain])
    session.flush()
    return FormConsents(bool(said), issues)


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
        "proxy_evidence": answers.proxy_evidence,
    }


def _plain(
    kind: str, case: Case, submission: Submission, answers: ConsentAnswers, said_at: datetime
) -> Consent:
    given = {"statistics": answers.statistics, "contact": answers.contact}.get(kind, answers.given)
    return Consent(**_of_form(case, submission, answers), kind=kind, given=given, given_at=said_at)


def _keep_what_was_said(
    vault: Vault, key_id: UUID, said: Consent, standing: Consent, consent: Consent, governorate: str
) -> None:
    """Carry over the age, and what was excluded or settled since; two names that are not settled are both kept.

    `said` is this registration's own last answer, `standing` the bounds of the household.
    """
    consent.excluded_organizations = sorted({*said.excluded_organizations, *standing.excluded_organizations})
    if said.in_force and said.given_at < consent.given_at:
        consent.given_at = said.given_at
        consent.expires_at = expires_at(governorate, said.given_at)
    if "named_organization" not in said.exclusions:
        return
    settled_at = said.exclusion_settled_at or standing.exclusion_settled_at
    before, now = vault.open_many("consent.exclusion_note", [said.exclusion_note, consent.exclusion_note])
    if now is None or now == before:
        consent.exclusion_note, consent.exclusion_settled_at = said.exclusion_note, settled_at
    elif settled_at is None and before is not None:
        both = before if now in before else f"{before} / {now}"
        consent.exclusion_note = vault.seal(key_id, "consent.exclusion_note", both)
