"""Clocks on the pages: who sees what is overdue, who may stop a clock, who is told, and announced closures."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from casework.deadline_runs import run_deadlines
from db.models import AuditEvent, Deadline, Escalation, Need, OfficeClosure, Referral, ReferralEvent
from db.session import session_scope
from tests.factories.world import World
from tests.integration.test_pages.conftest import Site


def _late(world: World, name: str, days: int = 3) -> None:
    """Let the clock of a referral have run out so many days ago."""
    then = datetime.now(UTC) - timedelta(days=days)
    with session_scope(world.context.engine) as session:
        session.execute(
            update(Deadline)
            .where(Deadline.referral_id == world.referrals[name], Deadline.closed_at.is_(None))
            .values(due_at=then, act_at=then)
        )


def _run(world: World) -> None:
    context = world.context
    report = run_deadlines(context.engine, context.masters, context.governorate, now=datetime.now(UTC))
    assert report.errors == ()


def test_the_wait_is_shown_wherever_the_referral_is(own_site: Site) -> None:
    world = own_site.world
    _late(world, "proposed")
    _late(world, "sent")
    coordinator = own_site.browser("coordinator")
    queue = coordinator.get("/queue").text
    assert "Overdue by 3 days" in queue
    assert queue.index(world.printed("proposed")) < queue.index(world.printed("other")), "overdue first"
    assert "Overdue by 3 days" in coordinator.get(f"/referrals/{world.referrals['proposed']}").text
    assert "Overdue by 3 days" in own_site.browser("officer").get(f"/cases/{world.codes['proposed']}").text
    provider = own_site.browser("provider")
    assert "Overdue by 3 days" in provider.get("/provider").text
    assert "Overdue by 3 days" in provider.get(f"/provider/referrals/{world.referrals['sent']}").text
    overdue = coordinator.get("/api/queue?view=overdue").json()
    assert {row["case_code"] for row in overdue["rows"]} == {world.codes["proposed"], world.codes["sent"]}
    assert overdue["counts"]["overdue"] == overdue["total"] == 2
    assert own_site.browser("coordinator-moi").get("/api/queue?view=overdue").json()["rows"] == []


def test_a_clock_is_stopped_and_goes_on(own_site: Site) -> None:
    world = own_site.world
    coordinator, target = own_site.browser("coordinator"), f"/referrals/{world.referrals['awaiting']}"
    assert "Stop the clock for a while" in coordinator.get(target).text
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert (
        coordinator.post(f"{target}/pause-clock", {"reason": "await_person", "until": "1.1."}).status_code
        == 422
    )
    assert (
        coordinator.post(
            f"{target}/pause-clock", {"reason": "await_person", "until": "2020-01-01"}
        ).status_code
        == 422
    )
    answer = coordinator.post(f"{target}/pause-clock", {"reason": "await_person", "until": tomorrow})
    assert answer.headers["location"] == f"{target}?done=paused"
    page = coordinator.get(target).text
    assert "Waiting for the person" in page
    assert "The clock was stopped for a while." in page
    assert "Stop the clock for a while" not in page
    assert coordinator.post(f"{target}/resume-clock").status_code == 303
    assert coordinator.post(f"{target}/resume-clock").status_code == 409
    assert coordinator.post(f"{target}/report-progress", {"note": "لا جديد"}).status_code == 409


def test_a_provider_stops_the_clock_of_what_it_accepted(own_site: Site) -> None:
    provider, sent = own_site.browser("provider"), own_site.world.referrals["sent"]
    target, form = f"/provider/referrals/{sent}", {"reason": "await_document"}
    assert "Stop the clock" not in provider.get(target).text, "whoever waits for a word hears it in time"
    assert provider.post(f"{target}/pause-clock", form).status_code == 403
    assert provider.post(f"{target}/accept").status_code == 303
    assert "Stop the clock" in provider.get(target).text
    assert provider.post(f"{target}/pause-clock", form).status_code == 303
    assert "Let the clock go on" in provider.get(target).text
    assert provider.post(f"{target}/resume-clock").status_code == 303


def test_a_provider_stops_no_clock_of_the_office(own_site: Site) -> None:
    world = own_site.world
    provider, target = own_site.browser("provider"), f"/provider/referrals/{world.referrals['sent']}"
    asked = {"reason": "need_details", "note": "ما نوع الحاجة؟"}
    assert provider.post(f"{target}/request-info", asked).status_code == 303
    assert "Stop the clock" not in provider.get(target).text, "the office owes the next step"
    assert provider.post(f"{target}/pause-clock", {"reason": "await_document"}).status_code == 403
    # The mark of lateness is the office's then, too.
    _late(world, "sent")
    assert "Overdue" not in provider.get("/provider").text


def test_a_supervisor_is_told_by_code_and_says_what_is_done(own_site: Site) -> None:
    world = own_site.world
    _late(world, "proposed")
    _run(world)
    supervisor = own_site.browser("supervisor")
    assert supervisor.get("/").headers["location"] == "/escalations"
    page = supervisor.get("/escalations").text
    assert world.printed("proposed") in page
    assert "High risk" in page
    assert "زهراء" not in page
    assert world.printed("moi") not in page
    assert world.printed("proposed") not in own_site.browser("supervisor-moi").get("/escalations").text
    with session_scope(world.context.engine) as session:
        ids = session.scalars(
            select(Escalation.id).where(Escalation.referral_id == world.referrals["proposed"])
        ).all()
    (escalation_id,) = ids
    target = f"/escalations/{escalation_id}/settle"
    for login in ("supervisor-moi", "coordinator", "officer"):
        assert own_site.browser(login).post(target, {"note": "رأيت"}).status_code == 404
    assert supervisor.post(target).status_code == 422
    assert supervisor.post(target, {"note": "اتصلت بالمنسق"}).status_code == 303
    assert supervisor.post(target, {"note": "اتصلت بالمنسق"}).status_code == 409
    with session_scope(world.context.engine) as session:
        settled = session.get_one(Escalation, escalation_id)
        assert (settled.settled_how, settled.settled_by is not None) == ("seen", True)
        assert session.scalar(select(AuditEvent.id).where(AuditEvent.action == "escalation.settle"))


def test_a_coordinator_sees_what_it_was_told_at_the_top_of_the_queue(own_site: Site) -> None:
    world = own_site.world
    with session_scope(world.context.engine) as session:
        referral = session.get_one(Referral, world.referrals["sent"])
        session.add(
            Escalation(
                need_id=referral.need_id, referral_id=referral.id, to_role="coordinator", about="accepted"
            )
        )
    page = own_site.browser("coordinator").get("/queue").text
    assert page.index("Told to you</a>") < page.index(world.printed("sent"))
    assert world.printed("sent") not in own_site.browser("coordinator-moi").get("/queue").text


def test_a_person_who_was_reached_is_looked_after_again(own_site: Site) -> None:
    world = own_site.world
    with session_scope(world.context.engine) as session:
        need = session.scalars(select(Need).where(Need.case_id == world.cases["excluding"])).one()
        need.unmet_reason = "person_not_reached"
        need_id = need.id
    coordinator = own_site.browser("coordinator")
    assert "The person was reached: look again" in coordinator.get("/unmet").text
    for login in ("coordinator-moi", "officer-elsewhere"):
        assert own_site.browser(login).post(f"/needs/{need_id}/look-again").status_code == 404
    assert coordinator.post(f"/needs/{need_id}/look-again").status_code == 303
    assert coordinator.post(f"/needs/{need_id}/look-again").status_code == 409


def test_an_administrator_announces_closures_and_takes_them_back(own_site: Site) -> None:
    admin = own_site.browser("admin")
    day = datetime.now(UTC).date() + timedelta(days=1)
    form = {"first_day": day.isoformat(), "last_day": day.isoformat(), "reason": "mourning", "office_id": ""}
    for wrong in ({"reason": "fun"}, {"first_day": "tomorrow"}, {"last_day": "2020-01-01"}):
        assert admin.post("/admin/closures", form | wrong).status_code == 422
    assert admin.post("/admin/closures", form | {"office_id": "99999"}).status_code == 404
    assert admin.post("/admin/closures", form).status_code == 303
    assert admin.post("/admin/closures", form).status_code == 303, "sent twice, closed once"
    page = admin.get("/admin/closures").text
    assert "Official mourning" in page
    assert "All offices and ministries" in page
    with session_scope(own_site.world.context.engine) as session:
        (closure_id,) = session.scalars(select(OfficeClosure.id)).all()
        session.add(OfficeClosure(governorate="elsewhere", first_day=day, last_day=day, reason="other"))
        session.flush()
        foreign = session.scalars(select(OfficeClosure.id).where(OfficeClosure.id != closure_id)).one()
    assert admin.post(f"/admin/closures/{foreign}/cancel").status_code == 404
    assert admin.post(f"/admin/closures/{closure_id}/cancel").status_code == 303
    assert admin.post(f"/admin/closures/{closure_id}/cancel").status_code == 404


def test_the_history_says_what_a_silent_provider_led_to(own_site: Site) -> None:
    world = own_site.world
    _late(world, "sent")
    _run(world)
    page = own_site.browser("coordinator").get(f"/referrals/{world.referrals['sent']}").text
    assert "Nobody answered in time; another provider is looked for." in page
    assert (
        own_site.browser("provider").get(f"/provider/referrals/{world.referrals['sent']}").status_code == 404
    )
    with session_scope(world.context.engine) as session:
        moves = session.scalars(
            select(ReferralEvent.move).where(ReferralEvent.referral_id == world.referrals["sent"])
        ).all()
    assert moves.count("expire") == 1
