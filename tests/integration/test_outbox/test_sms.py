"""SMS to a real HTTP gateway, under the rules of safe contact, which are asked again at the moment of sending."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import select, update

from api.delivery import deliver_messages
from casework.attempts import FIRST_RETRY
from casework.erasure import erase_case
from casework.households import answer_anew
from casework.provider_acts import accept, start
from casework.withdrawals import withdraw
from db.models import AuditEvent, Case, Consent, Person
from db.session import session_scope
from db.vault import Vault
from tests.integration.test_outbox.conftest import DIALLED, MOMD, MORNING, NIGHT, SECRET, Gateway, World


@pytest.fixture
def accepted(world: World) -> World:
    """The provider has accepted; the message that this wrote is left out, the tests write their own."""
    world.send()
    _answer_contact(world, given=False)
    world.act(accept, world.provider)
    _answer_contact(world, given=True)
    return world


def _answer_contact(world: World, *, given: bool) -> None:
    """The person says anew whether anybody may call or write."""
    with session_scope(world.engine) as session:
        newest = select(Consent).where(Consent.case_id == world.case_id, Consent.kind == "contact")
        former = session.scalars(newest.order_by(Consent.id.desc()).limit(1)).one()
        session.add(answer_anew(former, given=given))


def sms(world: World) -> tuple[str, int, str | None]:
    (found,) = [row for row in world.messages() if row.channel == "sms"]
    return found.state, found.attempts, found.last_error


def test_acceptance_writes_to_who_agreed_to_contact(world: World) -> None:
    world.send()
    world.act(accept, world.provider)
    assert sms(world) == ("queued", 0, None)


def test_nothing_is_written_without_a_yes_to_contact(accepted: World) -> None:
    assert [row.channel for row in accepted.messages()] == ["email"]


def test_what_the_gateway_gets(accepted: World, gateway: Gateway) -> None:
    accepted.queue_sms()
    deliver_messages(accepted.context, MORNING)
    ((headers, body),) = gateway.posts
    (text,) = gateway.texts
    assert text == {"to": DIALLED, "text": "يرجى الاتصال بالمكتب الذي زرته، في أوقات الدوام."}
    stamp = headers["x-ihala-timestamp"]
    assert stamp == str(int(MORNING.timestamp()))
    wanted = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-ihala-signature"] == f"sha256={wanted}"
    (row,) = [row for row in accepted.messages() if row.channel == "sms"]
    assert headers["idempotency-key"] == str(row.delivery_key)
    assert sms(accepted)[0] == "sent"
    with session_scope(accepted.engine) as session:
        reads = session.scalars(select(AuditEvent).where(AuditEvent.action == "phone.read")).all()
    assert [(row.object_type, row.object_id, row.purpose) for row in reads] == [
        ("case_file", accepted.case_id, "message")
    ]


def test_field_names_are_the_gateways(accepted: World, gateway: Gateway) -> None:
    names = {
        "sms_to_field": "msisdn",
        "sms_text_field": "body",
        "sms_sender": "Office",
        "sms_sender_field": "src",
    }
    accepted.context.settings = accepted.context.settings.model_copy(update=names)
    accepted.queue_sms()
    deliver_messages(accepted.context, MORNING)
    assert gateway.texts[0].keys() == {"msisdn", "body", "src"}


def test_at_night_it_waits_for_the_persons_hours(accepted: World, gateway: Gateway) -> None:
    accepted.queue_sms(NIGHT)
    deliver_messages(accepted.context, NIGHT)
    assert sms(accepted) == ("queued", 0, "outside_hours")
    assert gateway.posts == []
    in_the_morning = NIGHT + timedelta(hours=9)  # eight o'clock in Mosul
    deliver_messages(accepted.context, in_the_morning - timedelta(seconds=1))
    assert gateway.posts == []
    deliver_messages(accepted.context, in_the_morning)
    assert sms(accepted)[0] == "sent"


def _withdraw(world: World) -> None:
    with session_scope(world.engine) as session:
        withdraw(
            session,
            Vault(session, world.context.masters),
            world.case_id,
            MOMD,
            channel="desk",
            scope="everything",
            now=MORNING,
        )


def _no_contact(world: World) -> None:
    _answer_contact(world, given=False)


def _no_phone(world: World) -> None:
    with session_scope(world.engine) as session:
        session.execute(update(Person).values(phone=None))


def _no_hours(world: World) -> None:
    with session_scope(world.engine) as session:
        session.execute(update(Person).values(safe_contact=None))


def _erase(world: World) -> None:
    with session_scope(world.engine) as session:
        erase_case(session, Vault(session, world.context.masters), world.case_id, MOMD)


def _start(world: World) -> None:
    world.act(start, world.provider)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_withdraw, "settled_meanwhile"),
        (_no_contact, "contact_not_agreed"),
        (_no_phone, "no_phone"),
        (_no_hours, "hours_unknown"),
        (_erase, "erased"),
        (_start, "settled_meanwhile"),
    ],
)
def test_what_changed_meanwhile_is_seen(
    accepted: World, gateway: Gateway, change: Callable[[World], None], code: str
) -> None:
    accepted.queue_sms(NIGHT)
    deliver_messages(accepted.context, NIGHT)
    change(accepted)
    deliver_messages(accepted.context, NIGHT + timedelta(hours=10))
    assert sms(accepted) == ("cancelled", 0, code)
    assert gateway.posts == []


def test_a_withdrawn_consent_alone_stops_it(accepted: World, gateway: Gateway) -> None:
    """Even where the referral itself went on."""
    accepted.queue_sms()
    with session_scope(accepted.engine) as session:
        session.execute(update(Consent).where(Consent.kind == "contact").values(withdrawn_at=MORNING))
    deliver_messages(accepted.context, MORNING)
    assert sms(accepted) == ("cancelled", 0, "contact_not_agreed")


def test_a_merged_case_is_under_the_consent_of_the_household(accepted: World, gateway: Gateway) -> None:
    from tests.factories.cases import make_assessment, make_consent, open_case

    accepted.queue_sms()
    governorate = accepted.context.governorate
    with session_scope(accepted.engine) as session:
        vault = Vault(session, accepted.context.masters)
        strict = make_assessment(governorate, consent=make_consent(governorate, contact=False))
        other = open_case(session, vault, governorate, strict).case_id
        session.execute(update(Case).where(Case.id == accepted.case_id).values(merged_into_id=other))
    deliver_messages(accepted.context, MORNING)
    assert sms(accepted) == ("cancelled", 0, "contact_not_agreed")


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        (400, "failed", "gateway_refused"),
        (404, "failed", "gateway_refused"),
        (422, "failed", "gateway_refused"),
        (401, "queued", "sign_in_refused"),
        (302, "queued", "gateway_moved"),
        (408, "queued", "gateway_failed"),
        (429, "queued", "gateway_busy"),
        (500, "queued", "gateway_failed"),
        (503, "queued", "gateway_busy"),
    ],
)
def test_what_an_answer_means(accepted: World, gateway: Gateway, status: int, state: str, code: str) -> None:
    accepted.queue_sms()
    gateway.answers = [(status, {"Location": "http://127.0.0.1:1/elsewhere"})]
    deliver_messages(accepted.context, MORNING)
    assert sms(accepted) == (state, 1, code)
    assert len(gateway.posts) == 1
    if state == "queued":
        deliver_messages(accepted.context, MORNING + FIRST_RETRY)
        assert sms(accepted) == ("sent", 2, None)
        keys = {headers["idempotency-key"] for headers, _ in gateway.posts}
        assert len(keys) == 1
        assert len({body for _, body in gateway.posts}) == 1


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured_for_the_whole_channel(
    accepted: World, gateway: Gateway, as_date: bool
) -> None:
    until = MORNING + timedelta(minutes=20)
    accepted.queue_sms()
    with session_scope(accepted.engine) as session:
        from casework.messages import Recipient, queue_message

        recipient = Recipient("nineveh", "ar", ("sms",), case_id=accepted.case_id)
        queue_message(
            session, "referral_accepted", recipient, params={}, dedupe_key="2", now=MORNING,
            referral_id=accepted.referral_id,
        )  # fmt: skip
    gateway.answers = [(429, {"Retry-After": format_datetime(until, usegmt=True) if as_date else "1200"})]
    deliver_messages(accepted.context, MORNING)
    deliver_messages(accepted.context, until - timedelta(seconds=1))
    assert len(gateway.posts) == 1
    assert deliver_messages(accepted.context, until).outcomes["sent"] == 2
    assert len(gateway.posts) == 3


def test_an_endless_retry_after_has_an_end(accepted: World, gateway: Gateway) -> None:
    accepted.queue_sms()
    gateway.answers = [(503, {"Retry-After": "99999999999"})]
    deliver_messages(accepted.context, MORNING)
    (row,) = [row for row in accepted.messages() if row.channel == "sms"]
    assert row.next_attempt_at == MORNING + timedelta(hours=24)


def test_nobody_else_may_read_what_was_written(accepted: World) -> None:
    """The row itself holds ids and codes only."""
    accepted.queue_sms()
    (row,) = [row for row in accepted.messages() if row.channel == "sms"]
    assert (row.params, row.case_id, row.user_id, row.organization_id) == ({}, accepted.case_id, None, None)
