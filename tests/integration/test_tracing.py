"""Who is not reached is traced: one task, whose result and the page's act say the same to the matching."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from casework import merges, referrals, rerouting, sending
from casework.breaches import Outcome, act_on_breach
from casework.deadline_runs import run_deadlines
from casework.duplicates import find_duplicates
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.tasks import finish_task, open_task, trace_person
from db.deadlines import get_open_deadline
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Case, DuplicatePair, Need, Referral, Task
from db.session import session_scope
from db.tasks import list_tasks
from db.unmet import list_register_mismatches
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case
from tests.factories.open_days import open_open_day

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
CALLER = Actor(4, "coordinator", "nineveh", ministry="momd")
DAY = timedelta(days=1)


@dataclass
class Scene:
    """A need whose consent nobody asks for in time."""

    session: Session
    vault: Vault
    governorate: Governorate
    case_id: int

    @property
    def case(self) -> Case:
        return self.session.get_one(Case, self.case_id, populate_existing=True)

    @property
    def need(self) -> Need:
        own = select(Need).where(Need.case_id == self.case_id, Need.same_as_id.is_(None))
        return self.session.scalars(own.execution_options(populate_existing=True)).one()

    @property
    def officer(self) -> Actor:
        return Actor(8, "officer", "nineveh", office_id=self.case.office_id)

    @property
    def tasks(self) -> list[Task]:
        return list(
            self.session.scalars(select(Task).order_by(Task.id).execution_options(populate_existing=True))
        )

    def live(self) -> Referral | None:
        return self.session.scalar(
            select(Referral).where(Referral.case_id == self.case_id, Referral.state == "proposed")
        )

    def match(self) -> Referral | None:
        match_open_needs(self.session, self.vault, self.governorate, now=datetime.now(UTC))
        return self.live()

    def let_run_out(self) -> None:
        """Approve the proposal and let the clock of its consent run out."""
        referral = self.live() or self.match()
        assert referral is not None
        referrals.approve(self.session, self.vault, referral.id, MOMD)
        outcomes = []
        while (deadline := get_open_deadline(self.session, referral.id)) is not None:
            assert deadline.act_at is not None
            breach = act_on_breach(self.session, self.vault, referral.id, deadline.act_at)
            assert breach is not None
            outcomes.append(breach.outcome)
        assert outcomes[-1] is Outcome.EXPIRED
        assert set(outcomes[:-1]) <= {Outcome.REMINDED, Outcome.ESCALATED}

    def give_up(self) -> None:
        for _ in range(self.governorate.deadline_rules.consent_attempts):
            self.let_run_out()

    def finish(self, result: str) -> None:
        [task] = [task for task in self.tasks if task.state == "open"]
        finish_task(self.session, self.vault, task.id, self.officer, result, now=datetime.now(UTC))


def make_scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id
    assert case_id is not None
    return Scene(session, vault, governorate, case_id)


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    return make_scene(session, vault, governorate)


@pytest.fixture
def untraced(scene: Scene) -> Scene:
    """A need as the release before left it: it waits for its person, and nobody was told to look."""
    scene.give_up()
    scene.session.execute(delete(Task))
    scene.session.expire_all()
    return scene


def test_after_the_last_attempt_the_office_gets_one_task(scene: Scene) -> None:
    attempts = scene.governorate.deadline_rules.consent_attempts
    for _ in range(attempts - 1):
        scene.let_run_out()
        assert scene.tasks == [], "the next attempt is the matching's"
    scene.let_run_out()
    assert scene.need.unmet_reason == "person_not_reached"
    [task] = scene.tasks
    assert (task.kind, task.state, task.role, task.case_id) == ("tracing", "open", "officer", scene.case_id)
    assert (task.need_id, task.referral_id, task.holds_need) == (scene.need.id, None, True)
    assert task.due_at > task.created_at
    assert list_tasks(scene.session, scene.officer).total == 1
    assert list_tasks(scene.session, replace(scene.officer, office_id=0)).total == 0
    assert scene.match() is None


def test_reached_lets_the_matching_look_again(scene: Scene) -> None:
    scene.give_up()
    scene.finish("reached")
    assert scene.need.unmet_reason is None
    assert list_register_mismatches(scene.session) == []
    assert scene.match() is not None


def test_not_found_ends_the_need_as_the_table_says(scene: Scene) -> None:
    scene.give_up()
    scene.finish("not_found")
    assert (scene.need.status, scene.need.unmet_reason) == ("withdrawn", None)
    assert list_register_mismatches(scene.session) == []
    assert scene.match() is None


def test_the_pages_act_ends_the_task(scene: Scene) -> None:
    scene.give_up()
    rerouting.look_again(scene.session, scene.need.id, CALLER, datetime.now(UTC))
    [task] = scene.tasks
    assert (task.state, task.result, task.done_by) == ("done", "reached", CALLER.user_id)
    assert scene.match() is not None
    with pytest.raises(DomainError, match="changed_meanwhile"):
        finish_task(scene.session, scene.vault, task.id, scene.officer, "not_found", now=datetime.now(UTC))


def test_the_task_that_is_done_leaves_nothing_for_the_pages_act(scene: Scene) -> None:
    scene.give_up()
    scene.finish("reached")
    with pytest.raises(DomainError, match="changed_meanwhile"):
        rerouting.look_again(scene.session, scene.need.id, CALLER, datetime.now(UTC))


def test_one_who_is_looked_for_already_is_not_looked_for_twice(scene: Scene) -> None:
    """A provider could not reach the person either, and that task is still open."""
    referral = scene.match()
    assert referral is not None
    now = datetime.now(UTC)
    first = open_task(scene.session, scene.case, "tracing", now, need=scene.need, referral_id=referral.id)
    trace_person(scene.session, scene.case, scene.need, now)
    assert [task.id for task in scene.tasks] == [first.id]


def test_every_search_for_a_person_ends_when_one_of_them_finds_them(scene: Scene) -> None:
    scene.give_up()
    old = scene.session.scalar(select(Referral.id).order_by(Referral.id).limit(1))
    open_task(scene.session, scene.case, "tracing", datetime.now(UTC), need=scene.need, referral_id=old)
    first, _ = scene.tasks
    finish_task(scene.session, scene.vault, first.id, scene.officer, "reached", now=datetime.now(UTC))
    assert {(task.state, task.result) for task in scene.tasks} == {("done", "reached")}
    assert scene.match() is not None


def test_who_was_not_reached_again_is_traced_again(scene: Scene) -> None:
    scene.give_up()
    scene.finish("reached")
    scene.let_run_out()
    assert [task.state for task in scene.tasks] == ["done", "open"]


def test_needs_that_wait_without_a_task_get_it_and_only_once(untraced: Scene) -> None:
    scene, now = untraced, datetime.now(UTC)
    assert rerouting.trace_unreached(scene.session, "anbar", now) == 0
    assert rerouting.trace_unreached(scene.session, "nineveh", now) == 1
    assert rerouting.trace_unreached(scene.session, "nineveh", now) == 0
    assert [task.need_id for task in scene.tasks] == [scene.need.id]


def test_nobody_is_traced_for_a_case_that_is_closed(untraced: Scene) -> None:
    now = datetime.now(UTC)
    untraced.session.execute(update(Case).values(closed_at=now))
    assert rerouting.trace_unreached(untraced.session, "nineveh", now) == 0


def test_running_the_job_again_opens_no_second_task(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    now = datetime.now(UTC)
    with session_scope(fresh_engine) as session:
        scene = make_scene(session, Vault(session, masters), governorate)
        for _ in range(governorate.deadline_rules.consent_attempts - 1):
            scene.let_run_out()
        referral = scene.match()
        assert referral is not None
        referrals.approve(session, scene.vault, referral.id, MOMD)
    late = now + 60 * DAY
    first = run_deadlines(fresh_engine, masters, governorate, now=late)
    assert (first.outcomes, first.traced) == ({"expired": 1}, 0), "opened with the expiry, in one transaction"
    for hours in range(3):
        again = run_deadlines(fresh_engine, masters, governorate, now=late + timedelta(hours=hours))
        assert (again.outcomes, again.traced) == ({}, 0)
    with session_scope(fresh_engine) as session:
        assert session.scalar(select(func.count()).select_from(Task)) == 1
        session.execute(delete(Task))
    assert [run_deadlines(fresh_engine, masters, governorate, now=late).traced for _ in range(2)] == [1, 0]


def joined(scene: Scene) -> DuplicatePair:
    """Join a second registration, whose need goes on, with the scene's, which waits for its person."""
    open_case(scene.session, scene.vault, scene.governorate, make_assessment(scene.governorate))
    find_duplicates(scene.session, scene.vault, scene.governorate)
    pair = scene.session.scalars(select(DuplicatePair)).one()
    merges.merge(scene.session, scene.vault, pair.id, pair.second_case_id, MOMD)
    return pair


def test_reached_while_two_registrations_were_joined_holds_after_they_are_parted(scene: Scene) -> None:
    scene.give_up()
    pair = joined(scene)
    assert scene.match() is None, "the household is looked for"
    scene.finish("reached")
    merges.unmerge(scene.session, pair.id, MOMD)
    assert (scene.need.status, scene.need.unmet_reason) == ("open", None)
    assert list_register_mismatches(scene.session) == []


def test_who_is_still_looked_for_waits_on_after_registrations_are_parted(scene: Scene) -> None:
    scene.give_up()
    pair = joined(scene)
    merges.unmerge(scene.session, pair.id, MOMD)
    assert scene.need.unmet_reason == "person_not_reached"
    assert [task.state for task in scene.tasks] == ["open"]
    assert list_register_mismatches(scene.session) == []


@pytest.mark.parametrize("on_its_date", [True, False])
def test_a_proposal_of_the_clock_carries_the_open_day_of_the_case(scene: Scene, on_its_date: bool) -> None:
    """As drafts and proposals of the matching do: that of the case, on its date alone."""
    referral = scene.match()
    assert referral is not None
    referrals.approve(scene.session, scene.vault, referral.id, MOMD)
    sending.send(scene.session, scene.vault, referral.id, MOMD, channel="desk", language="ar")
    deadline = get_open_deadline(scene.session, referral.id)
    assert deadline is not None
    assert deadline.act_at is not None
    day = open_open_day(
        scene.session, scene.governorate, now=deadline.act_at if on_its_date else datetime.now(UTC)
    )
    scene.case.open_day_id = day
    breach = act_on_breach(scene.session, scene.vault, referral.id, deadline.act_at)
    assert breach is not None
    assert breach.next_referral_id is not None
    again = scene.session.get_one(Referral, breach.next_referral_id)
    assert again.open_day_id == (day if on_its_date else None)
