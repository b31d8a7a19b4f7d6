"""Messages as an administrator sees them, and the address that a user keeps."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from casework.attempts import record_failed
from casework.contact_points import ADDRESS_FIELD
from casework.messages import Recipient, queue_message
from db.models import AuditEvent, ContactPoint, OutboxMessage
from db.session import session_scope
from db.vault import Vault
from tests.integration.test_pages.conftest import Site

ADDRESS = "intake@clinic.example.org"


@pytest.fixture
def failed(own_site: Site) -> int:
    """A message that was given up."""
    world = own_site.world
    recipient = Recipient("nineveh", "ar", ("email",), organization_id=world.organizations["addressed"])
    with session_scope(world.context.engine) as session:
        queue_message(
            session,
            "referral_recalled",
            recipient,
            params={"referral": world.referrals["sent"]},
            dedupe_key="a",
            now=datetime.now(UTC),
        )
        message = session.scalars(
            select(OutboxMessage).where(OutboxMessage.template == "referral_recalled")
        ).one()
        record_failed(message, "address_refused")
        return message.id


def test_failures_are_shown_without_an_address(own_site: Site, failed: int) -> None:
    provider = own_site.browser("provider")
    assert provider.post("/account/address", {"address": ADDRESS}).status_code == 303
    page = own_site.browser("admin").get("/messages").text
    for word in ("A referral was taken back", "The address was refused", "address_refused", str(failed)):
        assert word in page
    assert "Not configured: E-mail, SMS." in page
    waiting = own_site.browser("admin").get("/messages?view=queued").text
    assert "A new referral waits for you" in waiting
    for text in (page, waiting):
        assert ADDRESS not in text
        assert "clinic.example.org" not in text
        for name in ("sent", "awaiting"):
            assert own_site.world.codes[name] not in text


def test_try_again(own_site: Site, failed: int) -> None:
    admin = own_site.browser("admin")
    answer = admin.post(f"/messages/{failed}/retry")
    assert (answer.status_code, answer.headers["location"]) == (303, "/messages?done=queued")
    with session_scope(own_site.world.context.engine) as session:
        message = session.get(OutboxMessage, failed)
        assert message is not None
        assert (message.state, message.attempts, message.last_error) == ("queued", 0, None)
        audits = session.scalars(select(AuditEvent).where(AuditEvent.action == "message.retry")).all()
        assert [row.object_id for row in audits] == [failed]
    assert admin.post(f"/messages/{failed}/retry").status_code == 409


def test_another_governorates_messages_do_not_exist(own_site: Site, failed: int) -> None:
    with session_scope(own_site.world.context.engine) as session:
        session.execute(update(OutboxMessage).values(governorate="elsewhere"))
    admin = own_site.browser("admin")
    assert admin.post(f"/messages/{failed}/retry").status_code == 404
    assert "address_refused" not in admin.get("/messages").text


def test_a_bad_view_is_refused(own_site: Site) -> None:
    assert own_site.browser("admin").get("/messages?view=everything").status_code == 400


@pytest.mark.parametrize(("login", "column"), [("provider", "organization_id"), ("coordinator", "user_id")])
def test_keeping_and_deleting_ones_address(own_site: Site, login: str, column: str) -> None:
    browser, context = own_site.browser(login), own_site.world.context
    assert browser.post("/account/address", {"address": "no address"}).status_code == 422
    answer = browser.post("/account/address", {"address": ADDRESS})
    assert answer.headers["location"] == "/account?done=addressed"
    with session_scope(context.engine) as session:
        (kept,) = session.scalars(select(ContactPoint)).all()
        assert getattr(kept, column) is not None
        assert ADDRESS.encode() not in kept.address
        assert Vault(session, context.masters).open(ADDRESS_FIELD, kept.address) == ADDRESS
        audits = session.scalars(select(AuditEvent).where(AuditEvent.action == "contact_point.set")).all()
        assert len(audits) == 1
        assert audits[0].user_id is not None
    page = browser.get("/account").text
    assert "An address is kept since" in page
    assert ADDRESS not in page
    assert browser.post("/account/address/forget").status_code == 303
    assert browser.post("/account/address/forget").status_code == 303
    with session_scope(context.engine) as session:
        assert session.scalars(select(ContactPoint)).all() == []
    assert "An address is kept since" not in browser.get("/account").text
