"""What a person said stays said: through edits of the form, recalls, refusals and statements past casework."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework import referrals, sending
from casework.assessment import Assessment, Residence
from casework.cases import take_in
from casework.consent import settle_exclusion
from casework.disclosure import preview
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.withdrawals import withdraw
from db.errors import DomainError
from db.models import (
    Case,
    Consent,
    DeletionRequest,
    Disclosure,
    Need,
    Office,
    Referral,
    Service,
    ServiceAtLocation,
    Submission,
    Withdrawal,
)
from db.referrals import get_referral_parts, list_slot_mismatches
from db.tablets import create_tablet
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")


def match(session: Session, vault: Vault, governorate: Governorate) -> None:
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))


def live(session: Session) -> list[tuple[int, int]]:
    """Referral and organization of everything under way."""
    rows = session.execute(
        select(Referral.id, Service.organization_id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .where(Referral.state.not_in(("declined", "recalled", "closed")))
        .order_by(Referral.id)
    )
    return [(row[0], row[1]) for row in rows]


def edit(session: Session, vault: Vault, governorate: Governorate, assessment: Assessment) -> None:
    """Take the same form in again, changed, as an edit in Central arrives."""
    first = session.scalars(select(Submission).order_by(Submission.id)).first()
    assert first is not None
    names = ("source", "form_id", "root_instance_id", "media_type", "data_key_id", "received_at")
    edited = Submission(
        governorate="nineveh",
        instance_id=f"uuid:{uuid.uuid4()}",
        fingerprint=b"\0" * 32,
        **{name: getattr(first, name) for name in names},
    )
    session.add(edited)
    session.flush()
    take_in(session, vault, governorate, edited, assessment)
    session.expire_all()


def test_an_edit_does_not_forget_whom_the_person_refused(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    assessment = make_assessment(governorate)
    open_case(session, vault, governorate, assessment)
    match(session, vault, governorate)
    [(referral_id, refused)] = live(session)
    referrals.approve(session, vault, referral_id, MOMD)
    sending.refuse_consent(session, vault, referral_id, MOMD)
    edit(session, vault, governorate, replace(assessment, household_size=6))
    match(session, vault, governorate)
    assert [organization for _, organization in live(session)] != [refused]
    newest = session.scalars(
        select(Consent).where(Consent.kind == "assessment").order_by(Consent.id.desc())
    ).first()
    assert newest is not None
    assert newest.excluded_organizations == [refused]


@pytest.mark.parametrize("note", ["منظمة ما", "منظمة أخرى"])
def test_a_settled_exclusion_stays_settled_unless_it_is_told_anew(
    session: Session, vault: Vault, governorate: Governorate, note: str
) -> None:
    consent = make_consent(governorate, exclusions=("named_organization",), exclusion_note="منظمة ما")
    assessment = make_assessment(governorate, consent=consent)
    open_case(session, vault, governorate, assessment)
    kept = session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    settle_exclusion(session, vault, MOMD, kept.id, [])
    edit(session, vault, governorate, replace(assessment, consent=replace(consent, exclusion_note=note)))
    newest = session.scalars(
        select(Consent).where(Consent.kind == "assessment").order_by(Consent.id.desc())
    ).first()
    assert newest is not None
    assert newest.exclusion_open is (note != "منظمة ما")


def test_an_edit_that_narrows_consent_recalls_what_it_no_longer_covers(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    needs = [("counselling", "normal"), ("hlp_legal_aid", "normal")]
    assessment = make_assessment(governorate, needs)
    open_case(session, vault, governorate, assessment)
    match(session, vault, governorate)
    assert len(live(session)) == 2
    narrowed = replace(assessment, consent=make_consent(governorate, moi=False))
    edit(session, vault, governorate, narrowed)
    states = dict(
        session.execute(
            select(Need.service_type, Referral.state).join(Need, Need.id == Referral.need_id)
        ).all()
    )
    assert states == {"counselling": "proposed", "hlp_legal_aid": "recalled"}
    assert list_slot_mismatches(session) == []


def test_settling_an_exclusion_recalls_what_went_to_whom_it_names(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    assessment = make_assessment(governorate)
    open_case(session, vault, governorate, assessment)
    match(session, vault, governorate)
    [(referral_id, named)] = live(session)
    consent = make_consent(governorate, exclusions=("named_organization",), exclusion_note="هؤلاء")
    edit(session, vault, governorate, replace(assessment, consent=consent))
    newest = session.scalars(
        select(Consent.id).where(Consent.kind == "assessment").order_by(Consent.id.desc())
    ).first()
    settle_exclusion(session, vault, MOMD, newest or 0, [named])
    state = session.scalar(select(Referral.state).where(Referral.id == referral_id))
    assert state == "recalled"
    assert list_slot_mismatches(session) == []


@pytest.mark.parametrize(
    ("reason", "need_status", "same_provider_again"),
    [
        ("error", "open", True),
        ("deceased", "withdrawn", False),
        ("moved_away", "withdrawn", False),
    ],
)
def test_why_a_referral_was_recalled_decides_what_comes_next(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    reason: str,
    need_status: str,
    same_provider_again: bool,
) -> None:
    open_case(session, vault, governorate, make_assessment(governorate))
    match(session, vault, governorate)
    [(referral_id, organization)] = live(session)
    referrals.approve(session, vault, referral_id, MOMD)
    sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
    sending.recall(session, vault, referral_id, MOMD, reason, "طلب المكتب")
    assert session.scalars(select(Need.status)).all() == [need_status]
    word = session.scalars(select(Consent).where(Consent.referral_id == referral_id)).one()
    assert word.in_force
    match(session, vault, governorate)
    again = [found for _, found in live(session)]
    assert (organization in again) is same_provider_again
    assert bool(again) is (need_status == "open")


def test_nobody_recalls_what_the_person_took_back(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    """Consent is taken back by a withdrawal, with its channel, row and receipt; a recall does not stand in for it."""
    case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id or 0
    match(session, vault, governorate)
    [(referral_id, organization)] = live(session)
    referrals.approve(session, vault, referral_id, MOMD)
    sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
    with pytest.raises(DomainError, match="reason_unknown"):
        sending.recall(session, vault, referral_id, MOMD, "consent_withdrawn", "طلب المكتب")
    withdraw(
        session, vault, case_id, MOMD,
        channel="phone", scope="referral", referral_id=referral_id, now=datetime.now(UTC),
    )  # fmt: skip
    row = session.scalars(select(Withdrawal)).one()
    request = session.scalars(select(DeletionRequest)).one()
    assert (row.channel, request.withdrawal_id, request.referral_id) == ("phone", row.id, referral_id)
    word = session.scalars(select(Consent).where(Consent.referral_id == referral_id)).one()
    assert (word.in_force, session.scalars(select(Need.status)).all()) == (False, ["open"])
    match(session, vault, governorate)
    assert organization not in [found for _, found in live(session)]


def test_the_consent_names_exactly_the_fields_that_were_read_out(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    consent = make_consent(governorate, contact=False)
    open_case(session, vault, governorate, make_assessment(governorate, consent=consent))
    match(session, vault, governorate)
    [(referral_id, _)] = live(session)
    referrals.approve(session, vault, referral_id, MOMD)
    read_out = [name for name, _ in preview(session, vault, referral_id)]
    sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
    agreed = session.scalars(select(Consent.fields).where(Consent.referral_id == referral_id)).one()
    sent = session.scalars(select(Disclosure.fields)).one()
    assert agreed == sent == read_out
    assert "phone" not in agreed


def test_nothing_can_be_read_out_of_an_erased_case(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    open_case(session, vault, governorate, make_assessment(governorate))
    match(session, vault, governorate)
    [(referral_id, _)] = live(session)
    referrals.approve(session, vault, referral_id, MOMD)
    key_id = session.scalars(select(Case.data_key_id)).one()
    assert key_id is not None
    vault.erase_key(key_id)
    session.expire_all()
    for act in (
        lambda: preview(session, vault, referral_id),
        lambda: sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar"),
    ):
        with pytest.raises(DomainError, match="case_erased"):
            act()


def test_raw_sql_cannot_send_to_somebody_else_than_was_agreed(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    open_case(session, vault, governorate, make_assessment(governorate))
    match(session, vault, governorate)
    [(referral_id, _)] = live(session)
    referrals.approve(session, vault, referral_id, MOMD)
    parts = get_referral_parts(session, referral_id)
    assert parts is not None
    other = session.scalar(
        select(func.min(ServiceAtLocation.id)).where(
            ServiceAtLocation.id != parts.referral.service_at_location_id
        )
    )
    with pytest.raises(IntegrityError, match="approved for its recipient"), session.begin_nested():
        session.execute(text("UPDATE referral SET service_at_location_id = :other"), {"other": other})
    with pytest.raises(IntegrityError, match="consent"), session.begin_nested():
        # An assessment's consent is not the word on this recipient, whatever row it is tied to.
        session.execute(text("UPDATE consent SET referral_id = :id"), {"id": referral_id})
        session.execute(text("UPDATE referral SET state = 'sent'"))


def test_a_case_without_a_district_belongs_to_the_tablets_office(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    """Else nobody at the desk could find the person by the code in hand."""
    office = session.scalars(
        select(Office).where(Office.governorate == "nineveh").order_by(Office.id)
    ).first()
    assert office is not None
    tablet, _ = create_tablet(session, "T-unknown-place", office.id)
    submission = store_submission(session, vault)
    submission.tablet_id = tablet.id
    nowhere = replace(make_assessment(governorate), residence=Residence(place_text="قرب المدرسة"))
    take_in(session, vault, governorate, submission, nowhere)
    assert session.scalars(select(Case.office_id)).one() == office.id
