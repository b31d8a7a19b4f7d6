"""A clock that runs out acts: next-best provider, escalation, reminder; time travels through `now`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from casework import provider_acts, referrals, rerouting, sending
from casework.breaches import Breach, Outcome, act_on_breach, end_pause, tell_supervisors
from casework.deadline_runs import run_deadlines
from casework.deadlines import start_clock
from casework.escalations import settle_escalation
from casework.households import answer_anew
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.pauses import pause_clock
from db.deadlines import get_open_deadline
from db.errors import DomainError
from db.escalations import list_escalations
from db.keyfile import MasterKeys
from db.models import (
    Capacity,
    Consent,
    Deadline,
    Escalation,
    MatchCandidate,
    Need,
    Organization,
    Referral,
    ReferralEvent,
    Service,
    ServiceAtLocation,
    Task,
)
from db.referrals import ReferralParts, get_referral_parts, list_slot_mismatches
from db.session import exclusive
from db.unmet import list_register_mismatches, list_unmet, list_unmet_periods
from db.vault import Vault
from governorates import Governorate, load
from referral_engine.sop import LIVE
from tests.factories.cases import make_assessment, open_case

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
SUPERVISOR = Actor(None, "supervisor", "nineveh", ministry="momd")
MOI_SUPERVISOR = Actor(None, "supervisor", "nineveh", ministry="moi")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Scene:
    """One need, with whatever referrals it has had."""

    session: Session
    vault: Vault
    governorate: Governorate
    case_id: int

    @property
    def parts(self) -> ReferralParts:
        """The newest referral of the need."""
        self.session.expire_all()
        newest = self.session.scalar(select(func.max(Referral.id)).where(Referral.case_id == self.case_id))
        found = get_referral_parts(self.session, newest or 0, lock=True)
        assert found is not None
        return found

    @property
    def deadline(self) -> Deadline:
        found = get_open_deadline(self.session, self.parts.referral.id)
        assert found is not None
        return found

    @property
    def provider(self) -> Actor:
        return Actor(None, "provider", "nineveh", organization_id=self.parts.organization.id)

    def send(self) -> None:
        referral_id = self.parts.referral.id
        referrals.approve(self.session, self.vault, referral_id, MOMD)
        sending.send(self.session, self.vault, referral_id, MOMD, channel="desk", language="ar")

    def run_out(self) -> Breach | None:
        """Act at the very moment at which the present clock runs out."""
        deadline, referral_id = self.deadline, self.parts.referral.id
        assert deadline.act_at is not None
        assert (
            act_on_breach(self.session, self.vault, referral_id, deadline.act_at - timedelta(seconds=1))
            is None
        )
        return act_on_breach(self.session, self.vault, referral_id, deadline.act_at)

    def run_to_the_end(self) -> Breach:
        """Act on the present clock again and again until it has nothing more to do."""
        while (breach := self.run_out()) is not None and breach.outcome not in ENDS:
            pass
        assert breach is not None
        return breach

    def newest_reason(self, move: str) -> str | None:
        """The coded reason of the newest such move."""
        return self.session.scalar(
            select(ReferralEvent.reason)
            .where(ReferralEvent.move == move)
            .order_by(ReferralEvent.id.desc())
            .limit(1)
        )

    def candidates(self) -> list[tuple[int, int]]:
        """Options of the newest run by rank: (service at location, organization)."""
        newest = select(func.max(MatchCandidate.match_run_id)).where(
            MatchCandidate.need_id == self.parts.need.id
        )
        rows = self.session.execute(
            select(MatchCandidate.service_at_location_id, Service.organization_id)
            .join(ServiceAtLocation, ServiceAtLocation.id == MatchCandidate.service_at_location_id)
            .join(Service, Service.id == ServiceAtLocation.service_id)
            .where(
                MatchCandidate.need_id == self.parts.need.id,
                MatchCandidate.match_run_id == newest.scalar_subquery(),
                MatchCandidate.status == "option",
            )
            .order_by(MatchCandidate.rank)
        )
        return [(row[0], row[1]) for row in rows]

    def match(self) -> None:
        match_open_needs(self.session, self.vault, self.governorate, now=datetime.now(UTC))


ENDS = {Outcome.EXPIRED, Outcome.REROUTED}


def make_scene(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    urgency: str = "normal",
    service_type: str = "counselling",
) -> Scene:
    taken = open_case(session, vault, governorate, make_assessment(governorate, [(service_type, urgency)]))
    scene = Scene(session, vault, governorate, taken.case_id or 0)
    scene.match()
    return scene


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Iterator[Scene]:
    """A scene at whose end everything adds up."""
    made = make_scene(session, vault, governorate)
    yield made
    session.expire_all()
    assert list_slot_mismatches(session) == []
    assert list_register_mismatches(session) == []
    live = session.scalars(select(Referral.id).where(Referral.state.in_(LIVE))).all()
    clocks = session.scalars(select(Deadline.referral_id).where(Deadline.closed_at.is_(None))).all()
    assert sorted(live) == sorted(clocks)


def test_a_silent_provider_is_passed_over_for_the_next_best(scene: Scene) -> None:
    scene.send()
    silent = scene.parts
    left = [one for one in scene.candidates() if one[1] != silent.organization.id]
    breach = scene.run_out()
    assert breach is not None
    assert (breach.outcome, breach.messages) == (Outcome.REROUTED, ())
    now = scene.parts
    assert breach.next_referral_id == now.referral.id
    assert (now.referral.state, now.referral.holds_slot) == ("proposed", True)
    assert now.referral.service_at_location_id == left[0][0], "by rank"
    assert scene.session.get_one(Referral, silent.referral.id).state == "expired"
    assert now.need.status == "referred"
    events = scene.session.execute(
        select(ReferralEvent.referral_id, ReferralEvent.move, ReferralEvent.actor_role)
        .order_by(ReferralEvent.id.desc())
        .limit(2)
    ).all()
    assert events == [
        (now.referral.id, "propose", "system"),
        (silent.referral.id, "expire", "system"),
    ]


def test_next_best_goes_on_until_nobody_is_left_and_asks_nobody_twice(scene: Scene) -> None:
    seen: list[int] = []
    breach: Breach | None = None
    for _ in range(20):
        seen.append(scene.parts.organization.id)
        scene.send()
        breach = scene.run_out()
        assert breach is not None
        if breach.outcome is Outcome.EXPIRED:
            break
    assert len(seen) == len(set(seen)) >= 2
    assert breach is not None
    assert breach.outcome is Outcome.EXPIRED
    assert (scene.parts.need.status, scene.parts.need.unmet_reason) == ("open", rerouting.NOBODY_NEXT)
    assert set(seen) >= {organization for _, organization in scene.candidates()}
    assert [one.reason for one in list_unmet_periods(scene.session, scene.parts.need.id)] == [
        rerouting.NOBODY_NEXT
    ]


def _say_anew(scene: Scene, **change: object) -> None:
    """The person answers again, because what was said stays as it is."""
    newest = select(Consent).where(Consent.kind == "assessment").order_by(Consent.id.desc()).limit(1)
    scene.session.add(answer_anew(scene.session.scalars(newest).one(), **change))
    scene.session.flush()


def _exclude(scene: Scene, organization_id: int) -> None:
    scene.session.execute(
        update(Consent).where(Consent.kind == "assessment").values(excluded_organizations=[organization_id])
    )


def _switch_off(scene: Scene, organization_id: int) -> None:
    scene.session.execute(update(Organization).where(Organization.id == organization_id).values(active=False))


def _fill(scene: Scene, organization_id: int) -> None:
    services = select(ServiceAtLocation.id).join(Service).where(Service.organization_id == organization_id)
    scene.session.execute(
        update(Capacity).where(Capacity.service_at_location_id.in_(services)).values(slots=Capacity.reserved)
    )


def _close(scene: Scene, organization_id: int) -> None:
    services = select(Service.id).where(Service.organization_id == organization_id)
    scene.session.execute(
        update(ServiceAtLocation).where(ServiceAtLocation.service_id.in_(services)).values(active=False)
    )


def _say(scene: Scene, organization_id: int, **values: object) -> None:
    services = select(ServiceAtLocation.id).join(Service).where(Service.organization_id == organization_id)
    scene.session.execute(
        update(Capacity).where(Capacity.service_at_location_id.in_(services)).values(**values)
    )


def _say_none(scene: Scene, organization_id: int) -> None:
    _say(scene, organization_id, status="no_capacity")


def _say_waiting_list(scene: Scene, organization_id: int) -> None:
    _say(scene, organization_id, status="waitlist")


def _say_nothing_for_long(scene: Scene, organization_id: int) -> None:
    _say(scene, organization_id, confirmed_at=datetime.now(UTC) - 90 * DAY)


UNFIT = [_exclude, _switch_off, _fill, _close, _say_none, _say_waiting_list, _say_nothing_for_long]


@pytest.mark.parametrize("unfit", UNFIT)
def test_whoever_became_unfit_since_the_matching_is_passed_over(scene: Scene, unfit: object) -> None:
    scene.send()
    left = [one for one in scene.candidates() if one[1] != scene.parts.organization.id]
    first = left[0][1]
    assert callable(unfit)
    unfit(scene, first)
    expected = next((sal for sal, organization in left if organization != first), None)
    breach = scene.run_out()
    assert breach is not None
    if expected is None:
        assert breach.outcome is Outcome.EXPIRED
    else:
        assert scene.parts.referral.service_at_location_id == expected


def test_nobody_is_asked_whose_word_is_too_old(scene: Scene) -> None:
    scene.send()
    for _, organization in scene.candidates():
        _say_nothing_for_long(scene, organization)
    breach = scene.run_out()
    assert breach is not None
    assert (breach.outcome, scene.parts.need.unmet_reason) == (Outcome.EXPIRED, rerouting.NOBODY_NEXT)


def test_whose_word_is_stale_comes_after_the_fresh_and_an_assessment_is_no_hindrance(scene: Scene) -> None:
    scene.send()
    left = [one for one in scene.candidates() if one[1] != scene.parts.organization.id]
    assert len({organization for _, organization in left}) >= 2
    runs_out = scene.deadline.act_at
    assert runs_out is not None
    for _, organization in left:
        _say(scene, organization, status="assessment_required", confirmed_at=runs_out)
    first = left[0][1]
    _say(scene, first, confirmed_at=runs_out - 20 * DAY)
    scene.run_out()
    expected = next(offer for offer, organization in left if organization != first)
    assert scene.parts.referral.service_at_location_id == expected
    for _, organization in left[1:]:
        _say(scene, organization, status="no_capacity")
    scene.send()
    tasks = scene.session.scalars(select(Task.kind).where(Task.referral_id == scene.parts.referral.id)).all()
    assert tasks == []
    _say(scene, first, confirmed_at=(scene.deadline.act_at or runs_out) - 20 * DAY)
    scene.run_out()
    assert scene.parts.organization.id == first, "stale, but the only one"
    scene.send()
    tasks = scene.session.scalars(select(Task.kind).where(Task.referral_id == scene.parts.referral.id)).all()
    assert tasks == ["provider_assessment"]


@pytest.mark.parametrize(
    "change",
    [
        {"withdrawn_at": datetime.now(UTC)},
        {"exclusions": ["named_organization"]},
        {"recipients": []},
        {"categories": []},
    ],
)
def test_what_the_consent_does_not_cover_any_more_is_not_proposed(
    scene: Scene, change: dict[str, object]
) -> None:
    scene.send()
    _say_anew(scene, **change)
    breach = scene.run_out()
    assert breach is not None
    assert (breach.outcome, scene.parts.need.status) == (Outcome.EXPIRED, "open")


def test_nobody_in_the_own_subdistrict_where_the_person_said_so(scene: Scene) -> None:
    scene.send()
    _say_anew(scene, exclusions=["own_subdistrict"])
    scene.run_out()
    own = scene.parts.case.residence_subdistrict
    if scene.parts.referral.state == "proposed":
        place = scene.parts.location.place
        assert scene.governorate.ancestor_at(place, "subdistrict") not in (own, None)


def test_an_edited_assessment_is_left_to_the_matching(scene: Scene) -> None:
    scene.send()
    scene.session.execute(update(Referral).values(submission_id=-1))
    breach = scene.run_out()
    assert breach is not None
    assert breach.outcome is Outcome.EXPIRED
    scene.match()
    assert scene.parts.referral.state == "proposed"


def test_a_place_on_a_waiting_list_is_given_up_only_for_a_place_elsewhere(scene: Scene) -> None:
    scene.send()
    provider_acts.waitlist(
        scene.session, scene.vault, scene.parts.referral.id, scene.provider, "full_now", "ممتلئ"
    )
    scene.session.execute(update(Capacity).values(slots=Capacity.reserved))
    breach = scene.run_out()
    assert breach is not None
    assert (breach.outcome, scene.parts.referral.state) == (Outcome.ESCALATED, "waitlisted")
    assert breach.messages == (("referral_escalated", "coordinator"),)
    scene.session.execute(
        update(Capacity).values(slots=Capacity.reserved + 1, confirmed_at=scene.deadline.act_at)
    )
    again = scene.run_out()
    assert again is not None
    assert (again.outcome, scene.parts.referral.state) == (Outcome.REROUTED, "proposed")
    assert list_escalations(scene.session, MOMD).total == 0, "settled, because it moved on"


def test_consent_that_nobody_asked_for_frees_the_slot_and_then_waits_for_a_person(scene: Scene) -> None:
    attempts = scene.governorate.deadline_rules.consent_attempts
    for number in range(1, attempts + 1):
        held = scene.parts.referral
        referrals.approve(scene.session, scene.vault, held.id, MOMD)
        breach = scene.run_to_the_end()
        assert breach.outcome is Outcome.EXPIRED
        assert scene.newest_reason("expire") == "awaiting_consent"
        assert not scene.parts.referral.holds_slot
        assert scene.parts.need.status == "open"
        assert list_register_mismatches(scene.session) == []
        scene.match()
        assert (scene.parts.referral.id != held.id) == (number < attempts)
    assert [row.reason for row in list_unmet(scene.session, MOMD).rows] == ["person_not_reached"]
    rerouting.look_again(scene.session, scene.parts.need.id, MOMD, datetime.now(UTC))
    assert list_register_mismatches(scene.session) == []
    scene.match()
    assert scene.parts.referral.state == "proposed"
    with pytest.raises(DomainError, match="changed_meanwhile"):
        rerouting.look_again(scene.session, scene.parts.need.id, MOMD, datetime.now(UTC))


def test_a_forgotten_draft_gives_the_need_back_to_the_matching(scene: Scene) -> None:
    referral = scene.parts.referral
    scene.session.execute(
        text("UPDATE capacity SET reserved = reserved - 1 WHERE id = :id"), {"id": referral.capacity_id}
    )
    scene.session.execute(update(Referral).where(Referral.id == referral.id).values(state="draft"))
    start_clock(scene.session, scene.parts, datetime.now(UTC))
    breach = scene.run_out()
    assert breach is not None
    assert breach.outcome is Outcome.EXPIRED
    scene.match()
    assert scene.parts.referral.state == "proposed"


def test_reminders_come_again_and_then_the_supervisor_is_told(scene: Scene) -> None:
    due = scene.deadline.due_at
    reminders = scene.governorate.deadline_rules.reminders
    for number in range(reminders):
        breach = scene.run_out()
        assert breach is not None
        assert (breach.outcome, breach.messages) == (Outcome.REMINDED, (("deadline_overdue", "coordinator"),))
        assert (scene.deadline.reminders, scene.deadline.due_at) == (number + 1, due), (
            "the wait stays visible"
        )
    assert list_escalations(scene.session, SUPERVISOR).total == 0
    breach = scene.run_out()
    assert breach is not None
    assert (breach.outcome, breach.messages) == (
        Outcome.ESCALATED,
        (("referral_escalated", "supervisor"),),
    )
    (row,) = list_escalations(scene.session, SUPERVISOR).rows
    assert (row.about, row.referral_id, row.due_at) == ("proposed", scene.parts.referral.id, due)
    assert list_escalations(scene.session, MOI_SUPERVISOR).total == 0
    assert list_escalations(scene.session, MOMD).total == 0


def test_one_escalation_stands_open_and_comes_again_when_nothing_moved(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, "urgent")
    for expected in (("referral_escalated", "supervisor"), None):
        breach = scene.run_out()
        assert breach is not None
        assert breach.messages == (() if expected is None else (expected,))
    (row,) = list_escalations(session, SUPERVISOR).rows
    settle = {"user_id": None, "now": datetime.now(UTC)}
    for viewer, note, code in ((MOMD, "رأيت", "not_found"), (SUPERVISOR, " ", "text_required")):
        with pytest.raises(DomainError) as refusal:
            settle_escalation(session, vault, viewer, row.escalation_id, note, **settle)  # type: ignore[arg-type]
        assert refusal.value.code == code
    settle_escalation(session, vault, SUPERVISOR, row.escalation_id, "اتصلت بالمنسق", **settle)  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="changed_meanwhile"):
        settle_escalation(session, vault, SUPERVISOR, row.escalation_id, "مرة أخرى", **settle)  # type: ignore[arg-type]
    assert list_escalations(session, SUPERVISOR).total == 0
    sealed = session.get_one(Escalation, row.escalation_id).note
    assert sealed is not None
    assert vault.open_many("escalation.note", [sealed]) == ["اتصلت بالمنسق"]
    breach = scene.run_out()
    assert breach is not None
    assert breach.messages == (("referral_escalated", "supervisor"),)
    referrals.approve(session, vault, scene.parts.referral.id, MOMD)
    assert list_escalations(session, SUPERVISOR).total == 0
    how = session.scalars(select(Escalation.settled_how).order_by(Escalation.id)).all()
    assert how == ["seen", "moved_on"]


def test_a_long_service_is_asked_after_again_and_again_and_nobody_has_failed(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, service_type="civil_documents")
    scene.send()
    provider_acts.accept(session, vault, scene.parts.referral.id, scene.provider)
    provider_acts.start(session, vault, scene.parts.referral.id, scene.provider)
    for number in range(1, 6):
        breach = scene.run_out()
        assert breach is not None
        assert (breach.outcome, breach.messages) == (Outcome.ASKED, (("progress_due", "provider"),))
        assert (scene.deadline.reminders, scene.deadline.breached_at) == (number, None)
    assert session.scalars(select(Escalation)).all() == []
    assert scene.parts.referral.state == "service_started"


def test_a_paused_clock_is_not_acted_on_and_goes_on_by_itself(scene: Scene) -> None:
    referral_id, due = scene.parts.referral.id, scene.deadline.due_at
    assert due is not None
    start = datetime.now(UTC)
    pause_clock(scene.session, scene.vault, referral_id, MOMD, "await_person", start + 3 * DAY, now=start)
    assert act_on_breach(scene.session, scene.vault, referral_id, due + 9 * DAY) is None
    assert not end_pause(scene.session, scene.vault, referral_id, start + 2 * DAY)
    assert end_pause(scene.session, scene.vault, referral_id, start + 4 * DAY)
    assert not end_pause(scene.session, scene.vault, referral_id, start + 4 * DAY)
    assert scene.deadline.counts_from == start + 3 * DAY, "it ended when it was to end"
    assert scene.session.scalar(select(func.count()).where(ReferralEvent.move == "resume_clock")) == 1


def test_high_risk_is_told_once_and_settled_with_the_need(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, "emergency")
    make_scene(session, vault, governorate, "normal")
    now = datetime.now(UTC)
    assert tell_supervisors(session, "nineveh", now) == [scene.parts.need.id]
    assert tell_supervisors(session, "nineveh", now + DAY) == []
    (row,) = list_escalations(session, SUPERVISOR).rows
    assert (row.about, row.referral_id) == ("high_risk", None)
    session.execute(update(Need).where(Need.id == scene.parts.need.id).values(status="served"))
    assert tell_supervisors(session, "nineveh", now + DAY) == []
    assert list_escalations(session, SUPERVISOR).total == 0


def test_every_clock_that_runs_out_does_what_its_row_says(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    """All states and urgencies: an outcome, never an error, and a next turn where the referral lives on."""
    outcomes = {
        "remind": {Outcome.REMINDED},
        "escalate": {Outcome.ESCALATED},
        "reroute": {Outcome.REROUTED, Outcome.EXPIRED, Outcome.ESCALATED},
        "expire": {Outcome.EXPIRED},
    }
    # One scene a clock would take minutes: the state is set by hand, in a savepoint of its own.
    for (state, urgency), clock in load().clocks.items():
        with session.begin_nested() as savepoint:
            scene = make_scene(session, vault, governorate, urgency)
            scene.send()
            session.execute(
                update(Referral).where(Referral.id == scene.parts.referral.id).values(state=state)
            )
            start_clock(session, scene.parts, datetime.now(UTC))
            ran_out = scene.parts.referral.id
            breach = scene.run_out()
            assert breach is not None
            assert breach.outcome in outcomes[clock.breach], (state, urgency)
            left = get_open_deadline(session, ran_out)
            assert (left is None) == (breach.outcome in {Outcome.REROUTED, Outcome.EXPIRED})
            savepoint.rollback()
            session.expire_all()


def test_a_run_does_everything_and_a_second_one_nothing(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with Session(fresh_engine) as session, session.begin():
        scene = make_scene(session, Vault(session, masters), governorate, "emergency")
        scene.send()
        due = scene.deadline.due_at
        session.execute(text("DELETE FROM deadline WHERE closed_at IS NULL"))
    assert due is not None
    first = run_deadlines(fresh_engine, masters, governorate, now=due - HOUR)
    assert (first.started, first.told, first.outcomes) == (1, 1, {})
    later = due + 3 * DAY
    second = run_deadlines(fresh_engine, masters, governorate, now=later)
    assert (second.started, second.told, second.errors, second.reopened) == (0, 0, (), True)
    assert sum(second.outcomes.values()) == 1
    third = run_deadlines(fresh_engine, masters, governorate, now=later)
    assert (third.started, third.resumed, third.outcomes, third.told) == (0, 0, {}, 0)
    with exclusive(fresh_engine, "deadlines") as held:
        assert held
        assert run_deadlines(fresh_engine, masters, governorate, now=later).busy
