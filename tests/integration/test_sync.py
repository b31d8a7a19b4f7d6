"""From the inbox to the coordinator's queue: what odd submissions leave behind, and runs that change nothing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from casework.assessment import Assessment
from casework.cases import take_in
from db import submissions as query
from db.keyfile import MasterKeys
from db.models import (
    Base,
    Case,
    Consent,
    DataKey,
    Need,
    Office,
    Person,
    Referral,
    Submission,
    SubmissionIssue,
    Tablet,
)
from db.referrals import list_slot_mismatches
from db.session import exclusive, session_scope
from db.tablets import create_tablet
from db.vault import ErasedError, Vault
from governorates import Governorate
from ingest import sync as steps
from ingest.sources.inbox import Receipt, receive
from ingest.sync import SyncSettings, lock_name, sync
from tests.unit.ingest.invented import assessment, changed, new_instance_id, to_xml


@dataclass
class Field:
    """A database of its own, with a tablet that posts into it and an ingester that reads it."""

    engine: Engine
    masters: MasterKeys
    governorate: Governorate
    tablet: Tablet

    def post(self, tree: dict[str, Any] | None = None, **envelope: Any) -> Receipt:
        xml = to_xml(tree or assessment(self.governorate), **envelope)
        return self.post_bytes(xml)

    def post_bytes(self, xml: bytes) -> Receipt:
        with session_scope(self.engine) as session:
            vault = Vault(session, self.masters)
            now = datetime.now(UTC)
            return receive(session, vault, self.tablet, xml, {}, governorate_code="nineveh", now=now)

    def sync(self, **options: Any) -> steps.SyncReport:
        return sync(self.engine, self.masters, self.governorate, **options)

    def submission(self, receipt: Receipt) -> Submission:
        with Session(self.engine, expire_on_commit=False) as session:
            assert receipt.submission_id is not None
            return session.get_one(Submission, receipt.submission_id)

    def case(self, receipt: Receipt) -> Case:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.get_one(Case, self.submission(receipt).case_id)

    def issues(self, receipt: Receipt) -> dict[str, SubmissionIssue]:
        with Session(self.engine, expire_on_commit=False) as session:
            assert receipt.submission_id is not None
            return {issue.code: issue for issue in query.list_issues(session, receipt.submission_id)}

    def count(self, model: type[Base]) -> int:
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).select_from(model)) or 0

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table."""
        with self.engine.connect() as connection:
            return {
                table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for table in Base.metadata.sorted_tables
            }


@pytest.fixture
def field(fresh_engine: Engine, masters: MasterKeys, governorate: Governorate) -> Field:
    with session_scope(fresh_engine) as session:
        office_id = session.scalars(select(Office.id)).first()
        assert office_id is not None
        tablet, _ = create_tablet(session, "mosul-1", office_id)
    return Field(fresh_engine, masters, governorate, tablet)


def test_assessment_becomes_a_case_with_proposals(field: Field) -> None:
    receipt = field.post()
    report = field.sync()
    assert (report.received, report.cases, report.refusals, report.quarantined) == (1, 1, 0, 0)
    assert report.needs == 2
    assert report.proposed + sum(report.unmet.values()) == 2
    assert (report.busy, report.errors) == (False, ())
    assert field.submission(receipt).status == "taken_in"
    assert field.issues(receipt) == {}
    with Session(field.engine) as session:
        assert session.scalar(select(func.count()).select_from(Referral)) == report.proposed > 0
        assert list_slot_mismatches(session) == []


def test_second_run_leaves_the_same_database(field: Field) -> None:
    field.post()
    field.post(assessment(field.governorate, consent__given="no"))
    field.post(assessment(field.governorate, consent__given=None))
    field.sync()
    before = field.snapshot()
    assert field.sync().received == 0
    assert field.snapshot() == before


def test_posting_everything_again_changes_nothing(field: Field) -> None:
    posts = [to_xml(assessment(field.governorate, case_code=None)) for _ in range(5)]
    for xml in posts:
        field.post_bytes(xml)
    field.sync()
    before = field.snapshot()
    assert [field.post_bytes(xml).kind for xml in posts] == ["repeated"] * 5
    field.sync()
    assert field.snapshot() == before


def test_refusal_is_counted_and_nothing_of_it_stays_readable(field: Field) -> None:
    receipt = field.post(assessment(field.governorate, consent__given="no"))
    sealed = field.submission(receipt)
    assert sealed.payload is not None
    report = field.sync()
    assert (report.cases, report.refusals) == (0, 1)
    kept = field.submission(receipt)
    assert (kept.status, kept.case_id, kept.payload, kept.data_key_id) == ("refused", None, None, None)
    assert [field.count(model) for model in (Case, Person, Consent, Need, DataKey)] == [0] * 5
    with Session(field.engine) as session, pytest.raises(ErasedError):
        Vault(session, field.masters).open_bytes("submission.payload", sealed.payload)


def test_refusal_posted_again_stays_refused(field: Field) -> None:
    xml = to_xml(assessment(field.governorate, consent__given="no"))
    field.post_bytes(xml)
    field.sync()
    assert field.post_bytes(xml).kind == "repeated"
    assert field.sync().received == 0
    assert field.count(DataKey) == 0


def test_without_a_consent_answer_nobody_is_registered_and_nothing_erased(field: Field) -> None:
    tree = assessment(field.governorate, consent__given=None)
    xml = to_xml(tree)
    receipt = field.post_bytes(xml)
    assert receipt.kind == "created"
    assert field.sync().quarantined == 1
    kept = field.submission(receipt)
    assert (kept.status, kept.reason, kept.reason_details) == ("quarantined", "consent_missing", {})
    assert [field.count(model) for model in (Case, Person)] == [0, 0]
    assert kept.payload is not None
    with Session(field.engine) as session:
        assert Vault(session, field.masters).open_bytes("submission.payload", kept.payload) == xml


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"residence__place": "DTM-99999999"}, "place_unknown"),
        ({"person__age_years": "300"}, "age_out_of_range"),
        ({"residence__at_home": "yes", "residence__point": "52.52 13.405 0 5"}, "point_outside_country"),
    ],
)
def test_odd_answer_is_an_issue_of_the_case_and_the_answer_is_kept(
    field: Field, odd: dict[str, str], code: str
) -> None:
    xml = to_xml(assessment(field.governorate, **odd))
    receipt = field.post_bytes(xml)
    report = field.sync()
    assert (report.cases, report.needs) == (1, 2)
    issue = field.issues(receipt)[code]
    case = field.case(receipt)
    assert issue.case_id == case.id
    assert case.point is None
    assert case.residence_subdistrict is not None
    kept = field.submission(receipt)
    assert kept.payload is not None
    with Session(field.engine) as session:
        assert Vault(session, field.masters).open_bytes("submission.payload", kept.payload) == xml


def test_unknown_form_waits_until_it_is_known(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = field.post(version="1999")
    assert receipt.kind == "quarantined"
    assert field.sync().received == 0
    assert field.sync(reprocess=True).quarantined == 1
    assert field.submission(receipt).reason == "form_version_unknown"
    monkeypatch.setattr(steps, "unknown_form_reason", lambda *_: None)
    report = field.sync(reprocess=True)
    assert (report.cases, report.quarantined) == (1, 0)
    assert field.submission(receipt).reason is None


def test_error_of_ours_stops_one_submission_only(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, last = field.post(), field.post(), field.post()

    def failing(
        session: Session, vault: Vault, place: Governorate, one: Submission, answers: Assessment
    ) -> Any:
        if one.id == bad.submission_id:
            take_in(session, vault, place, one, answers)  # half done, then:
            raise ValueError("وردة 07700000655")
        return take_in(session, vault, place, one, answers)

    monkeypatch.setattr(steps, "take_in", failing)
    report = field.sync()
    assert (report.cases, report.quarantined) == (2, 1)
    kept = field.submission(bad)
    assert (kept.status, kept.reason) == ("quarantined", "processing_failed")
    assert kept.reason_details is not None
    assert kept.reason_details["error"] == "ValueError"
    assert "0770" not in str(kept.reason_details)
    assert field.count(Case) == 2
    assert {field.submission(one).status for one in (good, last)} == {"taken_in"}
    monkeypatch.setattr(steps, "take_in", take_in)
    assert field.sync(reprocess=True).cases == 1
    assert field.count(Case) == 3


def test_database_going_away_sets_nothing_aside(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = field.post()

    def gone(*_: object) -> None:
        raise OperationalError("x", {}, Exception())

    with monkeypatch.context() as patch:
        patch.setattr(steps, "take_in", gone)
        with pytest.raises(OperationalError):
            field.sync()
    assert field.submission(receipt).status == "received"
    assert field.sync().cases == 1


def test_edit_updates_the_case(field: Field) -> None:
    first, second = new_instance_id(), new_instance_id()
    tree = assessment(field.governorate)
    original = field.post(tree, instance_id=first)
    field.sync()
    edited = changed(tree, person__age_years="35", household__size="5")
    receipt = field.post(edited, instance_id=second, deprecated_id=first)
    report = field.sync()
    assert (report.cases, report.updated) == (0, 1)
    assert field.case(receipt).id == field.case(original).id
    assert field.case(receipt).household_size == 5
    assert "edited_after_taking_in" in field.issues(receipt)
    assert field.count(DataKey) == 1


def test_refusal_edited_to_a_yes_before_it_was_taken_in(field: Field) -> None:
    first = new_instance_id()
    tree = assessment(field.governorate)
    field.post(changed(tree, consent__given="no"), instance_id=first)
    receipt = field.post(tree, instance_id=new_instance_id(), deprecated_id=first)
    report = field.sync()
    assert (report.cases, report.refusals, report.quarantined) == (1, 1, 0)
    assert field.submission(receipt).status == "taken_in"


def test_two_tablets_with_the_same_code_keep_both_cases(field: Field) -> None:
    one, other = field.post(), field.post()
    field.sync()
    assert field.case(one).code != field.case(other).code
    assert field.case(one).printed_code == field.case(other).printed_code
    assert "case_code_collision" in field.issues(other)


def test_only_one_run_at_a_time(field: Field) -> None:
    receipt = field.post()
    with exclusive(field.engine, lock_name("nineveh")) as held:
        assert held
        assert field.sync().busy
    assert field.submission(receipt).status == "received"
    assert field.sync().cases == 1


def test_pages_and_progress(field: Field) -> None:
    for _ in range(7):
        field.post(assessment(field.governorate, case_code=None))
    seen: list[tuple[str, int, int]] = []
    report = field.sync(
        settings=SyncSettings(page=3), progress=lambda step, done, total: seen.append((step, done, total))
    )
    assert report.cases == 7
    assert [step for step in seen if step[0] == "take_in"] == [
        ("take_in", 3, 7),
        ("take_in", 6, 7),
        ("take_in", 7, 7),
    ]


def test_submission_deleted_in_its_source_waits(field: Field) -> None:
    receipt = field.post()
    submission = field.submission(receipt)
    key = ("inbox", "needs_assessment", [submission.root_instance_id])
    with session_scope(field.engine) as session:
        assert query.set_deleted(session, *key, datetime.now(UTC)) == 1
    assert field.sync().received == 0
    with session_scope(field.engine) as session:
        assert query.set_deleted(session, *key, None) == 1
    assert field.sync().cases == 1


def test_counts_by_status(field: Field) -> None:
    field.post()
    field.post(assessment(field.governorate, consent__given="no"))
    field.post(form_id="hand_made")
    field.sync()
    with Session(field.engine) as session:
        assert query.count_by_status(session, "nineveh") == Counter(["taken_in", "refused", "quarantined"])


def test_nothing_personal_is_logged(field: Field, caplog: pytest.LogCaptureFixture) -> None:
    odd: Callable[..., dict[str, Any]] = assessment
    field.post(odd(field.governorate, residence__place="بيت وردة", contact__phone="07700000655 وردة"))
    field.post(odd(field.governorate, consent__given="وردة"))
    with caplog.at_level("DEBUG"):
        field.sync()
    assert "وردة" not in caplog.text
    assert "0770" not in caplog.text
