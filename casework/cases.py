"""Open a case from an assessment, or update it when the assessment was edited."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from casework.assessment import Assessment, Issue, NeedAnswer, PersonAnswers
from casework.closed_edits import keep_answers
from casework.conflicts import hold_acted_on
from casework.fact_rows import write_identity, write_phone, write_residence
from casework.form_consents import BY_FORM, record_form_consents
from casework.merged_edits import add_needs_of_merged, list_foreign_need_ids, redraw_bounds
from casework.moves import SYSTEM
from casework.names import fold_phone
from casework.open_days import carry_open_day
from casework.sending import recall_uncovered
from casework.withdrawals import withdraw
from db import cases as query
from db.models import Case, Need, Person, Submission, SubmissionIssue, SubmissionStatus
from db.vault import Vault
from governorates import Governorate
from governorates.codes import new_code


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of one submission."""

    status: Literal["opened", "updated", "refused"]
    case_id: int | None
    issues: tuple[Issue, ...]


def take_in(
    session: Session, vault: Vault, governorate: Governorate, submission: Submission, assessment: Assessment
) -> TakenIn:
    """Turn one parsed submission into a case, an update of its case, or a counted refusal.

    A person who refuses is counted; the key of the submission is deleted, so nothing that was typed stays
    readable. An edit that takes consent back recalls what is under way; one of a closed case opens nothing
    (`casework.closed_edits`). Facts that were acted on stay as they were used (`casework.conflicts`).
    """
    case = query.get_case_of_submission(
        session, submission.source, submission.form_id, submission.root_instance_id
    )
    if not assessment.consent.given:
        return _take_in_refusal(session, vault, submission, case)
    key_id = submission.data_key_id
    assert key_id is not None  # noqa: S101  a stored submission has its key until it is refused or erased
    issues = list(assessment.issues)
    if case is None:
        case, code_issues = _new_case(session, governorate, submission, assessment)
        issues += code_issues
        status: Literal["opened", "updated"] = "opened"
    else:
        issues.append(Issue("edited_after_taking_in"))
        status = "updated"
        assessment, held = hold_acted_on(session, vault, case, submission, assessment, datetime.now(UTC))
        issues += held
    _write_facts(vault, key_id, case, assessment)
    case.office_id = case.office_id or _office_id(session, governorate, submission, assessment)
    case.submission_id = submission.id
    session.add(case)
    session.flush()
    query.delete_persons(session, case.id)
    session.add_all(_persons(vault, key_id, case.id, assessment.persons))
    said_at = min(assessment.assessed_at or submission.received_at, datetime.now(UTC))
    said = record_form_consents(session, vault, key_id, case, submission, assessment.consent, said_at)
    issues += said.issues
    redraw_bounds(session, vault, case)
    if said.had_consent:
        recall_uncovered(session, vault, case.merged_into_id or case.id)
    standing = query.get_standing_case(session, case)
    if standing.closed_at is not None:
        now = datetime.now(UTC)
        needs = assessment.needs
        issues += keep_answers(session, vault, governorate, case, standing, submission, needs, now)
    elif standing is case:
        issues += _write_needs(session, governorate, case, assessment.needs, submission)
    else:
        issues += add_needs_of_merged(session, governorate, case, assessment.needs)
    carry_open_day(session, governorate, submission, case, assessment.assessed_at)
    issues += _phones_seen_before(session, vault, case, assessment.persons)
    submission.status = SubmissionStatus.TAKEN_IN
    submission.case_id = case.id
    submission.reason = None
    submission.reason_details = None
    submission.processed_at = datetime.now(UTC)
    _write_issues(session, submission, case.id, issues)
    return TakenIn(status, case.id, tuple(issues))


def _take_in_refusal(session: Session, vault: Vault, submission: Submission, case: Case | None) -> TakenIn:
    now = datetime.now(UTC)
    submission.status = SubmissionStatus.REFUSED
    submission.processed_at = now
    submission.reason = None
    submission.reason_details = None
    if case is not None:
        # Consent taken back by an edit: the case stays for its history, what is under way is recalled.
        submission.case_id = case.id
        withdraw(session, vault, case.id, SYSTEM, channel=BY_FORM, scope="everything", now=now)
    elif submission.data_key_id is not None:
        key_id, submission.data_key_id, submission.payload = submission.data_key_id, None, None
        session.flush()
        vault.erase_key(key_id)
    session.flush()
    return TakenIn("refused", None if case is None else case.id, ())


def _new_case(
    session: Session, governorate: Governorate, submission: Submission, assessment: Assessment
) -> tuple[Case, list[Issue]]:
    printed = assessment.case_code
    issues: list[Issue] = []
    code = printed
    if printed is None or query.count_cases_with_code(session, printed):
        code = _unused_code(session, governorate)
        # Another governorate's case with this code is nobody's business here; the code stays unique all the same.
        if printed is not None and query.count_cases_with_code(session, printed, governorate.code):
            issues.append(Issue("case_code_collision", "case_code", {"code": printed, "new_code": code}))
    case = Case(
        code=code,
        printed_code=printed or code,
        governorate=governorate.code,
        data_key_id=submission.data_key_id,
        source=submission.source,
        form_id=submission.form_id,
        root_instance_id=submission.root_instance_id,
        submission_id=submission.id,
        opened_at=assessment.assessed_at or submission.submitted_at or submission.received_at,
    )
    return case, issues


def _unused_code(session: Session, governorate: Governorate) -> str:
    while True:
        code = new_code(secrets, governorate.code_alphabet, governorate.code_length)
        if not query.count_cases_with_code(session, code):
            return code


def _write_facts(vault: Vault, key_id: UUID, case: Case, assessment: Assessment) -> None:
    write_residence(vault, key_id, case, assessment.residence)
    case.displacement_status = assessment.displacement_status
    case.household_size = assessment.household_size
    case.contact_language = assessment.contact_language
    case.notes = vault.seal(key_id, "case_file.notes", assessment.notes)
    case.facts = vault.seal_json(
        key_id,
        "case_file.facts",
        {
            "return_date": assessment.return_date.isoformat() if assessment.return_date else None,
            "return_country": assessment.return_country,
            "return_voluntary": assessment.return_voluntary,
            "contact_language_other": assessment.contact_language_other,
            "disability": assessment.disability,
            "documents": None if assessment.documents is None else list(assessment.documents),
            "housing_damage": assessment.housing_damage,
            "tenure": assessment.tenure,
            "education_level": assessment.education_level,
            "work_status": assessment.work_status,
            "female_headed": assessment.female_headed,
        },
    )


def _persons(vault: Vault, key_id: UUID, case_id: int, persons: Sequence[PersonAnswers]) -> list[Person]:
    return [_person(vault, key_id, case_id, answers) for answers in persons]


def _person(vault: Vault, key_id: UUID, case_id: int, answers: PersonAnswers) -> Person:
    person = Person(case_id=case_id, role=answers.role, position=answers.position, relation=answers.relation)
    write_identity(vault, key_id, person, answers)
    write_phone(vault, key_id, person, answers)
    return person


def _office_id(
    session: Session, governorate: Governorate, submission: Submission, assessment: Assessment
) -> int | None:
    """The office that serves the place of residence; where none does, the one whose tablet was used."""
    office = query.get_office_for_district(session, governorate.code, assessment.residence.district)
    if office is not None:
        return office.id
    return query.get_office_id_of_tablet(session, submission.tablet_id, governorate.code)


def _write_needs(
    session: Session,
    governorate: Governorate,
    case: Case,
    answers: Sequence[NeedAnswer],
    submission: Submission,
) -> list[Issue]:
    """Add new needs; take back the ones an edit dropped, unless a referral is under way: then ask a person."""
    needs = query.list_needs(session, case.id)
    known = {need.service_type: need for need in needs if need.same_as_id is None}
    foreign = list_foreign_need_ids(session, case.id)
    under_way = query.list_need_ids_with_live_referral(session, case.id)
    issues = []
    for answer in answers:
        need = known.pop(answer.service_type, None)
        if need is None:
            category = governorate.service_types[answer.service_type].category
            session.add(
                Need(
                    case_id=case.id,
                    service_type=answer.service_type,
                    category=category,
                    urgency=answer.urgency,
                    status="open",
                    opened_at=case.opened_at,
                )
            )
        elif need.id in under_way and need.urgency != answer.urgency:
            issues.append(_conflict(need, submission))
        elif need.status == "withdrawn":
            need.status, need.urgency = "open", answer.urgency
        else:
            need.urgency = answer.urgency
    for need in known.values():
        if need.id in foreign:
            continue
        if need.id in under_way:
            issues.append(_conflict(need, submission))
        elif need.status == "open":
            need.status, need.unmet_reason, need.unmet_details, need.unmet_since = (
                "withdrawn",
                None,
                None,
                None,
            )
    session.flush()
    return issues


def _conflict(need: Need, submission: Submission) -> Issue:
    return Issue("need_changed_under_way", "needs", {"need_id": need.id, "submission_id": submission.id})


def _phones_seen_before(
    session: Session, vault: Vault, case: Case, persons: Sequence[PersonAnswers]
) -> list[Issue]:
    head_phone = fold_phone(persons[0].phone) if persons else None
    if not head_phone:
        return []
    phone_index = vault.blind("person.phone", head_phone)
    others = query.list_case_ids_with_phone(session, case.governorate, phone_index, case.id)
    return [Issue("phone_seen_before", "contact/phone", {"case_id": other}) for other in others[:5]]


def _write_issues(session: Session, submission: Submission, case_id: int, issues: Sequence[Issue]) -> None:
    query.add_issues(
        session,
        [
            SubmissionIssue(
                submission_id=submission.id,
                case_id=case_id,
                code=issue.code,
                field=issue.field,
                details=dict(issue.details),
            )
            for issue in issues
        ],
    )
