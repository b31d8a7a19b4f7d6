"""Information only: the person is told where to go, and nothing about them leaves the office."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from casework.information import give_information
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.reopening import reopen_need
from casework.sending import recall
from db.cases import count_figures
from db.errors import DomainError
from db.information import get_visible_slip
from db.models import (
    Case,
    Disclosure,
    InformationGiven,
    Location,
    Need,
    OutboxMessage,
    Referral,
    ServiceAtLocation,
)
from db.referrals import list_slot_mismatches
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")


def scene(session: Session, vault: Vault, governorate: Governorate) -> tuple[Need, int, Actor]:
    """A need that is open again, a service that was looked at for it, and the officer of its office."""
    needs = [("primary_health_care", "normal")]
    case_id = open_case(session, vault, governorate, make_assessment(governorate, needs)).case_id
    match_open_needs(session, vault, governorate, now=NOW)
    referral = session.scalars(select(Referral).where(Referral.case_id == case_id)).one()
    recall(session, vault, referral.id, MOMD, "error", "x")
    officer = Actor(None, "officer", "nineveh", office_id=session.get_one(Case, case_id).office_id)
    return session.get_one(Need, referral.need_id), referral.service_at_location_id, officer


def tell(session: Session, vault: Vault, need: Need, place: int, actor: Actor, **changes: str) -> int:
    spoken = {"language": "tr", "channel": "desk"} | changes
    return give_information(session, vault, need.id, place, actor, now=NOW, **spoken)


def refused(code: str, act: Callable[[], object]) -> None:
    with pytest.raises(DomainError) as caught:
        act()
    assert caught.value.code == code


def test_nothing_leaves_the_office(session: Session, vault: Vault, governorate: Governorate) -> None:
    need, place, officer = scene(session, vault, governorate)
    tables = (Referral, Disclosure, OutboxMessage)
    before = [session.scalar(select(func.count()).select_from(table)) for table in tables]
    tell(session, vault, need, place, officer)
    match_open_needs(session, vault, governorate, now=NOW)
    assert [session.scalar(select(func.count()).select_from(table)) for table in tables] == before
    assert need.status == "informed"
    assert list_slot_mismatches(session) == []
    figures = count_figures(session)
    assert figures["needs"] == figures["proposed"] + figures["unmet"] + figures["informed"]
    assert (figures["informed"], figures["undecided"]) == (1, 0)


def test_an_officer_can_look_for_a_provider_after_all(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    need, place, officer = scene(session, vault, governorate)
    tell(session, vault, need, place, officer)
    refused("referral_under_way", lambda: tell(session, vault, need, place, officer))
    reopen_need(session, vault, need.id, officer, reason="not_solved", now=NOW)
    match_open_needs(session, vault, governorate, now=NOW)
    session.refresh(need)
    assert need.status == "referred"
    refused("referral_under_way", lambda: tell(session, vault, need, place, officer))


def test_who_may_and_about_what(session: Session, vault: Vault, governorate: Governorate) -> None:
    need, place, officer = scene(session, vault, governorate)
    provider = Actor(None, "provider", "nineveh", organization_id=1)
    elsewhere = Actor(None, "officer", "nineveh", office_id=(officer.office_id or 0) + 1)
    unseen = session.scalars(
        select(ServiceAtLocation.id).order_by(ServiceAtLocation.id.desc()).limit(1)
    ).one()
    refused("forbidden", lambda: tell(session, vault, need, place, provider))
    refused("not_found", lambda: tell(session, vault, need, place, elsewhere))
    refused("not_found", lambda: tell(session, vault, need, place, MOI))
    refused("channel_unknown", lambda: tell(session, vault, need, place, officer, channel="radio"))
    refused("language_unknown", lambda: tell(session, vault, need, place, officer, language="xx"))
    refused("not_an_option", lambda: tell(session, vault, need, unseen + 1, officer))
    session.get_one(ServiceAtLocation, place).active = False
    session.flush()
    refused("not_an_option", lambda: tell(session, vault, need, place, officer))


def test_the_slip_names_the_service_but_never_a_confidential_place(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    need, place, officer = scene(session, vault, governorate)
    told = tell(session, vault, need, place, officer)
    slip = get_visible_slip(session, officer, told)
    assert slip is not None
    assert slip.where is not None
    assert slip.where.organization
    assert slip.office is not None
    assert get_visible_slip(session, MOI, told) is None
    location = session.scalars(
        select(Location)
        .join(ServiceAtLocation, ServiceAtLocation.location_id == Location.id)
        .where(ServiceAtLocation.id == place)
    ).one()
    location.confidential = True
    session.flush()
    hidden = get_visible_slip(session, officer, told)
    assert hidden is not None
    assert hidden.where is None
    assert hidden.office == slip.office
    assert session.scalars(select(InformationGiven.id)).all() == [told]
