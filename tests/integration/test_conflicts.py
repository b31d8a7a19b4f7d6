"""Edits to facts that were acted on wait for a person; nothing is overwritten, and what is narrower holds at once."""

import random
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from casework import duplicates, merges, referrals, sending
from casework.addresses import find_destination
from casework.assessment import Assessment, PersonAnswers, Residence
from casework.cases import take_in
from casework.conflicts import open_values, read_rows
from casework.consent_gate import may_be_excluded_place
from casework.disclosure import preview, read_disclosures
from casework.erasure import erase_case
from casework.facts import FACTS
from casework.households import answer_anew
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.safe_calls import read_safe_contact
from casework.safe_contact import Verdict
from casework.settlements import keep_former, take_new
from casework.tasks import finish_task
from db.conflicts import get_uses, list_conflicts, list_versions
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import (
    Case,
    CaseEvent,
    ConflictState,
    Consent,
    Disclosure,
    DuplicatePair,
    FactConflict,
    Need,
    OutboxMessage,
    Person,
    Referral,
    Submission,
    SubmissionIssue,
    Task,
)
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission
from tests.factories.consents import NEED, person

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")
SINJAR = Residence("IQG15", "IQG15Q02", "IQG15Q02N01", None, basis="subdistrict")
NEW_PHONE = "07509876543"


@dataclass
class Scene:
    """A case whose form is edited; `said` is what its newest version said."""

    session: Session
    vault: Vault
    governorate: Governorate
    case_id: int
    said: Assessment

    @property
    def case(self) -> Case:
        return self.session.get_one(Case, self.case_id, populate_existing=True)

    @property
    def officer(self) -> Actor:
        return Actor(None, "officer", "nineveh", office_id=self.case.office_id)

    @property
    def head(self) -> Person:
        return self.session.scalars(
            select(Person).where(Person.case_id == self.case_id, Person.role == "head")
        ).one()

    def values(self, fact: str) -> dict[str, Any]:
        """What stands in the case."""
        self.session.expire_all()
        return dict(FACTS[fact].read(self.vault, read_rows(self.session, self.case)))

    def version(self) -> Submission:
        first = self.session.get_one(Submission, self.case.submission_id)
        again = store_submission(self.session, self.vault)
        again.root_instance_id, again.data_key_id = first.root_instance_id, self.case.data_key_id
        self.session.flush()
        return again

    def edit(self, **changes: Any) -> Submission:
        """Send the form again with changes of the head (`head_...`) and of the rest."""
        head = {
            name.removeprefix("head_"): value for name, value in changes.items() if name.startswith("head_")
        }
        rest = {name: value for name, value in changes.items() if not name.startswith("head_")}
        persons = (replace(self.said.persons[0], **head),)
        self.said = replace(self.said, persons=persons, **rest)
        version = self.version()
        self.take_in(version)
        return version

    def take_in(self, version: Submission) -> None:
        take_in(self.session, self.vault, self.governorate, version, self.said)
        self.session.expire_all()

    def waiting(self, fact: str | None = None) -> list[FactConflict]:
        rows = select(FactConflict).where(FactConflict.state == "open").order_by(FactConflict.id)
        found = self.session.scalars(rows.execution_options(populate_existing=True))
        return [one for one in found if fact in {None, one.fact}]

    def states(self) -> list[tuple[str, str]]:
        rows = select(FactConflict.fact, FactConflict.state).order_by(FactConflict.id)
        return [(row[0], row[1]) for row in self.session.execute(rows)]

    def take(self, conflict: FactConflict, actor: Actor | None = None) -> None:
        take_new(
            self.session,
            self.vault,
            conflict.id,
            actor or self.officer,
            "person_confirmed",
            now=datetime.now(UTC),
        )

    def keep(self, conflict: FactConflict, actor: Actor | None = None) -> None:
        keep_former(
            self.session, self.vault, conflict.id, actor or self.officer, "entry_error", now=datetime.now(UTC)
        )

    def tasks(self, kind: str) -> list[tuple[str, str]]:
        rows = self.session.scalars(select(Task).where(Task.kind == kind).order_by(Task.id))
        return [(task.state, task.urgency) for task in rows]

    def approve(self) -> list[int]:
        match_open_needs(self.session, self.vault, self.governorate, now=datetime.now(UTC))
        ids = list(self.session.scalars(select(Referral.id).where(Referral.case_id == self.case_id)))
        for referral_id in ids:
            referrals.approve(self.session, self.vault, referral_id, MOMD)
        return ids

    def send(self) -> list[int]:
        ids = self.approve()
        for referral_id in ids:
            sending.send(self.session, self.vault, referral_id, MOMD, channel="desk", language="ar")
        return ids


def make_scene(session: Session, vault: Vault, governorate: Governorate, **changes: Any) -> Scene:
    said = make_assessment(governorate, changes.pop("needs", [NEED]), **changes)
    case_id = open_case(session, vault, governorate, said).case_id or 0
    return Scene(session, vault, governorate, case_id, said)


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    return make_scene(session, vault, governorate)


def test_what_nobody_acted_on_is_written_as_ever(scene: Scene) -> None:
    scene.edit(head_phone=NEW_PHONE, head_given_name="زينب", residence=SINJAR)
    match_open_needs(scene.session, scene.vault, scene.governorate, now=datetime.now(UTC))  # proposed only
    scene.edit(head_phone="07700000001")
    assert scene.waiting() == []
    assert scene.values("contact")["phone"] == "07700000001"
    assert scene.values("identity")["given_name"] == "زينب"
    assert scene.values("residence")["district"] == "IQG15Q02"


def test_what_was_acted_on_stays_and_waits(scene: Scene) -> None:
    scene.send()
    version = scene.edit(head_phone=NEW_PHONE, head_given_name="زينب", residence=SINJAR, household_size=9)
    assert [one.fact for one in scene.waiting()] == ["contact", "residence", "identity"]
    assert scene.values("contact")["phone"] == "07701234567"
    assert scene.values("identity")["given_name"] == "زهراء"
    assert scene.case.residence_subdistrict == "IQG15Q05N04"
    assert scene.case.household_size == 9, "whatever is no such fact is written"
    assert scene.case.submission_id == version.id
    [contact, *_] = scene.waiting()
    found = open_values(scene.vault, [contact])[contact.id]
    assert found is not None
    assert (found[0]["phone"], found[1]["phone"]) == ("07701234567", NEW_PHONE)
    assert NEW_PHONE.encode() not in contact.edited, "sealed"
    marks = scene.session.scalars(select(SubmissionIssue).where(SubmissionIssue.code == "fact_in_conflict"))
    assert sorted(mark.details["fact"] for mark in marks) == ["contact", "identity", "residence"]
    assert scene.tasks("fact_conflict") == [("open", "emergency")], "one task, as urgent as the need"


def test_the_same_number_written_otherwise_is_no_edit(scene: Scene) -> None:
    scene.send()
    scene.edit(head_phone="+9647701234567", head_given_name=" زهراء ")
    assert scene.waiting() == []


def test_a_version_that_is_taken_in_twice_makes_no_second(scene: Scene) -> None:
    scene.send()
    version = scene.edit(head_phone=NEW_PHONE, head_contact_answerer="self_only")
    before = scene.values("contact")
    for _ in range(2):
        scene.take_in(version)
    assert scene.states() == [("contact", "open")]
    scene.take(scene.waiting()[0])
    scene.take_in(version)
    assert scene.states() == [("contact", "taken")]
    assert scene.values("contact")["phone"] == NEW_PHONE != before["phone"]


def test_a_newer_version_speaks_instead_and_one_that_goes_back_ends_it(scene: Scene) -> None:
    scene.send()
    scene.edit(head_phone=NEW_PHONE)
    old = scene.waiting()[0]
    scene.edit(head_phone="07700000001")
    assert scene.states() == [("contact", "superseded"), ("contact", "open")]
    with pytest.raises(DomainError, match="changed_meanwhile"):
        scene.take(old)
    scene.edit(head_phone="07701234567")
    assert scene.waiting() == []
    assert scene.tasks("fact_conflict") == [("cancelled", "emergency")]
    issues = select(SubmissionIssue).where(SubmissionIssue.code == "fact_in_conflict")
    assert all(issue.settled_at for issue in scene.session.scalars(issues))


def test_what_a_person_refused_is_not_asked_again_until_it_is_something_else(scene: Scene) -> None:
    scene.send()
    scene.edit(head_phone=NEW_PHONE)
    scene.keep(scene.waiting()[0])
    scene.edit(notes="سطر آخر")
    assert scene.waiting() == []
    assert scene.values("contact")["phone"] == "07701234567"
    scene.edit(head_phone="07700000001")
    assert len(scene.waiting("contact")) == 1
    scene.take(scene.waiting()[0])
    assert scene.values("contact")["phone"] == "07700000001"
    assert scene.head.phone_index == scene.vault.blind("person.phone", "7700000001")
    assert scene.tasks("fact_conflict") == [("done", "emergency"), ("done", "emergency")]
    kinds = [event.kind for event in scene.session.scalars(select(CaseEvent).order_by(CaseEvent.id))]
    assert kinds == ["conflict_opened", "conflict_kept", "conflict_opened", "conflict_taken"]


# --- safety until it is settled


def test_who_may_answer_becomes_fewer_at_once_and_more_only_by_a_person(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    head = PersonAnswers(
        "head", 0, "زهراء", phone="07701234567", sex="female", age_years=34,
        contact_answerer="anyone", contact_hours="any",
    )  # fmt: skip
    scene = make_scene(session, vault, governorate, persons=(head,))
    scene.send()
    scene.edit(head_contact_answerer="self_only", head_contact_hours="morning")
    now = scene.values("contact")
    assert (now["contact_answerer"], now["contact_hours"]) == ("self_only", "morning")
    scene.edit(head_contact_answerer="anyone", head_contact_hours="any")
    now = scene.values("contact")
    assert (now["contact_answerer"], now["contact_hours"]) == ("self_only", "morning")
    assert len(scene.waiting()) == 1
    scene.take(scene.waiting()[0])
    assert scene.values("contact")["contact_answerer"] == "anyone"
    scene.edit(head_contact_answerer="family")
    assert scene.values("contact")["contact_answerer"] == "family"
    scene.edit(notes="-")  # says the same again: a person still has to look
    assert len(scene.waiting()) == 1
    scene.keep(scene.waiting()[0])
    assert scene.values("contact")["contact_answerer"] == "anyone"


def _message(scene: Scene) -> OutboxMessage:
    now = datetime.now(UTC)
    message = OutboxMessage(
        dedupe_key=f"x:{now.timestamp()}", governorate="nineveh", channel="sms", template="referral_accepted",
        language="ar", params={}, case_id=scene.case_id, next_attempt_at=now, created_at=now,
        referral_id=scene.session.scalars(select(Referral.id)).first(),
    )  # fmt: skip
    scene.session.execute(update(Referral).values(state="accepted"))
    scene.session.add(message)
    scene.session.flush()
    return message


def test_nobody_calls_or_writes_while_contact_is_in_conflict(scene: Scene) -> None:
    [referral_id] = scene.send()
    message, morning = _message(scene), datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    message.created_at = morning
    assert find_destination(scene.session, scene.vault, message, morning).address is not None
    assert read_safe_contact(scene.session, scene.vault, scene.case, with_phone=True).phone
    assert "phone" in read_disclosures(scene.session, scene.vault, [referral_id])[referral_id]
    scene.edit(head_phone=NEW_PHONE)
    held = find_destination(scene.session, scene.vault, message, morning)
    assert (held.decision.verdict, held.decision.code) == (Verdict.POSTPONE, "contact_in_conflict")
    assert held.decision.not_before == morning + timedelta(minutes=30)
    assert held.address is None
    contact = read_safe_contact(scene.session, scene.vault, scene.case, with_phone=True)
    assert (contact.in_conflict, contact.phone) == (True, None)
    seen = read_disclosures(scene.session, scene.vault, [referral_id])[referral_id]
    assert not {"phone", "contact_answerer", "contact_hours"} & set(seen)
    assert not {"phone", "contact_answerer"} & set(dict(preview(scene.session, scene.vault, referral_id)))
    scene.take(scene.waiting()[0])
    assert find_destination(scene.session, scene.vault, message, morning).address == "+9647509876543"


def test_a_message_that_went_out_has_used_the_number(scene: Scene) -> None:
    scene.session.add(
        OutboxMessage(
            dedupe_key="sent",
            governorate="nineveh",
            channel="sms",
            template="referral_accepted",
            language="ar",
            params={},
            case_id=scene.case_id,
            next_attempt_at=datetime.now(UTC),
            created_at=datetime.now(UTC),
            state="sent",
            sent_at=datetime.now(UTC),
        )
    )
    scene.session.flush()
    scene.edit(head_phone=NEW_PHONE, residence=SINJAR)
    assert [one.fact for one in scene.waiting()] == ["contact"]


def test_while_the_residence_is_in_conflict_both_places_are_the_own(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate)
    scene.approve()
    first = session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    session.add(answer_anew(first, exclusions=["own_subdistrict"]))
    wish = make_consent(governorate, exclusions=("own_subdistrict",))
    scene.edit(residence=SINJAR, consent=wish)
    bounds = session.scalars(
        select(Consent).where(Consent.kind == "assessment").order_by(Consent.id.desc())
    ).first()
    assert bounds is not None

    def excluded(subdistrict: str | None) -> bool:
        return may_be_excluded_place(bounds, scene.case, subdistrict)

    assert excluded("IQG15Q05N04")
    assert excluded("IQG15Q02N01")
    assert excluded(None)
    assert not excluded("IQG15Q01N01")
    scene.edit(residence=Residence("IQG15", "IQG15Q02", None, None, basis="district"))
    assert excluded("IQG15Q01N01"), "where exactly is not said"
    scene.keep(scene.waiting("residence")[0])
    assert not excluded("IQG15Q02N01")
    assert scene.case.contested_subdistrict is None


# --- what follows


def test_the_provider_is_told_what_the_person_agreed_to_and_no_more(scene: Scene) -> None:
    [referral_id] = scene.send()
    sent = read_disclosures(scene.session, scene.vault, [referral_id])[referral_id]
    scene.edit(head_phone=NEW_PHONE, residence=SINJAR, head_sex="male")
    for conflict in scene.waiting():
        scene.take(conflict)
    seen = read_disclosures(scene.session, scene.vault, [referral_id])[referral_id]
    assert seen == {
        **sent,
        "phone": NEW_PHONE,
        **{name: value for name, value in {"district": "IQG15Q02", "sex": "male"}.items() if name in sent},
    }
    payload = scene.session.scalars(select(Disclosure.payload)).one()
    assert scene.vault.open_json("disclosure.payload", payload) == sent, "what was sent stays as it was sent"
    told = scene.session.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "details_changed")
    ).all()
    assert told
    assert {message.params["referral"] for message in told} == {referral_id}


def test_after_consent_grew_old_a_provider_is_told_nothing_new(scene: Scene) -> None:
    [referral_id] = scene.send()
    scene.edit(head_phone=NEW_PHONE)
    conflict = scene.waiting()[0]
    later = datetime.now(UTC) + timedelta(days=800)
    take_new(scene.session, scene.vault, conflict.id, scene.officer, "person_confirmed", now=later)
    seen = read_disclosures(scene.session, scene.vault, [referral_id])[referral_id]
    assert "phone" not in seen, "neither the former number, which does not hold, nor the new one"
    assert seen["given_name"] == "زهراء"


def test_what_was_sent_for_an_emergency_alone_stays_one(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate)
    scene.send()
    columns = {c.key: getattr(_word(session), c.key) for c in Consent.__table__.columns if c.key != "id"}
    session.add(Consent(**columns | {"basis": "vital_interest", "given": False}))
    session.flush()
    scene.edit(needs=make_assessment(governorate, [("primary_health_care", "normal")]).needs)
    with pytest.raises(DomainError, match="override_needs_emergency"):
        scene.take(scene.waiting("risk")[0])
    scene.keep(scene.waiting("risk")[0])
    assert session.scalars(select(Need.urgency)).one() == "emergency"


def _word(session: Session) -> Consent:
    return session.scalars(select(Consent).where(Consent.kind == "referral")).one()


def test_the_coordinator_looks_at_what_is_under_way_when_the_residence_changed(scene: Scene) -> None:
    [referral_id] = scene.send()
    scene.edit(residence=SINJAR)
    scene.take(scene.waiting()[0], MOMD)
    assert scene.case.residence_district == "IQG15Q02"
    assert scene.tasks("changed_facts") == [("open", "emergency")]
    assert scene.session.get_one(Referral, referral_id).state == "sent", "not silently changed"


def test_the_urgency_of_a_need_under_way_is_a_fact(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, needs=[("primary_health_care", "normal")])
    [referral_id] = scene.send()
    scene.edit(needs=make_assessment(governorate, [("primary_health_care", "emergency")]).needs)
    assert [one.fact for one in scene.waiting()] == ["risk"]
    assert scene.tasks("fact_conflict") == [("open", "emergency")], "the clock of the greater risk"
    assert session.scalars(select(Need.urgency)).one() == "normal"
    before = session.execute(text("SELECT due_at FROM deadline WHERE closed_at IS NULL")).scalar_one()
    scene.take(scene.waiting()[0])
    session.expire_all()
    assert session.scalars(select(Need.urgency)).one() == "emergency"
    assert session.get_one(Referral, referral_id).urgency == "emergency"
    after = session.execute(text("SELECT due_at FROM deadline WHERE closed_at IS NULL")).scalar_one()
    assert after < before
    scene.edit(needs=make_assessment(governorate, [("primary_health_care", "normal")]).needs)
    scene.take(scene.waiting()[0])
    session.expire_all()
    assert session.scalars(select(Need.urgency)).one() == "normal"
    assert session.get_one(Referral, referral_id).urgency == "emergency", "what is under way gets no slower"


# --- who may


def test_who_may_settle(scene: Scene) -> None:
    scene.send()
    scene.edit(head_phone=NEW_PHONE)
    conflict = scene.waiting()[0]
    elsewhere = replace(scene.officer, office_id=(scene.case.office_id or 0) + 1)
    for actor in (
        elsewhere,
        MOI,
        replace(MOMD, governorate="anbar"),
        Actor(None, "provider", "nineveh", None, 1),
    ):
        with pytest.raises(DomainError, match=r"not_found|forbidden"):
            scene.take(conflict, actor)
        assert list_conflicts(scene.session, actor, ConflictState.OPEN).rows == []
    for actor in (scene.officer, MOMD):
        assert [row.conflict_id for row in list_conflicts(scene.session, actor, ConflictState.OPEN).rows] == [
            conflict.id
        ]
    now = datetime.now(UTC)
    for reason, code in (("", "reason_required"), ("whim", "reason_unknown")):
        with pytest.raises(DomainError, match=code):
            take_new(scene.session, scene.vault, conflict.id, scene.officer, reason, now=now)
    with pytest.raises(DomainError, match="not_found"):
        take_new(scene.session, scene.vault, 0, scene.officer, "entry_error", now=now)
    scene.take(conflict, MOMD)
    with pytest.raises(DomainError, match="changed_meanwhile"):
        scene.keep(conflict)


def test_the_task_ends_only_by_settling(scene: Scene) -> None:
    scene.send()
    scene.edit(head_phone=NEW_PHONE)
    task = scene.session.scalars(select(Task).where(Task.kind == "fact_conflict")).one()
    with pytest.raises(DomainError, match="conflict_open"):
        finish_task(scene.session, scene.vault, task.id, scene.officer, "dealt_with", now=datetime.now(UTC))


def test_the_ministry_asked_apart_never_sees_one_of_its_own_referrals(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    scene = make_scene(session, vault, governorate, needs=[("womens_legal_counselling", "urgent")])
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    session.execute(update(Referral).values(state="approved"))
    scene.edit(head_phone=NEW_PHONE)
    assert len(scene.waiting()) == 1
    assert list_conflicts(session, MOI, ConflictState.OPEN).rows == []
    assert len(list_conflicts(session, scene.officer, ConflictState.OPEN).rows) == 1


# --- households


def test_a_merged_registration_keeps_its_own_and_holds_the_household(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    first = make_scene(session, vault, governorate)
    second = make_scene(session, vault, governorate)
    first.send()
    duplicates.find_duplicates(session, vault, governorate)
    pair = session.scalars(select(DuplicatePair)).one()
    operator = person(session, "merging", ministry="momd")
    merges.merge(session, vault, pair.id, first.case_id, operator)
    second.edit(head_phone=NEW_PHONE)
    [conflict] = second.waiting()
    assert conflict.case_id == second.case_id
    assert read_safe_contact(session, vault, first.case, with_phone=True).in_conflict
    [row] = list_conflicts(session, first.officer, ConflictState.OPEN).rows
    assert row.case_code == first.case.printed_code, "shown by the case that stands for it"
    merges.unmerge(session, pair.id, operator)
    session.expire_all()
    assert not read_safe_contact(session, vault, first.case, with_phone=True).in_conflict
    assert read_safe_contact(session, vault, second.case, with_phone=True).in_conflict
    second.take(conflict, second.officer)
    assert second.values("contact")["phone"] == NEW_PHONE
    assert first.values("contact")["phone"] == "07701234567"


def test_erasing_leaves_nothing_to_settle(scene: Scene) -> None:
    scene.send()
    scene.edit(head_phone=NEW_PHONE)
    conflict = scene.waiting()[0]
    erase_case(scene.session, scene.vault, scene.case_id, MOMD)
    assert scene.states() == [("contact", "superseded")]
    assert open_values(scene.vault, [conflict]) == {conflict.id: None}
    assert scene.tasks("fact_conflict") == [("cancelled", "emergency")]
    with pytest.raises(DomainError, match="changed_meanwhile"):
        scene.take(conflict, MOMD)


def test_a_closed_case_keeps_to_it_too(scene: Scene) -> None:
    scene.send()
    scene.session.execute(text("UPDATE case_file SET closed_at = now()"))
    scene.session.expire_all()
    scene.edit(head_phone=NEW_PHONE)
    assert len(scene.waiting()) == 1
    scene.take(scene.waiting()[0])
    assert scene.values("contact")["phone"] == NEW_PHONE


# --- the versions


def test_a_referral_and_what_was_sent_name_the_version_they_used(scene: Scene) -> None:
    first = scene.case.submission_id
    [referral_id] = scene.approve()
    second = scene.edit(notes="نسخة ثانية").id
    sending.send(scene.session, scene.vault, referral_id, MOMD, channel="desk", language="ar")
    third = scene.edit(head_phone=NEW_PHONE).id
    scene.take(scene.waiting()[0])
    scene.session.expire_all()
    assert scene.session.get_one(Referral, referral_id).submission_id == first
    assert scene.session.scalars(select(Disclosure.submission_id)).one() == second
    assert [(row.submission_id, row.number) for row in list_versions(scene.session, second)] == [
        (first, 1), (second, 2), (third, 3),
    ]  # fmt: skip


# --- any order of edits, settlements and moves

PHONES = ("07701234567", NEW_PHONE, "07700000001")
HOMES = (Residence("IQG15", "IQG15Q05", "IQG15Q05N04", None, basis="subdistrict"), SINJAR)
NAMES = ("زهراء", "زينب")


def _step(scene: Scene, rng: random.Random, standing: dict[str, dict[str, Any]]) -> None:
    """One step of a history; afterwards `standing` says what the case must hold."""
    waiting = scene.waiting()
    act = rng.choice(("edit", "edit", "edit", "settle", "settle", "again", "move"))
    if act == "edit":
        was_acted = {code for code, fact in FACTS.items() if fact.is_acted_on(_uses(scene))}
        was_acted |= {one.fact for one in waiting}
        scene.edit(
            head_phone=rng.choice(PHONES), head_given_name=rng.choice(NAMES), residence=rng.choice(HOMES)
        )
        for code in ("contact", "residence", "identity"):
            former = standing[code]
            if code not in was_acted and not _was_refused(scene, code):
                standing[code] = dict(FACTS[code].said(scene.said, former))
    elif act == "again":
        scene.take_in(scene.session.get_one(Submission, scene.case.submission_id))
    elif act == "settle" and waiting:
        conflict = rng.choice(waiting)
        found = open_values(scene.vault, [conflict])[conflict.id]
        assert found is not None
        if rng.random() < 0.5:
            scene.take(conflict)
            standing[conflict.fact] = dict(found[1])
        else:
            scene.keep(conflict)
            assert found[0] == standing[conflict.fact], "the former is what was used"
    elif act == "move":
        _move(scene, rng)


def _uses(scene: Scene) -> Any:
    return get_uses(scene.session, [scene.case_id])


def _was_refused(scene: Scene, code: str) -> bool:
    newest = scene.session.scalars(
        select(FactConflict).where(FactConflict.fact == code).order_by(FactConflict.id.desc())
    ).first()
    if newest is None or newest.state != "kept":
        return False
    found = open_values(scene.vault, [newest])[newest.id]
    return found is not None and found[1] == dict(FACTS[code].said(scene.said, found[1]))


def _move(scene: Scene, rng: random.Random) -> None:
    states = dict(scene.session.execute(select(Referral.id, Referral.state)).all())
    for referral_id, state in states.items():
        if state == "awaiting_consent":
            sending.send(scene.session, scene.vault, referral_id, MOMD, channel="desk", language="ar")
            return
        if state == "sent" and rng.random() < 0.3:
            sending.recall(scene.session, scene.vault, referral_id, MOMD, "error", "خطأ")
            return
    match_open_needs(scene.session, scene.vault, scene.governorate, now=datetime.now(UTC))
    proposed = select(Referral.id).where(Referral.state == "proposed")
    for referral_id in scene.session.scalars(proposed).all():
        referrals.approve(scene.session, scene.vault, referral_id, MOMD)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_overwritten_but_by_a_person_and_nothing_is_lost(
    session: Session, vault: Vault, governorate: Governorate, seed: int
) -> None:
    scene, rng = make_scene(session, vault, governorate), random.Random(seed)
    standing = {code: scene.values(code) for code in ("contact", "residence", "identity")}
    for _ in range(25):
        _step(scene, rng, standing)
        for code, values in standing.items():
            assert scene.values(code) == values, code
        waiting = scene.waiting()
        assert len({one.fact for one in waiting}) == len(waiting)
        for one in waiting:
            found = open_values(vault, [one])[one.id]
            assert found is not None
            assert found[1] == dict(FACTS[one.fact].said(scene.said, found[1])), "the newest version waits"
        assert bool(waiting) == (("open") in {state for state, _ in scene.tasks("fact_conflict")})
        assert scene.case.contested_subdistrict == next(
            (open_values(vault, [o])[o.id][1]["subdistrict"] for o in waiting if o.fact == "residence"),
            None,  # type: ignore[index]
        )
    assert any(state in {"taken", "kept"} for _, state in scene.states())


# --- two at once


def _both(*acts: Any) -> list[str]:
    """Run acts at the same time; what each came to."""
    ready, results = threading.Barrier(len(acts)), [""] * len(acts)

    def run(number: int, act: Any) -> None:
        ready.wait()
        try:
            act()
            results[number] = "done"
        except DomainError as error:
            results[number] = error.code

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_two_people_settle_and_one_of_them_did(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    for number in range(8):
        with session_scope(fresh_engine) as session:
            scene = make_scene(session, Vault(session, masters), governorate)
            scene.send()
            scene.edit(head_phone=NEW_PHONE)
            [conflict_id] = [one.id for one in scene.waiting() if one.case_id == scene.case_id]
            officer = scene.officer

        def act(function: Any, reason: str, conflict_id: int = conflict_id, officer: Actor = officer) -> None:
            with session_scope(fresh_engine) as session:
                function(
                    session, Vault(session, masters), conflict_id, officer, reason, now=datetime.now(UTC)
                )

        results = _both(
            lambda act=act: act(take_new, "person_confirmed"), lambda act=act: act(keep_former, "entry_error")
        )
        assert sorted(results) == ["changed_meanwhile", "done"], number
        with session_scope(fresh_engine) as session:
            conflict = session.get_one(FactConflict, conflict_id)
            head = session.scalars(
                select(Person).where(Person.case_id == conflict.case_id, Person.role == "head")
            ).one()
            phone = Vault(session, masters).open("person.phone", head.phone)
        assert phone == (NEW_PHONE if results[0] == "done" else "07701234567")
        assert conflict.state == ("taken" if results[0] == "done" else "kept")
