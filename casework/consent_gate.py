"""What a person's consent allows just now: one place that matching, sending and calling ask.

Counting asks the database in the same words: `db.consents.counts_in_statistics`.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from casework.respondents import NO_EVIDENCE
from db import cases as case_query
from db import consents as query
from db.errors import DomainError
from db.models import Case, Consent
from db.models.consents import CONSENT
from db.models.people import UNKNOWN_SUBDISTRICT
from db.referrals import ReferralParts
from governorates import FORM_KINDS, form_needs_interpreter, is_reviewed, load

OWN_SUBDISTRICT = "own_subdistrict"
INCOMPLETE_ISSUES = ("interpreter_missing", "proxy_evidence_missing", "proxy_evidence_unfit")
"""Issues of a form whose consent is not complete; asking the person again settles them."""


def may_contact(session: Session, case_id: int) -> bool:
    """Whether anybody may call or write to the household: asked before every call, message and phone disclosed."""
    return query.is_agreed(session, case_id, "contact")


def expires_at(governorate: str, given_at: datetime) -> datetime:
    """When consent given then must be renewed (sop.toml, [consent] months)."""
    return load(governorate).consent.end_of(given_at)


def needs_interpreter(governorate: str, kind: str, version: str, language: str) -> bool:
    """Whether no native reader has confirmed these words: then the Arabic text is read and interpreted."""
    if kind in FORM_KINDS:  # asked in one go, in the form and at the desk alike
        return form_needs_interpreter(load(governorate), version, language)
    return not is_reviewed(load(governorate), kind, version, language)


def is_complete(consent: Consent, governorate: str) -> bool:
    """Whether an assessment's consent was asked as it must be: interpreted by somebody named, spoken with evidence.

    Tablets with an older form, and edits of a form, may leave that out. What was said then stands, but nothing
    is matched or sent by it until somebody has asked again (`casework.renewals`).
    """
    unproven = consent.respondent != "self" and consent.proxy_evidence in {None, NO_EVIDENCE}
    return not unproven and (
        consent.interpreter is not None
        or not form_needs_interpreter(load(governorate), consent.text_version, consent.language)
    )


def counts(consent: Consent, governorate: str, now: datetime) -> bool:
    """Whether anything may be looked for or sent by an assessment's consent: in force, not too old, and complete."""
    return consent.in_force_at(now) and is_complete(consent, governorate)


def require_consent(session: Session, case_id: int, now: datetime) -> Consent:
    """Consent in force to be helped at all: before anything is planned for a household or opened again.

    Raises DomainError `consent_required` or `consent_expired`.
    """
    bounds = case_query.get_assessment_consent(session, case_id)
    if bounds is None or not bounds.in_force:
        raise DomainError("consent_required", case_id=case_id)
    if not bounds.in_force_at(now):
        raise DomainError("consent_expired", case_id=case_id)
    return bounds


def require_bounds(
    session: Session, parts: ReferralParts, now: datetime, *, however_old: bool = False
) -> Consent:
    """The first step of consent, which bounds the second: category, kind of recipient, exclusions.

    `however_old` asks for the bounds alone, where nobody can be asked. Raises DomainError `consent_required`,
    `consent_expired`, `consent_incomplete` or `consent_does_not_cover`.
    """
    bounds = case_query.get_assessment_consent(session, parts.case.id)
    if bounds is None or not bounds.in_force or bounds.exclusion_open:
        raise DomainError("consent_required", referral_id=parts.referral.id)
    if not however_old and not bounds.in_force_at(now):
        raise DomainError("consent_expired", referral_id=parts.referral.id)
    if not however_old and not is_complete(bounds, parts.case.governorate):
        raise DomainError("consent_incomplete", referral_id=parts.referral.id)
    if not covers(bounds, parts):
        raise DomainError("consent_does_not_cover", referral_id=parts.referral.id)
    return bounds


def require_named_consent(session: Session, parts: ReferralParts, now: datetime) -> None:
    """The word on this recipient: before a provider is told anything more.

    Raises DomainError `consent_required`, or as `require_bounds`.
    """
    require_bounds(session, parts, now)
    word = query.get_named_consent(session, parts.referral.id)
    if word is None or (word.basis == CONSENT and not word.given):
        raise DomainError("consent_required", referral_id=parts.referral.id)
    if word.expires_at is None or now >= word.expires_at:
        raise DomainError("consent_expired", referral_id=parts.referral.id)


def covers(bounds: Consent, parts: ReferralParts) -> bool:
    """Whether what was agreed to at the assessment includes this recipient, whatever its age."""
    return covers_recipient(
        bounds, parts.need.category, parts.organization.kind, parts.organization.id
    ) and not may_be_excluded_place(bounds, parts.case, parts.location.subdistrict)


def covers_recipient(bounds: Consent, category: str, organization_kind: str, organization_id: int) -> bool:
    """The same for an organization that nothing was proposed to yet; where it lies is the caller's to ask."""
    return (
        category in bounds.categories
        and organization_kind in bounds.recipients
        and organization_id not in bounds.excluded_organizations
    )


def may_be_excluded_place(bounds: Consent, case: Case, subdistrict: str | None) -> bool:
    """Whether the person wants nobody of the own sub-district and this may be it; one not known could be the same.

    While an edit that nobody has settled names another one, both are the own.
    """
    own = {case.residence_subdistrict, case.contested_subdistrict or case.residence_subdistrict}
    unknown = None in own or UNKNOWN_SUBDISTRICT in own or subdistrict is None
    return OWN_SUBDISTRICT in bounds.exclusions and (unknown or subdistrict in own)
