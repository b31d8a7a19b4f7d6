"""A real SMTP server (aiosmtpd), a real HTTP gateway, and a committed world with messages to send."""

import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session as DatabaseSession

from api.context import AppContext
from api.settings import Settings
from casework.contact_points import Owner, set_contact_point
from casework.matching import match_open_needs
from casework.messages import Recipient, queue_message
from casework.moves import Actor
from casework.referrals import approve
from casework.sending import send
from db.accounts import create_user
from db.embedded import EmbeddedPostgres
from db.keyfile import MasterKeys
from db.models import OutboxMessage, Referral, Role
from db.referrals import get_referral_parts
from db.session import make_engine, session_scope
from db.vault import Vault
from governorates import Governorate
from tests.conftest import Database
from tests.factories.cases import make_assessment, open_case

SECRET = "a secret of the tests"
PROVIDER_ADDRESS = "intake@clinic.example.org"
COORDINATOR_ADDRESS = "coordinator@momd.example.org"
PHONE = "07701234567"
DIALLED = "+9647701234567"
MORNING = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
"""Half past nine in Mosul, within the hours that the invented person named."""
NIGHT = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")


@dataclass
class Mailbox:
    """What the SMTP server took. `answers` are its next replies to DATA, `refusals` to RCPT; else 250."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    on_data: Callable[[], None] | None = None

    async def handle_RCPT(  # noqa: N802  the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.envelopes.append(envelope)
        if self.on_data is not None:
            self.on_data()
        return answer

    @property
    def mails(self) -> list[EmailMessage]:
        return [_parsed(envelope) for envelope in self.envelopes]


def _parsed(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    found = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox(port=free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


@dataclass
class Gateway:
    """What the SMS gateway was asked. `answers` are the next (status, headers); else 200."""

    port: int = 0
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/send?account=7"

    @property
    def texts(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    found = Gateway()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status, headers = found.answers.pop(0) if found.answers else (200, {})
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@dataclass
class World:
    """One referral that waits for its consent, a provider and a coordinator with addresses."""

    context: AppContext
    case_id: int
    referral_id: int
    organization_id: int
    coordinator_id: int

    @property
    def engine(self) -> Engine:
        return self.context.engine

    @property
    def provider(self) -> Actor:
        return Actor(None, "provider", "nineveh", organization_id=self.organization_id)

    def act(self, act: Callable[..., object], *values: Any, **named: Any) -> None:
        """One act of casework on the referral, in a transaction of its own."""
        with session_scope(self.engine) as session:
            act(session, Vault(session, self.context.masters), self.referral_id, *values, **named)

    def send(self) -> None:
        self.act(send, MOMD, channel="desk", language="ar")

    def messages(self) -> list[OutboxMessage]:
        with DatabaseSession(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))

    def message(self) -> OutboxMessage:
        (found,) = self.messages()
        return found

    def queue(self, number: int = 1, now: datetime = MORNING) -> None:
        """Messages to the provider, each about another thing."""
        recipient = Recipient("nineveh", "ar", ("email",), organization_id=self.organization_id)
        with session_scope(self.engine) as session:
            for index in range(number):
                assert queue_message(
                    session,
                    "provider_digest",
                    recipient,
                    params={"new": index, "waiting": 0, "overdue": 0},
                    dedupe_key=f"day-{index}",
                    now=now,
                )

    def queue_sms(self, now: datetime = MORNING) -> None:
        """The message to the returnee, whatever the referral's state."""
        recipient = Recipient("nineveh", "ar", ("sms",), case_id=self.case_id)
        with session_scope(self.engine) as session:
            assert queue_message(
                session,
                "referral_accepted",
                recipient,
                params={},
                dedupe_key="1",
                now=now,
                referral_id=self.referral_id,
            )


@pytest.fixture
def settings(mailbox: Mailbox, gateway: Gateway, tmp_path: Path) -> Settings:
    return Settings(
        data_folder=tmp_path,
        public_url="https://ihala.example.org/",
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        smtp_from="Ihala <ihala@office.example.org>",
        sms_url=gateway.url,
        sms_secret=SecretStr(SECRET),
        send_seconds=5,
    )


@pytest.fixture(scope="package")
def prepared(
    server: EmbeddedPostgres,
    clone: Callable[[], Database],
    masters: MasterKeys,
    governorate: Governorate,
) -> tuple[str, dict[str, int]]:
    """The world of these tests in a database that nobody is connected to any more, so that it can be copied."""
    made = clone()
    engine = make_engine(made.app_url)
    with session_scope(engine) as session:
        ids = _build(session, Vault(session, masters), governorate)
    engine.dispose()
    return made.name, ids


def _build(session: DatabaseSession, vault: Vault, governorate: Governorate) -> dict[str, int]:
    case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    referral_id = session.scalars(select(Referral.id)).one()
    parts = get_referral_parts(session, referral_id)
    assert parts is not None
    assert case_id is not None
    organization = Owner(organization_id=parts.organization.id, language="ckb")
    set_contact_point(session, vault, organization, "email", PROVIDER_ADDRESS, None)
    user = create_user(
        session,
        login="coordinator-1",
        password_hash="nobody signs in",
        role=Role.COORDINATOR,
        governorate="nineveh",
        ministry="momd",
        language="en",
    )
    set_contact_point(session, vault, Owner(user_id=user.id), "email", COORDINATOR_ADDRESS, None)
    approve(session, vault, referral_id, MOMD)
    return {
        "case_id": case_id,
        "referral_id": referral_id,
        "organization_id": parts.organization.id,
        "coordinator_id": user.id,
    }


@pytest.fixture
def world(
    server: EmbeddedPostgres,
    prepared: tuple[str, dict[str, int]],
    masters: MasterKeys,
    governorate: Governorate,
    settings: Settings,
) -> Iterator[World]:
    """A copy of the prepared world, of this test's own."""
    template, ids = prepared
    name = f"t_{secrets.token_hex(5)}"
    server.create_database(name, template)
    engine = make_engine(server.app_url(name))
    yield World(AppContext(settings, engine, server.owner_url(name), masters, governorate), **ids)
    engine.dispose()
    server.drop_database(name)
