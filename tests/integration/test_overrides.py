"""A vital interest: sent without consent, for an emergency only, with a second person behind it or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework import provider_acts
from casework.disclosure import read_disclosures
from casework.households import answer_anew
from casework.moves import SYSTEM, Actor
from casework.named_consents import Asked
from casework.overrides import confirm_override, lapse_overrides, override_consent
from casework.renewals import renew_referral_consent
from casework.withdrawals import withdraw
from db.errors import DomainError
from db.models import Consent, ConsentOverride, DeletionRequest, Role
from db.overrides import list_overrides
from db.referrals import list_slot_mismatches
from db.vault import Vault
from governorates import Governorate
from tests.factories.consents import Waiting, make_waiting, person

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=25)


@pytest.fixture
def waiting(session: Session, vault: Vault, governorate: Governorate) -> Waiting:
    return make_waiting(session, vault, governorate)


def override(
    waiting: Waiting, actor: Actor | None = None, reason: str = "unconscious", note: str = "نزيف"
) -> int:
    return override_consent(
        waiting.session, waiting.vault, waiting.referral_id, actor or waiting.coordinator,
        reason=reason, note=note, now=NOW,
    )  # fmt: skip


def test_it_sends_and_says_so(waiting: Waiting) -> None:
    override(waiting)
    session = waiting.session
    assert waiting.state == "sent"
    row = session.scalars(select(Consent).where(Consent.kind == "referral")).one()
    assert (row.basis, row.given, row.channel) == ("vital_interest", False, "none")
    kept = session.scalars(select(ConsentOverride)).one()
    assert (kept.reason, kept.made_by, kept.confirmed_at) == (
        "unconscious",
        waiting.coordinator.user_id,
        None,
    )
    assert waiting.vault.open("consent_override.note", kept.note) == "نزيف"
    assert read_disclosures(session, waiting.vault, [waiting.referral_id])[waiting.referral_id]


@pytest.mark.parametrize(
    ("actor", "reason", "note", "code"),
    [
        (SYSTEM, "unconscious", "نزيف", "forbidden"),
        (Actor(None, "coordinator", "nineveh", ministry="momd"), "unconscious", "نزيف", "forbidden"),
        (None, "", "نزيف", "reason_required"),
        (None, "in a hurry", "نزيف", "reason_unknown"),
        (None, "unconscious", " ", "text_required"),
    ],
)
def test_it_needs_a_person_a_reason_and_words(
    waiting: Waiting, actor: Actor | None, reason: str, note: str, code: str
) -> None:
    with pytest.raises(DomainError) as refusal:
        override(waiting, actor, reason, note)
    assert refusal.value.code == code
    assert waiting.state == "awaiting_consent"


def test_only_for_an_emergency(session: Session, vault: Vault, governorate: Governorate) -> None:
    waiting = make_waiting(session, vault, governorate, ("primary_health_care", "urgent"))
    with pytest.raises(DomainError, match="override_not_emergency"):
        override(waiting)
    assert waiting.state == "awaiting_consent"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"withdrawn_at": NOW}, "consent_required"),
        ({"recipients": ["moi_office"]}, "consent_does_not_cover"),
        ({"categories": ["mhpss"]}, "consent_does_not_cover"),
        ({"exclusions": ["named_organization"]}, "consent_required"),
        ({"given_at": NOW - timedelta(days=500), "expires_at": NOW - timedelta(days=135)}, None),
    ],
)
def test_it_never_goes_against_what_the_person_said(
    waiting: Waiting, change: dict[str, object], code: str | None
) -> None:
    first = waiting.session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    waiting.session.add(answer_anew(first, **change))
    waiting.session.flush()
    if code is None:  # age alone does not stop it
        override(waiting)
        assert waiting.state == "sent"
        return
    with pytest.raises(DomainError) as refusal:
        override(waiting)
    assert refusal.value.code == code


def test_a_second_person_confirms(waiting: Waiting) -> None:
    session, id_ = waiting.session, override(waiting)
    officer = person(session, "an-officer", Role.OFFICER)
    supervisor = person(session, "a-supervisor", Role.SUPERVISOR, ministry="momd")
    for actor, now, code in (
        (waiting.coordinator, NOW, "second_person_required"),
        (officer, NOW, "forbidden"),
        (Actor(None, "supervisor", "nineveh", ministry="momd"), NOW, "forbidden"),
        (supervisor, LATER, "override_lapsed"),
    ):
        with pytest.raises(DomainError) as refusal:
            confirm_override(session, id_, actor, now)
        assert refusal.value.code == code
    confirm_override(session, id_, supervisor, NOW + timedelta(hours=1))
    with pytest.raises(DomainError, match="override_lapsed"):
        confirm_override(session, id_, waiting.second, NOW + timedelta(hours=2))
    assert lapse_overrides(session, waiting.vault, LATER) == 0
    provider_acts.accept(session, waiting.vault, waiting.referral_id, waiting.provider)
    assert waiting.state == "accepted"


@pytest.mark.parametrize("delivered", [False, True])
def test_without_a_second_person_it_is_taken_back(waiting: Waiting, delivered: bool) -> None:
    session, vault = waiting.session, waiting.vault
    override(waiting)
    if delivered:
        provider_acts.accept(session, vault, waiting.referral_id, waiting.provider)
        provider_acts.deliver(session, vault, waiting.referral_id, waiting.provider)
    assert lapse_overrides(session, vault, NOW + timedelta(hours=23)) == 0
    assert lapse_overrides(session, vault, LATER) == 1
    assert waiting.state == ("closed" if delivered else "recalled")
    assert read_disclosures(session, vault, [waiting.referral_id]) == {}
    assert session.scalars(select(DeletionRequest.referral_id)).all() == [waiting.referral_id]
    assert lapse_overrides(session, vault, LATER) == 0
    assert list_slot_mismatches(session) == []
    with pytest.raises(DomainError, match="override_lapsed"):
        confirm_override(session, session.scalars(select(ConsentOverride.id)).one(), waiting.second, NOW)


def test_a_person_who_says_yes_afterwards_keeps_the_referral(waiting: Waiting) -> None:
    session, vault = waiting.session, waiting.vault
    override(waiting)
    renew_referral_consent(
        session, vault, waiting.referral_id, waiting.coordinator, Asked("desk", "ar"), now=NOW
    )
    assert lapse_overrides(session, vault, LATER) == 0
    assert waiting.state == "sent"


def test_a_person_who_says_no_afterwards_is_heard(waiting: Waiting) -> None:
    override(waiting)
    withdraw(
        waiting.session, waiting.vault, waiting.case_id, waiting.coordinator,
        channel="desk", scope="everything", now=NOW,
    )  # fmt: skip
    assert waiting.state == "recalled"
    assert lapse_overrides(waiting.session, waiting.vault, LATER) == 1
    assert waiting.state == "recalled"


def test_the_monthly_list_holds_codes_and_logins(waiting: Waiting) -> None:
    session = waiting.session
    override(waiting)
    start, end = NOW - timedelta(days=1), NOW + timedelta(days=1)
    guardian = Actor(None, "data_protection", "nineveh")
    [row] = list_overrides(session, guardian, start, end).rows
    assert (row.case_code, row.reason, row.made_by_login) == (
        waiting.code, "unconscious", f"first-{waiting.case_id}",
    )  # fmt: skip
    own = Actor(None, "supervisor", "nineveh", ministry="momd")
    assert list_overrides(session, own, start, end).total == 1
    for stranger in (
        Actor(None, "supervisor", "nineveh", ministry="moi"),
        Actor(None, "data_protection", "elsewhere"),
        Actor(None, "admin", "nineveh"),
        Actor(None, "officer", "nineveh", office_id=1),
    ):
        assert list_overrides(session, stranger, start, end).rows == []
    assert list_overrides(session, guardian, end, end + timedelta(days=30)).rows == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_override SET confirmed_by = made_by, confirmed_at = now()",
        "UPDATE consent_override SET due_at = due_at + interval '1 hour'",
        "UPDATE consent_override SET made_at = now() + interval '5 days', due_at = now() + interval '6 days'",
        "UPDATE consent_override SET reason = 'child_alone'",
        "UPDATE consent_override SET confirmed_at = now(), confirmed_by = NULL",
        "DELETE FROM consent_override",
        "UPDATE consent_override SET confirmed_at = now(), confirmed_by = "
        "(SELECT id FROM user_account WHERE role = 'officer' LIMIT 1)",
        "UPDATE consent SET given = true WHERE basis = 'vital_interest'",
        "UPDATE consent SET basis = 'consent' WHERE basis = 'vital_interest'",
    ],
)
def test_raw_sql_cannot_bend_an_override(waiting: Waiting, statement: str) -> None:
    override(waiting)
    person(waiting.session, "an-officer", Role.OFFICER)
    with pytest.raises(IntegrityError):
        waiting.session.execute(text(statement))
