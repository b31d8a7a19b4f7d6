"""Consent grows old: what waits is recalled, what a provider works with is due, and the person may say yes again."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework import closure, provider_acts, referrals, sending
from casework.consent_gate import may_contact
from casework.households import answer_anew
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.named_consents import Asked
from casework.renewals import expire_consents, renew_consent, renew_referral_consent
from casework.respondents import Respondent
from casework.withdrawals import withdraw
from db.consents import list_expiring
from db.errors import DomainError
from db.models import Consent, Need, Referral, ReferralEvent
from db.referrals import list_slot_mismatches
from db.vault import Vault
from governorates import Governorate
from tests.factories.consents import Waiting, make_waiting, referral_of

ASKED = Asked("desk", "ar")


@pytest.fixture
def waiting(session: Session, vault: Vault, governorate: Governorate) -> Waiting:
    return make_waiting(session, vault, governorate)


def send(waiting: Waiting, now: datetime | None = None) -> None:
    sending.send(
        waiting.session, waiting.vault, waiting.referral_id, waiting.coordinator,
        channel="desk", language="ar", now=now,
    )  # fmt: skip


def grow_old(waiting: Waiting, months: int = 13) -> None:
    """The assessment was that long ago: a row as it would stand today."""
    first = waiting.session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    then = first.given_at - timedelta(days=31 * months)
    old = answer_anew(first, given_at=then, expires_at=waiting.governorate.consent.end_of(then))
    waiting.session.add(old)
    waiting.session.flush()


def end_of(waiting: Waiting) -> datetime:
    end = waiting.session.scalar(
        select(Consent.expires_at).where(Consent.kind == "assessment").order_by(Consent.id.desc()).limit(1)
    )
    assert end is not None
    return end


def test_the_last_moment(waiting: Waiting) -> None:
    end = end_of(waiting)
    row = waiting.session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    assert row.in_force_at(end - timedelta(seconds=1))
    assert not row.in_force_at(end)
    with pytest.raises(DomainError, match="consent_expired"):
        send(waiting, end)
    assert waiting.state == "awaiting_consent"


def test_the_database_refuses_what_is_too_old_as_well(waiting: Waiting) -> None:
    grow_old(waiting)
    with pytest.raises(DomainError, match="consent_expired"):
        send(waiting)
    # Past casework: the named word is fresh, the assessment's is not; then the other way round.
    session = waiting.session
    row = session.scalars(select(Consent).where(Consent.kind == "assessment").order_by(Consent.id)).first()
    assert row is not None
    with pytest.raises(IntegrityError, match="does not cover"), session.begin_nested():
        send_past_casework(waiting, datetime.now(UTC))
    session.add(answer_anew(row))
    session.flush()
    with pytest.raises(IntegrityError, match="no consent in force"), session.begin_nested():
        send_past_casework(waiting, datetime.now(UTC) - timedelta(days=400))
    send_past_casework(waiting, datetime.now(UTC))


def send_past_casework(waiting: Waiting, given_at: datetime) -> None:
    """A word on the recipient given then, and the state set by hand."""
    session = waiting.session
    session.add(
        Consent(
            case_id=waiting.case_id, kind="referral", referral_id=waiting.referral_id,
            organization_id=waiting.provider.organization_id, given=True, given_at=given_at,
            expires_at=waiting.governorate.consent.end_of(given_at), text_version="x", language="ar",
            channel="desk",
        )
    )  # fmt: skip
    session.flush()
    referral = session.get(Referral, waiting.referral_id)
    assert referral is not None
    referral.state = "sent"
    session.flush()


def test_matching_leaves_out_who_must_be_asked_again(waiting: Waiting) -> None:
    grow_old(waiting)
    now = datetime.now(UTC)
    session, vault = waiting.session, waiting.vault
    assert expire_consents(session, vault, now) == 1
    assert waiting.state == "recalled"
    event = session.scalars(select(ReferralEvent).order_by(ReferralEvent.id.desc())).first()
    assert event is not None
    assert (event.reason, event.actor_role) == ("consent_expired", "system")
    match_open_needs(session, vault, waiting.governorate, now=now)
    need = session.scalars(select(Need).where(Need.case_id == waiting.case_id)).one()
    assert (need.status, need.unmet_reason) == ("open", "consent_expired")
    assert list_slot_mismatches(session) == []
    # Said again at the desk, it is looked for again.
    renew_consent(session, vault, waiting.case_id, waiting.coordinator, ASKED, now=now)
    match_open_needs(session, vault, waiting.governorate, now=now)
    waiting.referral_id = referral_of(session, waiting.case_id)
    assert waiting.state == "proposed"
    referrals.approve(session, vault, waiting.referral_id, waiting.coordinator)
    send(waiting)
    assert waiting.state == "sent"


def test_running_again_changes_nothing(waiting: Waiting) -> None:
    grow_old(waiting)
    session, now = waiting.session, datetime.now(UTC)
    assert expire_consents(session, waiting.vault, now) == 1
    before = session.scalar(select(func.count()).select_from(ReferralEvent))
    assert expire_consents(session, waiting.vault, now) == 0
    assert session.scalar(select(func.count()).select_from(ReferralEvent)) == before


def test_what_a_provider_works_with_goes_on_and_is_due(waiting: Waiting) -> None:
    send(waiting)
    grow_old(waiting)
    session, vault, now = waiting.session, waiting.vault, datetime.now(UTC)
    assert expire_consents(session, vault, now) == 0
    assert waiting.state == "sent"
    provider_acts.accept(session, vault, waiting.referral_id, waiting.provider)
    provider_acts.deliver(session, vault, waiting.referral_id, waiting.provider)
    assert waiting.state == "service_delivered"
    rows = list_expiring(session, waiting.coordinator, now).rows
    assert [(row.case_code, row.kind, row.under_way) for row in rows] == [(waiting.code, "assessment", 1)]


def test_nothing_more_is_told_to_a_provider_once_consent_has_grown_old(waiting: Waiting) -> None:
    send(waiting)
    session, vault = waiting.session, waiting.vault
    provider_acts.request_info(session, vault, waiting.referral_id, waiting.provider, "other", "متى؟")
    grow_old(waiting)
    with pytest.raises(DomainError, match="consent_expired"):
        closure.answer_info(session, vault, waiting.referral_id, waiting.coordinator, "غداً", ASKED)
    renew_consent(session, vault, waiting.case_id, waiting.coordinator, ASKED, now=datetime.now(UTC))
    closure.answer_info(session, vault, waiting.referral_id, waiting.coordinator, "غداً", ASKED)
    assert waiting.state == "acknowledged"


def test_an_answer_to_the_provider_is_agreed_to_like_what_was_sent(waiting: Waiting) -> None:
    send(waiting)
    session, vault = waiting.session, waiting.vault
    provider_acts.request_info(session, vault, waiting.referral_id, waiting.provider, "other", "متى؟")

    def answer(asked: Asked) -> None:
        closure.answer_info(session, vault, waiting.referral_id, waiting.coordinator, "غداً", asked)

    for unsound, code in (
        (Asked("letter", "ar"), "channel_unknown"),
        (Asked("desk", "kmr"), "interpreter_required"),
        (Asked("desk", "ar", respondent=Respondent("proxy")), "proxy_evidence_required"),
    ):
        with pytest.raises(DomainError, match=code):
            answer(unsound)
    assert waiting.state == "info_requested"
    answer(Asked("safe_call", "kmr", interpreter="سعاد"))
    first, second = session.scalars(
        select(Consent).where(Consent.referral_id == waiting.referral_id).order_by(Consent.id)
    )
    assert second.fields == [*first.fields, closure.INFO_ANSWER]
    assert (second.channel, second.language, second.given) == ("safe_call", "kmr", True)
    sent = session.scalars(
        select(ReferralEvent)
        .where(ReferralEvent.referral_id == waiting.referral_id)
        .order_by(ReferralEvent.id)
    ).all()[-1]
    assert (sent.move, vault.open("referral_event.note", sent.note)) == ("answer_info", "غداً")


def test_the_list_holds_what_ends_soon_until_it_is_renewed(waiting: Waiting) -> None:
    send(waiting)
    session, vault, end = waiting.session, waiting.vault, end_of(waiting)
    assert list_expiring(session, waiting.coordinator, end - timedelta(days=1)).rows == []
    after = end + timedelta(days=1)
    rows = list_expiring(session, waiting.coordinator, after).rows
    assert {row.kind for row in rows} == {"assessment", "referral"}
    assert [row.referral_id for row in rows if row.kind == "referral"] == [waiting.referral_id]
    for stranger in (
        Actor(None, "coordinator", "nineveh", ministry="moi"),
        Actor(None, "officer", "nineveh", office_id=0),
    ):
        assert list_expiring(session, stranger, after).rows == []
    renew_consent(session, vault, waiting.case_id, waiting.coordinator, ASKED, now=end)
    renew_referral_consent(session, vault, waiting.referral_id, waiting.coordinator, ASKED, now=end)
    assert list_expiring(session, waiting.coordinator, after).rows == []


def test_renewal_may_be_narrower_and_recalls_what_it_no_longer_covers(waiting: Waiting) -> None:
    session, vault, now = waiting.session, waiting.vault, datetime.now(UTC)
    renew_consent(
        session, vault, waiting.case_id, waiting.coordinator, ASKED,
        now=now, categories=["mhpss"], contact=False, statistics=True,
    )  # fmt: skip
    assert waiting.state == "recalled"
    assert not may_contact(session, waiting.case_id)
    with pytest.raises(DomainError, match="not_an_option"):
        renew_consent(
            session, vault, waiting.case_id, waiting.coordinator, ASKED, now=now, categories=["health"]
        )


def test_who_took_everything_back_may_come_again(waiting: Waiting) -> None:
    session, vault, now = waiting.session, waiting.vault, datetime.now(UTC)
    withdraw(
        session, vault, waiting.case_id, waiting.coordinator, channel="phone", scope="everything", now=now
    )
    with pytest.raises(DomainError, match="contact_withdrawn"):
        renew_consent(session, vault, waiting.case_id, waiting.coordinator, Asked("safe_call", "ar"), now=now)
    renew_consent(session, vault, waiting.case_id, waiting.coordinator, ASKED, now=now)
    newest = session.scalars(
        select(Consent).where(Consent.kind == "assessment").order_by(Consent.id.desc())
    ).first()
    assert newest is not None
    assert newest.in_force_at(now)
    assert not may_contact(session, waiting.case_id)  # that was not asked


def test_a_referral_nobody_knows_of_has_nothing_to_renew(waiting: Waiting) -> None:
    with pytest.raises(DomainError, match="illegal_move"):
        renew_referral_consent(
            waiting.session, waiting.vault, waiting.referral_id, waiting.coordinator, ASKED,
            now=datetime.now(UTC),
        )  # fmt: skip
