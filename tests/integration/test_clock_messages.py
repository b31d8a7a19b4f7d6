"""What runs out of time is told, once, to whoever must hear of it."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from casework import provider_acts
from casework.breaches import act_on_breach, tell_supervisors
from casework.contact_points import Owner, set_contact_point
from db.accounts import create_user
from db.models import Deadline, Escalation, OutboxMessage, Role
from db.vault import Vault
from governorates import Governorate
from referral_engine.sop import LIVE
from tests.integration.test_breaches import DAY, Scene, make_scene

ROLES = [
    (Role.COORDINATOR, "momd"),
    (Role.COORDINATOR, "moi"),
    (Role.SUPERVISOR, "momd"),
    (Role.SUPERVISOR, "moi"),
]


def add_everybody(session: Session, vault: Vault) -> dict[int | None, str]:
    """A coordinator and a supervisor of each ministry, all with a work address; user id -> role and ministry."""
    names: dict[int | None, str] = {None: "provider"}
    for role, ministry in ROLES:
        login = f"{role}-{ministry}"
        user = create_user(
            session, login=login, password_hash="-", role=role, governorate="nineveh", ministry=ministry
        )
        set_contact_point(session, vault, Owner(user_id=user.id), "email", f"{login}@example.org", None)
        names[user.id] = login
    return names


def told(session: Session, names: dict[int | None, str]) -> list[tuple[str, str]]:
    """Template and recipient of what clocks have written, in the order of writing."""
    by_clock = ("deadline_overdue", "progress_due", "referral_escalated", "high_risk_told")
    rows = session.scalars(
        select(OutboxMessage).where(OutboxMessage.template.in_(by_clock)).order_by(OutboxMessage.id)
    )
    return [(row.template, names[row.user_id]) for row in rows]


def run_out_again(scene: Scene) -> None:
    """What a worker would do that had not seen that another one acted: the same turn of the same clock."""
    before = scene.deadline
    turn, number, referral_id = before.act_at, before.reminders, scene.parts.referral.id
    scene.run_out()
    scene.session.execute(
        update(Deadline).where(Deadline.id == before.id).values(act_at=turn, reminders=number)
    )
    scene.session.expire_all()
    assert turn is not None
    later = turn + timedelta(minutes=1)
    assert act_on_breach(scene.session, scene.vault, referral_id, later) is not None
    assert act_on_breach(scene.session, scene.vault, referral_id, later) is None


def test_every_reminder_is_told_once_and_then_the_supervisor(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    names = add_everybody(session, vault)
    scene = make_scene(session, vault, governorate)
    reminders = governorate.deadline_rules.reminders
    for number in range(1, reminders + 1):
        run_out_again(scene)
        assert told(session, names) == [("deadline_overdue", "coordinator-momd")] * number
    for _ in range(2):  # an escalation that stands open is not told of again
        run_out_again(scene)
    assert told(session, names)[reminders:] == [("referral_escalated", "supervisor-momd")]
    session.execute(update(Escalation).values(settled_at=datetime.now(UTC), settled_how="seen"))
    scene.run_out()
    assert told(session, names)[reminders:] == [("referral_escalated", "supervisor-momd")] * 2
    (message,) = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc()).limit(1))
    assert (message.referral_id, message.params) == (
        scene.parts.referral.id,
        {"referral": scene.parts.referral.id},
    )


def test_a_long_service_is_asked_after_at_its_provider(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    names = add_everybody(session, vault)
    scene = make_scene(session, vault, governorate, service_type="civil_documents")
    scene.send()
    provider_acts.accept(session, vault, scene.parts.referral.id, scene.provider)
    provider_acts.start(session, vault, scene.parts.referral.id, scene.provider)
    for number in range(1, 3):
        run_out_again(scene)
        assert told(session, names) == [("progress_due", "provider")] * number
    assert session.scalars(select(OutboxMessage.organization_id)).all()[-1] == scene.parts.organization.id
    assert scene.parts.referral.state in LIVE


def test_supervisors_of_the_mandate_hear_of_high_risk_once(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    names = add_everybody(session, vault)
    for urgency in ("emergency", "emergency", "normal"):
        make_scene(session, vault, governorate, urgency)
    now = datetime.now(UTC)
    assert len(tell_supervisors(session, "nineveh", now)) == 2
    assert tell_supervisors(session, "nineveh", now + DAY) == []
    assert told(session, names) == [("high_risk_told", "supervisor-momd")]
    assert session.scalars(select(OutboxMessage.params)).all()[-1] == {"needs": 2}
    make_scene(session, vault, governorate, "emergency")
    tell_supervisors(session, "nineveh", now + DAY)
    assert told(session, names) == [("high_risk_told", "supervisor-momd")] * 2
