"""Which move tells whom, and that no message can carry what somebody typed."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from api.message_texts import TEXTS, render
from casework import amendments, closure, provider_acts, sending
from casework.contact_points import Owner, read_address, set_contact_point
from casework.message_templates import TEMPLATES, Audience
from casework.messages import Recipient, queue_for_move, queue_message
from casework.moves import Actor
from casework.named_consents import Asked
from db.accounts import create_user
from db.errors import DomainError
from db.models import Role, User
from db.referrals import get_referral_parts
from db.session import session_scope
from db.vault import Vault
from governorates import LANGUAGES
from governorates.offers import OFFERS
from referral_engine import complaints
from referral_engine.sop import MOVES, ReferralState
from tests.integration.test_outbox.conftest import MOMD, MORNING, PHONE, World


def told(world: World) -> list[tuple[str, str]]:
    """Template and recipient of every message, in the order of writing."""
    names = {
        (None, world.organization_id, None): "provider",
        (world.coordinator_id, None, None): "coordinator",
        (None, None, world.case_id): "returnee",
    }
    return [(row.template, names[row.user_id, row.organization_id, row.case_id]) for row in world.messages()]


def test_every_message_of_a_move_has_a_template_for_its_audience() -> None:
    pairs = {pair for move in MOVES.values() for pair in move.messages}
    assert ("referral_sent", "provider") in pairs
    for template, audience in pairs:
        assert Audience(audience) in TEMPLATES[template].audiences, (template, audience)
    by_clock = {
        "provider_digest",
        "overdue_digest",
        "deletion_digest",
        "deletions_digest",
        "deadline_overdue",
        "progress_due",
        "referral_escalated",
        "high_risk_told",
        "complaint_overdue",
        "complaint_digest",
        "lag_alert",
        "lag_over",
        *(f"{offer}_{step}" for offer in OFFERS for step in ("offered", "overdue", "escalated")),
    }
    of_complaints = {move.message for move in complaints.MOVES.values() if move.message}
    of_settlements = {template for template, _ in amendments.MESSAGE}
    assert {
        template for template, _ in pairs
    } | of_complaints | of_settlements == TEMPLATES.keys() - by_clock, "a template that nothing writes"


def test_on_the_way_to_a_dispute(world: World) -> None:
    world.send()
    world.act(provider_acts.request_info, world.provider, "document_details", "Which papers are there?")
    world.act(closure.answer_info, MOMD, "All of them.", Asked("desk", "ar"))
    world.act(provider_acts.accept, world.provider)
    world.act(provider_acts.start, world.provider)
    world.act(provider_acts.deliver, world.provider)
    world.act(closure.dispute, MOMD, "not_received", "Nobody came.")
    assert told(world) == [
        ("referral_sent", "provider"),
        ("info_requested", "coordinator"),
        ("info_answered", "provider"),
        ("referral_accepted", "returnee"),
        ("referral_disputed", "coordinator"),
    ]


def test_a_decline_reaches_the_coordinators_in_their_language(world: World) -> None:
    world.send()
    world.act(provider_acts.decline, world.provider, "no_capacity", "The clinic is full.")
    assert told(world)[1:] == [("referral_declined", "coordinator")]
    row = world.messages()[1]
    assert (row.language, row.params) == ("en", {"referral": world.referral_id})
    assert "full" not in render(row.template, "email", "en", row.params, None).body


def test_a_recall_tells_only_a_provider_who_received_something(world: World) -> None:
    world.act(sending.recall, MOMD, "error", "Sent by mistake.")
    assert told(world) == []


def test_a_recall_after_sending_asks_the_provider_to_delete(world: World) -> None:
    world.send()
    world.act(sending.recall, MOMD, "error", "Sent by mistake.")
    assert told(world) == [("referral_sent", "provider"), ("referral_recalled", "provider")]
    assert world.messages()[1].params == {"referral": world.referral_id}


def test_who_acts_is_not_told_and_others_are(world: World) -> None:
    ministries = {"momd-2": "momd", "moi-1": "moi", "off": "momd", "no-address": "momd"}
    with session_scope(world.engine) as session:
        others = {login: _coordinator(session, login, ministry) for login, ministry in ministries.items()}
        others["off"].active = False
        for login in ("momd-2", "moi-1", "off"):
            _address(world, session, others[login].id, f"{login}@example.org")
    world.send()
    world.act(provider_acts.decline, world.provider, "no_capacity", "The clinic is full.")
    declined = [row.user_id for row in world.messages() if row.template == "referral_declined"]
    assert declined == [world.coordinator_id, others["momd-2"].id]
    with session_scope(world.engine) as session:
        parts = get_referral_parts(session, world.referral_id)
        assert parts is not None
        actor = Actor(world.coordinator_id, "coordinator", "nineveh", ministry="momd")
        queue_for_move(session, parts, MOVES["decline"], actor, datetime.now(UTC))
    declined = [row.user_id for row in world.messages() if row.template == "referral_declined"]
    assert declined[2:] == [others["momd-2"].id]


def _coordinator(session: Session, login: str, ministry: str) -> User:
    return create_user(
        session,
        login=login,
        password_hash="-",
        role=Role.COORDINATOR,
        governorate="nineveh",
        ministry=ministry,
    )


def _address(world: World, session: Session, user_id: int, address: str) -> None:
    vault = Vault(session, world.context.masters)
    set_contact_point(session, vault, Owner(user_id=user_id), "email", address, None)


def test_the_same_move_at_the_same_moment_is_one_message(world: World) -> None:
    world.send()
    at = datetime.now(UTC)
    for _ in range(2):
        with session_scope(world.engine) as session:
            parts = get_referral_parts(session, world.referral_id)
            assert parts is not None
            queue_for_move(session, parts, MOVES["decline"], world.provider, at)
    assert [row.template for row in world.messages()].count("referral_declined") == 1


FIGURES = st.integers(0, 10**9 - 1)
ANYTHING = st.text() | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.text()) | FIGURES
BY_STATE = st.dictionaries(st.sampled_from(sorted(ReferralState)) | st.text(), ANYTHING, max_size=3)
WITHOUT_STATES = sorted(code for code, template in TEMPLATES.items() if template.while_in is None)


@given(
    template=st.sampled_from(WITHOUT_STATES),
    values=st.lists(ANYTHING | BY_STATE, min_size=3, max_size=3),
    language=st.sampled_from(LANGUAGES),
    key=st.uuids(),
)
@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_passed_only_figures_get_into_a_message(
    session: Session, template: str, values: list[Any], language: str, key: uuid.UUID
) -> None:
    params = dict(zip(sorted(TEMPLATES[template].params), values, strict=False))
    recipient = Recipient("nineveh", language, ("email",), organization_id=1)
    try:
        queue_message(session, template, recipient, params=params, dedupe_key=str(key), now=MORNING)
    except ValueError:
        return
    for value in params.values():
        by_state = value if isinstance(value, dict) else {ReferralState.SENT: value}
        assert all(state in set(ReferralState) for state in by_state)
        assert all(type(number) is int and 0 <= number < 10**9 for number in by_state.values())


@pytest.mark.parametrize("word", ["زهراء", "Zahra", PHONE, "+9647701234567", "zahra", "a@b.org", "", "ABC"])
def test_words_of_a_person_are_refused(session: Session, word: str) -> None:
    recipient = Recipient("nineveh", "ar", ("email",), organization_id=1)
    for params in ({"referral": word}, {"referral": {word: 1}}, {"referral": 7701234567}):
        with pytest.raises(ValueError, match="neither a figure nor"):
            queue_message(session, "referral_declined", recipient, params=params, dedupe_key="x", now=MORNING)
    for params in ({}, {"referral": 1, "name": 2}):
        with pytest.raises(ValueError, match="takes exactly"):
            queue_message(session, "referral_declined", recipient, params=params, dedupe_key="x", now=MORNING)


def test_nothing_that_is_written_on_the_way_names_the_person(world: World) -> None:
    test_on_the_way_to_a_dispute(world)
    assert len(TEXTS) == len(TEMPLATES)
    for row in world.messages():
        for language in LANGUAGES:
            text = render(row.template, row.channel, language, row.params, "https://ihala.example.org")
            for word in ("زهراء", "كريم", "صالح", PHONE, PHONE[1:], "papers", "Nobody came"):
                assert word not in f"{text} {row.params} {row.dedupe_key}"


@pytest.mark.parametrize(
    ("channel", "address", "plain"),
    [
        ("email", " intake@clinic.example.org ", "intake@clinic.example.org"),
        ("sms", "+964 770 123 4567", "+9647701234567"),
        ("sms", "00964-770-1234567", "+9647701234567"),
    ],
)
def test_addresses_have_one_form(channel: str, address: str, plain: str) -> None:
    assert read_address(channel, address) == plain


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", ""),
        ("email", "nobody"),
        ("email", "a@b@c"),
        ("email", "a@b\r\nBcc: x@y.org"),
        ("email", "Zahra <z@example.org>"),
        ("email", "z@exa mple.org"),
        ("email", "زهراء@example.org"),
        ("email", f"{'a' * 250}@example.org"),
        ("email", "a,b@example.org"),
        ("sms", "07701234567"),
        ("sms", "+12"),
        ("sms", "call me"),
        ("sms", "+9647701234567890123"),
    ],
)
def test_what_is_no_address_is_refused(channel: str, address: str) -> None:
    with pytest.raises(DomainError, match="address_unreadable"):
        read_address(channel, address)
