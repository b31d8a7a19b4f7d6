"""Who is told of a complaint: whoever handles it, once each, and of sexual exploitation nobody else."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from api import delivery
from api.complaint_clock import run_complaint_clock
from api.context import AppContext
from api.delivery import deliver_messages
from api.settings import Settings
from casework import complaints as acts
from casework.complaint_messages import queue_complaint_digests, tell_overdue_complaints
from casework.complaints import Receipt
from casework.contact_points import Owner, set_contact_point
from casework.digests import queue_digests
from casework.message_templates import Audience
from casework.messages import list_recipients
from casework.moves import Actor
from db.keyfile import MasterKeys
from db.models import AuditEvent, Complaint, MessageState, OutboxMessage, Role, User
from db.outbox import count_all_messages, get_visible_message, list_messages, list_newest_failures
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from tests.factories.complaints import ADDRESS, TEXT, add_answerer, complain
from tests.integration.test_breaches import make_scene

SUNDAY = datetime(2026, 11, 22, 7, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATE = SUNDAY + 20 * DAY
HANDLERS = [
    ("s-1", Role.SUPERVISOR, "momd"),
    ("s-2", Role.SUPERVISOR, "momd"),
    ("s-moi", Role.SUPERVISOR, "moi"),
    ("dp", Role.DATA_PROTECTION, None),
    ("psea", Role.PSEA_FOCAL_POINT, None),
    ("psea-2", Role.PSEA_FOCAL_POINT, None),
    ("admin", Role.ADMIN, None),
    ("coordinator", Role.COORDINATOR, "momd"),
]
PSEA = {"kind": "sexual_exploitation"}


class Desk:
    """Everybody who might hear of a complaint, all with a work address."""

    def __init__(self, session: Session, vault: Vault, governorate: Governorate) -> None:
        self.session, self.vault, self.governorate = session, vault, governorate
        self.actors: dict[str, Actor] = {}
        for login, role, ministry in HANDLERS:
            self.actors[login] = add_answerer(session, login, role, ministry=ministry)
            owner = Owner(user_id=self.actors[login].user_id)
            set_contact_point(session, vault, owner, "email", f"{login}@example.org", None)
        self.logins = {actor.user_id: login for login, actor in self.actors.items()}

    def complain(self, now: datetime = SUNDAY, **changes: Any) -> Receipt:
        return complain(self.session, self.vault, self.governorate, now, **changes)

    def move(self, code: str, move: str, login: str, now: datetime = SUNDAY, **said: str) -> None:
        acts.move_complaint(self.session, self.vault, code, move, self.actors[login], now, **said)

    def answer(self, code: str, login: str, now: datetime = SUNDAY) -> None:
        self.move(code, "acknowledge", login, now)
        self.move(code, "answer", login, now, reason="upheld", text="ردّنا")

    def told(self, template: str) -> list[str]:
        """Logins of those to whom this was written, one each time."""
        rows = self.session.scalars(select(OutboxMessage).where(OutboxMessage.template == template))
        return sorted(self.logins[row.user_id] for row in rows)


@pytest.fixture
def desk(session: Session, vault: Vault, governorate: Governorate) -> Desk:
    return Desk(session, vault, governorate)


@pytest.mark.parametrize(
    ("changes", "who"), [({}, ["s-1", "s-2"]), (PSEA, ["psea", "psea-2"])], ids=["line", "outside"]
)
def test_who_handles_it_is_told_that_it_came_and_once_that_it_is_overdue(
    desk: Desk, changes: dict[str, Any], who: list[str]
) -> None:
    desk.complain(**changes)
    assert desk.told("complaint_received") == who
    assert tell_overdue_complaints(desk.session, SUNDAY + HOUR) == 0
    assert tell_overdue_complaints(desk.session, LATE) == 1
    for hour in range(50):
        assert tell_overdue_complaints(desk.session, LATE + hour * HOUR) == 0
    assert desk.told("complaint_overdue") == who
    assert len(desk.session.scalars(select(OutboxMessage.id)).all()) == 2 * len(who)


def test_another_clock_that_runs_out_is_another_breach(desk: Desk) -> None:
    code = desk.complain().code
    assert tell_overdue_complaints(desk.session, SUNDAY + 4 * DAY) == 1
    desk.move(code, "acknowledge", "s-1", SUNDAY + 4 * DAY)
    assert tell_overdue_complaints(desk.session, SUNDAY + 5 * DAY) == 0
    assert tell_overdue_complaints(desk.session, LATE) == 1
    desk.move(code, "review", "s-1", LATE)  # the clock runs from the receipt: it is the same breach
    assert tell_overdue_complaints(desk.session, LATE + DAY) == 0
    assert Counter(desk.told("complaint_overdue")) == {"s-1": 2, "s-2": 2}
    desk.move(code, "answer", "s-1", LATE, reason="upheld", text="ردّنا")
    assert tell_overdue_complaints(desk.session, LATE + 29 * DAY) == 0  # the person's time, nobody's debt


def test_an_appeal_is_told_to_somebody_else_than_who_answered(desk: Desk) -> None:
    receipt = desk.complain()
    desk.answer(receipt.code, "s-1")
    acts.appeal(desk.session, desk.vault, desk.governorate, receipt.code, receipt.phrase, "لا", SUNDAY)
    assert desk.told("complaint_appealed") == ["s-2"]
    assert tell_overdue_complaints(desk.session, LATE) == 1
    assert desk.told("complaint_overdue") == ["s-2"]


def test_an_appeal_that_nobody_of_the_ministry_may_answer_is_told_to_data_protection(desk: Desk) -> None:
    desk.session.execute(update(User).where(User.login == "s-2").values(active=False))
    receipt = desk.complain()
    desk.answer(receipt.code, "s-1")
    desk.move(receipt.code, "appeal", "s-1", text="لا")
    assert desk.told("complaint_appealed") == ["dp"]
    assert tell_overdue_complaints(desk.session, LATE) == 1
    assert desk.told("complaint_overdue") == ["dp"]


def test_what_leaves_the_line_is_told_outside_it_alone(desk: Desk) -> None:
    code = desk.complain().code
    desk.move(code, "pass_on", "s-1")
    assert desk.told("complaint_received") == ["psea", "psea-2", "s-1", "s-2"]
    assert tell_overdue_complaints(desk.session, LATE) == 1
    assert desk.told("complaint_overdue") == ["psea", "psea-2"]


def test_messages_hold_no_word_and_no_code_of_the_complaint(desk: Desk) -> None:
    for changes in ({}, PSEA):
        desk.complain(reply_address=ADDRESS, **changes)
    tell_overdue_complaints(desk.session, LATE)
    queue_complaint_digests(desk.session, desk.governorate, "2026-12-12", LATE)
    rows = desk.session.scalars(select(OutboxMessage)).all()
    assert Counter(row.template for row in rows) == {
        "complaint_received": 4,
        "complaint_overdue": 4,
        "complaint_digest": 4,
    }
    assert {json.dumps(row.params) for row in rows} == {"{}", '{"overdue": 1}'}
    codes = desk.session.scalars(select(Complaint.code)).all()
    for row in rows:
        said = f"{row.dedupe_key} {row.params}"
        assert not [word for word in (TEXT, ADDRESS, "sexual", "psea", *codes) if word in said]


def test_the_digest_comes_every_day_and_counts_what_each_one_handles(desk: Desk) -> None:
    for _ in range(2):
        desk.complain()
    desk.complain(**PSEA)
    for day in (LATE, LATE, LATE + DAY):
        assert (
            queue_digests(desk.session, desk.governorate, day) == 0
        )  # no figure of what is outside the line
    rows = desk.session.scalars(select(OutboxMessage).where(OutboxMessage.template == "complaint_digest"))
    found = Counter((desk.logins[row.user_id], row.params["overdue"]) for row in rows)
    assert found == {("s-1", 2): 2, ("s-2", 2): 2, ("psea", 1): 2, ("psea-2", 1): 2}


def test_messages_outside_the_line_exist_for_the_focal_point_alone(desk: Desk) -> None:
    desk.complain(**PSEA)
    tell_overdue_complaints(desk.session, LATE)
    queue_complaint_digests(desk.session, desk.governorate, "2026-12-12", LATE)
    ids = desk.session.scalars(select(OutboxMessage.id)).all()
    assert len(ids) == 6
    away = Actor(None, Role.PSEA_FOCAL_POINT, "anbar")
    officer, provider = Actor(1, Role.OFFICER, "nineveh", office_id=1), Actor(2, Role.PROVIDER, "nineveh")
    for state in MessageState:
        desk.session.execute(update(OutboxMessage).values(state=state))
        for login, actor in (*desk.actors.items(), ("o", officer), ("p", provider), ("away", away)):
            page = list_messages(desk.session, actor, state, LATE)
            expected = 6 if actor.role == Role.PSEA_FOCAL_POINT and login != "away" else 0
            assert (len(page.rows), sum(page.counts.values())) == (expected, expected), (login, state)
            found = get_visible_message(desk.session, actor, ids[0])
            assert (found is not None) == (expected > 0)
        assert count_all_messages(desk.session) == {}
        assert list_newest_failures(desk.session) == []


def test_a_failure_is_shown_to_whom_may_see_it(desk: Desk) -> None:
    desk.complain()
    desk.complain(**PSEA)
    desk.session.execute(update(OutboxMessage).values(state=MessageState.FAILED, last_error="no_address"))
    shown = {
        login: sorted(
            desk.logins[row.user_id] for row in list_messages(desk.session, actor, "failed", LATE).rows
        )
        for login, actor in desk.actors.items()
    }
    assert {login: rows for login, rows in shown.items() if rows} == {
        "admin": ["s-1", "s-2"],
        "psea": ["psea", "psea-2"],
        "psea-2": ["psea", "psea-2"],
    }
    assert [desk.logins[row.user_id] for row in list_newest_failures(desk.session)] == ["s-2", "s-1"]


def test_an_unknown_audience_is_an_error_and_no_supervisor(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate)
    for audience in (Audience.PSEA_FOCAL_POINT, Audience.DATA_PROTECTION):
        with pytest.raises(ValueError, match="no audience of a referral"):
            list_recipients(session, scene.parts, audience)


def test_a_run_that_dies_or_meets_another_tells_once(
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with session_scope(fresh_engine) as session:
        desk = Desk(session, Vault(session, masters), governorate)
        for changes in ({}, PSEA, {}):
            desk.complain(**changes)
    with Session(fresh_engine) as dying:
        assert tell_overdue_complaints(dying, LATE, limit=2) == 2
        with session_scope(fresh_engine) as other:
            assert tell_overdue_complaints(other, LATE, limit=5) == 1  # what nobody holds
        dying.rollback()
    context = AppContext(Settings(data_folder=tmp_path), fresh_engine, "", masters, governorate)
    with caplog.at_level("DEBUG"):
        for _ in range(3):
            run_complaint_clock(context, LATE)
    assert caplog.text == ""
    with session_scope(fresh_engine) as session:
        rows = session.scalars(
            select(OutboxMessage).where(OutboxMessage.template == "complaint_overdue")
        ).all()
        assert Counter(desk.logins[row.user_id] for row in rows) == {
            "s-1": 2,
            "s-2": 2,
            "psea": 1,
            "psea-2": 1,
        }


@pytest.mark.parametrize("fault", [False, True])
def test_the_worker_says_nothing_of_what_is_outside_the_line(
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: bool,
) -> None:
    with session_scope(fresh_engine) as session:
        Desk(session, Vault(session, masters), governorate).complain(**PSEA)
    if fault:

        def broken(*_: object) -> None:
            raise KeyError("a fault of ours")

        monkeypatch.setattr(delivery, "render", broken)
    settings = Settings(
        data_folder=tmp_path,
        smtp_host="127.0.0.1",
        smtp_port=1,
        smtp_security="none",
        smtp_from="i@example.org",
    )
    context = AppContext(settings, fresh_engine, "", masters, governorate)
    with caplog.at_level("DEBUG"):
        report = deliver_messages(context, SUNDAY)
    assert (report.outcomes, caplog.text) == ({}, "")
    with session_scope(fresh_engine) as session:
        tried = session.scalars(select(OutboxMessage.last_error).where(OutboxMessage.attempts > 0)).all()
        assert set(tried) == {"internal" if fault else "unreachable"}
        assert session.scalars(select(AuditEvent).where(AuditEvent.action.like("%message%"))).all() == []
