"""A small committed world for the pages: people of every role, their own and other people's cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.auth import add_user
from api.context import AppContext
from casework import hand_overs, sending, transfers
from casework import referrals as acts
from casework.assessment import Issue
from casework.duplicates import find_duplicates
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.queue_tokens import take_token
from casework.spoken_consents import SpokenConsent
from casework.tasks import open_task
from db.models import (
    Case,
    Consent,
    DuplicatePair,
    InformationGiven,
    Need,
    Office,
    Organization,
    Referral,
    Role,
    Service,
    ServiceAtLocation,
)
from db.session import session_scope
from db.tablets import create_tablet
from db.vault import Vault
from governorates import Governorate, format_code
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission
from tests.factories.open_days import desk, officer_of, open_open_day

PASSWORD = "korrekt-pferd-batterie"
COORDINATOR = Actor(None, "coordinator", "nineveh", ministry="momd")

CODES = {
    "proposed": "222222223",
    "awaiting": "333333334",
    "sent": "444444445",
    "other": "555555556",
    "moi": "666666667",
    "excluding": "777777778",
    "twin": "888888889",
}
"""Bodies of invented case codes; the check character is put right by `code_of`."""


def code_of(name: str, governorate: Governorate, mark: str = "") -> str:
    """A valid case code for a case of this world; `mark` is put before it in a second world."""
    from governorates import check_character

    body = (mark + CODES[name])[:8]
    return body + check_character(body, governorate.code_alphabet)


@dataclass
class World:
    """Ids and logins by a word that says what they are. `mark`: what tells a second world's codes and logins apart."""

    context: AppContext
    mark: str = ""
    referrals: dict[str, int] = field(default_factory=dict)
    cases: dict[str, int] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    consents: dict[str, int] = field(default_factory=dict)
    tablets: dict[str, int] = field(default_factory=dict)
    organizations: dict[str, int] = field(default_factory=dict)
    pair: int = 0
    open_day: int = 0
    station: int = 0
    token: int = 0
    offers: dict[str, int] = field(default_factory=dict)
    task: int = 0
    need: int = 0
    transfer: int = 0
    hand_over: int = 0
    information: int = 0

    def copied_to(self, context: AppContext) -> "World":
        """The same world in a copy of its database."""
        own = {name: dict(value) for name, value in vars(self).items() if isinstance(value, dict)}
        return replace(self, context=context, **own)

    @property
    def coordinator(self) -> Actor:
        """A coordinator of the governorate's operator."""
        governorate = self.context.governorate
        return Actor(None, "coordinator", governorate.code, ministry=governorate.operator.code)

    def login(self, name: str) -> str:
        """The login of a person of this world."""
        return f"{self.mark.lower()}{name}"

    def printed(self, name: str) -> str:
        """A case's code as pages print it."""
        return format_code(self.codes[name])


def build_world(context: AppContext, mark: str = "") -> World:
    """Fill a database with people of the context's governorate; everything goes through the real acts.

    A second world in one database needs a `mark`: symbols of case codes that tell its own apart.
    """
    world = World(context, mark)
    with session_scope(context.engine) as session:
        vault = Vault(session, context.masters)
        _open_cases(session, vault, world)
        find_duplicates(session, vault, context.governorate)
        pairs = select(DuplicatePair.id).where(DuplicatePair.governorate == context.governorate.code)
        world.pair = session.scalars(pairs.order_by(DuplicatePair.id)).first() or 0
        match_open_needs(session, vault, context.governorate, now=datetime.now(UTC), seed=1)
    with session_scope(context.engine) as session:
        vault = Vault(session, context.masters)
        _name_referrals(session, world)
        _move_on(session, vault, world)
        _add_people(session, world)
        _add_intake(session, vault, world)
        _add_open_day(session, world)
        _add_offers(session, vault, world)
    return world


def _open_cases(session: Session, vault: Vault, world: World) -> None:
    governorate = world.context.governorate
    town = None if governorate.code == "nineveh" else governorate.populated(governorate.pcode)[0].pcode

    def opened(name: str, needs: list[tuple[str, str]], code: str | None = None, **changes: Any) -> None:
        printed = code or code_of(name, governorate, world.mark)
        assessment = make_assessment(governorate, needs, place=town, case_code=printed, **changes)
        case_id = open_case(session, vault, governorate, assessment).case_id
        assert case_id is not None
        world.cases[name], world.codes[name] = case_id, printed

    opened("proposed", [("primary_health_care", "emergency")])
    opened("awaiting", [("primary_health_care", "urgent")])
    opened("sent", [("primary_health_care", "normal")])
    opened("other", [("primary_health_care", "normal")])
    opened("moi", [("womens_legal_counselling", "urgent")])
    nobody = make_consent(governorate, exclusions=("named_organization",), exclusion_note="ابن عمي يعمل هناك")
    opened("excluding", [("cash_assistance", "normal")], consent=nobody)
    opened("twin", [("ration_card", "normal")], issues=(Issue("place_not_listed", "residence/place"),))
    opened("second_twin", [("ration_card", "normal")], code=world.codes["twin"])


def _name_referrals(session: Session, world: World) -> None:
    by_case = {case_id: name for name, case_id in world.cases.items()}
    for referral in session.scalars(
        select(Referral).where(Referral.case_id.in_(by_case)).order_by(Referral.id)
    ):
        world.referrals[by_case[referral.case_id]] = referral.id
    consent = session.scalars(
        select(Consent).where(Consent.case_id == world.cases["excluding"], Consent.kind == "assessment")
    ).one()
    world.consents["excluding"] = consent.id


def _move_on(session: Session, vault: Vault, world: World) -> None:
    for name in ("awaiting", "sent"):
        acts.approve(session, vault, world.referrals[name], world.coordinator)
    sending.send(session, vault, world.referrals["sent"], world.coordinator, channel="desk", language="ar")
    sent = session.execute(
        select(Service.organization_id)
        .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
        .join(Referral, Referral.service_at_location_id == ServiceAtLocation.id)
        .where(Referral.id == world.referrals["sent"])
    ).scalar_one()
    world.offers["addressed"] = session.scalars(
        select(Referral.service_at_location_id).where(Referral.id == world.referrals["sent"])
    ).one()
    case = session.get_one(Case, world.cases["proposed"])
    need = session.scalars(select(Need).where(Need.case_id == case.id)).one()
    world.task = open_task(session, case, "tracing", datetime.now(UTC), need=need).id
    others = select(Organization.id).where(
        Organization.id != sent, Organization.governorate == world.context.governorate.code
    )
    other = session.scalars(others.order_by(Organization.id)).first()
    world.organizations = {"addressed": sent, "other": other or 0}


def _add_people(session: Session, world: World) -> None:
    governorate = world.context.governorate
    operator, apart = governorate.operator.code, governorate.asked_apart.code
    office = session.scalars(select(Case.office_id).where(Case.id == world.cases["proposed"])).one()
    others = select(Office.id).where(Office.id != office, Office.governorate == governorate.code)
    other_office = session.scalars(others.order_by(Office.id)).first()
    scopes: Mapping[str, tuple[Role, dict[str, Any]]] = {
        "coordinator": (Role.COORDINATOR, {"ministry": operator}),
        "coordinator-moi": (Role.COORDINATOR, {"ministry": apart}),
        "officer": (Role.OFFICER, {"office_id": office}),
        "officer-elsewhere": (Role.OFFICER, {"office_id": other_office}),
        "provider": (Role.PROVIDER, {"organization_id": world.organizations["addressed"]}),
        "provider-other": (Role.PROVIDER, {"organization_id": world.organizations["other"]}),
        "admin": (Role.ADMIN, {}),
        "supervisor": (Role.SUPERVISOR, {"ministry": operator}),
        "supervisor-moi": (Role.SUPERVISOR, {"ministry": apart}),
        "data-protection": (Role.DATA_PROTECTION, {}),
        "psea-focal-point": (Role.PSEA_FOCAL_POINT, {}),
    }
    for login, (role, scope) in scopes.items():
        add_user(
            session,
            login=world.login(login),
            password=PASSWORD,
            role=role,
            governorate=governorate.code,
            **scope,
        )


def _add_intake(session: Session, vault: Vault, world: World) -> None:
    code = world.context.governorate.code
    office = session.scalars(select(Office).where(Office.governorate == code).order_by(Office.id)).first()
    assert office is not None
    tablet, _ = create_tablet(session, f"{world.mark}T-01", office.id)
    elsewhere = Office(code=f"{world.mark}far", governorate="elsewhere", names={"ar": "بعيد"}, districts=[])
    session.add(elsewhere)
    session.flush()
    far_tablet, _ = create_tablet(session, f"{world.mark}T-99", elsewhere.id)
    world.tablets = {"own": tablet.id, "foreign": far_tablet.id}
    quarantined = store_submission(session, vault, governorate=code)
    quarantined.status, quarantined.reason = "quarantined", "form_version_unknown"
    session.flush()


def need_status(session: Session, case_id: int) -> str:
    """Where the first need of a case stands."""
    return session.scalars(select(Need.status).where(Need.case_id == case_id).order_by(Need.id)).first() or ""


def _add_offers(session: Session, vault: Vault, world: World) -> None:
    """The officer's office offers a case, the operator's coordinator a need, and somebody was told where to go."""
    governorate, now = world.context.governorate, datetime.now(UTC)
    case = session.get_one(Case, world.cases["other"])
    others = select(Office.id).where(Office.id != case.office_id, Office.governorate == governorate.code)
    to_office = session.scalars(others.order_by(Office.id)).first() or 0
    yes = SpokenConsent(agreed=True, channel="desk", language="ar")
    officer = Actor(None, "officer", governorate.code, office_id=case.office_id)
    world.transfer = transfers.offer(
        session, vault, case.id, to_office, officer, reason="person_moves", spoken=yes, now=now
    )
    need = session.scalars(select(Need).where(Need.case_id == world.cases["sent"])).one()
    world.hand_over = hand_overs.offer_need(
        session,
        vault,
        need.id,
        governorate.asked_apart.code,
        world.coordinator,
        reason="person_wishes",
        spoken=yes,
        now=now,
    )
    open_need = session.scalars(select(Need).where(Need.case_id == world.cases["excluding"])).one()
    world.need = open_need.id
    told = InformationGiven(
        need_id=open_need.id,
        service_at_location_id=world.offers["addressed"],
        language="ar",
        channel="desk",
        at=now,
    )
    session.add(told)
    session.flush()
    world.information = told.id


def _add_open_day(session: Session, world: World) -> None:
    """An open day of the officer's office, today, with one person at the door."""
    now, governorate = datetime.now(UTC), world.context.governorate
    own = select(Case.office_id).where(Case.id == world.cases["proposed"]).scalar_subquery()
    office = session.scalars(select(Office.code).where(Office.id == own)).one()
    world.open_day = open_open_day(
        session, governorate, office=office, tablets=[world.tablets["own"]], now=now
    )
    world.station = desk(session, world.open_day, "reception")
    world.token = take_token(session, world.open_day, officer_of(session, office), now, "elderly").id
