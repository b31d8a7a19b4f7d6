"""Nobody in the person's own sub-district: the gate in the database, whatever path a referral takes to `sent`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, select, text, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from casework import sending
from casework.households import answer_anew
from db.directory import upsert_directory
from db.embedded import EmbeddedPostgres
from db.errors import DomainError
from db.migrate import migrate
from db.models import Case, Consent, ConsentOverride, Location, Organization, Referral, ServiceAtLocation
from db.vault import Vault
from governorates import Governorate
from governorates.directory import read_directory
from tests.factories.consents import Waiting, make_waiting

HERE, ELSEWHERE = "IQG15Q01N01", "IQG15Q01N02"
SEND = "UPDATE referral SET state = 'sent' WHERE id = :id"
APART = [
    (HERE, ELSEWHERE, True),
    (HERE, HERE, False),
    (HERE, None, False),
    (None, ELSEWHERE, False),
    (None, None, False),
]


@pytest.fixture
def waiting(session: Session, vault: Vault, governorate: Governorate) -> Waiting:
    """A referral that waits for the person's word, who wants no provider in the own sub-district."""
    waiting = make_waiting(session, vault, governorate)
    first = session.scalars(select(Consent).where(Consent.kind == "assessment")).one()
    session.add(answer_anew(first, exclusions=["own_subdistrict"]))
    session.flush()
    return waiting


def _lie(waiting: Waiting, home: str | None, theirs: str | None) -> None:
    waiting.session.execute(update(Case).where(Case.id == waiting.case_id).values(residence_subdistrict=home))
    offer = select(Referral.service_at_location_id).where(Referral.id == waiting.referral_id)
    place = select(ServiceAtLocation.location_id).where(ServiceAtLocation.id == offer.scalar_subquery())
    waiting.session.execute(
        update(Location).where(Location.id == place.scalar_subquery()).values(subdistrict=theirs)
    )
    waiting.session.expire_all()


def _say_yes(waiting: Waiting, **other: Any) -> int:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "case_id": waiting.case_id, "kind": "referral", "referral_id": waiting.referral_id, "given": True,
        "organization_id": waiting.provider.organization_id, "given_at": now, "text_version": "x",
        "expires_at": now + timedelta(days=300), "language": "ar", "channel": "desk",
    }  # fmt: skip
    word = Consent(**values | other)
    waiting.session.add(word)
    waiting.session.flush()
    return word.id


def _move(waiting: Waiting, statement: str = SEND) -> None:
    waiting.session.execute(text(statement), {"id": waiting.referral_id})


@pytest.mark.parametrize(("home", "theirs", "goes"), APART)
def test_a_raw_statement_sends_only_to_a_place_known_to_lie_elsewhere(
    waiting: Waiting, home: str | None, theirs: str | None, goes: bool
) -> None:
    _lie(waiting, home, theirs)
    _say_yes(waiting)
    if goes:
        _move(waiting)
        assert waiting.state == "sent"
        return
    with pytest.raises(DatabaseError, match="does not cover"), waiting.session.begin_nested():
        _move(waiting)
    first = waiting.session.scalars(select(Consent).where(Consent.kind == "assessment")).all()[-1]
    waiting.session.add(answer_anew(first, exclusions=[]))  # the counterpart: who does not mind
    waiting.session.flush()
    _move(waiting)


@pytest.mark.parametrize(("home", "theirs", "goes"), APART)
def test_the_act_says_the_same(waiting: Waiting, home: str | None, theirs: str | None, goes: bool) -> None:
    _lie(waiting, home, theirs)

    def send() -> None:
        sending.send(
            waiting.session, waiting.vault, waiting.referral_id, waiting.coordinator,
            channel="desk", language="ar",
        )  # fmt: skip

    if goes:
        send()
        assert waiting.state == "sent"
        return
    with pytest.raises(DomainError, match="consent_does_not_cover"):
        send()


@pytest.mark.parametrize(
    ("contested", "goes"), [(None, True), ("IQG15Q01N03", True), (ELSEWHERE, False), ("unknown", False)]
)
def test_while_the_residence_is_in_conflict_both_places_are_the_own(
    waiting: Waiting, contested: str | None, goes: bool
) -> None:
    """An edit that nobody has settled says that the person lives elsewhere, perhaps where the provider is."""
    _lie(waiting, HERE, ELSEWHERE)
    waiting.session.execute(update(Case).values(contested_subdistrict=contested))
    waiting.session.expire_all()
    _say_yes(waiting)
    if goes:
        _move(waiting)
        return
    with pytest.raises(DatabaseError, match="does not cover"), waiting.session.begin_nested():
        _move(waiting)
    with pytest.raises(DomainError, match="consent_does_not_cover"):
        sending.send(
            waiting.session, waiting.vault, waiting.referral_id, waiting.coordinator,
            channel="desk", language="ar",
        )  # fmt: skip


@pytest.mark.parametrize(("home", "theirs", "goes"), APART)
def test_an_override_is_bound_too(waiting: Waiting, home: str | None, theirs: str | None, goes: bool) -> None:
    _lie(waiting, home, theirs)
    word, now = _say_yes(waiting, given=False, basis="vital_interest"), datetime.now(UTC)
    override = ConsentOverride(
        referral_id=waiting.referral_id, consent_id=word, reason="unconscious",
        made_by=waiting.coordinator.user_id, made_at=now, due_at=now + timedelta(days=1),
    )  # fmt: skip
    waiting.session.add(override)
    waiting.session.flush()
    if goes:
        _move(waiting)
        return
    with pytest.raises(DatabaseError, match="does not cover"), waiting.session.begin_nested():
        _move(waiting)


def test_what_a_provider_has_goes_on_until_the_place_is_known_to_be_the_same(waiting: Waiting) -> None:
    _lie(waiting, HERE, ELSEWHERE)
    _say_yes(waiting)
    _move(waiting)
    _lie(waiting, HERE, HERE)
    with pytest.raises(DatabaseError, match="does not cover"), waiting.session.begin_nested():
        _move(waiting, "UPDATE referral SET state = 'acknowledged' WHERE id = :id")
    _lie(waiting, HERE, None)
    _move(waiting, "UPDATE referral SET state = 'acknowledged' WHERE id = :id")


def test_the_word_on_another_organization_is_not_the_word_on_this_one(waiting: Waiting) -> None:
    _lie(waiting, HERE, ELSEWHERE)
    other = waiting.session.scalars(
        select(Organization.id).where(Organization.id != waiting.provider.organization_id).limit(1)
    ).one()
    _say_yes(waiting, organization_id=other)
    with pytest.raises(DatabaseError, match="no consent in force"), waiting.session.begin_nested():
        _move(waiting)
    _say_yes(waiting)
    _move(waiting)


def test_the_directory_writes_in_which_subdistrict_a_place_lies(
    session: Session, governorate: Governorate
) -> None:
    directory = read_directory(governorate.directory_path, governorate).starting(datetime.now(UTC).date())
    for _ in range(2):
        upsert_directory(session, governorate, directory)
        rows = session.scalars(
            select(Location)
            .join(Organization)
            .where(Organization.governorate == governorate.code)
            .execution_options(populate_existing=True)
        ).all()
        known = {row.code: row.subdistrict for row in rows}
        assert known == {row.code: governorate.ancestor_at(row.place, "subdistrict") for row in rows}
        assert None not in known.values()
        session.execute(update(Location).values(place="IQG15"))  # moved; the next loading brings them back
        assert set(session.scalars(select(Location.subdistrict))) == {None}
    session.execute(update(Location).values(place="IQG15Q01N01", subdistrict="IQG15Q01N01"))
    assert set(session.scalars(select(Location.subdistrict))) == {"IQG15Q01N01"}


def test_the_upgrade_fills_what_can_be_seen(server: EmbeddedPostgres) -> None:
    server.create_database("t_own_subdistrict_before")
    url = server.owner_url("t_own_subdistrict_before")
    migrate(url, "0017_consent_gate")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            insert(Organization.__table__).values(
                governorate="nineveh", code="o", kind="ngo", names={}, active=True
            )
        )
        for place in ("IQG15Q01N01", "IQG15Q01", "DTM-17703"):
            connection.execute(
                text(
                    "INSERT INTO location (organization_id, code, place, names, longitude, latitude, confidential)"
                    " SELECT id, :place, :place, '{}', 43, 36, false FROM organization"
                ),
                {"place": place},
            )
    migrate(url)
    with engine.begin() as connection:
        found = dict(connection.execute(text("SELECT place, subdistrict FROM location")).all())
    engine.dispose()
    server.drop_database("t_own_subdistrict_before")
    assert found == {"IQG15Q01N01": "IQG15Q01N01", "IQG15Q01": None, "DTM-17703": None}
