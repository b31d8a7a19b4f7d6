"""Opening and updating cases: refusals, collisions, edits, and what is kept readable."""

import secrets
from dataclasses import replace

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from casework.assessment import NeedAnswer
from casework.cases import take_in
from db.models import Case, Consent, DataKey, Need, Person, Submission, SubmissionIssue
from db.vault import ErasedError, Vault
from governorates import Governorate
from governorates.codes import is_valid_code, new_code
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission


def case_of(session: Session, case_id: int | None) -> Case:
    found = session.get(Case, case_id)
    assert found is not None
    return found


def issue_codes(session: Session, case_id: int | None) -> list[str]:
    return list(session.scalars(select(SubmissionIssue.code).where(SubmissionIssue.case_id == case_id)))


def test_a_case_opens_with_office_key_and_needs(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    code = new_code(secrets)
    assessment = make_assessment(governorate, [("counselling", "urgent")], case_code=code)
    taken = open_case(session, vault, governorate, assessment)
    case = case_of(session, taken.case_id)
    assert (taken.status, case.code, case.printed_code) == ("opened", code, code)
    assert case.office_id is not None
    needs = session.scalars(select(Need).where(Need.case_id == case.id)).all()
    assert [(need.service_type, need.category, need.urgency, need.status) for need in needs] == [
        ("counselling", "mhpss", "urgent", "open")
    ]
    head = session.scalars(select(Person).where(Person.case_id == case.id)).one()
    assert head.given_name is not None
    assert "زهراء".encode() not in head.given_name
    assert vault.open("person.given_name", head.given_name) == "زهراء"


def test_a_refusal_is_counted_and_unreadable(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    submission = store_submission(session, vault)
    key_id, payload = submission.data_key_id, submission.payload
    assert payload is not None
    refusal = make_assessment(governorate, [], consent=make_consent(governorate, given=False))
    taken = take_in(session, vault, governorate, submission, refusal)
    assert (taken.status, taken.case_id, submission.status) == ("refused", None, "refused")
    assert submission.payload is None
    assert session.get(DataKey, key_id, populate_existing=True) is None
    with pytest.raises(ErasedError):
        Vault(session, vault.masters).open_bytes("submission.payload", payload)
    assert session.scalar(select(func.count()).select_from(Case)) == 0
    assert session.scalar(select(func.count()).select_from(Person)) == 0


def test_a_code_collision_keeps_both_cases_and_asks_a_person(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    code = new_code(secrets)
    first = open_case(session, vault, governorate, make_assessment(governorate, case_code=code))
    second = open_case(session, vault, governorate, make_assessment(governorate, case_code=code))
    cases = session.scalars(select(Case).where(Case.printed_code == code).order_by(Case.id)).all()
    assert [case.id for case in cases] == [first.case_id, second.case_id]
    assert cases[0].code == code
    assert cases[1].code != code
    assert is_valid_code(cases[1].code)
    assert "case_code_collision" in issue_codes(session, second.case_id)
    assert "case_code_collision" not in issue_codes(session, first.case_id)


def test_the_same_phone_is_noticed_however_it_is_written(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    first = make_assessment(governorate)
    other_spelling = replace(first.persons[0], phone="+964 770 123 4567")
    taken = open_case(session, vault, governorate, first)
    again = open_case(session, vault, governorate, replace(first, persons=(other_spelling,)))
    assert "phone_seen_before" not in issue_codes(session, taken.case_id)
    assert "phone_seen_before" in issue_codes(session, again.case_id)


def test_an_edit_updates_the_case_it_belongs_to(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    first = make_assessment(governorate, [("counselling", "normal"), ("startup_grant", "normal")])
    submission = store_submission(session, vault)
    taken = take_in(session, vault, governorate, submission, first)
    edited = Submission(
        governorate="nineveh",
        source=submission.source,
        form_id=submission.form_id,
        form_version="1",
        root_instance_id=submission.root_instance_id,
        instance_id="uuid:edit",
        media_type="xml",
        payload=submission.payload,
        fingerprint=vault.blind("submission", "edit"),
        data_key_id=submission.data_key_id,
        received_at=submission.received_at,
    )
    session.add(edited)
    session.flush()
    needs = (NeedAnswer("counselling", "emergency"), NeedAnswer("ration_card", "normal"))
    again = take_in(session, vault, governorate, edited, replace(first, needs=needs, household_size=7))
    assert (again.status, again.case_id) == ("updated", taken.case_id)
    case = case_of(session, taken.case_id)
    assert (case.household_size, case.submission_id) == (7, edited.id)
    found = session.scalars(select(Need).where(Need.case_id == case.id)).all()
    assert {need.service_type: (need.urgency, need.status) for need in found} == {
        "counselling": ("emergency", "open"),
        "startup_grant": ("normal", "withdrawn"),
        "ration_card": ("normal", "open"),
    }
    assert session.scalar(select(func.count()).select_from(Person).where(Person.case_id == case.id)) == 1
    assert (
        session.scalar(select(func.count()).select_from(Consent).where(Consent.case_id == case.id)) == 2 * 4
    )
