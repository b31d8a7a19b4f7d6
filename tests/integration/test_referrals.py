"""The life of a referral: who may move it, what each move does to slot, need, consent and disclosure."""

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework import closure, provider_acts, referrals, sending
from casework.cases import take_in
from casework.disclosure import preview, read_disclosures
from casework.households import answer_anew
from casework.matching import match_open_needs
from casework.moves import Actor
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import (
    Capacity,
    Case,
    Consent,
    MatchCandidate,
    Need,
    Organization,
    Referral,
    ReferralEvent,
    Service,
    ServiceAtLocation,
    Submission,
)
from db.referrals import get_referral_parts, list_slot_mismatches
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class Scene:
    """One proposed referral and the people around it."""

    session: Session
    vault: Vault
    governorate: Governorate
    referral_id: int
    provider: Actor

    @property
    def referral(self) -> Referral:
        found = self.session.get(Referral, self.referral_id, populate_existing=True)
        assert found is not None
        return found

    @property
    def need(self) -> Need:
        found = self.session.get(Need, self.referral.need_id, populate_existing=True)
        assert found is not None
        return found

    @property
    def reserved(self) -> int:
        found = self.session.scalar(select(Capacity.reserved).where(Capacity.id == self.referral.capacity_id))
        assert found is not None
        return found

    def approve_and_send(self) -> None:
        referrals.approve(self.session, self.vault, self.referral_id, MOMD)
        sending.send(self.session, self.vault, self.referral_id, MOMD, channel="desk", language="ar")


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    open_case(session, vault, governorate, make_assessment(governorate))
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    referral_id = session.scalar(select(Referral.id))
    assert referral_id is not None
    parts = get_referral_parts(session, referral_id)
    assert parts is not None
    provider = Actor(None, "provider", "nineveh", organization_id=parts.organization.id)
    return Scene(session, vault, governorate, referral_id, provider)


def test_the_whole_way(scene: Scene) -> None:
    scene.approve_and_send()
    provider_acts.accept(scene.session, scene.vault, scene.referral_id, scene.provider)
    provider_acts.start(scene.session, scene.vault, scene.referral_id, scene.provider)
    provider_acts.deliver(scene.session, scene.vault, scene.referral_id, scene.provider)
    closure.confirm(scene.session, scene.vault, scene.referral_id, MOMD)
    closure.close(scene.session, scene.vault, scene.referral_id, MOMD, "confirmed_served")
    assert scene.referral.state == "closed"
    assert scene.need.status == "served"
    events = scene.session.scalars(
        select(ReferralEvent.to_state)
        .where(ReferralEvent.referral_id == scene.referral_id)
        .order_by(ReferralEvent.id)
    ).all()
    assert events == [
        "proposed", "approved", "awaiting_consent", "sent", "accepted", "service_started",
        "service_delivered", "confirmed", "closed",
    ]  # fmt: skip
    assert list_slot_mismatches(scene.session) == []


def test_what_is_read_out_is_what_is_sent(scene: Scene) -> None:
    referrals.approve(scene.session, scene.vault, scene.referral_id, MOMD)
    read_out = dict(preview(scene.session, scene.vault, scene.referral_id))
    assert read_disclosures(scene.session, scene.vault, [scene.referral_id]) == {}
    sending.send(scene.session, scene.vault, scene.referral_id, MOMD, channel="desk", language="ar")
    sent = read_disclosures(scene.session, scene.vault, [scene.referral_id])
    assert sent == {scene.referral_id: read_out}
    assert read_out["given_name"] == "زهراء"
    assert not {"documents", "notes", "point", "disability"} & read_out.keys()
    consent = scene.session.scalars(select(Consent).where(Consent.referral_id == scene.referral_id)).one()
    assert (consent.channel, consent.language, consent.given) == ("desk", "ar", True)


def test_without_consent_to_contact_no_phone_is_sent(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    consent = make_consent(governorate, contact=False)
    open_case(session, vault, governorate, make_assessment(governorate, consent=consent))
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    referral_id = session.scalar(select(Referral.id))
    assert referral_id is not None
    assert (
        not {"phone", "contact_hours", "contact_answerer"} & dict(preview(session, vault, referral_id)).keys()
    )


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda s: provider_acts.accept(s.session, s.vault, s.referral_id, s.provider), "illegal_move"),
        (lambda s: referrals.approve(s.session, s.vault, s.referral_id, s.provider), "forbidden"),
        (lambda s: referrals.approve(s.session, s.vault, s.referral_id, MOI), "not_found"),
        (
            lambda s: referrals.approve(
                s.session, s.vault, s.referral_id, replace(MOMD, governorate="anbar")
            ),
            "not_found",
        ),
        (
            lambda s: sending.recall(
                s.session, s.vault, s.referral_id, Actor(None, "officer", "nineveh", office_id=-1), "error"
            ),
            "not_found",
        ),
        (
            lambda s: provider_acts.decline(
                s.session,
                s.vault,
                s.referral_id,
                replace(s.provider, organization_id=-1),
                "no_capacity",
                "ممتلئ",
            ),
            "not_found",
        ),
        (lambda s: referrals.hold(s.session, s.vault, s.referral_id, MOMD, "because"), "reason_unknown"),
        (lambda s: sending.recall(s.session, s.vault, s.referral_id, MOMD, ""), "reason_required"),
        (
            lambda s: sending.send(s.session, s.vault, s.referral_id, MOMD, channel="desk", language="ar"),
            "illegal_move",
        ),
        (
            lambda s: sending.send(s.session, s.vault, s.referral_id, MOMD, channel="desk", language="kmr"),
            "interpreter_required",
        ),
        (
            lambda s: sending.send(s.session, s.vault, s.referral_id, MOMD, channel="letter", language="ar"),
            "channel_unknown",
        ),
    ],
)
def test_refusals_have_a_code_and_change_nothing(scene: Scene, act: object, code: str) -> None:
    before = (scene.referral.state, scene.reserved)
    with pytest.raises(DomainError) as refusal:
        act(scene)  # type: ignore[operator]
    assert refusal.value.code == code
    assert (scene.referral.state, scene.reserved) == before


def test_a_held_proposal_waits(scene: Scene) -> None:
    referrals.hold(scene.session, scene.vault, scene.referral_id, MOMD, "await_document")
    with pytest.raises(DomainError, match="illegal_move"):
        referrals.approve(scene.session, scene.vault, scene.referral_id, MOMD)
    referrals.release_hold(scene.session, scene.vault, scene.referral_id, MOMD)
    referrals.approve(scene.session, scene.vault, scene.referral_id, MOMD)
    assert scene.referral.state == "awaiting_consent"


def other_option(scene: Scene) -> int:
    found = scene.session.scalar(
        select(MatchCandidate.service_at_location_id)
        .where(
            MatchCandidate.need_id == scene.referral.need_id,
            MatchCandidate.status == "option",
            MatchCandidate.service_at_location_id != scene.referral.service_at_location_id,
        )
        .order_by(MatchCandidate.rank)
        .limit(1)
    )
    assert found is not None
    return found


def test_another_option_takes_its_slot_and_gives_the_old_one_back(scene: Scene) -> None:
    old_capacity, other = scene.referral.capacity_id, other_option(scene)
    referrals.choose_other(
        scene.session, scene.vault, scene.referral_id, other, MOMD, "returnee_wish", "أقرب إلى أهلها"
    )
    assert scene.referral.service_at_location_id == other
    assert scene.session.scalar(select(Capacity.reserved).where(Capacity.id == old_capacity)) == 0
    assert scene.reserved == 1
    assert list_slot_mismatches(scene.session) == []


def test_an_excluded_service_cannot_be_chosen(scene: Scene) -> None:
    listed = select(MatchCandidate.service_at_location_id).where(
        MatchCandidate.need_id == scene.referral.need_id, MatchCandidate.status == "option"
    )
    outsider = scene.session.scalar(
        select(ServiceAtLocation.id).where(ServiceAtLocation.id.not_in(listed)).limit(1)
    )
    with pytest.raises(DomainError, match="not_an_option"):
        referrals.choose_other(
            scene.session, scene.vault, scene.referral_id, outsider or 0, MOMD, "returnee_wish"
        )


def test_a_full_option_cannot_be_chosen(scene: Scene) -> None:
    other = other_option(scene)
    scene.session.execute(
        update(Capacity).where(Capacity.service_at_location_id == other).values(slots=Capacity.reserved)
    )
    with pytest.raises(DomainError, match="no_slot"):
        referrals.choose_other(scene.session, scene.vault, scene.referral_id, other, MOMD, "returnee_wish")
    assert list_slot_mismatches(scene.session) == []


def test_a_decline_frees_the_slot_and_matches_again_without_that_provider(scene: Scene) -> None:
    scene.approve_and_send()
    provider_acts.decline(
        scene.session, scene.vault, scene.referral_id, scene.provider, "no_capacity", "ممتلئ"
    )
    assert (scene.referral.state, scene.need.status) == ("declined", "open")
    assert scene.reserved == 0
    match_open_needs(scene.session, scene.vault, scene.governorate, now=datetime.now(UTC))
    again = scene.session.execute(
        select(Organization.id)
        .join(Service, Service.organization_id == Organization.id)
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
        .where(Referral.need_id == scene.referral.need_id, Referral.state == "proposed")
    ).scalar_one()
    assert again != scene.provider.organization_id
    assert list_slot_mismatches(scene.session) == []


def test_a_recall_withdraws_what_was_disclosed(scene: Scene) -> None:
    scene.approve_and_send()
    sending.recall(scene.session, scene.vault, scene.referral_id, MOMD, "error", "خطأ")
    assert read_disclosures(scene.session, scene.vault, [scene.referral_id]) == {}
    assert (scene.referral.state, scene.need.status, scene.reserved) == ("recalled", "open", 0)


def test_who_refuses_a_recipient_is_never_offered_it_again(scene: Scene) -> None:
    referrals.approve(scene.session, scene.vault, scene.referral_id, MOMD)
    sending.refuse_consent(scene.session, scene.vault, scene.referral_id, MOMD)
    assert (scene.referral.state, scene.need.status) == ("recalled", "open")
    match_open_needs(scene.session, scene.vault, scene.governorate, now=datetime.now(UTC))
    live = scene.session.scalars(
        select(Service.organization_id)
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
        .where(Referral.state == "proposed")
    ).all()
    assert scene.provider.organization_id not in live


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"withdrawn_at": datetime.now(UTC)}, "consent_required"),
        ({"given": False}, "consent_required"),
        ({"categories": ["housing"]}, "consent_does_not_cover"),
        ({"recipients": []}, "consent_does_not_cover"),
        ({"exclusions": ["named_organization"]}, "consent_required"),
        ({"given_at": LONG_AGO, "expires_at": LONG_AGO + timedelta(days=365)}, "consent_expired"),
    ],
)
def test_the_first_step_of_consent_bounds_the_second(
    scene: Scene, change: dict[str, object], code: str
) -> None:
    referrals.approve(scene.session, scene.vault, scene.referral_id, MOMD)
    first = scene.session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    scene.session.add(answer_anew(first, **change))
    scene.session.flush()
    with pytest.raises(DomainError) as refusal:
        sending.send(scene.session, scene.vault, scene.referral_id, MOMD, channel="desk", language="ar")
    assert refusal.value.code == code
    assert scene.referral.state == "awaiting_consent"


def test_raw_sql_cannot_send_either(scene: Scene) -> None:
    referrals.approve(scene.session, scene.vault, scene.referral_id, MOMD)
    with pytest.raises(IntegrityError, match="consent"):
        scene.session.execute(text("UPDATE referral SET state = 'sent'"))


def test_consent_taken_back_by_an_edit_recalls_what_is_under_way(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    submission = store_submission(session, vault)
    first = make_assessment(governorate)
    taken = take_in(session, vault, governorate, submission, first)
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    edited = Submission(
        governorate="nineveh",
        source=submission.source,
        form_id=submission.form_id,
        root_instance_id=submission.root_instance_id,
        instance_id="uuid:second",
        media_type="xml",
        fingerprint=b"\0" * 32,
        data_key_id=submission.data_key_id,
        received_at=submission.received_at,
    )
    session.add(edited)
    session.flush()
    refused = replace(first, consent=make_consent(governorate, given=False), needs=())
    take_in(session, vault, governorate, edited, refused)
    session.expire_all()
    assert session.scalars(select(Referral.state)).all() == ["recalled"]
    assert session.scalars(select(Need.status).where(Need.case_id == taken.case_id)).all() == ["withdrawn"]
    assert session.get(Case, taken.case_id) is not None
    assert list_slot_mismatches(session) == []


def test_a_provider_cannot_accept_what_was_recalled_meanwhile(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    """Accept and recall at the same moment: one wins, the other is refused, the slot adds up."""
    with session_scope(fresh_engine) as session:
        vault = Vault(session, masters)
        open_case(session, vault, governorate, make_assessment(governorate))
        match_open_needs(session, vault, governorate, now=datetime.now(UTC))
        referral_id = session.scalar(select(Referral.id))
        assert referral_id is not None
        parts = get_referral_parts(session, referral_id)
        assert parts is not None
        provider = Actor(None, "provider", "nineveh", organization_id=parts.organization.id)
        referrals.approve(session, vault, referral_id, MOMD)
        sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
    outcomes: list[str] = []

    def act(name: str) -> None:
        try:
            with session_scope(fresh_engine) as inside:
                if name == "recall":
                    sending.recall(inside, Vault(inside, masters), referral_id, MOMD, "error", "خطأ")
                else:
                    provider_acts.accept(inside, Vault(inside, masters), referral_id, provider)
            outcomes.append(name)
        except DomainError as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=act, args=(name,)) for name in ("recall", "accept")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with session_scope(fresh_engine) as session:
        state = session.scalar(select(Referral.state))
        assert list_slot_mismatches(session) == []
    assert "recall" in outcomes  # recalling an accepted referral is allowed; accepting a recalled one is not
    assert state == "recalled"
