"""One field tree -> one Assessment. Pure: no database, no clock; the same tree always gives the same answer.

A person is registered only with a recorded yes: no consent answer at all raises QuarantineError, a no
gives an Assessment that holds the refusal and nothing else. Any other odd answer becomes an issue (see
`ingest.answers`, `ingest.residence`, and here: case_code_invalid, minor_without_caregiver,
child_assent_missing, child_assent_refused, interpreter_missing, proxy_evidence_missing, proxy_evidence_unfit,
phone_unreadable, service_type_unknown). A consent without its interpreter or evidence is kept as it was said, and
casework lets nothing follow from it (`casework.consent_gate.is_complete`).
"""

import re
from dataclasses import replace
from datetime import datetime

from casework.assessment import Assessment, ConsentAnswers, NeedAnswer, PersonAnswers
from casework.respondents import NO_EVIDENCE
from governorates import (
    KIND_ASKED_APART,
    Governorate,
    choice_codes,
    fits_age,
    form_needs_interpreter,
    local_zone,
    normalise_code,
)
from ingest.answers import Answers, western_digits
from ingest.quarantine import QuarantineError
from ingest.residence import read_residence
from ingest.trees import Tree

MAX_HOUSEHOLD = 30  # the form's own bound
NO_DOCUMENTS = "none"

_PHONE = re.compile(r"\+?\d{7,15}")
_PHONE_NOISE = re.compile(r"[\s().\u200e\u200f\u202a-\u202e\u2066-\u2069-]")
_TEXT_VERSION = re.compile(r"\d{4}-\d{2}(-\d{2})?")
_URGENCY_ORDER = ("emergency", "urgent", "normal")


def parse_assessment(tree: Tree, governorate: Governorate, *, received: datetime) -> Assessment:
    """Read a needs assessment. `received` (aware) is when its bytes arrived: later dates are in the future.

    Raises QuarantineError `consent_missing` where neither yes nor no was recorded.
    """
    zone = local_zone(governorate)
    answers = Answers(tree, received, zone)
    given = answers.node("consent/given")
    if given not in {"yes", "no"} if isinstance(given, str) else True:
        raise QuarantineError("consent_missing")
    assessed_at = answers.instant("end") or answers.instant("start")
    if given == "no":
        return Assessment(_refusal(answers), assessed_at=assessed_at)
    case_code = _case_code(answers, governorate)
    consent = _consent(answers, governorate)
    head = _head(answers)
    adult_age = governorate.consent.adult_age
    consent = replace(consent, proxy_evidence=_evidence(answers, consent.respondent, head, adult_age))
    persons = (head, *_respondent(answers, consent, head, adult_age), *_members(answers))
    return Assessment(
        consent=consent,
        case_code=case_code,
        persons=persons,
        residence=read_residence(answers, governorate),
        needs=_needs(answers, governorate),
        displacement_status=answers.choice("displacement/status", "displacement_status", mandatory=True),
        return_date=answers.day("displacement/return_date"),
        return_country=answers.choice("displacement/country", "country"),
        return_voluntary=answers.flag("displacement/voluntary"),
        contact_language=answers.choice("contact/language", "language", mandatory=True),
        contact_language_other=answers.text("contact/language_other"),
        disability=answers.flag("profile/disability"),
        documents=_documents(answers),
        housing_damage=answers.choice("profile/housing_damage", "housing_damage"),
        tenure=answers.choice("profile/tenure", "tenure"),
        education_level=answers.choice("profile/education_level", "education_level"),
        work_status=answers.choice("profile/work_status", "work_status"),
        household_size=answers.integer("household/size", 1, MAX_HOUSEHOLD, mandatory=True),
        female_headed=answers.flag("household/female_headed"),
        notes=answers.text("notes"),
        assessed_at=assessed_at,
        issues=tuple(answers.issues),
    )


def _case_code(answers: Answers, governorate: Governorate) -> str | None:
    text = answers.text("case_code", mandatory=True)
    if text is None:
        return None
    code = normalise_code(text, governorate.code_alphabet, governorate.code_length)
    if code is None:
        shown = {"value": text} if _looks_like_code(text, governorate) else {}
        answers.add("case_code_invalid", "case_code", **shown)
    return code


def _looks_like_code(text: str, governorate: Governorate) -> bool:
    """Tell whether a wrong code may be quoted, so that it can be found: one slip away, not a name or a phone."""
    return (
        len(text) == governorate.code_length + 1
        and set(text) <= set(governorate.code_alphabet)
        and not text.isalpha()
        and not text.isdigit()
    )


def _refusal(answers: Answers) -> ConsentAnswers:
    """Read who refused in which language, to be counted; nothing else of the submission is looked at."""
    return ConsentAnswers(
        given=False,
        language=answers.choice("consent/language", "language") or "other",
        text_version=_text_version(answers),
        respondent=answers.choice("consent/respondent", "respondent") or "self",
    )


def _text_version(answers: Answers) -> str:
    """Read which text was read aloud. The form writes it, as year and month; anything else is not kept."""
    path = "consent/text_version"
    version = answers.text(path, mandatory=True)
    if version is None or _TEXT_VERSION.fullmatch(version):
        return version or "unknown"
    answers.add("type_unexpected", path, expected="version")
    return "unknown"


def _consent(answers: Answers, governorate: Governorate) -> ConsentAnswers:
    kinds = [kind for kind in choice_codes("organization_kind") if kind != KIND_ASKED_APART]
    respondent = answers.choice("consent/respondent", "respondent", mandatory=True) or "self"
    assent = answers.flag("consent/child_assent")
    categories = answers.codes("consent/categories", governorate.categories, mandatory=True)
    recipients = answers.codes("consent/recipients", kinds)
    moi = answers.flag("consent/moi", mandatory=True) or False
    if respondent == "caregiver" and assent is False:
        # Consent for a child needs the child's assent: recorded, but nothing may be searched or sent.
        answers.add("child_assent_refused", "consent/child_assent")
        categories, recipients, moi = (), (), False
    elif respondent == "caregiver" and answers.node("consent/child_assent") is None:
        answers.add("child_assent_missing", "consent/child_assent")
    language = answers.choice("consent/language", "language", mandatory=True) or "other"
    text_version = _text_version(answers)
    interpreter = answers.text("consent/interpreter")
    if interpreter is None and form_needs_interpreter(governorate, text_version, language):
        answers.add("interpreter_missing", "consent/interpreter", language=language)
    return ConsentAnswers(
        given=True,
        language=language,
        text_version=text_version,
        respondent=respondent,
        proxy_relation=answers.choice("consent/proxy_relation", "relation", mandatory=respondent != "self"),
        proxy_reason=answers.text("consent/proxy_reason", mandatory=respondent == "proxy"),
        interpreter=interpreter,
        child_assent=assent,
        categories=categories,
        recipients=recipients,
        moi=moi,
        exclusions=_exclusions(answers),
        exclusion_note=answers.text("consent/exclusion_note"),
        statistics=answers.flag("consent/statistics") or False,
        contact=answers.flag("consent/contact") or False,
    )


def _evidence(answers: Answers, respondent: str, head: PersonAnswers, adult_age: int) -> str | None:
    """Read what shows that somebody may speak for the person; what does not fit the person's age is not kept.

    Of unknown age a caregiver speaks for a child, as at the desk (`casework.respondents`).
    """
    if respondent == "self":
        return None
    path = "consent/proxy_evidence"
    evidence = answers.choice(path, "proxy_evidence")
    is_child = respondent == "caregiver" if head.age_years is None else head.age_years < adult_age
    if evidence is None or evidence == NO_EVIDENCE:
        answers.add("proxy_evidence_missing", path)
    elif not fits_age("proxy_evidence", evidence, is_child=is_child):
        answers.add("proxy_evidence_unfit", path, evidence=evidence)
        return None
    return evidence


def _exclusions(answers: Answers) -> tuple[str, ...]:
    """Read what must not be told to whom. Where it cannot be read, a person has to settle it first.

    An unknown code, or a name written without the choice, counts as `named_organization`: that holds
    back every proposal until somebody has looked.
    """
    known = choice_codes("exclusion")
    exclusions = answers.codes("consent/exclusions", known)
    node = answers.node("consent/exclusions")
    unread = node is not None and (not isinstance(node, str) or not set(node.split()) <= set(known))
    named = answers.node("consent/exclusion_note") is not None
    if (unread or named) and "named_organization" not in exclusions:
        exclusions = (*exclusions, "named_organization")
    return exclusions


def _head(answers: Answers) -> PersonAnswers:
    return PersonAnswers(
        role="head",
        position=0,
        given_name=answers.text("person/given_name", mandatory=True),
        father_name=answers.text("person/father_name"),
        grandfather_name=answers.text("person/grandfather_name"),
        phone=_phone(answers, "contact/phone"),
        sex=answers.choice("person/sex", "sex", mandatory=True),
        age_years=answers.age("person/age_years", mandatory=True),
        age_estimated=answers.flag("person/age_estimated") or False,
        contact_answerer=answers.choice("contact/answerer", "contact_answerer"),
        contact_hours=answers.choice("contact/hours", "contact_hours"),
    )


def _phone(answers: Answers, path: str) -> str | None:
    """Read a phone number in plain digits; one that is none stays as it was typed, with an issue."""
    text = answers.text(path)
    if text is None:
        return None
    plain = _PHONE_NOISE.sub("", western_digits(text))
    if _PHONE.fullmatch(plain):
        return plain
    answers.add("phone_unreadable", path)
    return text


def _respondent(
    answers: Answers, consent: ConsentAnswers, head: PersonAnswers, adult_age: int
) -> list[PersonAnswers]:
    """Read the caregiver or proxy who answered; a minor who answered alone is an issue."""
    if consent.respondent == "self":
        if head.age_years is not None and head.age_years < adult_age:
            answers.add("minor_without_caregiver", "consent/respondent", age=head.age_years)
        return []
    return [
        PersonAnswers(
            role=consent.respondent,
            position=0,
            given_name=answers.text("person/caregiver_name", mandatory=True),
            phone=_phone(answers, "person/caregiver_phone"),
            relation=consent.proxy_relation,
        )
    ]


def _members(answers: Answers) -> list[PersonAnswers]:
    return [
        PersonAnswers(
            role="member",
            position=position,
            given_name=row.text("given_name", mandatory=True),
            sex=row.choice("sex", "sex"),
            age_years=row.age("age_years"),
            relation=row.choice("relation", "relation"),
        )
        for position, row in enumerate(answers.rows("household/member"), start=1)
    ]


def _documents(answers: Answers) -> tuple[str, ...] | None:
    """Read the documents held; empty if the person has none, None if nobody asked."""
    known = answers.codes("profile/documents", (*choice_codes("document"), NO_DOCUMENTS))
    return tuple(code for code in known if code != NO_DOCUMENTS) if known else None


def _needs(answers: Answers, governorate: Governorate) -> tuple[NeedAnswer, ...]:
    """Read each kind of help asked for once, with the greatest urgency given for it."""
    known = governorate.service_types
    urgencies: dict[str, str] = {}
    for row in answers.rows("needs/need"):
        service_type = row.code("service_type", known, mandatory=True, issue="service_type_unknown")
        urgency = row.choice("urgency", "urgency", mandatory=True) or "normal"
        if service_type is not None:
            urgencies[service_type] = min(
                urgency, urgencies.get(service_type, urgency), key=_URGENCY_ORDER.index
            )
    # A need ticked in the list but cut off before its urgency was asked is still a need.
    for service_type in answers.codes("needs/types", known, issue="service_type_unknown"):
        if service_type not in urgencies:
            answers.add("answer_missing", "needs/need/urgency", service_type=service_type)
            urgencies[service_type] = "normal"
    if not urgencies and answers.node("needs") is None:
        answers.missing("needs/types")
    return tuple(NeedAnswer(service_type, urgency) for service_type, urgency in urgencies.items())
