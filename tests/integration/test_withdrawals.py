"""Consent taken back by any channel: everything follows at once, and the person goes home with a receipt's number."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from casework import closure, provider_acts, sending
from casework.cases import take_in
from casework.consent_gate import may_contact
from casework.disclosure import preview, read_disclosures
from casework.matching import match_open_needs
from casework.moves import SYSTEM, Actor
from casework.withdrawals import confirm_deletion, withdraw
from db.consents import is_agreed
from db.errors import DomainError
from db.models import Case, Consent, DeletionRequest, Need, OutboxMessage, Referral, Submission, Withdrawal
from db.referrals import list_slot_mismatches
from db.vault import Vault
from db.withdrawals import list_deletion_requests
from governorates import Governorate, offered_codes
from tests.factories.cases import make_assessment, make_consent
from tests.factories.consents import Waiting, make_waiting

NOW = datetime.now(UTC)


@pytest.fixture
def waiting(session: Session, vault: Vault, governorate: Governorate) -> Waiting:
    return make_waiting(session, vault, governorate)


def send(waiting: Waiting) -> None:
    sending.send(
        waiting.session,
        waiting.vault,
        waiting.referral_id,
        waiting.coordinator,
        channel="desk",
        language="ar",
    )


def take_back(waiting: Waiting, scope: str = "everything", channel: str = "desk", **what: object) -> int:
    return withdraw(
        waiting.session, waiting.vault, waiting.case_id, waiting.coordinator,
        channel=channel, scope=scope, now=datetime.now(UTC), **what,  # type: ignore[arg-type]
    )  # fmt: skip


def step(act: Callable[..., None], *words: str) -> Callable[[Waiting], None]:
    def go(waiting: Waiting) -> None:
        actor = waiting.provider if act.__module__.endswith("provider_acts") else waiting.coordinator
        act(waiting.session, waiting.vault, waiting.referral_id, actor, *words)

    return go


WAYS: dict[str, list[Callable[[Waiting], None]]] = {
    "awaiting_consent": [],
    "sent": [send],
    "acknowledged": [send, step(provider_acts.acknowledge)],
    "info_requested": [send, step(provider_acts.request_info, "other", "متى؟")],
    "waitlisted": [send, step(provider_acts.waitlist, "full_now", "ممتلئ")],
    "accepted": [send, step(provider_acts.accept)],
    "service_started": [send, step(provider_acts.accept), step(provider_acts.start)],
    "service_delivered": [send, step(provider_acts.accept), step(provider_acts.deliver)],
    "disputed": [
        send,
        step(provider_acts.accept),
        step(provider_acts.deliver),
        step(closure.dispute, "not_received", "لم يصل"),
    ],
    "confirmed": [
        send,
        step(provider_acts.accept),
        step(provider_acts.deliver),
        step(closure.confirm),
    ],
    "closed": [
        send,
        step(provider_acts.accept),
        step(provider_acts.deliver),
        step(closure.confirm),
        step(closure.close, "goal_met"),
    ],
    "declined": [send, step(provider_acts.decline, "no_funds", "لا مال")],
}


@pytest.mark.parametrize("state", WAYS)
def test_whatever_the_state_nothing_stays_with_the_provider(waiting: Waiting, state: str) -> None:
    for act in WAYS[state]:
        act(waiting)
    session = waiting.session
    assert waiting.state == state
    was_sent = bool(read_disclosures(session, waiting.vault, [waiting.referral_id]))
    withdrawal_id = take_back(waiting)
    session.expire_all()
    after = {"closed": "closed", "declined": "declined"} | dict.fromkeys(
        ("service_delivered", "disputed", "confirmed"), "closed"
    )
    assert waiting.state == after.get(state, "recalled")
    assert read_disclosures(session, waiting.vault, [waiting.referral_id]) == {}
    asked = session.scalars(select(DeletionRequest)).all()
    assert [(one.referral_id, one.withdrawal_id) for one in asked] == (
        [(waiting.referral_id, withdrawal_id)] if was_sent else []
    )
    rows = session.scalars(select(Consent).where(Consent.case_id == waiting.case_id)).all()
    assert {row.kind for row in rows if row.withdrawn_at is None} == set()
    need = session.scalars(select(Need).where(Need.case_id == waiting.case_id)).one()
    assert need.status == ("served" if waiting.state == "closed" else "withdrawn")
    assert list_slot_mismatches(session) == []
    assert not may_contact(session, waiting.case_id)


@pytest.mark.parametrize("channel", offered_codes("withdrawal_channel"))
def test_every_channel_counts_the_same(waiting: Waiting, channel: str) -> None:
    send(waiting)
    take_back(waiting, channel=channel)
    assert waiting.state == "recalled"
    assert waiting.session.scalars(select(Withdrawal.channel)).all() == [channel]


def test_what_is_not_on_the_lists_is_refused(waiting: Waiting) -> None:
    foreign = Actor(None, "officer", "nineveh", office_id=0)
    for changes, code in (
        ({"channel": "pigeon"}, "channel_unknown"),
        ({"scope": "half"}, "not_an_option"),
        ({"scope": "categories", "categories": ["gold"]}, "not_an_option"),
        ({"scope": "categories"}, "not_an_option"),
        ({"scope": "referral", "referral_id": 999_999}, "not_found"),
        ({"scope": "referral"}, "not_found"),
    ):
        with pytest.raises(DomainError) as refusal, waiting.session.begin_nested():
            take_back(waiting, **changes)  # type: ignore[arg-type]
        assert refusal.value.code == code
    for actor in (foreign, Actor(None, "coordinator", "elsewhere", ministry="momd"), waiting.provider):
        with pytest.raises(DomainError, match="not_found"):
            withdraw(
                waiting.session, waiting.vault, waiting.case_id, actor,
                channel="desk", scope="everything", now=NOW,
            )  # fmt: skip
    assert waiting.session.scalars(select(Withdrawal)).all() == []


def test_one_kind_of_service_can_be_taken_back(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    waiting = make_waiting(session, vault, governorate, ("counselling", "normal"), ("ration_card", "normal"))
    take_back(waiting, "categories", categories=["mhpss"])
    session.expire_all()
    found = dict(
        session.execute(select(Need.service_type, Need.status).where(Need.case_id == waiting.case_id)).all()
    )
    assert found == {"counselling": "withdrawn", "ration_card": "referred"}
    states = session.execute(
        select(Need.service_type, Referral.state).join(Referral, Referral.need_id == Need.id)
    ).all()
    assert dict(states) == {"counselling": "recalled", "ration_card": "awaiting_consent"}
    rows = session.scalars(select(Consent).where(Consent.kind == "assessment").order_by(Consent.id)).all()
    assert [("mhpss" in row.categories, row.in_force, row.channel) for row in rows] == [
        (True, True, "tablet"),
        (False, True, "desk"),
    ]
    assert rows[0].given_at == rows[1].given_at  # taking something back does not renew the rest


def test_one_referral_can_be_taken_back_and_is_not_offered_again(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    waiting = make_waiting(session, vault, governorate, ("counselling", "normal"))
    send(waiting)
    take_back(waiting, "referral", referral_id=waiting.referral_id)
    assert waiting.state == "recalled"
    match_open_needs(waiting.session, waiting.vault, waiting.governorate, now=datetime.now(UTC))
    again = waiting.session.scalars(
        select(Referral.service_at_location_id).where(
            Referral.case_id == waiting.case_id, Referral.state == "proposed"
        )
    ).all()
    first = waiting.session.get(Referral, waiting.referral_id)
    assert first is not None
    assert again
    assert first.service_at_location_id not in again


def test_contact_alone(waiting: Waiting) -> None:
    """No calls and no phone from now on, also where it was sent before; everything else goes on."""
    send(waiting)
    session, referral_id = waiting.session, waiting.referral_id
    assert "phone" in read_disclosures(session, waiting.vault, [referral_id])[referral_id]
    take_back(waiting, "contact", "phone")
    assert waiting.state == "sent"
    assert not may_contact(session, waiting.case_id)
    assert is_agreed(session, waiting.case_id, "statistics")
    seen = read_disclosures(session, waiting.vault, [referral_id])[referral_id]
    assert not {"phone", "contact_hours", "contact_answerer"} & set(seen)
    assert seen["given_name"]
    assert "phone" not in dict(preview(session, waiting.vault, referral_id))


def test_a_person_who_may_not_be_called_cannot_be_asked_on_a_call(waiting: Waiting) -> None:
    take_back(waiting, "contact")
    with pytest.raises(DomainError, match="contact_withdrawn"):
        sending.send(
            waiting.session, waiting.vault, waiting.referral_id, waiting.coordinator,
            channel="safe_call", language="ar",
        )  # fmt: skip
    send(waiting)
    assert waiting.state == "sent"


def test_statistics_alone(waiting: Waiting) -> None:
    take_back(waiting, "statistics", "letter")
    assert not is_agreed(waiting.session, waiting.case_id, "statistics")
    assert may_contact(waiting.session, waiting.case_id)
    assert waiting.state == "awaiting_consent"


def edit(waiting: Waiting, **changes: object) -> None:
    """The form is sent again, corrected by a clerk."""
    case = waiting.session.get(Case, waiting.case_id)
    assert case is not None
    first = waiting.session.get(Submission, case.submission_id)
    assert first is not None
    names = ("source", "form_id", "root_instance_id", "media_type", "data_key_id", "received_at")
    edited = Submission(
        governorate="nineveh",
        instance_id=f"uuid:{uuid.uuid4()}",
        fingerprint=b"\0" * 32,
        **{name: getattr(first, name) for name in names},
    )
    waiting.session.add(edited)
    waiting.session.flush()
    assessment = make_assessment(waiting.governorate, [("primary_health_care", "emergency")], **changes)
    take_in(waiting.session, waiting.vault, waiting.governorate, edited, assessment)
    waiting.session.expire_all()


def test_an_edit_of_the_form_gives_nothing_back_that_the_person_took_back(waiting: Waiting) -> None:
    take_back(waiting, "contact")
    take_back(waiting, "categories", categories=["mhpss"])
    edit(waiting, household_size=8)
    session = waiting.session
    assert not may_contact(session, waiting.case_id)
    assert is_agreed(session, waiting.case_id, "statistics")
    newest = session.scalars(
        select(Consent).where(Consent.kind == "assessment").order_by(Consent.id.desc())
    ).first()
    assert newest is not None
    assert newest.channel == "tablet"
    assert "mhpss" not in newest.categories
    take_back(waiting)
    edit(waiting, household_size=9)
    match_open_needs(session, waiting.vault, waiting.governorate, now=datetime.now(UTC))
    live = session.scalars(select(Referral.state).where(Referral.state.not_in(("recalled",)))).all()
    assert live == []


def test_a_form_that_took_consent_back_does_not_give_it_again(waiting: Waiting) -> None:
    edit(waiting, consent=make_consent(waiting.governorate, given=False))
    assert waiting.state == "recalled"
    assert waiting.session.scalars(select(Withdrawal.channel)).all() == ["form_edit"]
    edit(waiting)
    assert not may_contact(waiting.session, waiting.case_id)


def test_an_edit_renews_nothing(waiting: Waiting) -> None:
    session = waiting.session
    before = session.scalars(select(Consent.expires_at).where(Consent.kind == "assessment")).one()
    edit(waiting, assessed_at=datetime.now(UTC) + timedelta(days=40))
    after = session.scalars(select(Consent.expires_at).where(Consent.kind == "assessment")).all()
    assert after == [before, before]


def test_the_provider_confirms_that_it_deleted(waiting: Waiting) -> None:
    send(waiting)
    take_back(waiting)
    session = waiting.session
    listed = list_deletion_requests(session, waiting.provider.organization_id)
    [row] = listed.rows
    assert (row.case_code, listed.waiting, row.confirmed_at) == (waiting.code, 1, None)
    assert row.due_at - row.requested_at == timedelta(days=waiting.governorate.consent.deletion_days)
    stranger = Actor(None, "provider", "nineveh", organization_id=0)
    with pytest.raises(DomainError, match="not_found"):
        confirm_deletion(session, row.id, stranger, NOW)
    confirm_deletion(session, row.id, waiting.provider, NOW)
    confirm_deletion(session, row.id, waiting.provider, NOW + timedelta(days=1))
    again = list_deletion_requests(session, waiting.provider.organization_id)
    assert (again.waiting, again.rows[0].confirmed_at) == (0, NOW)
    assert list_deletion_requests(session, 0).rows == []


def test_the_system_may_take_back_what_it_must(waiting: Waiting) -> None:
    withdraw(
        waiting.session, waiting.vault, waiting.case_id, SYSTEM,
        channel="complaint", scope="everything", now=NOW,
    )  # fmt: skip
    assert waiting.state == "recalled"


@pytest.mark.parametrize("scope", ["everything", "categories", "referral"])
def test_a_provider_is_told_of_a_referral_that_had_ended(waiting: Waiting, scope: str) -> None:
    session, vault = waiting.session, waiting.vault
    send(waiting)
    provider_acts.decline(session, vault, waiting.referral_id, waiting.provider, "no_funds", "انتهى")
    what: dict[str, dict[str, Any]] = {
        "categories": {"categories": ["health"]},
        "referral": {"referral_id": waiting.referral_id},
    }
    told = select(OutboxMessage.organization_id).where(OutboxMessage.template == "referral_recalled")
    assert session.scalars(told).all() == []
    for _ in range(2):
        withdraw(
            session, vault, waiting.case_id, waiting.coordinator,
            channel="phone", scope=scope, now=NOW, **what.get(scope, {}),
        )  # fmt: skip
        if scope == "categories":
            break  # nothing is left of it to take back
    assert session.scalars(told).all() == [waiting.provider.organization_id]
