"""The clock of sending, why a referral ended, and what follows for a provider who was passed over."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from casework import pauses, provider_acts, referrals, sending
from casework.breaches import Outcome, act_on_breach
from casework.deadlines import ends_at
from casework.disclosure import read_disclosures
from casework.moves import Actor
from casework.withdrawals import withdraw
from db.errors import DomainError
from db.models import DeletionRequest, OutboxMessage, ReferralEvent
from db.vault import Vault
from governorates import Governorate
from tests.integration.test_breaches import HOUR, MOMD, Scene, make_scene


def approved(session: Session, vault: Vault, governorate: Governorate, urgency: str) -> Scene:
    scene = make_scene(session, vault, governorate, urgency)
    referrals.approve(session, vault, scene.parts.referral.id, MOMD)
    return scene


@pytest.mark.parametrize(("urgency", "told", "ends"), [("emergency", 2, 12), ("urgent", 24, 48)])
def test_sending_is_due_soon_and_the_place_is_free_later(
    session: Session, vault: Vault, governorate: Governorate, urgency: str, told: int, ends: int
) -> None:
    scene = approved(session, vault, governorate, urgency)
    started, referral_id = scene.deadline.started_at, scene.parts.referral.id
    assert scene.deadline.due_at == started + told * HOUR
    first = scene.run_out()
    assert first is not None
    assert first.outcome is Outcome.ESCALATED
    assert first.messages == (("referral_escalated", "coordinator"),)
    before = started + (ends - 1) * HOUR
    act_on_breach(session, vault, referral_id, before)
    assert scene.parts.referral.state == "awaiting_consent"
    last = act_on_breach(session, vault, referral_id, started + ends * HOUR)
    assert last is not None
    assert last.outcome is Outcome.EXPIRED


def test_in_an_ordinary_case_the_officer_is_reminded_first(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = approved(session, vault, governorate, "normal")
    first = scene.run_out()
    assert first is not None
    assert (first.outcome, first.messages) == (Outcome.REMINDED, (("deadline_overdue", "office"),))
    assert scene.run_to_the_end().outcome is Outcome.EXPIRED


def test_a_short_pause_gives_no_new_term(session: Session, vault: Vault, governorate: Governorate) -> None:
    scene = approved(session, vault, governorate, "emergency")
    started, referral_id = scene.deadline.started_at, scene.parts.referral.id
    scene.run_out()
    pauses.pause_clock(session, vault, referral_id, MOMD, "await_person", now=started + 10 * HOUR)
    pauses.resume_clock(session, vault, referral_id, MOMD, now=started + 11 * HOUR)
    assert ends_at(session, scene.parts, scene.deadline) == started + 13 * HOUR, "one hour was paused"
    assert scene.deadline.due_at == started + 11 * HOUR


def told(scene: Scene, referral_id: int) -> list[str]:
    rows = scene.session.scalars(
        select(OutboxMessage.template)
        .where(OutboxMessage.referral_id == referral_id, OutboxMessage.organization_id.is_not(None))
        .order_by(OutboxMessage.id)
    )
    return list(rows)


def test_who_did_not_answer_is_told_to_delete(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, "emergency")
    scene.send()
    silent, organization_id = scene.parts.referral.id, scene.parts.organization.id
    assert read_disclosures(session, vault, [silent])
    scene.run_to_the_end()
    assert told(scene, silent) == ["referral_sent", "referral_recalled"]
    request = session.scalars(select(DeletionRequest)).one()
    assert (request.referral_id, request.organization_id) == (silent, organization_id)
    assert request.due_at == request.requested_at + timedelta(days=governorate.consent.deletion_days)
    assert read_disclosures(session, vault, [silent]) == {}
    assert scene.newest_reason("expire") == "sent"


def test_who_knows_nothing_is_told_nothing(session: Session, vault: Vault, governorate: Governorate) -> None:
    scene = approved(session, vault, governorate, "emergency")
    referral_id = scene.parts.referral.id
    scene.run_to_the_end()
    assert told(scene, referral_id) == []
    assert session.scalars(select(DeletionRequest)).all() == []


@pytest.mark.parametrize("reason", ["consent_expired", "override_not_confirmed"])
def test_people_do_not_give_the_systems_reasons(
    session: Session, vault: Vault, governorate: Governorate, reason: str
) -> None:
    scene = make_scene(session, vault, governorate, "normal")
    with pytest.raises(DomainError, match="reason_unknown"):
        sending.recall(session, vault, scene.parts.referral.id, MOMD, reason, "سبب")


def test_a_withdrawal_does_not_pretend_to_be_an_edit_of_the_form(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, "normal")
    with pytest.raises(DomainError, match="channel_unknown"):
        withdraw(
            session, vault, scene.case_id, MOMD, channel="form_edit", scope="everything", now=datetime.now(UTC)
        )  # fmt: skip


def test_another_reason_for_a_hold_is_said_in_words(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, "normal")
    referral_id = scene.parts.referral.id
    for words in (None, "  "):
        with pytest.raises(DomainError, match="text_required"):
            referrals.hold(session, vault, referral_id, MOMD, "other", words)
    referrals.hold(session, vault, referral_id, MOMD, "other", "زيارة قريبة")
    event = session.scalars(select(ReferralEvent).where(ReferralEvent.move == "hold")).one()
    assert event.reason == "other"
    assert event.note is not None


def test_a_silent_provider_cannot_stop_its_clock(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, "emergency")
    scene.send()
    provider: Actor = scene.provider
    provider_acts.acknowledge(session, vault, scene.parts.referral.id, provider)
    with pytest.raises(DomainError, match="forbidden"):
        pauses.pause_clock(session, vault, scene.parts.referral.id, provider, "await_document")
