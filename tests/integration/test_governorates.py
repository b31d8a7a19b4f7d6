"""Two governorates in one database below the pages: intake, codes, phones, duplicates, and the database's own walls."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casework.duplicates import find_duplicates
from casework.matching import match_open_needs
from casework.referrals import Actor
from db.accounts import create_user, has_users_elsewhere, list_all_users
from db.directory import upsert_directory, upsert_offices
from db.intake_health import list_quarantined
from db.keyfile import MasterKeys
from db.models import (
    Case,
    DuplicatePair,
    Office,
    Organization,
    Referral,
    Role,
    Service,
    ServiceAtLocation,
    Submission,
    Tablet,
)
from db.offices import get_office_by_code, list_offices
from db.session import session_scope
from db.submissions import count_by_status
from db.tablets import create_tablet, get_tablet_by_label, get_tablet_by_token, list_tablets
from db.vault import Vault
from governorates import Governorate, load
from governorates.directory import read_directory
from ingest.sources.inbox import receive
from ingest.sync import sync
from tests.factories.cases import make_assessment, open_case, store_submission
from tests.factories.world import code_of
from xlsforms.compile import compile_form
from xlsforms.fill import fill_batch

NOW = datetime.now(UTC)


@pytest.fixture
def anbar(session: Session) -> Governorate:
    """The second governorate, with its offices and sample directory beside those of the first."""
    found = load("anbar")
    upsert_offices(session, found)
    directory = read_directory(found.directory_path, found)
    upsert_directory(session, found, directory.starting(NOW.date()))
    return found


def town(governorate: Governorate) -> str:
    return governorate.populated(governorate.pcode)[0].pcode


def opened(session: Session, vault: Vault, governorate: Governorate, code: str | None = None) -> Case:
    assessment = make_assessment(
        governorate, [("primary_health_care", "normal")], place=town(governorate), case_code=code
    )
    case = session.get(Case, open_case(session, vault, governorate, assessment).case_id)
    assert case is not None
    return case


def test_the_same_phone_in_another_governorate_is_no_issue(
    session: Session, vault: Vault, governorate: Governorate, anbar: Governorate
) -> None:
    opened(session, vault, governorate)
    assessment = make_assessment(anbar, place=town(anbar))
    assert [issue.code for issue in open_case(session, vault, anbar, assessment).issues] == []
    again = open_case(session, vault, anbar, assessment)
    assert [issue.code for issue in again.issues] == ["phone_seen_before"], "within one it still is"


def test_the_same_code_in_another_governorate_is_no_issue(
    session: Session, vault: Vault, governorate: Governorate, anbar: Governorate
) -> None:
    code = code_of("proposed", governorate)
    opened(session, vault, governorate, code)
    assessment = make_assessment(anbar, place=town(anbar), case_code=code)
    taken = open_case(session, vault, anbar, assessment)
    case = session.get(Case, taken.case_id)
    assert case is not None
    assert case.printed_code == code != case.code, (
        "what the person holds stays, codes are unique all the same"
    )
    assert "case_code_collision" not in {issue.code for issue in taken.issues}
    again = open_case(session, vault, anbar, assessment)
    assert "case_code_collision" in {issue.code for issue in again.issues}


def test_matching_offers_only_ones_own_providers(
    session: Session, vault: Vault, governorate: Governorate, anbar: Governorate
) -> None:
    case, other = opened(session, vault, anbar), opened(session, vault, governorate)
    assert match_open_needs(session, vault, anbar, now=NOW, seed=1).needs == 1
    statement = (
        select(Referral.case_id, Organization.governorate)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Organization, Organization.id == Service.organization_id)
    )
    assert session.execute(statement).all() == [(case.id, "anbar")]
    assert other.governorate == "nineveh"


def test_duplicates_are_searched_within_a_governorate(
    session: Session, vault: Vault, governorate: Governorate, anbar: Governorate
) -> None:
    for pack in (governorate, anbar):
        opened(session, vault, pack)
    for pack in (governorate, anbar):
        find_duplicates(session, vault, pack)
    assert session.scalars(select(DuplicatePair)).all() == []


def test_offices_of_two_governorates_may_have_one_code(session: Session, anbar: Governorate) -> None:
    session.add(Office(code="mosul", governorate="anbar", names={"ar": "مكتب"}, districts=[]))
    session.flush()
    upsert_offices(session, load("nineveh"))
    first, second = (get_office_by_code(session, code, "mosul") for code in ("nineveh", "anbar"))
    assert first is not None
    assert second is not None
    assert (first.governorate, second.governorate) == ("nineveh", "anbar")
    assert first.districts
    assert not second.districts


def test_tablets_and_accounts_are_found_only_at_home(session: Session, anbar: Governorate) -> None:
    office = list_offices(session, "anbar")[0]
    tablet, token = create_tablet(session, "A-1", office.id)
    assert get_tablet_by_token(session, "anbar", token) is tablet
    assert get_tablet_by_token(session, "nineveh", token) is None
    assert get_tablet_by_label(session, "nineveh", "A-1") is None
    assert tablet not in list_tablets(session, "nineveh")
    create_user(session, login="x", password_hash="x", role=Role.ADMIN, governorate="anbar")
    assert list_all_users(session, "nineveh") == []
    assert has_users_elsewhere(session, "nineveh")
    assert not has_users_elsewhere(session, "anbar")


def test_an_administrator_looks_after_ones_own_quarantine(
    session: Session, vault: Vault, anbar: Governorate
) -> None:
    ids = {}
    for code in ("nineveh", "anbar"):
        submission = store_submission(session, vault, governorate=code)
        submission.status, submission.reason = "quarantined", "form_version_unknown"
        session.flush()
        ids[code] = submission.id
    for code, own in ids.items():
        viewer = Actor(None, "admin", code)
        assert [row.submission_id for row in list_quarantined(session, viewer)] == [own]
        assert count_by_status(session, code) == {"quarantined": 1}


@pytest.mark.parametrize("column", ["office_id", "organization_id"])
def test_the_database_refuses_a_user_of_another_governorates_office(
    session: Session, anbar: Governorate, column: str
) -> None:
    table = Office if column == "office_id" else Organization
    foreign = session.scalars(select(table.id).where(table.governorate == "anbar")).first()
    with pytest.raises(IntegrityError, match=f"fk_user_account_{column}"):
        create_user(
            session,
            login="x",
            password_hash="x",
            role=Role.OFFICER,
            governorate="nineveh",
            **{column: foreign},
        )


def test_the_database_refuses_a_case_of_another_governorates_office(
    session: Session, vault: Vault, governorate: Governorate, anbar: Governorate
) -> None:
    case = opened(session, vault, governorate)
    case.office_id = list_offices(session, "anbar")[0].id
    with pytest.raises(IntegrityError, match="fk_case_file_office_id"):
        session.flush()


def test_an_ingester_takes_in_only_its_own_and_edits_stay_at_home(
    fresh_engine: Engine, masters: MasterKeys
) -> None:
    with session_scope(fresh_engine) as session:
        upsert_offices(session, load("anbar"))
        ids = {
            code: create_tablet(session, code, list_offices(session, code)[0].id)[0].id
            for code in ("nineveh", "anbar")
        }
    for code, number in (("nineveh", 3), ("anbar", 5)):
        for filled in fill_batch(compile_form("needs_assessment", code), number, seed=7):
            with session_scope(fresh_engine) as session:
                tablet = session.get_one(Tablet, ids[code])
                vault = Vault(session, masters)
                receive(session, vault, tablet, filled.xml, {}, governorate_code=code, now=NOW)
    report = sync(fresh_engine, masters, load("anbar"))
    assert (report.received, report.cases + report.refusals) == (5, 5)
    with session_scope(fresh_engine) as session:
        waiting = session.scalars(select(Submission.governorate).where(Submission.status == "received")).all()
        assert waiting == ["nineveh"] * 3
        assert set(session.scalars(select(Case.governorate))) == {"anbar"}


def test_an_edit_of_another_governorates_submission_is_unknown(
    fresh_engine: Engine, masters: MasterKeys
) -> None:
    with session_scope(fresh_engine) as session:
        upsert_offices(session, load("anbar"))
        office = list_offices(session, "anbar")[0].id
        home = list_offices(session, "nineveh")[0].id
        own, foreign = create_tablet(session, "N", home)[0], create_tablet(session, "A", office)[0]
        vault = Vault(session, masters)
        [filled] = fill_batch(compile_form("needs_assessment"), 1, seed=8)
        receive(session, vault, own, filled.xml, {}, governorate_code="nineveh", now=NOW)
        old = filled.instance_id.encode()
        edit = filled.xml.replace(
            b"<orx:instanceID>" + old,
            b"<orx:deprecatedID>" + old + b"</orx:deprecatedID><orx:instanceID>" + old + b"-e",
            1,
        )
        edited = receive(session, vault, foreign, edit, {}, governorate_code="anbar", now=NOW)
        assert (edited.kind, edited.submission_id, edited.reason) == ("conflict", None, "edit_unknown")
        other_bytes = filled.xml.replace(b"</orx:meta>", b" </orx:meta>")
        told = receive(session, vault, foreign, other_bytes, {}, governorate_code="anbar", now=NOW)
        assert (told.kind, told.submission_id) == ("conflict", None), (
            "not even the number of the other one's row"
        )
        again = receive(session, vault, foreign, filled.xml, {}, governorate_code="anbar", now=NOW)
        assert (again.kind, again.submission_id) == ("conflict", None)
        at_home = receive(session, vault, own, edit, {}, governorate_code="nineveh", now=NOW)
        assert at_home.kind == "created"
