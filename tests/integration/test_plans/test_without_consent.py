"""Nothing is planned, scheduled or opened again without consent in force, and nobody is called who said no to it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from casework import closure, follow_ups, plans, reopening
from casework.withdrawals import withdraw
from db.errors import DomainError
from db.models import Case, Consent, FollowUp
from governorates import local_day
from tests.integration.test_plans.conftest import CaseScene

NOW = datetime.now(UTC)
LONG_AFTER = NOW + timedelta(days=400)


def take_back(scene: CaseScene, scope: str = "everything", **what: object) -> None:
    withdraw(
        scene.session, scene.vault, scene.case_id, scene.officer, channel="phone", scope=scope, now=NOW,
        **what,  # type: ignore[arg-type]
    )  # fmt: skip


def waiting(scene: CaseScene) -> list[tuple[str, str]]:
    rows = scene.session.execute(
        select(FollowUp.source, FollowUp.kind)
        .where(FollowUp.done_at.is_(None), FollowUp.cancelled_at.is_(None))
        .order_by(FollowUp.id)
    )
    return [(row[0], row[1]) for row in rows]


def plan(scene: CaseScene, kind: str = "visit", now: datetime = NOW) -> None:
    day = local_day(scene.governorate, now) + timedelta(days=3)
    follow_ups.plan_follow_up(scene.session, scene.case_id, scene.officer, kind=kind, due_on=day, now=now)


def agree(scene: CaseScene, now: datetime = NOW) -> None:
    plans.agree_plan(scene.session, scene.vault, scene.case_id, scene.officer, agreement="signed", now=now)


def refused(scene: CaseScene) -> list[str]:
    """The codes with which planning and agreeing are refused now."""
    codes = []
    for act in (plan, agree):
        with pytest.raises(DomainError) as refusal, scene.session.begin_nested():
            act(scene)
        codes.append(refusal.value.code)
    return codes


def test_after_everything_is_taken_back_nothing_is_scheduled_or_planned(scene: CaseScene) -> None:
    take_back(scene)
    assert follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW) == 0
    assert refused(scene) == ["consent_required"] * 2
    assert waiting(scene) == []


def test_consent_that_grew_old_is_asked_for_again_first(scene: CaseScene) -> None:
    follow_ups.schedule_follow_ups(scene.session, scene.governorate, LONG_AFTER)
    assert waiting(scene) == []
    for act in (plan, agree):
        with pytest.raises(DomainError, match="consent_expired"), scene.session.begin_nested():
            act(scene, now=LONG_AFTER)
    follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW)
    assert {source for source, _ in waiting(scene)} == {"score"}


def close(scene: CaseScene) -> None:
    reopening.close_case(
        scene.session, scene.vault, scene.case_id, scene.officer, reason="person_left", now=NOW, note="غادر"
    )


def reopen(scene: CaseScene) -> None:
    reopening.reopen_case(
        scene.session, scene.vault, scene.case_id, scene.officer, reason="person_returned", now=NOW
    )


def test_a_closed_case_stays_closed_without_consent(scene: CaseScene) -> None:
    scene.session.execute(update(Case).where(Case.id == scene.case_id).values(closed_at=NOW))
    scene.session.execute(update(Consent).where(Consent.case_id == scene.case_id).values(withdrawn_at=NOW))
    with pytest.raises(DomainError, match="consent_required"):
        reopen(scene)


def test_contact_taken_back_turns_calls_into_visits(scene: CaseScene) -> None:
    scene.deliver()
    assert waiting(scene) == [("service_delivered", "call")] * 3
    take_back(scene, "contact")
    assert waiting(scene) == [("service_delivered", "visit")] * 3
    for act in (lambda: plan(scene, "call"), lambda: confirm(scene, "call")):
        with pytest.raises(DomainError, match="contact_withdrawn"), scene.session.begin_nested():
            act()
    plan(scene, "visit")
    confirm(scene, "visit")
    assert scene.referral.state == "confirmed"


def confirm(scene: CaseScene, asked: str) -> None:
    closure.confirm(scene.session, scene.vault, scene.referral_id, scene.officer, asked=asked)


def test_a_call_is_not_recorded_and_the_next_attempt_is_a_visit(scene: CaseScene) -> None:
    scene.deliver()
    take_back(scene, "contact")
    first = scene.session.scalars(select(FollowUp).order_by(FollowUp.id)).first()
    assert first is not None

    def record(kind: str) -> None:
        follow_ups.record_follow_up(
            scene.session, scene.vault, scene.case_id, first.id, scene.officer,
            result="not_reached", kind=kind, now=NOW,
        )  # fmt: skip

    with pytest.raises(DomainError, match="contact_withdrawn"), scene.session.begin_nested():
        record("call")
    record("visit")
    assert ("again", "visit") in waiting(scene)


def test_where_nobody_knows_the_home_the_calls_are_called_off(scene: CaseScene) -> None:
    scene.deliver()
    nowhere = {"residence": None, "place_text": None, "point": None}
    scene.session.execute(update(Case).where(Case.id == scene.case_id).values(**nowhere))
    take_back(scene, "contact")
    assert waiting(scene) == []
    assert follow_ups.schedule_after_delivery(scene.session, scene.referral, scene.case, NOW) == 0


def test_the_job_finds_calls_of_who_said_no_by_another_way(scene: CaseScene) -> None:
    """A form's edit or a merge changes the answer without a withdrawal."""
    scene.deliver()
    scene.session.execute(
        update(Consent)
        .where(Consent.case_id == scene.case_id, Consent.kind == "contact")
        .values(withdrawn_at=NOW)
    )
    assert follow_ups.schedule_follow_ups(scene.session, scene.governorate, NOW) > 0
    assert {kind for _, kind in waiting(scene)} == {"visit"}
