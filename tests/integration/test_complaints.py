"""The acts on a complaint: who handles it, its clocks, the appeal, and what nobody else ever sees."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.complaint_clock import run_complaint_clock
from api.context import AppContext
from api.settings import Settings
from casework import complaints as acts
from casework.complaints import Receipt
from casework.households import answer_anew
from casework.matching import match_open_needs
from casework.moves import Actor
from db.complaints import (
    count_overdue_complaints,
    get_visible_complaint,
    list_complaint_events,
    list_complaints,
)
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import AuditEvent, Complaint, ComplaintEvent, Consent, Organization, Referral, Role, Service
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from referral_engine.complaints import FINAL, MOVES, OWED, ComplaintState, moves_from
from tests.conftest import Database
from tests.factories.cases import make_assessment, open_case
from tests.factories.complaints import ADDRESS, TEXT, add_answerer, complain

BAGHDAD = timezone(timedelta(hours=3))
SUNDAY = datetime(2026, 11, 22, 10, tzinfo=BAGHDAD)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Desk:
    """The people who handle complaints of one test."""

    def __init__(self, session: Session, vault: Vault, governorate: Governorate) -> None:
        self.session, self.vault, self.governorate = session, vault, governorate
        self.first = add_answerer(session, "s-1", Role.SUPERVISOR, ministry="momd")
        self.second = add_answerer(session, "s-2", Role.SUPERVISOR, ministry="momd")
        self.moi = add_answerer(session, "s-moi", Role.SUPERVISOR, ministry="moi")
        self.protection = add_answerer(session, "dp", Role.DATA_PROTECTION)
        self.psea = add_answerer(session, "psea", Role.PSEA_FOCAL_POINT)
        self.psea_deputy = add_answerer(session, "psea-2", Role.PSEA_FOCAL_POINT)

    def complain(self, now: datetime = SUNDAY, **changes: Any) -> Receipt:
        return complain(self.session, self.vault, self.governorate, now, **changes)

    def get(self, code: str) -> Complaint:
        return self.session.scalars(select(Complaint).where(Complaint.code == code)).one()

    def move(self, code: str, move: str, actor: Actor, now: datetime = SUNDAY, **said: str) -> Complaint:
        acts.move_complaint(self.session, self.vault, code, move, actor, now, **said)
        return self.get(code)

    def answer(self, code: str, actor: Actor, now: datetime = SUNDAY) -> Complaint:
        if self.get(code).state == ComplaintState.RECEIVED:
            self.move(code, "acknowledge", actor, now)
        return self.move(code, "answer", actor, now, reason="upheld", text="ردّنا")

    def appeal(self, receipt: Receipt, now: datetime = SUNDAY) -> Complaint:
        acts.appeal(
            self.session, self.vault, self.governorate, receipt.code, receipt.phrase, "لست راضياً", now
        )
        return self.get(receipt.code)


@pytest.fixture
def desk(session: Session, vault: Vault, governorate: Governorate) -> Desk:
    return Desk(session, vault, governorate)


def refused(code: str) -> Any:
    return pytest.raises(DomainError, match=f"^{code}$")


def sees(desk: Desk, actor: Actor, code: str) -> bool:
    return get_visible_complaint(desk.session, actor, code) is not None


EVERYBODY = [
    Actor(901, Role.OFFICER, "nineveh", office_id=1),
    Actor(902, Role.COORDINATOR, "nineveh", ministry="momd"),
    Actor(903, Role.COORDINATOR, "nineveh", ministry="moi"),
    Actor(904, Role.PROVIDER, "nineveh", organization_id=1),
    Actor(905, Role.ADMIN, "nineveh"),
    Actor(906, Role.SUPERVISOR, "nineveh", ministry="momd"),
    Actor(907, Role.SUPERVISOR, "nineveh", ministry="moi"),
    Actor(908, Role.SUPERVISOR, "nineveh"),
    Actor(909, Role.DATA_PROTECTION, "nineveh"),
    Actor(910, Role.SUPERVISOR, "anbar", ministry="momd"),
    Actor(911, Role.PSEA_FOCAL_POINT, "anbar"),
]


@pytest.mark.parametrize("subject", ["provider", "officer", "match", "other"])
def test_sexual_exploitation_exists_for_the_focal_point_alone(desk: Desk, subject: str) -> None:
    code = desk.complain(subject=subject, kind="sexual_exploitation").code
    assert sees(desk, desk.psea, code)
    for actor in EVERYBODY:
        assert not sees(desk, actor, code), actor
        for view in ("open", "overdue", "closed"):
            found = list_complaints(desk.session, actor, view, SUNDAY + 90 * DAY)
            assert (found.rows, set(found.counts.values())) == ([], {0})
        with refused("not_found"):
            acts.read_complaint(desk.session, desk.vault, code, actor, SUNDAY)
        with refused("not_found"):
            desk.move(code, "acknowledge", actor)
    late = SUNDAY + 30 * DAY
    assert [count_overdue_complaints(desk.session, actor, late) for actor in EVERYBODY] == [0] * len(
        EVERYBODY
    )
    assert count_overdue_complaints(desk.session, desk.psea, late) == 1


def test_the_database_keeps_kind_and_line_together(desk: Desk) -> None:
    desk.complain(kind="sexual_exploitation")
    with pytest.raises(IntegrityError, match="outside_the_line"):
        desk.session.execute(text("UPDATE complaint SET line = 'supervisor'"))


def test_reading_is_audited_but_not_where_the_line_would_see_it(desk: Desk) -> None:
    outside = desk.complain(kind="sexual_exploitation", reply_address=ADDRESS).code
    inside = desk.complain().code
    assert desk.session.scalar(select(func.count(AuditEvent.id))) == 0
    read = acts.read_complaint(desk.session, desk.vault, outside, desk.psea, SUNDAY)
    assert (read.text, read.reply_address) == (TEXT, ADDRESS)
    assert [one.event.move for one in read.history] == ["receive", "read"]
    assert read.history[1].event.user_id == desk.psea.user_id
    assert desk.session.scalar(select(func.count(AuditEvent.id))) == 0
    acts.read_complaint(desk.session, desk.vault, inside, desk.first, SUNDAY)
    row = desk.session.scalars(select(AuditEvent)).one()
    assert (row.action, row.object_type, row.object_id) == (
        "complaint.read",
        "complaint",
        desk.get(inside).id,
    )
    assert TEXT not in repr(read)


def test_supervisors_have_their_own_ministrys_complaints_and_offices_none(desk: Desk) -> None:
    code = desk.complain(subject="officer").code
    assert sees(desk, desk.first, code)
    assert sees(desk, desk.second, code)
    for actor in (desk.moi, desk.protection, desk.psea, *EVERYBODY[:5], *EVERYBODY[6:]):
        assert not sees(desk, actor, code), actor


def _organization(desk: Desk, *categories: str) -> int:
    made = Organization(
        governorate="nineveh", code="-".join(categories) or "none", kind="local_cso", names={}
    )
    desk.session.add(made)
    desk.session.flush()
    for category in categories:
        row = {"service_type": category, "category": category, "names": {}, "languages": []}
        desk.session.add(Service(organization_id=made.id, code=category, **row))
    desk.session.flush()
    return made.id


def test_the_ministry_that_owns_the_category_answers(desk: Desk) -> None:
    ministries = {
        ("hlp",): "moi",
        ("hlp", "womens_legal_counselling"): "moi",
        ("housing",): "momd",
        ("hlp", "housing"): "momd",  # of two ministries: the receiving one
        (): "momd",
    }
    for categories, ministry in ministries.items():
        receipt = desk.complain(organization_id=_organization(desk, *categories))
        assert desk.get(receipt.code).ministry == ministry, categories
    with refused("complaint_choice_unknown"):
        desk.complain(organization_id=999_999)
    with refused("complaint_choice_unknown"):
        desk.complain(office_id=999_999)


def test_about_a_match_the_person_who_said_no_to_moi_does_not_exist_for_it(desk: Desk) -> None:
    needs = [("womens_legal_counselling", "urgent")]
    case_id = open_case(
        desk.session, desk.vault, desk.governorate, make_assessment(desk.governorate, needs)
    ).case_id
    match_open_needs(desk.session, desk.vault, desk.governorate, now=datetime.now(UTC), seed=1)
    referral = desk.session.scalars(select(Referral).where(Referral.case_id == case_id)).one()
    moi = Actor(1, Role.COORDINATOR, "nineveh", ministry="moi")
    clerk = {"actor": moi, "channel": "phone", "referral_id": referral.id, "subject": "match"}
    received = desk.get(desk.complain(**clerk).code)
    assert (received.ministry, received.organization_id is not None) == ("moi", True)
    with refused("not_found"):  # not this coordinator's
        desk.complain(**clerk | {"actor": EVERYBODY[1]})
    kept = select(Consent).where(Consent.case_id == case_id, Consent.kind == "assessment")
    desk.session.add(answer_anew(desk.session.scalars(kept).one(), recipients=[]))
    desk.session.flush()
    momd = Actor(1, Role.COORDINATOR, "nineveh", ministry="momd")
    assert desk.get(desk.complain(**clerk | {"actor": momd}).code).ministry == "momd"


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SUPERVISOR, Role.PSEA_FOCAL_POINT, "system"])
def test_only_those_who_meet_people_record(desk: Desk, role: str) -> None:
    with refused("forbidden"):
        desk.complain(actor=Actor(1, role, "nineveh", ministry="momd"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": " \n"}, "complaint_text_required"),
        ({"text": "ا" * 4001}, "complaint_too_long"),
        ({"reply_address": "1" * 301}, "complaint_too_long"),
        ({"subject": "weather"}, "complaint_choice_unknown"),
        ({"kind": "weather"}, "complaint_choice_unknown"),
        ({"channel": "pigeon"}, "complaint_choice_unknown"),
        ({"language": "xx"}, "complaint_choice_unknown"),
    ],
)
def test_what_is_not_a_complaint_is_refused_without_repeating_it(
    desk: Desk, changes: dict[str, str], code: str
) -> None:
    with refused(code) as caught:
        desk.complain(**changes)
    assert not {"weather", "pigeon"} & {str(value) for value in caught.value.details.values()}


def test_deadlines_follow_the_working_calendar(desk: Desk) -> None:
    """Friday and Saturday are off; 2026-12-25 and 2027-01-01 fall on Fridays."""
    receipt = desk.complain(datetime(2026, 11, 26, 10, tzinfo=BAGHDAD))  # a Thursday
    code = receipt.code
    assert desk.get(code).due_at == datetime(2026, 11, 30, 10, tzinfo=BAGHDAD)
    acknowledged = desk.move(code, "acknowledge", desk.first, datetime(2026, 11, 29, 9, tzinfo=BAGHDAD))
    # Ten working days of its receipt, however it moves on.
    due = datetime(2026, 12, 10, 10, tzinfo=BAGHDAD)
    assert acknowledged.due_at == due
    review = desk.move(code, "review", desk.first, datetime(2026, 12, 3, 9, tzinfo=BAGHDAD))
    assert review.due_at == due
    at = datetime(2026, 12, 9, 12, tzinfo=BAGHDAD)
    assert desk.answer(code, desk.first, at).due_at == at + 30 * DAY
    later = datetime(2026, 12, 24, 10, tzinfo=BAGHDAD)  # Thursday; 6 January is Army Day, 1 January New Year
    assert desk.appeal(receipt, later).due_at == datetime(2027, 1, 10, 10, tzinfo=BAGHDAD)


def test_sexual_exploitation_counts_every_hour(desk: Desk) -> None:
    thursday = datetime(2026, 11, 26, 20, tzinfo=BAGHDAD)
    assert desk.get(desk.complain(thursday, kind="sexual_exploitation").code).due_at == thursday + DAY


def test_overdue_is_what_somebody_owes_and_time_makes_it_so(desk: Desk) -> None:
    receipt = desk.complain()
    due = desk.get(receipt.code).due_at
    assert due is not None
    assert count_overdue_complaints(desk.session, desk.first, due) == 0
    assert count_overdue_complaints(desk.session, desk.first, due + HOUR) == 1
    assert list_complaints(desk.session, desk.first, "overdue", due + HOUR).total == 1
    desk.answer(receipt.code, desk.first, due)
    assert (
        count_overdue_complaints(desk.session, desk.first, due + 29 * DAY) == 0
    )  # the person's time, nobody's debt


def test_time_to_appeal_runs_out_and_the_clock_closes_once(desk: Desk) -> None:
    receipt = desk.complain()
    desk.answer(receipt.code, desk.first)
    with refused("forbidden"):
        desk.move(receipt.code, "close", desk.first)
    assert acts.close_lapsed_complaints(desk.session, desk.vault, SUNDAY + 30 * DAY - HOUR) == 0
    assert acts.close_lapsed_complaints(desk.session, desk.vault, SUNDAY + 30 * DAY) == 1
    assert acts.close_lapsed_complaints(desk.session, desk.vault, SUNDAY + 31 * DAY) == 0
    closed = desk.get(receipt.code)
    assert (closed.state, closed.due_at, closed.closed_at) == ("closed", None, SUNDAY + 30 * DAY)
    with refused("complaint_move"):
        desk.appeal(receipt, SUNDAY + 31 * DAY)


def test_the_scheduled_clock_closes_each_in_a_transaction_of_its_own(
    fresh_database: Database,
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with session_scope(fresh_engine) as session:
        made = Desk(session, Vault(session, masters), governorate)
        for kind, actor in (("other", made.first), ("sexual_exploitation", made.psea), ("other", made.first)):
            made.answer(made.complain(kind=kind).code, actor)
        open_still = made.complain().code
    context = AppContext(Settings(data_folder=tmp_path), fresh_engine, "", masters, governorate)
    with caplog.at_level("DEBUG"):
        for _ in range(2):
            run_complaint_clock(context, SUNDAY + 31 * DAY)
    assert caplog.text == ""
    with session_scope(fresh_engine) as session:
        states = {row[0]: row[1] for row in session.execute(select(Complaint.code, Complaint.state))}
        assert states.pop(open_still) == "received"
        assert set(states.values()) == {"closed"}
        assert session.scalar(select(func.count()).where(ComplaintEvent.move == "close")) == 3


def test_an_appeal_is_never_answered_by_who_answered(desk: Desk) -> None:
    receipt = desk.complain()
    desk.answer(receipt.code, desk.first)
    appealed = desk.appeal(receipt)
    assert (appealed.line, sees(desk, desk.second, receipt.code)) == ("supervisor", True)
    said = {"reason": "not_upheld", "text": "ردّ ثانٍ"}
    with refused("complaint_same_person"):
        desk.move(receipt.code, "answer_appeal", desk.first, **said)
    done = desk.move(receipt.code, "answer_appeal", desk.second, **said)
    assert (done.state, done.answered_by) == ("appeal_answered", desk.first.user_id)


def test_with_one_supervisor_data_protection_is_the_second_instance(desk: Desk) -> None:
    desk.session.execute(text("UPDATE user_account SET active = false WHERE login = 's-2'"))
    receipt = desk.complain()
    desk.answer(receipt.code, desk.first)
    assert desk.appeal(receipt).line == "data_protection"
    assert not sees(desk, desk.first, receipt.code)
    said = {"reason": "upheld", "text": "ردّ ثانٍ"}
    assert (
        desk.move(receipt.code, "answer_appeal", desk.protection, **said).state
        == ComplaintState.APPEAL_ANSWERED
    )


def test_outside_the_line_the_appeal_waits_for_the_other_focal_point(desk: Desk) -> None:
    receipt = desk.complain(kind="sexual_exploitation")
    desk.answer(receipt.code, desk.psea)
    assert desk.appeal(receipt).line == "psea"
    said = {"reason": "upheld", "text": "ردّ ثانٍ"}
    with refused("complaint_same_person"):
        desk.move(receipt.code, "answer_appeal", desk.psea, **said)
    desk.move(receipt.code, "answer_appeal", desk.psea_deputy, **said)


def test_whoever_reads_of_exploitation_passes_it_on_and_sees_it_no_more(desk: Desk) -> None:
    receipt = desk.complain(kind="bad_treatment")
    desk.answer(receipt.code, desk.first)
    passed = desk.move(receipt.code, "pass_on", desk.second, SUNDAY + DAY)
    assert (passed.kind, passed.line, passed.state) == ("sexual_exploitation", "psea", "received")
    assert passed.due_at == SUNDAY + 2 * DAY
    assert not sees(desk, desk.first, receipt.code)
    assert not sees(desk, desk.second, receipt.code)
    assert sees(desk, desk.psea, receipt.code)
    with refused("forbidden"):
        desk.move(receipt.code, "pass_on", desk.psea)


def test_answers_need_an_outcome_and_words(desk: Desk) -> None:
    code = desk.complain().code
    desk.move(code, "acknowledge", desk.first)
    with refused("reason_required"):
        desk.move(code, "answer", desk.first, text="ردّ")
    with refused("reason_unknown"):
        desk.move(code, "answer", desk.first, reason="because", text="ردّ")
    with refused("complaint_text_required"):
        desk.move(code, "answer", desk.first, reason="upheld", text=" ")
    with refused("complaint_too_long"):
        desk.move(code, "answer", desk.first, reason="upheld", text="ا" * 4001)
    assert desk.get(code).state == "acknowledged"


def test_the_person_follows_up_with_code_and_phrase_alone(desk: Desk) -> None:
    receipt = desk.complain()
    desk.answer(receipt.code, desk.first)

    def look(code: str, phrase: str) -> tuple[str, list[str | None]]:
        found, answers = acts.follow_up(desk.session, desk.vault, desk.governorate, code, phrase)
        return found.state, [one.note for one in answers]

    eastern = receipt.phrase.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    typed = " ".join(eastern[start : start + 4] for start in range(0, 16, 4))
    assert look(f" {receipt.code.lower()} ", typed) == ("answered", ["ردّنا"])
    other = desk.complain()
    for code, phrase in (
        (receipt.code, other.phrase),
        (receipt.code, ""),
        (receipt.code, receipt.phrase[:-1]),
        ("CMP2222222", receipt.phrase),
        ("", ""),
    ):
        with refused("complaint_unknown"):
            look(code, phrase)


def test_history_cannot_be_changed(desk: Desk) -> None:
    desk.complain()
    for statement in ("UPDATE complaint_event SET move = 'x'", "DELETE FROM complaint_event"):
        with pytest.raises(IntegrityError, match="append-only"), desk.session.begin_nested():
            desk.session.execute(text(statement))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_lives_keep_the_rules(desk: Desk, data: st.DataObject) -> None:
    """Every state is final or clocked, every move is an event, what the table lacks changes nothing."""
    kind = data.draw(st.sampled_from(["fee_asked", "sexual_exploitation", "other"]))
    now = SUNDAY
    receipt = desk.complain(now, kind=kind)
    answerers = [desk.first, desk.second, desk.moi, desk.protection, desk.psea, desk.psea_deputy]
    expected = ["receive"]
    for _ in range(data.draw(st.integers(1, 8))):
        now += timedelta(hours=data.draw(st.integers(0, 400)))
        before = desk.get(receipt.code)
        state, line = before.state, before.line
        move = data.draw(st.sampled_from([row.name for row in moves_from(state)] + ["review", "answer"]))
        actor = data.draw(st.sampled_from(answerers))
        try:
            if move == "close":
                acts.close_lapsed_complaints(desk.session, desk.vault, now)
                if desk.get(receipt.code).state != state:  # it closes those of earlier lives too
                    expected.append(move)
            else:
                desk.move(receipt.code, move, actor, now, reason="upheld", text="كلمات")
                expected.append(move)
                assert actor.role in MOVES[move].actors
                assert state in MOVES[move].sources
        except DomainError:
            assert (desk.get(receipt.code).state, desk.get(receipt.code).line) == (state, line)
        after = desk.get(receipt.code)
        assert (after.due_at is None) == (after.state in FINAL)
        assert (after.kind == "sexual_exploitation") == (after.line == "psea")
        if line == "psea":
            assert after.line == "psea"
        if after.state in OWED:
            assert after.due_at is not None
            assert after.due_at > after.clock_since
    events = list_complaint_events(desk.session, desk.get(receipt.code).id)
    assert [event.move for event in events] == expected
    assert [event.from_state for event in events[1:]] == [event.to_state for event in events[:-1]]
    assert events[-1].to_state == desk.get(receipt.code).state
    answered = {event.user_id for event in events if event.move == "answer"}
    for index, event in enumerate(events):
        if event.move == "answer_appeal":
            last = [one.user_id for one in events[:index] if one.move == "answer"][-1]
            assert event.user_id != last
    assert None not in answered


def test_nothing_that_was_said_stands_anywhere_unsealed(
    fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        made = Desk(session, Vault(session, masters), governorate)
        receipt = made.complain(reply_address=ADDRESS, language="ar")
        acts.read_complaint(session, made.vault, receipt.code, made.first, SUNDAY)
        made.move(receipt.code, "acknowledge", made.first)
        made.move(receipt.code, "answer", made.first, reason="upheld", text=TEXT)
        acts.appeal(session, made.vault, governorate, receipt.code, receipt.phrase, TEXT, SUNDAY)
    secrets = {*TEXT.split(), *ADDRESS.split(), receipt.phrase}
    engine = create_engine(fresh_database.owner_url)
    with engine.connect() as connection:
        values = _every_value(connection)
    engine.dispose()
    assert any(receipt.code in value for value in values)
    assert len(values) > 1000
    for value in values:
        assert not [secret for secret in secrets if len(secret) > 3 and secret in value]


def _every_value(connection: Connection) -> list[str]:
    tables = connection.scalars(
        text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    )
    return [
        bytes(value).decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for table in tables.all()
        for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings()
        for value in row.values()
    ]


def test_erasing_its_key_leaves_figures_and_no_words(desk: Desk) -> None:
    receipt = desk.complain()
    desk.answer(receipt.code, desk.first)
    key_id = desk.get(receipt.code).data_key_id
    assert key_id is not None
    desk.vault.erase_key(key_id)
    desk.session.expire_all()
    read = acts.read_complaint(desk.session, desk.vault, receipt.code, desk.first, SUNDAY)
    assert read.text is None
    assert {one.note for one in read.history} == {None}
    assert desk.session.scalar(select(func.count(ComplaintEvent.id))) == 3
