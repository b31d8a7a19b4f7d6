"""Each reason of a decline leads to its action; tasks hold needs back and bring them on again."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from casework import provider_acts, referrals, sending
from casework.matching import match_open_needs
from casework.moves import SYSTEM, Actor
from casework.tasks import finish_task, open_task
from casework.withdrawals import withdraw
from db.errors import DomainError
from db.models import (
    Capacity,
    Case,
    Consent,
    Need,
    Office,
    Referral,
    Service,
    ServiceAtLocation,
    Task,
)
from db.referrals import get_referral_parts, list_slot_mismatches
from db.tasks import list_case_tasks, list_tasks
from db.vault import Vault
from db.visibility import visible_tasks
from governorates import Governorate
from referral_engine.decline_actions import DECLINE_ACTIONS, LeaveOut
from referral_engine.task_kinds import TASK_KINDS, Effect
from tests.factories.cases import make_assessment, open_case

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")
TOLD = "كما اتفقنا"


@dataclass
class Scene:
    """One referral that was sent, and the people around it."""

    session: Session
    vault: Vault
    governorate: Governorate
    case_id: int
    referral_id: int
    provider: Actor
    officer: Actor

    @property
    def need(self) -> Need:
        return self.session.scalars(
            select(Need).where(Need.case_id == self.case_id).execution_options(populate_existing=True)
        ).one()

    @property
    def task(self) -> Task:
        return self.session.scalars(select(Task).execution_options(populate_existing=True)).one()

    @property
    def tasks(self) -> list[str]:
        return list(self.session.scalars(select(Task.kind).where(Task.state == "open")))

    def decline(self, reason: str) -> None:
        provider_acts.decline(self.session, self.vault, self.referral_id, self.provider, reason, TOLD)

    def finish(self, result: str) -> None:
        actor = self.officer if self.task.role == "officer" else MOMD
        finish_task(self.session, self.vault, self.task.id, actor, result, TOLD, now=datetime.now(UTC))

    def match(self) -> int | None:
        """The organization that is proposed next, if any."""
        match_open_needs(self.session, self.vault, self.governorate, now=datetime.now(UTC))
        return self.session.scalar(
            select(Service.organization_id)
            .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
            .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
            .where(Referral.case_id == self.case_id, Referral.state == "proposed")
        )

    def status(self) -> str | None:
        offer = select(Referral.service_at_location_id).where(Referral.id == self.referral_id)
        return self.session.scalar(
            select(Capacity.status).where(Capacity.service_at_location_id == offer.scalar_subquery())
        )

    def leave_only(self) -> None:
        """Take the places of every other provider away, so that only this one could be proposed again."""
        offer = select(Referral.service_at_location_id).where(Referral.id == self.referral_id)
        self.session.execute(
            update(Capacity)
            .where(Capacity.service_at_location_id != offer.scalar_subquery())
            .values(status="no_capacity")
        )


def sent_scene(session: Session, vault: Vault, governorate: Governorate, urgency: str = "normal") -> Scene:
    case_id = open_case(
        session, vault, governorate, make_assessment(governorate, [("counselling", urgency)])
    ).case_id
    assert case_id is not None
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    referral_id = session.scalars(select(Referral.id).where(Referral.case_id == case_id)).one()
    referrals.approve(session, vault, referral_id, MOMD)
    sending.send(session, vault, referral_id, MOMD, channel="desk", language="ar")
    parts = get_referral_parts(session, referral_id)
    assert parts is not None
    return Scene(
        session, vault, governorate, case_id, referral_id,
        Actor(7, "provider", "nineveh", organization_id=parts.organization.id),
        Actor(8, "officer", "nineveh", office_id=parts.case.office_id),
    )  # fmt: skip


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    return sent_scene(session, vault, governorate)


@pytest.mark.parametrize("reason", DECLINE_ACTIONS)
def test_each_reason_leads_to_its_action(scene: Scene, reason: str) -> None:
    action = DECLINE_ACTIONS[reason]
    scene.decline(reason)
    assert list_slot_mismatches(scene.session) == []
    assert scene.need.status == "open"
    assert scene.status() == ("no_capacity" if action.no_capacity else "has_capacity")
    assert scene.tasks == ([] if action.task is None else [action.task])
    excluded = scene.session.scalars(
        select(Consent.excluded_organizations).where(Consent.kind == "assessment")
    ).one()
    for_case = action.leave_out is LeaveOut.FOR_CASE
    assert (scene.provider.organization_id in excluded) is for_case
    again = scene.match()
    if action.match_at_once:
        assert again is not None
        if action.leave_out is not LeaveOut.NOBODY:
            assert again != scene.provider.organization_id
    else:
        assert again is None
        assert scene.need.unmet_reason is None, "it waits for a task, nobody was looked for"


@pytest.mark.parametrize(
    ("reason", "result"),
    [
        (reason, result)
        for reason, action in DECLINE_ACTIONS.items()
        if action.task is not None and TASK_KINDS[action.task].holds_need
        for result in TASK_KINDS[action.task].results
    ],
)
def test_a_finished_task_does_what_its_result_means(scene: Scene, reason: str, result: str) -> None:
    scene.leave_only()
    scene.decline(reason)
    assert scene.match() is None
    effect = TASK_KINDS[scene.task.kind].results[result]
    scene.finish(result)
    again = scene.match()
    kept = DECLINE_ACTIONS[reason].leave_out is LeaveOut.NOBODY
    if effect is Effect.MATCH and kept:
        assert again == scene.provider.organization_id
    else:
        assert again is None
    status = {Effect.SERVED: "served", Effect.END: "withdrawn", Effect.MATCH: "referred"}.get(effect, "open")
    assert scene.need.status == status
    assert (scene.need.unmet_reason is not None) is (status == "open")


def test_full_is_offered_to_nobody_until_the_provider_says_otherwise(scene: Scene) -> None:
    from casework.capacities import set_capacity

    scene.leave_only()
    scene.decline("no_capacity")
    assert scene.match() is None
    assert scene.need.unmet_reason == "no_slot"
    offer = scene.session.get_one(Referral, scene.referral_id).service_at_location_id
    set_capacity(scene.session, scene.provider, offer, "has_capacity", 5, datetime.now(UTC))
    assert scene.match() == scene.provider.organization_id


def test_a_safety_concern_is_due_the_same_day_and_shuts_the_provider_out_of_the_case(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = sent_scene(session, vault, governorate)
    scene.decline("safety_concern")
    task = scene.task
    assert (task.kind, task.role, task.urgency) == ("safety_concern", "coordinator", "emergency")
    assert task.due_at - task.created_at <= timedelta(hours=2)
    again = scene.match()
    assert again not in {None, scene.provider.organization_id}


def test_a_task_is_due_by_the_clock_of_its_kind_and_urgency(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    sent_scene(session, vault, governorate, "urgent").decline("cannot_reach")
    task = session.scalars(select(Task)).one()
    assert task.urgency == "urgent"
    assert (task.created_at + timedelta(hours=48)).astimezone(ZoneInfo("UTC")) == task.due_at


def test_the_note_of_a_finished_task_is_sealed(scene: Scene) -> None:
    scene.decline("cannot_reach")
    scene.finish("reached")
    task = scene.task
    assert (task.state, task.result, task.done_by) == ("done", "reached", 8)
    assert task.note is not None
    assert TOLD.encode() not in task.note
    assert scene.vault.open("task.note", task.note) == TOLD


@pytest.mark.parametrize(
    ("result", "code"),
    [("", "reason_required"), ("made_up", "reason_unknown"), ("obtained", "reason_unknown")],
)
def test_a_task_wants_a_result_of_its_kind(scene: Scene, result: str, code: str) -> None:
    scene.decline("cannot_reach")
    with pytest.raises(DomainError, match=code):
        scene.finish(result)
    assert scene.task.state == "open"


def test_a_task_is_finished_once(scene: Scene) -> None:
    scene.decline("cannot_reach")
    scene.finish("reached")
    with pytest.raises(DomainError, match="changed_meanwhile"):
        scene.finish("not_found")
    assert scene.need.status == "open"


def test_a_result_that_comes_too_late_does_not_end_a_need_that_is_under_way(scene: Scene) -> None:
    scene.decline("not_eligible")
    assert scene.match() is not None
    case = scene.session.get_one(Case, scene.case_id)
    task = open_task(scene.session, case, "check_duplicate", datetime.now(UTC), need=scene.need)
    finish_task(scene.session, scene.vault, task.id, MOMD, "is_duplicate", now=datetime.now(UTC))
    assert scene.need.status == "referred"


def test_one_task_about_one_thing(scene: Scene) -> None:
    case, now = scene.session.get_one(Case, scene.case_id), datetime.now(UTC)
    first = open_task(scene.session, case, "tracing", now, need=scene.need)
    assert open_task(scene.session, case, "tracing", now, need=scene.need).id == first.id
    other = open_task(scene.session, case, "tracing", now, need=scene.need, referral_id=scene.referral_id)
    assert other.id != first.id


def test_tasks_are_seen_by_the_own_office_and_the_own_ministry_alone(scene: Scene) -> None:
    scene.decline("cannot_reach")
    elsewhere = scene.session.scalars(select(Office.id).where(Office.id != scene.officer.office_id)).first()

    def sees(actor: Actor) -> tuple[int, int]:
        seen = scene.session.scalars(visible_tasks(actor)).all()
        return len(seen), list_tasks(scene.session, actor).total

    assert sees(scene.officer) == (1, 1)
    assert sees(MOMD) == (1, 0), "a coordinator sees what the office has to do, on the case"
    assert sees(replace(scene.officer, office_id=elsewhere)) == (0, 0)
    assert sees(replace(scene.officer, office_id=None)) == (0, 0)
    assert sees(MOI) == (0, 0)
    assert sees(scene.provider) == (0, 0)
    assert sees(Actor(1, "admin", "nineveh")) == (0, 0)
    assert [row.kind for row in list_case_tasks(scene.session, MOMD, [scene.case_id])] == ["tracing"]


@pytest.mark.parametrize("actor", [MOMD, MOI, Actor(9, "officer", "nineveh", office_id=10**6)])
def test_only_whose_task_it_is_finishes_it(scene: Scene, actor: Actor) -> None:
    scene.decline("cannot_reach")
    with pytest.raises(DomainError, match="not_found"):
        finish_task(scene.session, scene.vault, scene.task.id, actor, "reached", now=datetime.now(UTC))


def test_a_case_without_an_office_has_its_tasks_done_by_coordinators(scene: Scene) -> None:
    scene.session.execute(update(Case).values(office_id=None))
    scene.session.expire_all()
    scene.decline("cannot_reach")
    assert list_tasks(scene.session, MOMD).total == 1
    scene.finish("reached")


def test_withdrawn_consent_cancels_every_task(scene: Scene) -> None:
    scene.decline("cannot_reach")
    withdraw(
        scene.session, scene.vault, scene.case_id, SYSTEM, channel="phone", scope="everything",
        now=datetime.now(UTC),
    )  # fmt: skip
    assert (scene.task.state, scene.task.result) == ("cancelled", None)
    assert scene.task.done_at is not None
    assert scene.need.status == "withdrawn"


def assessment_scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    session.execute(update(Capacity).values(status="assessment_required"))
    return sent_scene(session, vault, governorate)


def test_who_assesses_first_gives_the_office_a_task_that_acceptance_settles(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = assessment_scene(session, vault, governorate)
    assert scene.tasks == ["provider_assessment"]
    assert not scene.task.holds_need
    provider_acts.accept(session, vault, scene.referral_id, scene.provider)
    assert (scene.task.state, scene.task.result, scene.task.done_by) == ("done", "dealt_with", None)


def test_the_assessment_falls_away_with_the_referral(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = assessment_scene(session, vault, governorate)
    scene.decline("wrong_service")
    assert scene.task.state == "cancelled"


def test_where_nobody_assesses_there_is_no_task(scene: Scene) -> None:
    assert scene.session.scalar(select(func.count()).select_from(Task)) == 0


def broken_off(scene: Scene, actor: Actor, reason: str = "returnee_refused") -> None:
    """The service began, and somebody says that it was not completed."""
    provider_acts.accept(scene.session, scene.vault, scene.referral_id, scene.provider)
    provider_acts.not_complete(scene.session, scene.vault, scene.referral_id, actor, reason, TOLD)


def test_a_provider_does_not_end_a_need_by_saying_that_the_person_refused(scene: Scene) -> None:
    broken_off(scene, scene.provider)
    assert scene.need.status == "open"
    assert (scene.tasks, scene.task.holds_need) == (["talk_with_person"], True)
    assert scene.match() is None, "nobody is proposed before the person was heard"


@pytest.mark.parametrize(
    ("result", "again", "status"),
    [
        ("wants_it", True, "referred"),
        ("wants_another", False, "referred"),
        ("no_longer_wanted", None, "withdrawn"),
    ],
)
def test_the_person_says_what_becomes_of_it(
    scene: Scene, result: str, again: bool | None, status: str
) -> None:
    broken_off(scene, scene.provider)
    scene.finish(result)
    proposed = scene.match()
    assert scene.need.status == status
    if again is not None:
        assert (proposed == scene.provider.organization_id) == again


def test_the_office_has_heard_the_person_itself(scene: Scene) -> None:
    broken_off(scene, scene.officer)
    assert (scene.need.status, scene.tasks) == ("withdrawn", [])
