"""Clocks of referrals: one runs in every live state, pauses keep what is left, closures move what is due."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework import closure, deadlines, pauses, provider_acts, referrals, sending
from casework.closures import announce_closure, cancel_closure
from casework.deadlines import start_missing_clocks
from casework.matching import match_open_needs
from casework.moves import Actor
from db.deadlines import count_overdue, get_open_deadline
from db.errors import DomainError
from db.models import Case, Deadline, OfficeClosure, Referral, ReferralEvent
from db.queue import QueueFilters, list_queue
from db.referrals import get_referral_parts
from db.vault import Vault
from governorates import Governorate, add_time, time_between
from referral_engine.sop import LIVE
from tests.factories.cases import make_assessment, open_case
from tests.factories.clocks import due_at

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
ADMIN = Actor(None, "admin", "nineveh")
START = datetime(2027, 3, 7, 6, tzinfo=UTC)  # a Sunday morning; Eid al-Fitr begins on the Wednesday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Scene:
    """One proposed referral of normal urgency and the people around it."""

    session: Session
    vault: Vault
    governorate: Governorate
    referral_id: int
    provider: Actor
    office: Actor

    @property
    def deadline(self) -> Deadline:
        self.session.expire_all()
        found = get_open_deadline(self.session, self.referral_id)
        assert found is not None
        return found

    @property
    def referral(self) -> Referral:
        return self.session.get_one(Referral, self.referral_id, populate_existing=True)

    def shift(self, started: datetime) -> Deadline:
        """Let the present clock have started at another time, as if that had been now."""
        parts = get_referral_parts(self.session, self.referral_id, lock=True)
        assert parts is not None
        deadlines.start_clock(self.session, parts, started)
        return self.deadline

    def act(self, act: Callable[..., None], *arguments: object, actor: Actor = MOMD, **named: object) -> None:
        act(self.session, self.vault, self.referral_id, actor, *arguments, **named)

    def send(self) -> None:
        self.act(referrals.approve)
        self.act(sending.send, channel="desk", language="ar")


def make_scene(
    session: Session, vault: Vault, governorate: Governorate, service_type: str = "counselling"
) -> Scene:
    case_id = open_case(
        session, vault, governorate, make_assessment(governorate, [(service_type, "normal")])
    ).case_id
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    referral_id = session.scalars(select(Referral.id).where(Referral.case_id == case_id)).one()
    parts = get_referral_parts(session, referral_id)
    assert parts is not None
    provider = Actor(None, "provider", "nineveh", organization_id=parts.organization.id)
    office = Actor(None, "officer", "nineveh", office_id=parts.case.office_id)
    return Scene(session, vault, governorate, referral_id, provider, office)


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    return make_scene(session, vault, governorate)


def test_the_matching_starts_the_clocks_of_its_proposals_by_the_data(scene: Scene) -> None:
    deadline = scene.deadline
    clock = scene.governorate.clocks["proposed", "normal"]
    assert deadline.due_at == due_at(scene.governorate, "proposed", "normal", scene.referral.state_since)
    assert (deadline.state, deadline.breach_action, deadline.working) == ("proposed", clock.breach, True)
    assert deadline.act_at == deadline.due_at


def test_every_move_closes_one_clock_and_starts_the_next(scene: Scene) -> None:
    scene.send()
    scene.act(provider_acts.acknowledge, actor=scene.provider)
    scene.act(provider_acts.accept, actor=scene.provider)
    scene.act(provider_acts.start, actor=scene.provider)
    scene.act(provider_acts.deliver, actor=scene.provider)
    scene.act(closure.confirm)
    scene.act(closure.close, "confirmed_served")
    rows = scene.session.execute(
        select(Deadline.state, Deadline.closed_at)
        .where(Deadline.referral_id == scene.referral_id)
        .order_by(Deadline.id)
    ).all()
    assert [row.state for row in rows] == [
        "proposed", "approved", "awaiting_consent", "sent", "acknowledged", "accepted", "service_started",
        "service_delivered", "confirmed",
    ]  # fmt: skip
    assert all(row.closed_at is not None for row in rows)


def test_the_database_keeps_a_second_clock_out(scene: Scene) -> None:
    with pytest.raises(IntegrityError, match="uq_deadline_open"):
        scene.session.execute(
            text(
                "INSERT INTO deadline (referral_id, state, breach_action, working, started_at, counts_from,"
                " remaining, due_at) SELECT referral_id, state, breach_action, working, started_at, counts_from,"
                " remaining, due_at FROM deadline WHERE referral_id = :id"
            ),
            {"id": scene.referral_id},
        )


def test_a_hold_stops_the_clock_and_a_release_lets_it_go_on(scene: Scene) -> None:
    scene.shift(START)  # 48 working hours: due on Tuesday morning
    scene.act(referrals.hold, "await_document", now=START + 24 * HOUR)
    held = scene.deadline
    assert (held.due_at, held.paused_reason, held.remaining) == (None, "on_hold", 24 * HOUR)
    # Released on the Wednesday of the feast: the next working day is Sunday the 14th.
    scene.act(referrals.release_hold, now=START + 3 * DAY)
    assert scene.deadline.due_at == datetime(2027, 3, 14, 21, tzinfo=UTC)
    assert scene.deadline.paused_total == 2 * DAY


def test_a_hold_that_lasts_too_long_lets_the_clock_run_out(scene: Scene) -> None:
    scene.shift(START)
    scene.act(referrals.hold, "check_consent", now=START)
    limit = scene.deadline.paused_until
    assert limit == START + 30 * DAY
    parts = get_referral_parts(scene.session, scene.referral_id, lock=True)
    assert parts is not None
    deadlines.resume(scene.session, parts, scene.deadline, START + 40 * DAY)
    assert scene.deadline.due_at == add_time(scene.governorate, limit, 48 * HOUR, True)
    assert scene.referral.held_reason == "check_consent"
    assert not deadlines.pause(scene.session, parts, scene.deadline, "on_hold", START + 41 * DAY)


def test_resuming_twice_is_resuming_once(scene: Scene) -> None:
    scene.send()
    scene.act(provider_acts.accept, actor=scene.provider)
    scene.shift(START)
    scene.act(pauses.pause_clock, "await_document", actor=scene.provider, now=START + HOUR)
    scene.act(pauses.resume_clock, actor=scene.provider, now=START + 5 * HOUR)
    once = scene.deadline.due_at
    parts = get_referral_parts(scene.session, scene.referral_id, lock=True)
    assert parts is not None
    deadlines.resume(scene.session, parts, scene.deadline, START + 9 * HOUR)
    assert scene.deadline.due_at == once
    with pytest.raises(DomainError, match="not_paused"):
        scene.act(pauses.resume_clock, actor=scene.provider, now=START + 9 * HOUR)
    moves = scene.session.scalars(
        select(ReferralEvent.move)
        .where(ReferralEvent.referral_id == scene.referral_id)
        .order_by(ReferralEvent.id)
    ).all()
    assert moves[-2:] == ["pause_clock", "resume_clock"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 60 * 24 * 30), st.integers(0, 60 * 24 * 30), st.integers(1, 60 * 24 * 25))
def test_a_pause_moves_the_due_time_by_its_own_working_time(
    scene: Scene, start: int, before: int, length: int
) -> None:
    """To the microsecond, over the feast, weekends and a day off that was announced."""
    with scene.session.begin_nested() as savepoint:
        scene.session.add(
            OfficeClosure(
                governorate="nineveh",
                first_day=date(2027, 3, 16),
                last_day=date(2027, 3, 16),
                reason="weather",
            )
        )
        began = START + timedelta(minutes=start)
        due = scene.shift(began).due_at
        assert due is not None
        paused = min(began + timedelta(minutes=before), due)
        resumed = paused + timedelta(minutes=length)
        scene.act(pauses.pause_clock, "await_person", now=paused)
        scene.act(pauses.resume_clock, now=resumed)
        after, off = scene.deadline.due_at, frozenset({date(2027, 3, 16)})
        assert after is not None
        moved = time_between(scene.governorate, due, after, True, off)
        assert moved == time_between(scene.governorate, paused, resumed, True, off)
        savepoint.rollback()


@pytest.mark.parametrize(
    ("who", "reason", "until", "code"),
    [
        ("provider", "await_document", None, "forbidden"),  # the coordinator owes the step, not the provider
        ("office", "because", None, "reason_unknown"),
        ("office", "", None, "reason_required"),
        ("office", "on_hold", None, "reason_unknown"),  # that one only a hold gives
        ("office", "await_document", START - HOUR, "date_not_ahead"),
        ("stranger", "await_document", None, "not_found"),
    ],
)
def test_pauses_that_are_refused(
    scene: Scene, who: str, reason: str, until: datetime | None, code: str
) -> None:
    scene.shift(START)
    stranger = replace(scene.office, office_id=-1)
    actor = {"provider": scene.provider, "office": scene.office, "stranger": stranger}[who]
    with pytest.raises(DomainError) as refusal, scene.session.begin_nested():
        scene.act(pauses.pause_clock, reason, until, actor=actor, now=START)
    assert refusal.value.code == code
    assert scene.deadline.paused_at is None


def test_a_provider_owes_its_answer_whatever_it_waits_for(scene: Scene) -> None:
    """Sent, acknowledged and waitlisted run on; its own clock it may stop once it has accepted."""
    scene.send()
    for act, words in (
        (None, ()),
        (provider_acts.acknowledge, ()),
        (provider_acts.waitlist, ("full_now", "لا")),
    ):
        if act is not None:
            scene.act(act, *words, actor=scene.provider)
        with pytest.raises(DomainError, match="forbidden"), scene.session.begin_nested():
            scene.act(pauses.pause_clock, "await_document", actor=scene.provider)
        assert not pauses.may_pause(scene.referral.state, "provider")
        assert scene.deadline.paused_at is None
    scene.act(provider_acts.accept, actor=scene.provider)
    scene.act(pauses.pause_clock, "await_document", actor=scene.provider)
    assert scene.deadline.paused_reason == "await_document"


def test_pauses_of_one_clock_together_are_bounded_by_the_data(scene: Scene) -> None:
    scene.shift(START)
    scene.act(pauses.pause_clock, "await_person", START + 20 * DAY, now=START)
    scene.act(pauses.resume_clock, now=START + 20 * DAY)
    scene.act(pauses.pause_clock, "await_person", START + 60 * DAY, now=START + 21 * DAY)
    assert scene.deadline.paused_until == START + 31 * DAY
    scene.act(pauses.resume_clock, now=START + 31 * DAY)
    with pytest.raises(DomainError, match="pause_used_up"), scene.session.begin_nested():
        scene.act(pauses.pause_clock, "await_person", now=START + 32 * DAY)
    assert scene.deadline.paused_at is None


def test_a_move_ends_a_pause(scene: Scene) -> None:
    scene.act(pauses.pause_clock, "await_person", actor=scene.office)
    scene.act(referrals.approve)
    assert (scene.deadline.state, scene.deadline.paused_at) == ("awaiting_consent", None)
    assert scene.deadline.due_at is not None


def test_a_closure_announced_a_day_ahead_moves_what_counts_and_nothing_else(scene: Scene) -> None:
    due = scene.shift(START).due_at
    assert due == START + 2 * DAY
    other = make_scene(scene.session, scene.vault, scene.governorate)
    other.shift(START - 30 * DAY)
    long_over = other.deadline.due_at
    closed = announce_closure(
        scene.session, ADMIN, office_id=None, first_day=date(2027, 3, 8), last_day=date(2027, 3, 8),
        reason="mourning", user_id=None,
    )  # fmt: skip
    assert closed is not None
    assert scene.deadline.due_at == datetime(2027, 3, 14, 6, tzinfo=UTC), "the feast begins on the 10th"
    assert other.deadline.due_at == long_over
    cancel_closure(scene.session, ADMIN, closed)
    assert scene.deadline.due_at == due


def test_a_closed_office_stops_the_clocks_of_its_officers_only(scene: Scene) -> None:
    office_id = scene.office.office_id
    closed = {"office_id": office_id, "first_day": date(2027, 3, 8), "last_day": date(2027, 3, 8)}
    announce_closure(scene.session, ADMIN, **closed, reason="office_works", user_id=None)  # type: ignore[arg-type]
    assert scene.shift(START).due_at == START + 2 * DAY, "the ministry's coordinator works on"
    scene.session.execute(update(Referral).where(Referral.id == scene.referral_id).values(state="draft"))
    scene.session.expire_all()
    assert scene.shift(START).due_at == datetime(2027, 3, 15, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"office_id": -1}, "not_found"),
        ({"reason": "laziness"}, "reason_unknown"),
        ({"last_day": date(2027, 3, 7)}, "days_not_ordered"),
        ({"last_day": date(2028, 3, 8)}, "days_not_ordered"),
    ],
)
def test_closures_that_are_refused(session: Session, change: dict[str, object], code: str) -> None:
    named: dict[str, object] = {
        "office_id": None, "first_day": date(2027, 3, 8), "last_day": date(2027, 3, 8), "reason": "weather",
    }  # fmt: skip
    with pytest.raises(DomainError) as refusal:
        announce_closure(session, ADMIN, **(named | change), user_id=None)  # type: ignore[arg-type]
    assert refusal.value.code == code
    assert announce_closure(session, ADMIN, **named, user_id=None) is not None  # type: ignore[arg-type]
    assert announce_closure(session, ADMIN, **named, user_id=None) is None, "sent twice"  # type: ignore[arg-type]


def test_referrals_from_before_there_were_clocks_get_their_full_time(scene: Scene) -> None:
    scene.session.execute(text("DELETE FROM deadline"))
    scene.session.execute(update(Referral).values(state_since=START - 90 * DAY))
    assert start_missing_clocks(scene.session, scene.governorate, START) == 1
    assert start_missing_clocks(scene.session, scene.governorate, START + DAY) == 0
    assert scene.deadline.due_at == START + 2 * DAY


def test_a_clock_of_another_state_is_put_right(scene: Scene) -> None:
    scene.session.execute(update(Referral).where(Referral.id == scene.referral_id).values(state="approved"))
    assert start_missing_clocks(scene.session, scene.governorate, START) == 1
    assert scene.deadline.state == "approved"


def test_progress_is_reported_only_of_long_services(scene: Scene) -> None:
    scene.send()
    scene.act(provider_acts.accept, actor=scene.provider)
    scene.act(provider_acts.start, actor=scene.provider)
    with pytest.raises(DomainError, match="illegal_move"):
        scene.act(pauses.report_progress, "الطلب قيد النظر", actor=scene.provider)


def test_progress_of_a_long_service_starts_its_interval_anew(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, "civil_documents")
    scene.send()
    scene.act(provider_acts.accept, actor=scene.provider)
    scene.act(provider_acts.start, actor=scene.provider)
    scene.shift(START)
    assert scene.deadline.breach_action == "monitor"
    assert count_overdue(session, MOMD, START + 365 * DAY) == {}, "nobody has failed"
    with pytest.raises(DomainError, match="text_required"):
        scene.act(pauses.report_progress, " ", actor=scene.provider, now=START + 40 * DAY)
    scene.act(pauses.report_progress, "أُحيل الطلب إلى اللجنة", actor=scene.provider, now=START + 40 * DAY)
    assert scene.deadline.due_at == START + 70 * DAY
    assert scene.referral.state == "service_started"


def test_what_is_overdue_is_listed_to_whom_it_concerns(scene: Scene) -> None:
    due = scene.shift(START).due_at
    assert due is not None
    for viewer in (MOMD, scene.office):
        assert count_overdue(scene.session, viewer, due - HOUR) == {}
        assert count_overdue(scene.session, viewer, due) == {"proposed": 1}
    assert count_overdue(scene.session, replace(MOMD, ministry="moi"), due) == {}
    assert count_overdue(scene.session, scene.provider, due) == {}, "it was never sent there"
    scene.act(referrals.hold, "check_consent", now=due - HOUR)
    assert count_overdue(scene.session, MOMD, due + DAY) == {}, "a paused clock does not run out"


def test_the_queue_shows_the_overdue_first(scene: Scene) -> None:
    later = make_scene(scene.session, scene.vault, scene.governorate)
    scene.session.execute(update(Case).values(opened_at=START))
    due = later.shift(START).due_at
    scene.shift(START + 30 * DAY)
    assert due is not None
    page = list_queue(scene.session, MOMD, QueueFilters(), now=due)
    assert [row.referral_id for row in page.rows] == [later.referral_id, scene.referral_id]
    assert (page.counts["overdue"], page.counts["all"]) == (1, 2)
    only = list_queue(scene.session, MOMD, QueueFilters(overdue=True), now=due)
    assert [row.referral_id for row in only.rows] == [later.referral_id]
    assert only.total == 1


def test_the_overdue_view_holds_whatever_state_is_overdue(scene: Scene) -> None:
    scene.send()
    due = scene.shift(START).due_at
    assert due is not None
    overdue = list_queue(scene.session, MOMD, QueueFilters(overdue=True), now=due)
    assert [(row.state, row.due_at) for row in overdue.rows] == [("sent", due)]
    everything = list_queue(scene.session, MOMD, QueueFilters(), now=due)
    assert (everything.rows, everything.total, everything.counts["overdue"]) == ([], 0, 1)


def test_every_live_state_has_a_clock_that_starts(scene: Scene) -> None:
    for state in sorted(LIVE):
        for urgency in ("emergency", "urgent", "normal"):
            row = deadlines._new_row(
                scene.governorate,
                deadlines.ClosedDays([]),
                deadlines.ClockedReferral(scene.referral_id, state, urgency, "counselling", None),
                START,
            )
            assert row["due_at"] > START
