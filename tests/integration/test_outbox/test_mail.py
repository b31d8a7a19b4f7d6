"""E-mail to a real SMTP server: what arrives, what is tried again, what is given up."""

import logging
import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr, ValidationError

from api.delivery import deliver_messages
from api.settings import Settings
from casework.attempts import FIRST_RETRY, LONGEST_RETRY, MOST_ATTEMPTS
from casework.contact_points import Owner, remove_contact_point, set_contact_point
from db.models import DataKey, OutboxMessage, User
from db.session import session_scope
from db.vault import Vault
from tests.integration.test_outbox.conftest import (
    COORDINATOR_ADDRESS,
    MORNING,
    PROVIDER_ADDRESS,
    Mailbox,
    World,
    free_port,
)


def test_a_sent_referral_is_announced_without_a_word_about_the_person(world: World, mailbox: Mailbox) -> None:
    world.send()
    waiting = world.message()
    assert (waiting.state, waiting.template, waiting.language) == ("queued", "referral_sent", "ckb")
    assert deliver_messages(world.context).as_dict()["sent"] == 1
    (mail,) = mailbox.mails
    assert mailbox.envelopes[0].rcpt_tos == [PROVIDER_ADDRESS]
    assert mailbox.envelopes[0].mail_from == "ihala@office.example.org"
    assert mail["To"] == PROVIDER_ADDRESS
    assert mail["Message-ID"] == f"<{waiting.delivery_key}@office.example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "ckb"
    assert mail["Subject"] == "ڕەوانەکردنێکی نوێ چاوەڕوانتانە"
    body = mail.get_content()
    assert "https://ihala.example.org/provider\n" in body.replace("\r\n", "\n")
    raw = mailbox.envelopes[0].content
    assert isinstance(raw, bytes)
    for word in ("زهراء", "كريم", "صالح", "07701234567", "7701234567"):
        assert word not in str(mail) + body
        assert word.encode() not in raw
    done = world.message()
    assert (done.state, done.attempts, done.last_error) == ("sent", 1, None)
    assert done.sent_at is not None
    assert deliver_messages(world.context).as_dict()["sent"] == 0
    assert len(mailbox.envelopes) == 1


def test_retries_double_up_to_a_ceiling_and_end(world: World, mailbox: Mailbox) -> None:
    world.queue()
    now, pauses = MORNING, []
    for _ in range(20):
        mailbox.answers = ["451 later please"]
        assert deliver_messages(world.context, now).outcomes.total() == 1
        message = world.message()
        if message.state == "failed":
            break
        assert message.last_error == "mail_later"
        assert deliver_messages(world.context, message.next_attempt_at - timedelta(seconds=1)).outcomes == {}
        pauses.append(message.next_attempt_at - now)
        # A digest is worth sending for a day only; pretend that this one was written just now.
        _rewrite(world, created_at=message.next_attempt_at)
        now = message.next_attempt_at
    assert world.message().attempts == MOST_ATTEMPTS
    assert len(pauses) == MOST_ATTEMPTS - 1
    assert pauses[:4] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_RETRY
    assert mailbox.envelopes == []


def _rewrite(world: World, **values: object) -> None:
    with session_scope(world.engine) as session:
        message = session.get(OutboxMessage, world.message().id)
        assert message is not None
        for name, value in values.items():
            setattr(message, name, value)


def test_after_a_setback_the_same_bytes_go_out(world: World, mailbox: Mailbox) -> None:
    world.queue()
    seen: list[bytes] = []

    def look() -> None:
        seen.append(b"")

    mailbox.on_data, mailbox.answers = look, ["451 later", "250 OK"]
    deliver_messages(world.context, MORNING)
    deliver_messages(world.context, MORNING + FIRST_RETRY)
    assert len(seen) == 2
    _rewrite(world, state="queued")
    deliver_messages(world.context, MORNING + 2 * FIRST_RETRY)
    first, second = mailbox.envelopes
    assert first.content == second.content


@pytest.mark.parametrize(
    ("answers", "refusals", "state", "code"),
    [
        (["554 no"], [], "failed", "mail_refused"),
        ([], ["550 nobody here"], "failed", "address_refused"),
        ([], ["450 busy"], "queued", "mail_later"),
    ],
)
def test_what_a_refusal_means(
    world: World, mailbox: Mailbox, answers: list[str], refusals: list[str], state: str, code: str
) -> None:
    world.queue()
    mailbox.answers, mailbox.refusals = answers, refusals
    deliver_messages(world.context, MORNING)
    assert (world.message().state, world.message().last_error) == (state, code)


def test_one_refused_address_stops_nobody_else(world: World, mailbox: Mailbox) -> None:
    world.queue(3)
    mailbox.refusals = ["550 nobody here"]
    report = deliver_messages(world.context, MORNING)
    assert (report.outcomes["failed"], report.outcomes["sent"]) == (1, 2)


def test_a_dead_server_costs_one_attempt_a_run(world: World) -> None:
    world.queue(3)
    world.context.settings = world.context.settings.model_copy(update={"smtp_port": free_port()})
    report = deliver_messages(world.context, MORNING)
    assert report.outcomes == {"retried": 1}
    assert sorted((row.attempts, row.last_error) for row in world.messages()) == [
        (0, None),
        (0, None),
        (1, "unreachable"),
    ]


def test_without_settings_messages_wait(world: World, mailbox: Mailbox) -> None:
    world.send()
    world.context.settings = Settings(_env_file=None)
    report = deliver_messages(world.context)
    assert report.as_dict() == {
        "sent": 0, "postponed": 0, "retried": 0, "failed": 0, "cancelled": 0,
        "not_configured": ["email", "sms"],
    }  # fmt: skip
    assert (world.message().state, world.message().attempts) == ("queued", 0)


def test_an_answer_before_the_message_makes_it_idle(world: World, mailbox: Mailbox) -> None:
    from casework.provider_acts import acknowledge

    world.send()
    world.act(acknowledge, world.provider)
    assert deliver_messages(world.context).outcomes == {"cancelled": 1}
    assert world.message().last_error == "settled_meanwhile"
    assert mailbox.envelopes == []


def test_an_old_digest_is_not_sent(world: World, mailbox: Mailbox) -> None:
    world.queue()
    assert deliver_messages(world.context, MORNING + timedelta(days=2)).outcomes == {"cancelled": 1}
    assert world.message().last_error == "outdated"


def test_no_address_is_a_failure_that_an_administrator_can_mend(world: World, mailbox: Mailbox) -> None:
    world.queue()
    owner = Owner(organization_id=world.organization_id)
    with session_scope(world.engine) as session:
        keys = session.query(DataKey).count()
        assert remove_contact_point(session, Vault(session, world.context.masters), owner, "email", None)
        assert session.query(DataKey).count() == keys - 1
    deliver_messages(world.context, MORNING)
    assert (world.message().state, world.message().last_error) == ("failed", "no_address")


def test_a_new_address_is_used_and_the_old_one_erased(world: World, mailbox: Mailbox) -> None:
    world.queue()
    owner = Owner(organization_id=world.organization_id, language="ar")
    with session_scope(world.engine) as session:
        keys = session.query(DataKey).count()
        set_contact_point(
            session, Vault(session, world.context.masters), owner, "email", "new@clinic.example.org", None
        )
        assert session.query(DataKey).count() == keys
    deliver_messages(world.context, MORNING)
    assert mailbox.envelopes[0].rcpt_tos == ["new@clinic.example.org"]


def test_an_account_that_was_switched_off_gets_nothing(world: World, mailbox: Mailbox) -> None:
    from casework.provider_acts import decline

    world.send()
    world.act(decline, world.provider, "no_capacity", "The clinic is full.")
    with session_scope(world.engine) as session:
        user = session.get(User, world.coordinator_id)
        assert user is not None
        user.active = False
    deliver_messages(world.context)
    by_template = {row.template: (row.state, row.last_error) for row in world.messages()}
    assert by_template["referral_declined"] == ("cancelled", "recipient_inactive")


def test_a_broken_message_stops_nobody_else(world: World, mailbox: Mailbox) -> None:
    world.queue(2)
    with session_scope(world.engine) as session:
        message = session.get(OutboxMessage, world.messages()[0].id)
        assert message is not None
        message.params = {}
    report = deliver_messages(world.context, MORNING)
    assert report.outcomes == {"retried": 1, "sent": 1}
    assert world.messages()[0].last_error == "internal"
    assert world.messages()[0].next_attempt_at == MORNING + FIRST_RETRY


def test_logs_hold_no_address_and_no_text(
    world: World, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.queue(4)
    with session_scope(world.engine) as session:
        message = session.get(OutboxMessage, world.messages()[0].id)
        assert message is not None
        message.params = {}
    mailbox.refusals = [f"550 <{PROVIDER_ADDRESS}> unknown"]
    deliver_messages(world.context, MORNING)
    ours = "\n".join(
        record.getMessage() + (record.exc_text or "")
        for record in caplog.records
        if record.name != "mail.log"  # the server of the test
    )
    assert "messages: {" in ours
    assert "KeyError" in ours
    for word in (PROVIDER_ADDRESS, COORDINATOR_ADDRESS, "clinic", "ڕەوانەکردن", "إحالات"):
        assert word not in ours


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine's own authority, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def guarded(certificate: Path) -> Iterator[Mailbox]:
    """A mail server that wants STARTTLS and a password."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    box = Mailbox(port=free_port())

    def check(_server: object, _session: object, _envelope: object, _how: str, given: object) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password == b"open sesame"
        return AuthResult(success=right, handled=right)

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=box.port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=check,
    )
    controller.start()
    yield box
    controller.stop()


def _guarded_settings(world: World, box: Mailbox, certificate: Path | None, password: str) -> Settings:
    return world.context.settings.model_copy(
        update={
            "smtp_host": "localhost",
            "smtp_port": box.port,
            "smtp_security": "starttls",
            "smtp_user": "ihala",
            "smtp_password": SecretStr(password),
            "smtp_ca_file": certificate,
        }
    )


def test_starttls_with_a_password(world: World, guarded: Mailbox, certificate: Path) -> None:
    world.queue(2)
    world.context = replace(
        world.context, settings=_guarded_settings(world, guarded, certificate, "open sesame")
    )
    assert deliver_messages(world.context, MORNING).outcomes == {"sent": 2}
    assert [mail["To"] for mail in guarded.mails] == [PROVIDER_ADDRESS, PROVIDER_ADDRESS]


@pytest.mark.parametrize(
    ("trusted", "password", "code"),
    [(False, "open sesame", "not_trusted"), (True, "wrong", "sign_in_refused")],
)
def test_nothing_goes_to_a_server_that_is_not_ours(
    world: World, guarded: Mailbox, certificate: Path, trusted: bool, password: str, code: str
) -> None:
    world.queue(2)
    world.context = replace(
        world.context,
        settings=_guarded_settings(world, guarded, certificate if trusted else None, password),
    )
    assert deliver_messages(world.context, MORNING).outcomes == {"retried": 1}
    assert guarded.envelopes == []
    assert {row.last_error for row in world.messages()} == {code, None}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"smtp_security": "none", "smtp_user": "ihala", "smtp_host": "mail.example.org"}, "SMTP_SECURITY"),
        ({"sms_url": "http://sms.example.org/send", "sms_secret": "s"}, "https"),
        ({"sms_url": "https://sms.example.org/send"}, "SMS_SECRET"),
    ],
)
def test_settings_that_would_send_secrets_in_clear_text_are_refused(
    values: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        Settings(_env_file=None, **values)
