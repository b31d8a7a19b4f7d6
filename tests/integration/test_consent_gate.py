"""The gate: whatever path is tried (acts, forms, raw SQL, bulk statements), nothing is sent without consent.

The machine keeps its own book of who may know, from the acts that succeeded; the database is asked after each step.
"""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from casework import closure, provider_acts, sending
from casework.assessment import ConsentAnswers
from casework.cases import take_in
from casework.consent import settle_exclusion
from casework.households import answer_anew
from casework.matching import match_open_needs
from casework.named_consents import Asked
from casework.overrides import confirm_override, lapse_overrides, override_consent
from casework.renewals import expire_consents, renew_consent, renew_referral_consent
from casework.withdrawals import withdraw
from db.directory import upsert_directory
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Case, Consent, ConsentOverride, Disclosure, Referral, Submission
from db.referrals import list_slot_mismatches
from db.vault import Vault
from governorates import Governorate
from governorates.directory import read_directory
from referral_engine.sop import DISCLOSED
from tests.factories.cases import make_assessment, make_consent
from tests.factories.consents import NEED, Waiting, make_waiting, referral_of

DISCLOSED_STATES = ", ".join(f"'{state}'" for state in sorted(DISCLOSED))

RAW = {
    "move": "UPDATE referral SET state = :state WHERE case_id = :case",
    "move_with_a_later_clock": "UPDATE referral SET state = :state, state_since = now() - interval '2 years'",
    "insert": "INSERT INTO referral (need_id, case_id, service_at_location_id, capacity_id, submission_id, state,"
    " urgency) SELECT need_id, case_id, service_at_location_id, capacity_id, submission_id, :state, urgency"
    " FROM referral WHERE state IN ('recalled', 'declined', 'closed', 'expired') LIMIT 1",
    "readdress": "UPDATE referral SET service_at_location_id = (SELECT max(id) FROM service_at_location)"
    " WHERE state NOT IN ('draft', 'proposed')"
    " AND service_at_location_id <> (SELECT max(id) FROM service_at_location)",
    "disclose": "INSERT INTO disclosure (referral_id, consent_id, data_key_id, fields, payload)"
    " SELECT referral.id, (SELECT max(id) FROM consent), case_file.data_key_id, '{given_name}', '\\x00'"
    " FROM referral JOIN case_file ON case_file.id = referral.case_id WHERE NOT EXISTS"
    " (SELECT 1 FROM disclosure WHERE disclosure.referral_id = referral.id) LIMIT 1",
    "undisclose": "UPDATE disclosure SET withdrawn_at = NULL WHERE withdrawn_at IS NOT NULL",
    "unwithdraw": "UPDATE consent SET withdrawn_at = NULL WHERE withdrawn_at IS NOT NULL",
    "reuse": "UPDATE consent SET referral_id = (SELECT max(id) FROM referral)"
    " WHERE kind = 'referral' AND referral_id <> (SELECT max(id) FROM referral)",
    "widen": "UPDATE consent SET categories = array_append(categories, 'health') WHERE NOT 'health' = ANY (categories)",
    "include": "UPDATE consent SET excluded_organizations = '{}' WHERE excluded_organizations <> '{}'",
    "prolong": "UPDATE consent SET expires_at = expires_at + interval '10 years' WHERE expires_at IS NOT NULL",
    "forge_yes": "UPDATE consent SET given = true WHERE NOT given",
    "forget": "DELETE FROM consent WHERE kind = 'assessment' AND withdrawn_at IS NOT NULL",
    "forget_narrower": "DELETE FROM consent WHERE id = (SELECT max(id) FROM consent WHERE kind = 'assessment')",
    "borrow": "UPDATE consent SET case_id = (SELECT max(id) FROM case_file) WHERE kind = 'referral'"
    " AND case_id <> (SELECT max(id) FROM case_file)",
    "backdate": "UPDATE consent SET given_at = given_at - interval '1 year'",
    "expire": "UPDATE consent SET expires_at = given_at + interval '1 second' WHERE expires_at IS NOT NULL",
    "renumber": "UPDATE consent SET id = (SELECT max(id) + 1000 FROM consent)"
    " WHERE id = (SELECT min(id) FROM consent WHERE kind = 'assessment')",
    "other_respondent": "UPDATE consent SET child_assent = true, proxy_evidence = 'court_order', signature = 'signed'"
    " WHERE child_assent IS NULL",
    "other_recorder": "UPDATE consent SET recorded_at = recorded_at - interval '1 year'",
    "forget_the_word": "DELETE FROM consent WHERE kind = 'referral'",
    "forget_all": "DELETE FROM consent",
    "service_changes_hands": "UPDATE service SET organization_id = (SELECT max(id) FROM organization)"
    " WHERE organization_id <> (SELECT max(id) FROM organization)",
    "offer_changes_hands": "UPDATE service_at_location SET service_id = (SELECT max(id) FROM service)"
    " WHERE service_id <> (SELECT max(id) FROM service)",
    "upsert": "INSERT INTO referral (id, need_id, case_id, service_at_location_id, capacity_id, submission_id, state,"
    " urgency) OVERRIDING SYSTEM VALUE SELECT id, need_id, case_id, service_at_location_id, capacity_id, submission_id,"
    " 'draft', urgency FROM referral WHERE state IN ('recalled', 'declined', 'closed', 'expired') LIMIT 1"
    " ON CONFLICT (id) DO UPDATE SET state = :state",
    "merge": "MERGE INTO referral USING (SELECT id FROM referral WHERE state IN ('recalled', 'declined', 'closed',"
    " 'expired')) AS old ON old.id = referral.id WHEN MATCHED THEN UPDATE SET state = :state",
    "writable_query": "WITH moved AS (UPDATE referral SET state = :state WHERE state IN ('recalled', 'declined',"
    " 'closed', 'expired') RETURNING id) SELECT id FROM moved",
    "shadow": "CREATE TEMP TABLE consent (LIKE public.consent)",
    "drop": "DROP TRIGGER consent_before_sending ON referral",
    "always_another": "CREATE RULE sent AS ON UPDATE TO consent DO INSTEAD NOTHING",
    "truncate_consent": "TRUNCATE consent CASCADE",
    "switch_off": "ALTER TABLE referral DISABLE TRIGGER ALL",
    "replication": "SET LOCAL session_replication_role = 'replica'",
    "redefine": "CREATE OR REPLACE FUNCTION require_consent() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN NEW; END $$",
    "truncate": "TRUNCATE disclosure",
}
MUST_FAIL = frozenset(RAW) - {"move", "move_with_a_later_clock"}
"""Statements that are refused whenever they would change anything; the moves may be right by chance."""


class Consenting(RuleBasedStateMachine):
    """One household, one need; the person, officers, a clerk with a SQL prompt, and the clock."""

    session: Session
    vault: Vault
    governorate: Governorate
    waiting: Waiting

    @initialize()
    def open_a_case(self) -> None:
        self.savepoint = self.session.begin_nested()
        self.now = datetime.now(UTC)
        self.may_know: set[int] = set()
        self.overridden: dict[int, datetime] = {}
        self.silent = False  # the person took everything back and has not come again
        self.excluded: set[int] = set()

    def teardown(self) -> None:
        self.savepoint.rollback()
        self.session.expunge_all()

    def attempt(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """One act in a savepoint; a refusal is an answer too."""
        try:
            with self.session.begin_nested():
                act(*args, **kwargs)
        except (DomainError, DatabaseError):
            self.session.expire_all()
            return False
        self.session.expire_all()
        return True

    @property
    def referral_id(self) -> int:
        return referral_of(self.session, self.waiting.case_id)

    @rule()
    def send(self) -> None:
        referral_id = self.referral_id
        sent = self.attempt(
            sending.send, self.session, self.vault, referral_id, self.waiting.coordinator,
            channel="desk", language="ar", now=self.now,
        )  # fmt: skip
        if sent:
            assert not self.silent
            self.may_know.add(referral_id)

    @rule(action=st.sampled_from(["acknowledge", "accept", "start", "deliver", "confirm"]))
    def go_on(self, action: str) -> None:
        actor = self.waiting.coordinator if action == "confirm" else self.waiting.provider
        act = closure.confirm if action == "confirm" else getattr(provider_acts, action)
        self.attempt(act, self.session, self.vault, self.referral_id, actor)

    @rule(scope=st.sampled_from(["everything", "categories", "referral", "contact"]))
    def take_back(self, scope: str) -> None:
        what: dict[str, Any] = {"categories": ["health"]} if scope == "categories" else {}
        if scope == "referral":
            what = {"referral_id": self.referral_id}
        done = self.attempt(
            withdraw, self.session, self.vault, self.waiting.case_id, self.waiting.coordinator,
            channel="desk", scope=scope, now=self.now, **what,
        )  # fmt: skip
        if done and scope != "contact":
            self.may_know.clear()
            self.overridden.clear()
        if done and scope == "everything":
            self.silent = True

    @rule()
    def say_yes_again(self) -> None:
        if self.attempt(
            renew_consent, self.session, self.vault, self.waiting.case_id, self.waiting.coordinator,
            Asked("desk", "ar"), now=self.now,
        ):  # fmt: skip
            self.silent = False

    @rule()
    def say_yes_to_the_provider_again(self) -> None:
        referral_id = self.referral_id
        if self.attempt(
            renew_referral_consent, self.session, self.vault, referral_id, self.waiting.coordinator,
            Asked("desk", "ar"), now=self.now,
        ):  # fmt: skip
            assert referral_id in self.may_know | self.overridden.keys()
            self.may_know.add(referral_id)

    @rule()
    def override(self) -> None:
        referral_id = self.referral_id
        if self.attempt(
            override_consent, self.session, self.vault, referral_id, self.waiting.coordinator,
            reason="unconscious", note="x", now=self.now,
        ):  # fmt: skip
            assert not self.silent
            self.overridden[referral_id] = self.now + timedelta(hours=24)

    @rule(by=st.sampled_from(["coordinator", "second"]))
    def confirm_override(self, by: str) -> None:
        id_ = self.session.scalar(select(ConsentOverride.id).order_by(ConsentOverride.id.desc()).limit(1))
        if id_ is None:
            return
        actor = getattr(self.waiting, by)
        if self.attempt(confirm_override, self.session, id_, actor, self.now):
            assert by == "second"
            referral_id = self.session.scalar(
                select(ConsentOverride.referral_id).where(ConsentOverride.id == id_)
            )
            if referral_id in self.overridden:
                self.overridden[referral_id] = datetime.max.replace(tzinfo=UTC)

    @rule()
    def exclude_the_provider(self) -> None:
        newest = self.session.scalars(
            select(Consent)
            .where(Consent.case_id == self.waiting.case_id, Consent.kind == "assessment")
            .order_by(Consent.id.desc())
        ).first()
        assert newest is not None
        organization = self.waiting.provider.organization_id or 0
        self.session.add(answer_anew(newest, exclusions=["named_organization"], exclusion_settled_at=None))
        self.session.flush()
        consent = self.session.scalars(select(Consent.id).order_by(Consent.id.desc())).first() or 0
        if self.attempt(
            settle_exclusion, self.session, self.vault, self.waiting.coordinator, consent, [organization]
        ):
            self.may_know.clear()
            self.overridden.clear()

    @rule(days=st.sampled_from([1, 40, 200]))
    def time_passes(self, days: int) -> None:
        """The clocks run; what nobody confirmed lapses, what is too old is recalled before it is sent."""
        self.now += timedelta(days=days)
        while expire_consents(self.session, self.vault, self.now):
            pass
        while lapse_overrides(self.session, self.vault, self.now):
            pass
        self.session.expire_all()
        self.overridden = {id_: end for id_, end in self.overridden.items() if end > self.now}

    @rule()
    def match(self) -> None:
        match_open_needs(self.session, self.vault, self.governorate, now=datetime.now(UTC))
        self.session.expire_all()

    @rule(given=st.booleans(), categories=st.sampled_from([("health",), ("mhpss",)]))
    def a_form_comes_in(self, given: bool, categories: tuple[str, ...]) -> None:
        """The tablet sends the form again: an import may narrow what was said, and sends nothing."""
        consent = make_consent(self.governorate, given=given, categories=categories)
        referral = self.session.get_one(Referral, self.referral_id)
        was_live, known = referral.state in DISCLOSED, referral.id
        assert self.attempt(self._take_in, consent)
        if not given:
            self.may_know.clear()
            self.overridden.clear()
        elif was_live and "health" not in categories:
            self.may_know.discard(known)
            self.overridden.pop(known, None)

    def _take_in(self, consent: ConsentAnswers) -> None:
        case = self.session.get_one(Case, self.waiting.case_id)
        first = self.session.get_one(Submission, case.submission_id)
        names = ("source", "form_id", "root_instance_id", "media_type", "data_key_id", "received_at")
        edited = Submission(
            governorate="nineveh", instance_id=f"uuid:{uuid.uuid4()}", fingerprint=b"\0" * 32,
            **{name: getattr(first, name) for name in names},
        )  # fmt: skip
        self.session.add(edited)
        self.session.flush()
        assessment = make_assessment(self.governorate, [NEED], consent=consent)
        take_in(self.session, self.vault, self.governorate, edited, assessment)

    @rule()
    def the_directory_is_read_again(self) -> None:
        """An administrator's import of services changes nobody's recipient."""
        directory = read_directory(self.governorate.directory_path, self.governorate)
        upsert_directory(self.session, self.governorate, directory.starting(self.now.date()))
        self.session.expire_all()

    @rule(name=st.sampled_from(sorted(RAW)), state=st.sampled_from(sorted(DISCLOSED)))
    def past_casework(self, name: str, state: str) -> None:
        values = {"state": state, "case": self.waiting.case_id}
        wanted = {key: value for key, value in values.items() if f":{key}" in RAW[name]}
        self.attempt(self._raw, RAW[name], wanted, must_change_nothing=name in MUST_FAIL)

    def _raw(self, statement: str, values: dict[str, Any], *, must_change_nothing: bool) -> None:
        result: Any = self.session.execute(text(statement), values)
        assert not must_change_nothing or result.rowcount in {0, -1}, statement
        raise DomainError(
            "busy"
        )  # whatever a move did by chance is rolled back: only its refusal is of interest

    @rule(state=st.sampled_from(sorted(DISCLOSED)), how=st.sampled_from(["orm", "bulk", "rows"]))
    def past_casework_with_the_orm(self, state: str, how: str) -> None:
        """Moves that stand when the database lets them: then somebody must have been allowed to know."""
        referral_id = self.referral_id
        if self.attempt(getattr(self, f"_{how}"), referral_id, state):
            assert referral_id in self.may_know | self.overridden.keys()

    def _orm(self, referral_id: int, state: str) -> None:
        referral = self.session.get(Referral, referral_id)
        assert referral is not None
        self._keep_slot(referral.state, state)
        referral.state = state
        self.session.flush()

    def _bulk(self, referral_id: int, state: str) -> None:
        before = self.session.scalar(select(Referral.state).where(Referral.id == referral_id)) or ""
        self._keep_slot(before, state)
        self.session.execute(update(Referral), [{"id": referral_id, "state": state}])

    def _rows(self, referral_id: int, state: str) -> None:
        first = self.session.get(Referral, referral_id)
        assert first is not None
        names = ("need_id", "case_id", "service_at_location_id", "capacity_id", "submission_id", "urgency")
        row = {name: getattr(first, name) for name in names} | {"state": state}
        self.session.execute(insert(Referral), [row])
        raise AssertionError("a referral that was never agreed to was inserted as sent")

    @staticmethod
    def _keep_slot(before: str, after: str) -> None:
        """Slots are another rule's business: only moves between states that hold one are tried."""
        if before not in DISCLOSED - {"waitlisted"} or after == "waitlisted":
            if before in DISCLOSED or before not in {"awaiting_consent", "approved", "proposed"}:
                raise DomainError("illegal_move")
            if after == "waitlisted":
                raise DomainError("illegal_move")

    @invariant()
    def nobody_knows_who_may_not(self) -> None:
        allowed = self.may_know | self.overridden.keys()
        states = self.session.execute(text(f"SELECT id FROM referral WHERE state IN ({DISCLOSED_STATES})"))
        assert {row.id for row in states} <= allowed
        shown = self.session.scalars(select(Disclosure.referral_id).where(Disclosure.withdrawn_at.is_(None)))
        assert set(shown) <= allowed

    @invariant()
    def slots_add_up(self) -> None:
        assert list_slot_mismatches(self.session) == []


@pytest.fixture
def machine(engine: Engine, masters: MasterKeys, governorate: Governorate) -> Iterator[type[Consenting]]:
    """The machine on one connection, whose transaction is rolled back at the end."""
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:

            class Bound(Consenting):
                pass

            Bound.session, Bound.vault, Bound.governorate = session, Vault(session, masters), governorate
            Bound.waiting = make_waiting(session, Bound.vault, governorate)
            yield Bound
        transaction.rollback()


def _run(machine: type[Consenting], examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]


def test_no_path_sends_without_consent(machine: type[Consenting]) -> None:
    _run(machine, examples=12, steps=25)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_no_path_sends_without_consent_deep(machine: type[Consenting]) -> None:
    _run(machine, examples=2000, steps=40)


@pytest.fixture
def sent(session: Session, vault: Vault, governorate: Governorate) -> Waiting:
    """A referral that was sent and then taken back, so that every statement finds something to change."""
    waiting = make_waiting(session, vault, governorate)
    sending.send(session, vault, waiting.referral_id, waiting.coordinator, channel="desk", language="ar")
    first = session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    withdraw(
        session, vault, waiting.case_id, waiting.coordinator,
        channel="desk", scope="everything", now=datetime.now(UTC),
    )  # fmt: skip
    session.add(answer_anew(first, categories=["mhpss"], excluded_organizations=[1], withdrawn_at=None))
    session.flush()
    return waiting


@pytest.mark.parametrize("name", sorted(RAW))
def test_each_statement_is_refused_where_it_would_change_something(sent: Waiting, name: str) -> None:
    values = {"state": "sent", "case": sent.case_id}
    wanted = {key: value for key, value in values.items() if f":{key}" in RAW[name]}
    if name == "forge_yes":
        sent.session.execute(
            text("INSERT INTO consent (case_id, kind, given, text_version, language, channel, respondent, categories,"
                 " recipients, exclusions, excluded_organizations, fields) VALUES (:case, 'statistics', false, 'x',"
                 " 'ar', 'desk', 'self', '{}', '{}', '{}', '{}', '{}')"), {"case": sent.case_id},
        )  # fmt: skip
    if name == "borrow":
        make_waiting(sent.session, sent.vault, sent.governorate, case_code=None)
    if name in {"disclose", "reuse"}:
        sent.session.add(_copy(sent))
        sent.session.flush()
    with pytest.raises(DatabaseError), sent.session.begin_nested():
        sent.session.execute(text(RAW[name]), wanted)


@pytest.mark.parametrize("state", ["sent", "accepted", "service_delivered"])
def test_a_copied_row_meets_the_gate_too(sent: Waiting, state: str) -> None:
    names = "need_id, case_id, service_at_location_id, capacity_id, submission_id, state, urgency"
    first = sent.session.get_one(Referral, sent.referral_id)
    values = [getattr(first, name) for name in names.split(", ")]
    values[5] = state
    cursor = sent.session.connection().connection.cursor()
    with (
        pytest.raises(psycopg.errors.CheckViolation, match="no consent in force"),
        sent.session.begin_nested(),
        cursor.copy(f"COPY referral ({names}) FROM STDIN") as copy,
    ):
        copy.write_row(values)


def _copy(waiting: Waiting) -> Referral:
    first = waiting.session.get(Referral, waiting.referral_id)
    assert first is not None
    names = ("need_id", "case_id", "service_at_location_id", "capacity_id", "submission_id", "urgency")
    return Referral(state="awaiting_consent", **{name: getattr(first, name) for name in names})


@pytest.mark.parametrize(
    "narrower",
    [
        {"categories": ["mhpss"]},
        {"recipients": ["moi_office"]},
        {"excluded_organizations": "the provider"},
        {"given": False},
        {"withdrawn_at": datetime.now(UTC)},
        {"exclusions": ["named_organization"]},
        {"given_at": datetime(2024, 1, 1, tzinfo=UTC), "expires_at": datetime(2025, 1, 1, tzinfo=UTC)},
        {},
    ],
)
def test_the_bounds_of_the_assessment_stand_in_the_database_too(
    session: Session, vault: Vault, governorate: Governorate, narrower: dict[str, Any]
) -> None:
    waiting, now = make_waiting(session, vault, governorate), datetime.now(UTC)
    first = session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    organization = waiting.provider.organization_id
    changes = {key: [organization] if value == "the provider" else value for key, value in narrower.items()}
    session.add(answer_anew(first, **changes))
    word = Consent(
        case_id=waiting.case_id, kind="referral", referral_id=waiting.referral_id, organization_id=organization,
        given=True, given_at=now, expires_at=now + timedelta(days=300), text_version="x", language="ar",
        channel="desk",
    )  # fmt: skip
    session.add(word)
    session.flush()
    send_it = update(Referral).where(Referral.id == waiting.referral_id).values(state="sent")
    if not narrower:
        session.execute(send_it)
        return
    with pytest.raises(DatabaseError, match="does not cover"), session.begin_nested():
        session.execute(send_it)


@pytest.mark.parametrize(
    "wrong",
    [
        {"given": False},
        {"kind": "assessment"},
        {"organization_id": "other"},
        {"case_id": "other"},
        {"withdrawn_at": datetime.now(UTC)},
        {"basis": "vital_interest", "given": False},
        {"referral_id": "other"},
    ],
)
def test_only_the_word_on_this_recipient_opens_the_gate(
    session: Session, vault: Vault, governorate: Governorate, wrong: dict[str, Any]
) -> None:
    waiting = make_waiting(session, vault, governorate)
    other = make_waiting(session, vault, governorate, case_code=None)
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "case_id": waiting.case_id,
        "kind": "referral",
        "referral_id": waiting.referral_id,
        "organization_id": waiting.provider.organization_id,
        "given": True,
        "given_at": now,
        "expires_at": now + timedelta(days=300),
        "text_version": "x",
        "language": "ar",
        "channel": "desk",
    }
    foreign = {"organization_id": 1 + (values["organization_id"] == 1), "case_id": other.case_id,
               "referral_id": other.referral_id}  # fmt: skip
    word = values | {key: foreign[key] if value == "other" else value for key, value in wrong.items()}
    session.add(Consent(**word))
    session.flush()
    with pytest.raises(DatabaseError, match="consent"), session.begin_nested():
        session.execute(update(Referral).where(Referral.id == waiting.referral_id).values(state="sent"))
    session.add(Consent(**values))  # the counterpart: the right word does
    if wrong.get("kind") == "assessment":
        return  # that row became the newest bounds, which cover nothing
    session.flush()
    session.execute(update(Referral).where(Referral.id == waiting.referral_id).values(state="sent"))
