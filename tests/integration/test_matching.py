"""From open needs to proposals with reserved slots, in the real database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from casework.assessment import Residence
from casework.matching import MatchReport, match_open_needs
from db.models import (
    Capacity,
    MatchCandidate,
    MatchRun,
    Need,
    Organization,
    Referral,
    Service,
    ServiceAtLocation,
)
from db.referrals import list_slot_mismatches
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, make_consent, open_case

NOW = datetime.now(UTC)


def run(session: Session, vault: Vault, governorate: Governorate) -> MatchReport:
    return match_open_needs(session, vault, governorate, now=NOW)


def needs_of(session: Session) -> Sequence[Need]:
    return session.scalars(select(Need).order_by(Need.id).execution_options(populate_existing=True)).all()


def test_every_need_gets_a_slot_or_a_reason(session: Session, vault: Vault, governorate: Governorate) -> None:
    for place in ("IQG15Q05N04", "IQG15Q07N03", "IQG15Q08N01"):
        needs = [("counselling", "urgent"), ("shelter_repair", "normal"), ("civil_documents", "emergency")]
        open_case(session, vault, governorate, make_assessment(governorate, needs, place=place))
    report = run(session, vault, governorate)
    assert report.needs == 9
    assert report.proposed + sum(report.unmet.values()) == 9
    assert report.proposed > 0
    for need in needs_of(session):
        live = session.scalar(select(Referral).where(Referral.need_id == need.id))
        if live is None:
            assert need.status == "open"
            assert need.unmet_reason
        else:
            assert need.status == "referred"
            assert live.state == "proposed"
            assert live.holds_slot
            offers = session.scalar(
                select(func.count()).select_from(MatchCandidate).where(MatchCandidate.need_id == need.id)
            )
            assert offers
    assert list_slot_mismatches(session) == []


def test_an_unchanged_world_writes_nothing(session: Session, vault: Vault, governorate: Governorate) -> None:
    needs = [("counselling", "normal"), ("catch_up_classes", "normal")]
    open_case(session, vault, governorate, make_assessment(governorate, needs, place="IQG15Q04N01"))
    first = run(session, vault, governorate)
    assert first.run_id is not None
    assert sum(first.unmet.values()) > 0
    again = run(session, vault, governorate)
    assert again.run_id is None
    assert session.scalar(select(func.count()).select_from(MatchRun)) == 1


def test_a_new_slot_wakes_the_matching(session: Session, vault: Vault, governorate: Governorate) -> None:
    session.execute(update(Capacity).values(slots=Capacity.reserved))
    open_case(session, vault, governorate, make_assessment(governorate))
    assert run(session, vault, governorate).unmet == {"no_slot": 1}
    session.execute(update(Capacity).values(slots=5))
    assert run(session, vault, governorate).proposed == 1
    need = needs_of(session)[0]
    assert (need.status, need.unmet_reason, need.unmet_since) == ("referred", None, None)


def test_waiting_needs_do_not_pile_up_rows(session: Session, vault: Vault, governorate: Governorate) -> None:
    """What came to a referral is kept with its reasons; of what only waits the newest word is enough."""
    session.execute(update(Capacity).values(slots=Capacity.reserved))
    open_case(session, vault, governorate, make_assessment(governorate))
    run(session, vault, governorate)
    rows = select(func.count()).select_from(MatchCandidate)
    first = session.scalar(rows)
    assert first
    session.execute(update(Capacity).where(Capacity.id == 1).values(slots=Capacity.slots + 1))
    assert run(session, vault, governorate).run_id is not None
    assert session.scalar(rows) == first
    session.execute(update(Capacity).values(slots=5))
    assert run(session, vault, governorate).proposed == 1
    session.execute(update(Referral).values(state="declined"))
    session.execute(update(Need).values(status="open"))
    run(session, vault, governorate)
    assert session.scalars(select(MatchCandidate.match_run_id).distinct()).all() != []
    kept = session.scalar(
        rows.where(MatchCandidate.match_run_id == session.scalar(select(Referral.match_run_id).limit(1)))
    )
    assert kept


def test_unmet_since_is_kept(session: Session, vault: Vault, governorate: Governorate) -> None:
    session.execute(update(Capacity).values(slots=Capacity.reserved))
    open_case(session, vault, governorate, make_assessment(governorate))
    run(session, vault, governorate)
    open_case(session, vault, governorate, make_assessment(governorate))
    match_open_needs(session, vault, governorate, now=NOW + timedelta(hours=3))
    assert [need.unmet_since for need in needs_of(session)] == [NOW, NOW + timedelta(hours=3)]


def test_consent_bounds_the_matching(session: Session, vault: Vault, governorate: Governorate) -> None:
    """MoI offices are asked apart: without that yes, nothing in their categories is proposed."""
    needs = [("hlp_legal_aid", "normal"), ("counselling", "normal")]
    consent = make_consent(governorate, moi=False, categories=("hlp",))
    open_case(session, vault, governorate, make_assessment(governorate, needs, consent=consent))
    report = run(session, vault, governorate)
    assert report.proposed == 0
    assert report.unmet == {"consent": 2}


def test_an_unsettled_exclusion_holds_everything(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    consent = make_consent(governorate, exclusions=("named_organization",), exclusion_note="منظمة ما")
    open_case(session, vault, governorate, make_assessment(governorate, consent=consent))
    assert run(session, vault, governorate).unmet == {"exclusion_open": 1}


def test_an_excluded_organization_is_never_proposed(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    from db.cases import get_assessment_consent

    taken = open_case(session, vault, governorate, make_assessment(governorate))
    offering = set(
        session.scalars(
            select(Service.organization_id).where(Service.service_type == "counselling").distinct()
        )
    )
    kept = min(offering)
    consent = get_assessment_consent(session, taken.case_id or 0)
    assert consent is not None
    consent.excluded_organizations = sorted(offering - {kept})
    session.flush()
    run(session, vault, governorate)
    proposed = session.scalar(
        select(Organization.id)
        .join(Service, Service.organization_id == Organization.id)
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
    )
    assert proposed in {kept, None}
    excluded = session.scalar(
        select(func.count()).select_from(MatchCandidate).where(MatchCandidate.status == "excluded")
    )
    assert excluded


@pytest.mark.parametrize(
    ("residence", "reason"),
    [
        (Residence(), "residence_unknown"),
        (Residence("IQG01", basis="governorate"), "outside_governorate"),
    ],
)
def test_where_nobody_can_be_proposed_the_reason_says_why(
    session: Session, vault: Vault, governorate: Governorate, residence: Residence, reason: str
) -> None:
    open_case(session, vault, governorate, make_assessment(governorate, residence=residence))
    assert run(session, vault, governorate).unmet == {reason: 1}


def test_urgent_needs_come_first_where_slots_are_short(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    session.execute(update(Capacity).values(slots=Capacity.reserved))
    chosen = session.scalar(
        select(Capacity.id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Capacity.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .where(Service.service_type == "counselling")
        .order_by(Capacity.id)
        .limit(1)
    )
    session.execute(update(Capacity).where(Capacity.id == chosen).values(slots=1))
    place = session.scalar(select(Capacity.service_at_location_id).where(Capacity.id == chosen))
    assert place is not None
    for urgency in ("normal", "emergency", "urgent"):
        open_case(
            session, vault, governorate,
            make_assessment(governorate, [("counselling", urgency)], place=_place_near(session, chosen)),
        )  # fmt: skip
    report = run(session, vault, governorate)
    assert report.proposed == 1
    assert session.scalar(select(Referral.urgency)) == "emergency"


def _place_near(session: Session, capacity_id: int | None) -> str:
    from db.models import Location

    place = session.scalar(
        select(Location.place)
        .join(ServiceAtLocation, ServiceAtLocation.location_id == Location.id)
        .join(Capacity, Capacity.service_at_location_id == ServiceAtLocation.id)
        .where(Capacity.id == capacity_id)
    )
    assert place is not None
    return place
