"""What the pages and the command line show of messages to the PSEA focal point, and of offers nobody answers."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from casework.offers import tell_overdue_hand_over, tell_overdue_transfer
from db.models import AuditEvent, CaseTransfer, HandOver, MessageState, OutboxMessage
from db.outbox import count_all_messages
from db.session import session_scope
from db.vault import Vault
from tests.factories.complaints import complain
from tests.integration.test_pages.conftest import Site

SUBJECT = "A complaint has arrived"


@pytest.fixture
def failed(own_site: Site) -> int:
    """A message to the focal point that was given up."""
    focal_point = own_site.browser("psea-focal-point")
    assert focal_point.post("/account/address", {"address": "focal@psea.example.org"}).status_code == 303
    context = own_site.world.context
    with session_scope(context.engine) as session:
        vault, now = Vault(session, context.masters), datetime.now(UTC)
        complain(session, vault, context.governorate, now, kind="sexual_exploitation")
        message = session.scalars(
            select(OutboxMessage).where(OutboxMessage.template == "complaint_received")
        ).one()
        message.state, message.last_error = MessageState.FAILED, "address_refused"
        return message.id


def test_the_focal_point_alone_sees_and_retries_what_failed(own_site: Site, failed: int) -> None:
    with session_scope(own_site.world.context.engine) as session:
        counted = count_all_messages(session)
        assert not [key for key in counted if "complaint_received" in key or "failed" in key]
    admin = own_site.browser("admin")
    for view in MessageState:
        page = admin.get(f"/messages?view={view}").text
        assert SUBJECT not in page
        assert "address_refused" not in page
    assert admin.post(f"/messages/{failed}/retry").status_code == 404
    for login in ("officer", "coordinator", "provider", "supervisor", "data-protection"):
        assert own_site.browser(login).get("/messages").status_code == 403
        assert own_site.browser(login).post(f"/messages/{failed}/retry").status_code == 403
    focal_point = own_site.browser("psea-focal-point")
    page = focal_point.get("/messages").text
    assert SUBJECT in page
    assert "address_refused" in page
    assert "A referral" not in "".join(
        focal_point.get(f"/messages?view={view}").text for view in MessageState
    )
    with session_scope(own_site.world.context.engine) as session:
        before = session.scalars(select(AuditEvent.id)).all()
    assert focal_point.post(f"/messages/{failed}/retry").headers["location"] == "/messages?done=queued"
    with session_scope(own_site.world.context.engine) as session:
        assert session.get_one(OutboxMessage, failed).state == "queued"
        assert session.scalars(select(AuditEvent.id)).all() == before


def test_the_focal_point_sees_no_other_message(own_site: Site, failed: int) -> None:
    context = own_site.world.context
    with session_scope(context.engine) as session:
        others = select(OutboxMessage.id).where(OutboxMessage.template == "referral_sent")
        other = session.scalars(others).first()
        session.execute(update(OutboxMessage).values(state=MessageState.FAILED))
    assert other is not None
    assert own_site.browser("psea-focal-point").post(f"/messages/{other}/retry").status_code == 404
    assert own_site.browser("admin").post(f"/messages/{other}/retry").status_code == 303


def test_a_supervisor_reads_which_offers_nobody_answers(own_site: Site) -> None:
    world = own_site.world
    late = datetime.now(UTC) + timedelta(days=90)
    with session_scope(world.context.engine) as session:
        offers = update(CaseTransfer).where(CaseTransfer.id == world.transfer)
        session.execute(offers.values(reminders=1, act_at=late))
        assert tell_overdue_transfer(session, world.context.governorate, world.transfer, late)
        session.execute(
            update(HandOver).where(HandOver.id == world.hand_over).values(reminders=1, act_at=late)
        )
        assert tell_overdue_hand_over(session, world.context.governorate, world.hand_over, late)
        kept = session.get_one(CaseTransfer, world.transfer), session.get_one(HandOver, world.hand_over)
        assert all(offer.escalation_id is not None for offer in kept)
        ministry = kept[1].from_ministry
    supervisor = own_site.browser("supervisor").get("/escalations").text
    assert "A transfer is not answered" in supervisor
    login = "supervisor" if ministry == "momd" else "supervisor-moi"
    assert "A hand-over is not answered" in own_site.browser(login).get("/escalations").text
