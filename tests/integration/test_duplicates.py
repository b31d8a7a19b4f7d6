"""Searching for duplicates: what is found, what is stored, and what a second search does."""

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from casework import duplicates
from casework.assessment import Assessment, PersonAnswers
from casework.cases import take_in
from casework.duplicates import decide_different, find_duplicates, reopen
from casework.moves import Actor
from db.duplicates import list_candidate_pairs
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import AuditEvent, BlockingKey, Case, DuplicatePair, Person
from db.session import session_scope
from db.vault import Vault
from governorates import Governorate
from ingest.sync import sync
from tests.conftest import Database
from tests.factories.cases import make_assessment, open_case, store_submission
from tests.factories.snapshots import snapshot

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")


def assessment(governorate: Governorate, *names: str, **head: Any) -> Assessment:
    made = make_assessment(governorate)
    person = replace(made.persons[0], **head)
    if names:
        person = replace(person, given_name=names[0], father_name=names[1], grandfather_name=names[2])
    return replace(made, persons=(person,))


@pytest.fixture
def add(session: Session, vault: Vault, governorate: Governorate) -> Callable[..., int]:
    def opened(*names: str, **head: Any) -> int:
        case_id = open_case(session, vault, governorate, assessment(governorate, *names, **head)).case_id
        assert case_id is not None
        return case_id

    return opened


def pairs(session: Session) -> dict[tuple[int, int], DuplicatePair]:
    return {(p.first_case_id, p.second_case_id): p for p in session.scalars(select(DuplicatePair))}


def test_another_spelling_is_found_and_explained(
    session: Session, vault: Vault, governorate: Governorate, add: Callable[..., int]
) -> None:
    one = add("فاطمة", "أحمد", "عبد الله", phone="07701112223")
    other = add("فاتمە", "ئەحمەد", "عبدالله", phone="07701112232", age_years=36)
    add("نادية", "غانم", "يونس", phone="07509998887")
    report = find_duplicates(session, vault, governorate)
    assert (report.searched, report.found) == (3, 1)
    pair = pairs(session)[one, other]
    assert pair.state == "open"
    levels = {part["part"]: part["level"] for part in pair.parts}
    assert (levels["given_name"], levels["father_name"], levels["phone"]) == ("close", "same", "close")
    assert pair.score == min(100, sum(part["points"] for part in pair.parts))
    assert {key for part in pair.parts for key in part} == {"part", "level", "points"}


def test_cases_are_also_compared_across_pages(
    session: Session, vault: Vault, governorate: Governorate, add: Callable[..., int]
) -> None:
    ids = [add() for _ in range(3)]
    while find_duplicates(session, vault, governorate, limit=1).searched:
        pass
    assert pairs(session).keys() == {(ids[0], ids[1]), (ids[0], ids[2]), (ids[1], ids[2])}


def test_strangers_and_brothers_are_not_shown(
    session: Session, vault: Vault, governorate: Governorate, add: Callable[..., int]
) -> None:
    add("حسن", "كريم", "صالح", sex="male", age_years=30)
    add("حسين", "كريم", "صالح", sex="male", age_years=38)
    report = find_duplicates(session, vault, governorate)
    assert report.compared == 1
    assert pairs(session) == {}


def test_no_name_stands_in_a_key_or_a_pair(
    session: Session, vault: Vault, governorate: Governorate, add: Callable[..., int]
) -> None:
    add(), add()
    find_duplicates(session, vault, governorate)
    keys = session.scalars(select(BlockingKey)).all()
    assert {key.kind for key in keys} == {"given_father", "father_grandfather", "given_grandfather", "phone"}
    assert all(len(key.key) == 32 for key in keys)
    assert session.scalar(select(func.count()).select_from(Person).where(Person.name_index.is_not(None))) == 0
    # The same composite under another kind or governorate has another hash.
    assert len({key.key for key in keys}) == 4


def test_a_frequent_composite_costs_each_case_only_its_nearest(
    session: Session, vault: Vault, governorate: Governorate, add: Callable[..., int]
) -> None:
    ids = [add(age_years=20 + 3 * number, phone=f"0770{number:07d}") for number in range(8)]
    find_duplicates(session, vault, governorate)
    found, cut = list_candidate_pairs(session, ids, 2)
    assert cut > 0
    assert found < {(a, b) for a in ids for b in ids if a < b}
    assert {(a, b) for a, b in pairwise(ids)} <= found
    assert len(found) <= 2 * len(ids)
    everything, cut = list_candidate_pairs(session, ids, 50)
    assert (len(everything), cut) == (28, 0)


def test_a_second_search_writes_nothing(
    fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        vault = Vault(session, masters)
        for _ in range(2):
            open_case(session, vault, governorate, make_assessment(governorate))
    assert sync(fresh_engine, masters, governorate).duplicates == 1
    before = snapshot(fresh_database.owner_url)
    writes: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}:
            writes.append(statement)

    event.listen(fresh_engine, "before_cursor_execute", note)
    assert sync(fresh_engine, masters, governorate).duplicates == 0
    assert writes == []
    assert snapshot(fresh_database.owner_url) == before


def test_a_failing_search_keeps_nobody_from_being_matched(
    fresh_engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with session_scope(fresh_engine) as session:
        open_case(session, Vault(session, masters), governorate, make_assessment(governorate))
    monkeypatch.setattr(duplicates, "score_pair", None)
    monkeypatch.setattr(duplicates, "_traits", lambda case, *_: {}["زينب"])
    with caplog.at_level(logging.ERROR):
        report = sync(fresh_engine, masters, governorate)
    assert report.errors == ("duplicates: KeyError",)
    assert report.proposed == 1
    assert "زينب" not in caplog.text


def test_an_edit_rescores_and_forgets_but_never_a_decision(
    session: Session, vault: Vault, governorate: Governorate, add: Callable[..., int]
) -> None:
    submission = store_submission(session, vault)
    first = take_in(session, vault, governorate, submission, assessment(governorate)).case_id
    second, third = add(), add()
    find_duplicates(session, vault, governorate)
    assert first is not None
    decided = pairs(session)[first, third]
    decide_different(session, decided.id, MOMD)
    stranger = assessment(governorate, "نادية", "غانم", "يونس", phone="07509998887", age_years=70)
    take_in(session, vault, governorate, submission, stranger)
    session.get_one(Case, first).submission_id = submission.id + 1_000_000  # as another version would
    session.flush()
    assert find_duplicates(session, vault, governorate).searched == 1
    session.expire_all()
    assert pairs(session).keys() == {(second, third), (first, third)}
    assert pairs(session)[first, third].state == "different"


def test_a_decision_is_recorded_and_can_be_taken_back(
    session: Session, vault: Vault, governorate: Governorate, add: Callable[..., int]
) -> None:
    add(), add()
    find_duplicates(session, vault, governorate)
    (pair,) = pairs(session).values()
    decide_different(session, pair.id, MOMD)
    assert (pair.state, pair.decided_at is not None) == ("different", True)
    with pytest.raises(DomainError, match="changed_meanwhile"):
        decide_different(session, pair.id, MOMD)
    reopen(session, pair.id, MOMD)
    assert (pair.state, pair.decided_at) == ("open", None)
    actions = session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert actions[-2:] == ["duplicate.different", "duplicate.reopen"]


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (Actor(None, "coordinator", "nineveh", ministry="moi"), "forbidden"),
        (Actor(None, "officer", "nineveh", office_id=1), "forbidden"),
        (Actor(None, "provider", "nineveh", organization_id=1), "forbidden"),
        (Actor(None, "system", ""), "forbidden"),
        (Actor(None, "coordinator", "anbar", ministry="momd"), "not_found"),
    ],
)
def test_only_the_deciding_ministry_of_the_governorate_decides(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    add: Callable[..., int],
    actor: Actor,
    code: str,
) -> None:
    add(), add()
    find_duplicates(session, vault, governorate)
    (pair,) = pairs(session).values()
    with pytest.raises(DomainError, match=code):
        decide_different(session, pair.id, actor)


def test_an_erased_case_is_not_searched_and_matches_nobody(
    session: Session, vault: Vault, governorate: Governorate, masters: MasterKeys, add: Callable[..., int]
) -> None:
    erased = session.get_one(Case, add())
    assert erased.data_key_id is not None
    vault.erase_key(erased.data_key_id)
    session.expire_all()
    add()
    report = find_duplicates(session, Vault(session, masters), governorate)
    assert (report.searched, report.compared) == (1, 0)


def test_a_caregivers_phone_counts(session: Session, vault: Vault, governorate: Governorate) -> None:
    made = assessment(governorate, phone=None)
    caregiver = PersonAnswers("caregiver", 0, "سعاد", phone="07705556667")
    for _ in range(2):
        open_case(session, vault, governorate, replace(made, persons=(*made.persons, caregiver)))
    find_duplicates(session, vault, governorate)
    (pair,) = pairs(session).values()
    assert {"part": "phone", "level": "same", "points": 20} in pair.parts
