"""Plans, follow-ups, scores, outcomes, closing: who may, what stays, what the clocks do."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from casework import closure, follow_ups, plans, provider_acts, reopening, score_rounds, sending
from casework.case_events import hold_case
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.outcomes import record_outcome
from casework.withdrawals import withdraw
from db import follow_ups as query
from db.errors import DomainError
from db.models import CaseEvent, FollowUp, Goal, Outcome, Referral, ReferralEvent
from db.plans import list_goals, list_plans
from governorates import choice_codes, local_day, score_questionnaire
from referral_engine import sop
from tests.integration.test_plans.conftest import MOMD, CaseScene

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday
BEST = {one.code: next(iter(one.answers)) for one in score_questionnaire().indicators}


def agree(scene: CaseScene, now: datetime = NOW, note: str | None = None) -> None:
    plans.agree_plan(
        scene.session, scene.vault, scene.case_id, scene.officer, agreement="signed", now=now, note=note
    )


def add_goal(scene: CaseScene, goal_type: str = "job", **more: object) -> Goal:
    values = {"target_date": date(2027, 3, 1), "now": NOW} | more
    return plans.add_goal(
        scene.session, scene.vault, scene.case_id, scene.officer, goal_type=goal_type, **values
    )  # type: ignore[arg-type]


# Access first: every act on a case is its own office's.


ACTS: dict[str, Callable[[CaseScene, Actor], object]] = {
    "agree_plan": lambda s, a: plans.agree_plan(
        s.session, s.vault, s.case_id, a, agreement="signed", now=NOW
    ),
    "add_goal": lambda s, a: plans.add_goal(
        s.session, s.vault, s.case_id, a, goal_type="job", target_date=date(2027, 1, 1), now=NOW
    ),
    "meet_goal": lambda s, a: plans.meet_goal(s.session, s.vault, s.case_id, 1, a, now=NOW),
    "drop_goal": lambda s, a: plans.drop_goal(
        s.session, s.vault, s.case_id, 1, a, reason="not_wanted", now=NOW
    ),
    "plan_follow_up": lambda s, a: follow_ups.plan_follow_up(
        s.session, s.case_id, a, kind="call", due_on=date(2026, 12, 1), now=NOW
    ),
    "record_follow_up": lambda s, a: follow_ups.record_follow_up(
        s.session, s.vault, s.case_id, 1, a, result="reached", now=NOW
    ),
    "record_score": lambda s, a: score_rounds.record_score(
        s.session, s.vault, s.case_id, a, round_code="baseline", answers=BEST, now=NOW
    ),
    "close_case": lambda s, a: reopening.close_case(
        s.session, s.vault, s.case_id, a, reason="person_left", now=NOW
    ),
    "reopen_case": lambda s, a: reopening.reopen_case(
        s.session, s.vault, s.case_id, a, reason="not_solved", now=NOW
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_another_offices_case_does_not_exist(scene: CaseScene, act: str) -> None:
    with pytest.raises(DomainError) as refused:
        ACTS[act](scene, scene.elsewhere)
    assert refused.value.code == "not_found"


@pytest.mark.parametrize("act", ACTS)
def test_only_officers_act_on_a_case(scene: CaseScene, act: str) -> None:
    for actor in (MOMD, scene.provider):
        with pytest.raises(DomainError) as refused:
            ACTS[act](scene, actor)
        assert refused.value.code == "forbidden"


def test_a_need_is_reopened_by_its_office_or_ministry_only(scene: CaseScene) -> None:
    need_id = scene.need.id
    moi = Actor(None, "coordinator", "nineveh", ministry="moi")
    for actor, code in ((scene.elsewhere, "not_found"), (moi, "not_found"), (scene.provider, "forbidden")):
        with pytest.raises(DomainError) as refused:
            reopening.reopen_need(scene.session, scene.vault, need_id, actor, reason="not_solved", now=NOW)
        assert refused.value.code == code


# Plans and goals


def test_a_new_plan_is_in_force_and_the_old_one_is_kept(scene: CaseScene) -> None:
    agree(scene, note="تريد أن تعمل خياطة")
    goal = add_goal(scene, note="ماكينة خياطة")
    agree(scene, NOW + timedelta(days=1))
    found = list_plans(scene.session, scene.case_id)
    assert [plan.version for plan in found] == [2, 1]
    assert scene.vault.open("case_plan.note", found[1].note) == "تريد أن تعمل خياطة"
    assert scene.vault.open("goal.note", goal.note) == "ماكينة خياطة"
    assert [(one.id, one.state, one.dimension) for one in list_goals(scene.session, scene.case_id)] == [
        (goal.id, "open", "economic")
    ]
    assert scene.events() == ["plan_agreed", "goal_added", "plan_agreed"]


def test_a_goal_is_met_once_and_dropped_with_a_reason(scene: CaseScene) -> None:
    agree(scene)
    met, dropped = add_goal(scene, need_id=scene.need.id), add_goal(scene, "safe_home")
    plans.meet_goal(scene.session, scene.vault, scene.case_id, met.id, scene.officer, now=NOW)
    with pytest.raises(DomainError, match="changed_meanwhile"):
        plans.meet_goal(scene.session, scene.vault, scene.case_id, met.id, scene.officer, now=NOW)
    with pytest.raises(DomainError, match="reason_required"):
        plans.drop_goal(
            scene.session, scene.vault, scene.case_id, dropped.id, scene.officer, reason="", now=NOW
        )
    plans.drop_goal(
        scene.session, scene.vault, scene.case_id, dropped.id, scene.officer, reason="replaced", now=NOW
    )
    assert {(one.state, one.drop_reason) for one in (met, dropped)} == {
        ("met", None),
        ("dropped", "replaced"),
    }
    assert scene.events()[-2:] == ["goal_met", "goal_dropped"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"goal_type": "conquer"}, "reason_unknown"),
        ({"target_date": date(2026, 11, 22)}, "value_wrong"),
        ({"target_date": date(2036, 1, 1)}, "value_wrong"),
        ({"need_id": 999_999}, "not_found"),
    ],
)
def test_a_goal_must_make_sense(scene: CaseScene, change: dict[str, object], code: str) -> None:
    agree(scene)
    with pytest.raises(DomainError, match=code):
        add_goal(scene, **change)


def test_goals_need_a_plan_and_an_open_case(scene: CaseScene) -> None:
    with pytest.raises(DomainError, match="plan_required"):
        add_goal(scene)
    close(scene, "person_left", note="x")
    with pytest.raises(DomainError, match="case_closed"):
        agree(scene)


# Follow-ups


def test_a_delivered_service_is_followed_up_by_its_clock(scene: CaseScene) -> None:
    scene.deliver()
    since = scene.referral.state_since
    assert len(scene.follow_ups("service_delivered")) == 3
    assert follow_ups.schedule_after_delivery(scene.session, scene.referral, scene.case, NOW) == 0
    due = [one.due_at - since for one in scene.follow_ups("service_delivered")]
    assert [
        timedelta(days=days) <= wait < timedelta(days=days + 5)
        for days, wait in zip((30, 90, 180), due, strict=True)
    ]
    for one in scene.follow_ups("service_delivered"):
        assert local_day(scene.governorate, one.due_at).strftime("%A") not in {"Friday", "Saturday"}


def test_the_schedule_finds_what_is_missing_and_nothing_twice(scene: CaseScene) -> None:
    scene.deliver()
    scene.session.execute(text("DELETE FROM follow_up"))
    assert follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW) == 6
    assert follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW) == 0
    assert [one.step for one in scene.follow_ups("score")] == [0, 6, 12]


def test_a_service_delivered_again_is_followed_up_again(scene: CaseScene) -> None:
    scene.deliver()
    follow_ups.schedule_after_delivery(scene.session, scene.referral, scene.case, NOW)
    first = scene.follow_ups("service_delivered")
    scene.referral.state_since = scene.referral.state_since + timedelta(days=10)
    scene.session.flush()
    assert follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW) == 6
    rows = scene.follow_ups("service_delivered")
    assert [one.cancelled_at is not None for one in rows if one.id in {a.id for a in first}] == [True] * 3
    assert len([one for one in rows if one.cancelled_at is None]) == 3


def test_a_new_plan_calls_off_the_reviews_of_the_old_one(scene: CaseScene) -> None:
    agree(scene)
    agree(scene, NOW + timedelta(days=3))
    rows = scene.follow_ups("plan_agreed")
    assert len(rows) == 6
    assert {one.started_at for one in rows if one.cancelled_at is None} == {NOW + timedelta(days=3)}


def test_time_travel_from_due_to_given_up(scene: CaseScene) -> None:
    """Thursday's call fails, Sunday's and Monday's too; then the clock sends nobody again, and the guard may close."""
    scene.deliver()
    delivered = datetime(2026, 10, 27, 9, tzinfo=UTC)  # 30 days later is Thursday 26 November
    scene.referral.state_since = delivered
    scene.session.flush()
    follow_ups.schedule_after_delivery(scene.session, scene.referral, scene.case, delivered)
    first = scene.follow_ups("service_delivered")[0]
    assert local_day(scene.governorate, first.due_at) == date(2026, 11, 26)
    listed = query.list_due_follow_ups(scene.session, scene.officer, first.due_at - timedelta(hours=1))
    assert (listed.overdue, listed.rows[0].follow_up_id) == (0, first.id)
    thursday = first.due_at + timedelta(hours=1)
    assert query.list_due_follow_ups(scene.session, scene.officer, thursday).overdue == 1

    moment, waiting = thursday, first
    for number, day in ((1, date(2026, 11, 29)), (2, date(2026, 11, 30))):
        record(scene, waiting, "not_reached", moment)
        assert query.count_failed_attempts(scene.session, scene.referral_id) == number
        waiting = scene.follow_ups("again")[-1]
        assert local_day(scene.governorate, waiting.due_at) == day
        moment = waiting.due_at
    record(scene, waiting, "not_reached", moment)
    assert query.count_failed_attempts(scene.session, scene.referral_id) == 3
    assert len(scene.follow_ups("again")) == 2
    assert query.list_due_follow_ups(scene.session, scene.officer, moment).overdue == 0


def record(scene: CaseScene, one: FollowUp, result: str, now: datetime) -> None:
    follow_ups.record_follow_up(
        scene.session, scene.vault, scene.case_id, one.id, scene.officer, result=result, now=now
    )


def test_two_attempts_on_one_day_count_once_and_older_ones_not_at_all(scene: CaseScene) -> None:
    scene.deliver()
    scene.referral.state_since = NOW
    for moment in (NOW - timedelta(days=1), NOW, NOW + timedelta(hours=2), NOW + timedelta(hours=13)):
        planned = follow_ups.plan_follow_up(
            scene.session,
            scene.case_id,
            scene.officer,
            kind="call",
            due_on=local_day(scene.governorate, moment),
            now=moment,
            referral_id=scene.referral_id,
        )
        record(scene, planned, "not_reached", moment)
    # Noon, two in the afternoon, and one in the morning of the next day in Mosul.
    assert query.count_failed_attempts(scene.session, scene.referral_id) == 2


def test_a_follow_up_is_recorded_once_and_sealed(scene: CaseScene) -> None:
    one = follow_ups.plan_follow_up(
        scene.session, scene.case_id, scene.officer, kind="call", due_on=date(2026, 11, 23), now=NOW
    )
    follow_ups.record_follow_up(
        scene.session,
        scene.vault,
        scene.case_id,
        one.id,
        scene.officer,
        result="reached",
        kind="visit",
        note="البيت بلا ماء",
        now=NOW,
    )
    assert (one.kind, one.result) == ("visit", "reached")
    assert scene.vault.open("follow_up.note", one.note) == "البيت بلا ماء"
    with pytest.raises(DomainError, match="changed_meanwhile"):
        record(scene, one, "reached", NOW)


def test_hearing_the_returnee_settles_the_call_that_waits(scene: CaseScene) -> None:
    scene.deliver()
    follow_ups.schedule_after_delivery(scene.session, scene.referral, scene.case, NOW)
    first, second, _ = scene.follow_ups("service_delivered")
    now = scene.referral.state_since + timedelta(hours=3)
    heard = follow_ups.record_answer(
        scene.session, scene.vault, scene.case, scene.referral_id, scene.officer, kind="office", now=now
    )
    assert (heard.id, heard.result, heard.kind) == (first.id, "reached", "office")
    again = follow_ups.record_answer(
        scene.session, scene.vault, scene.case, scene.referral_id, scene.officer, kind="call", now=now
    )
    assert again.source == "answer"
    assert second.done_at is None


def test_a_returnee_nobody_can_hear_is_given_up_only_after_enough_days(scene: CaseScene) -> None:
    scene.deliver()
    wanted = scene.governorate.follow_up_attempts.most
    delivered = scene.referral.state_since
    for day in range(wanted):
        with pytest.raises(DomainError, match="follow_ups_missing"):
            close_unheard(scene)
        now = delivered + timedelta(days=day, minutes=1)
        planned = follow_ups.plan_follow_up(
            scene.session,
            scene.case_id,
            scene.officer,
            kind="call",
            due_on=local_day(scene.governorate, now),
            now=now,
            referral_id=scene.referral_id,
        )
        record(scene, planned, "not_reached", now)
    close_unheard(scene)
    assert scene.referral.state == "closed"


def close_unheard(scene: CaseScene) -> None:
    reason = choice_codes("close_unheard_reason")[0]
    closure.close_unheard(scene.session, scene.vault, scene.referral_id, MOMD, reason, "no answer")


# Scores and outcomes


def test_a_round_is_scored_sealed_and_no_longer_due(scene: CaseScene) -> None:
    follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW)
    row = score_rounds.record_score(
        scene.session,
        scene.vault,
        scene.case_id,
        scene.officer,
        round_code="baseline",
        answers=BEST | {"housing": None},
        now=NOW,
    )
    assert (row.answered, row.economic, row.questionnaire) == (14, 1.0, score_questionnaire().version)
    assert row.social == pytest.approx(5 / 6)
    read = score_rounds.read_rounds(scene.session, scene.vault, scene.case)
    assert read["baseline"].answers == BEST | {"housing": None}
    assert [one.done_at for one in scene.follow_ups("score")] == [NOW, None, None]


@pytest.mark.parametrize(
    ("round_code", "answers"),
    [("third", BEST), ("baseline", {}), ("baseline", {"housing": "grand"}), ("baseline", {"sky": "good"})],
)
def test_an_impossible_answer_is_refused(scene: CaseScene, round_code: str, answers: dict[str, str]) -> None:
    with pytest.raises(DomainError, match="value_wrong"):
        score_rounds.record_score(
            scene.session,
            scene.vault,
            scene.case_id,
            scene.officer,
            round_code=round_code,
            answers=answers,
            now=NOW,
        )


def outcome(scene: CaseScene, actor: Actor | None = None, **change: object) -> Outcome:
    today = local_day(scene.governorate, datetime.now(UTC))
    values = {
        "outcome_type": "cash_received",
        "quantity": Decimal("250000"),
        "unit": "dinar",
        "delivered_on": today,
    } | change
    return record_outcome(
        scene.session, scene.vault, scene.referral_id, actor=actor or scene.provider, **values
    )  # type: ignore[arg-type]


def test_an_outcome_is_typed_with_quantity_and_day(scene: CaseScene) -> None:
    scene.deliver()
    before = len(scene.events())
    found = outcome(scene)
    assert (found.quantity, found.unit, found.recorded_role) == (Decimal("250000.00"), "dinar", "provider")
    assert scene.events()[before:] == ["outcome_recorded"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": Decimal(0)}, "value_wrong"),
        ({"quantity": Decimal("NaN")}, "value_wrong"),
        ({"quantity": Decimal("1e20")}, "value_wrong"),
        ({"delivered_on": date(2000, 1, 1)}, "value_wrong"),
        ({"delivered_on": date(2999, 1, 1)}, "value_wrong"),
        ({"outcome_type": "happiness"}, "reason_unknown"),
        ({"unit": "camel"}, "reason_unknown"),
    ],
)
def test_an_impossible_outcome_is_refused(scene: CaseScene, change: dict[str, object], code: str) -> None:
    scene.deliver()
    with pytest.raises(DomainError, match=code):
        outcome(scene, **change)


def test_who_may_say_what_a_referral_brought(scene: CaseScene) -> None:
    scene.deliver()
    assert outcome(scene, scene.officer).recorded_role == "officer"
    for stranger, code in (
        (scene.elsewhere, "not_found"),
        (Actor(None, "provider", "nineveh", organization_id=0), "not_found"),
        (Actor(None, "officer", "anbar", office_id=scene.officer.office_id), "not_found"),
        (MOMD, "forbidden"),
        (Actor(None, "admin", "nineveh"), "not_found"),
    ):
        with pytest.raises(DomainError) as refusal:
            outcome(scene, stranger)
        assert refusal.value.code == code, stranger
    assert len(scene.session.scalars(select(Outcome)).all()) == 1


def test_there_is_an_outcome_only_where_a_service_has_begun(scene: CaseScene) -> None:
    """Every state on the way, and those in which it ended unserved."""

    def refused() -> None:
        for actor in (scene.officer, scene.provider):
            with pytest.raises(DomainError, match="illegal_move"):
                outcome(scene, actor)

    session, vault, provider = scene.session, scene.vault, scene.provider
    refused()  # proposed
    scene.send()
    refused()
    for act in (provider_acts.acknowledge, provider_acts.accept):
        act(session, vault, scene.referral_id, provider)
        refused()
    for act in (provider_acts.start, provider_acts.deliver):
        act(session, vault, scene.referral_id, provider)
        outcome(scene, scene.officer)
    closure.dispute(session, vault, scene.referral_id, scene.officer, "not_received", "x")
    outcome(scene, scene.officer)
    seen = {"service_started", "service_delivered", "disputed"}
    assert seen < sop.BRINGS_OUTCOMES
    assert seen | {"confirmed", "closed"} == sop.BRINGS_OUTCOMES


# Closing and opening again


def test_a_case_under_way_is_not_closed(scene: CaseScene) -> None:
    with pytest.raises(DomainError, match="case_under_way"):
        close(scene, "no_more_needs")
    sending.recall(scene.session, scene.vault, scene.referral_id, scene.officer, "error", "x")
    follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW)
    with pytest.raises(DomainError, match="case_under_way"):
        close(scene, "no_more_needs", NOW + timedelta(days=60))  # the baseline is due
    close(scene, "no_more_needs")
    assert scene.case.closed_at == NOW


def close(scene: CaseScene, reason: str, now: datetime = NOW, note: str | None = None) -> None:
    reopening.close_case(
        scene.session, scene.vault, scene.case_id, scene.officer, reason=reason, now=now, note=note
    )


def reopen(scene: CaseScene, now: datetime = NOW) -> None:
    reopening.reopen_case(
        scene.session, scene.vault, scene.case_id, scene.officer, reason="person_returned", now=now
    )


def test_who_left_frees_the_slot(scene: CaseScene) -> None:
    scene.send()
    with pytest.raises(DomainError, match="text_required"):
        close(scene, "person_left")
    close(scene, "person_left", note="غادرت إلى بغداد")
    assert scene.referral.state == "recalled"
    assert scene.need.status == "withdrawn"
    last = scene.session.scalars(
        select(ReferralEvent.reason).order_by(ReferralEvent.id.desc()).limit(1)
    ).one()
    assert last == "moved_away"


def test_a_closed_case_opened_again_keeps_all_its_history(scene: CaseScene) -> None:
    agree(scene)
    follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW)
    sending.recall(scene.session, scene.vault, scene.referral_id, scene.officer, "error", "x")
    before = [(one.id, one.kind, one.at) for one in scene.session.scalars(select(CaseEvent))]
    referral_events = list(scene.session.scalars(select(ReferralEvent.id)))
    close(scene, "person_wishes")
    assert scene.need.status == "withdrawn"
    waiting = [one for one in scene.follow_ups("score") if one.cancelled_at is None]
    assert waiting == []
    with pytest.raises(DomainError, match="case_closed"):
        agree(scene)
    reopen(scene, NOW + timedelta(days=2))
    assert scene.case.closed_at is None
    assert scene.need.status == "open"
    assert len([one for one in scene.follow_ups("score") if one.cancelled_at is None]) == 3
    after = [
        (one.id, one.kind, one.at) for one in scene.session.scalars(select(CaseEvent).order_by(CaseEvent.id))
    ]
    assert after[: len(before)] == before
    assert [kind for _, kind, _ in after[len(before) :]] == ["case_closed", "case_reopened"]
    assert set(referral_events) <= set(scene.session.scalars(select(ReferralEvent.id)))
    with pytest.raises(DomainError, match="case_open"):
        reopen(scene)


def test_a_reopened_need_is_matched_anew_and_the_old_referral_stays(scene: CaseScene) -> None:
    with pytest.raises(DomainError, match="changed_meanwhile"):
        reopen_need(scene)
    scene.deliver()
    closure.confirm(scene.session, scene.vault, scene.referral_id, scene.officer)
    closure.close(scene.session, scene.vault, scene.referral_id, MOMD, "confirmed_served")
    events = list(scene.session.scalars(select(ReferralEvent.id).order_by(ReferralEvent.id)))
    reopen_need(scene)
    assert (scene.need.status, scene.need.opened_at) == ("open", NOW)
    match_open_needs(scene.session, scene.vault, scene.governorate, now=datetime.now(UTC))
    rows = scene.session.scalars(select(Referral).order_by(Referral.id)).all()
    assert [row.state for row in rows] == ["closed", "proposed"]
    kept = scene.session.scalars(select(ReferralEvent.id).order_by(ReferralEvent.id)).all()
    assert list(kept)[: len(events)] == events


def reopen_need(scene: CaseScene) -> None:
    reopening.reopen_need(
        scene.session, scene.vault, scene.need.id, scene.officer, reason="not_solved", now=NOW
    )


def test_a_need_whose_consent_was_taken_back_stays_closed(scene: CaseScene) -> None:
    withdraw(
        scene.session, scene.vault, scene.case_id, scene.officer, channel="desk", scope="everything", now=NOW
    )
    with pytest.raises(DomainError, match="consent_required"):
        reopen_need(scene)


@pytest.mark.parametrize("statement", ["UPDATE case_event SET kind = 'x'", "DELETE FROM case_event"])
def test_the_history_of_a_case_is_append_only(scene: CaseScene, statement: str) -> None:
    agree(scene)
    with pytest.raises(IntegrityError, match="append-only"):
        scene.session.execute(text(statement))


def test_an_erased_case_takes_no_text(scene: CaseScene) -> None:
    case = hold_case(scene.session, scene.case_id, scene.officer)
    assert case.data_key_id is not None
    scene.vault.erase_key(case.data_key_id)
    scene.session.expire_all()
    with pytest.raises(DomainError, match="case_erased"):
        agree(scene, note="x")
