"""Which rows a user may see. Lists, pages, exports and the API all start from these queries.

What a user may *do* is a permission checked by the route; which rows exist for them is decided here and
nowhere else. A row outside these queries does not exist for that user: the answer is 404.
"""

from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, and_, any_, exists, false, func, literal, or_, select
from sqlalchemy.orm import aliased

from db.models import (
    Case,
    Consent,
    Disclosure,
    DuplicatePair,
    Escalation,
    Location,
    Need,
    Office,
    OfficeClosure,
    Organization,
    Referral,
    Role,
    Service,
    ServiceAtLocation,
    Submission,
    SubmissionStatus,
    Tablet,
    User,
)
from governorates import duplicate_weights, load
from governorates.directory import MOI, MOI_OFFICE
from referral_engine.sop import ReferralState

PROVIDER_STATES = frozenset(
    {
        ReferralState.SENT,
        ReferralState.ACKNOWLEDGED,
        ReferralState.INFO_REQUESTED,
        ReferralState.WAITLISTED,
        ReferralState.ACCEPTED,
        ReferralState.SERVICE_STARTED,
        ReferralState.SERVICE_DELIVERED,
        ReferralState.CONFIRMED,
        ReferralState.DISPUTED,
        ReferralState.CLOSED,
    }
)
"""What a provider sees: what was sent to it and is still its business, never what it declined or what
was recalled."""


class Viewer(Protocol):
    """The user for whom rows are chosen (`api.auth.CurrentUser`, `casework.moves.Actor`)."""

    @property
    def role(self) -> str:
        """One of `db.models.Role`."""

    @property
    def governorate(self) -> str:
        """Code of the governorate where the user works."""

    @property
    def office_id(self) -> int | None:
        """The officer's office."""

    @property
    def organization_id(self) -> int | None:
        """The provider's organization."""

    @property
    def ministry(self) -> str | None:
        """The coordinator's ministry."""


def mandated_categories(user: Viewer) -> tuple[str, ...]:
    """Service categories that belong to the user's ministry (data of the governorate)."""
    return _categories_of(user.governorate, user.ministry)


def _categories_of(governorate: str, ministry: str | None) -> tuple[str, ...]:
    categories = load(governorate).categories.values()
    return tuple(category.code for category in categories if category.ministry == ministry)


def _agreed_to_moi() -> ColumnElement[bool]:
    """Whether the newest assessment's consent is in force and says yes to the Ministry of Interior."""
    newest = aliased(Consent)
    newest_id = (
        select(func.max(newest.id))
        .where(newest.case_id == Case.id, newest.kind == "assessment")
        .correlate(Case)
        .scalar_subquery()
    )
    return (
        exists()
        .where(
            Consent.id == newest_id,
            Consent.given,
            Consent.withdrawn_at.is_(None),
            literal(MOI_OFFICE) == any_(Consent.recipients),
        )
        .correlate(Case)
    )


def _within_mandate(user: Viewer) -> ColumnElement[bool]:
    """Needs of the ministry's own categories.

    The Ministry of Interior is asked for apart: whoever did not say yes to it does not exist for its users, and
    what they need in its categories is looked after by the other ministry.
    """
    own = Need.category.in_(mandated_categories(user))
    if user.ministry == MOI:
        wanted = and_(own, _agreed_to_moi())
    else:
        wanted = or_(own, and_(Need.category.in_(_categories_of(user.governorate, MOI)), ~_agreed_to_moi()))
    return and_(Case.governorate == user.governorate, wanted)


def _at_own_office(user: Viewer) -> ColumnElement[bool]:
    """Cases of the user's office, and those that a case of the office was merged into."""
    merged = aliased(Case)
    brought = exists().where(merged.merged_into_id == Case.id, merged.office_id == user.office_id)
    return and_(Case.governorate == user.governorate, or_(Case.office_id == user.office_id, brought))


def _addressed_to(user: Viewer) -> ColumnElement[bool]:
    disclosed = (
        exists()
        .where(Disclosure.referral_id == Referral.id, Disclosure.withdrawn_at.is_(None))
        .correlate(Referral)
    )
    return and_(
        Service.organization_id == user.organization_id,
        Referral.state.in_(sorted(PROVIDER_STATES)),
        disclosed,
    )


def visible_referrals(user: Viewer) -> Select[Referral]:
    """Referrals the user may see, joined with need, case, service_at_location, service, location, organization.

    Every join is to exactly one row, so callers may add columns of those tables with `with_only_columns`.
    """
    statement = (
        select(Referral)
        .join(Need, Need.id == Referral.need_id)
        .join(Case, Case.id == Referral.case_id)
        .join(ServiceAtLocation, ServiceAtLocation.id == Referral.service_at_location_id)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Location, Location.id == ServiceAtLocation.location_id)
        .join(Organization, Organization.id == Service.organization_id)
    )
    if user.role == Role.COORDINATOR and user.ministry is not None:
        return statement.where(_within_mandate(user))
    if user.role == Role.OFFICER and user.office_id is not None:
        return statement.where(_at_own_office(user))
    if user.role == Role.PROVIDER and user.organization_id is not None:
        return statement.where(_addressed_to(user))
    return statement.where(false())


def visible_needs(user: Viewer) -> Select[Need]:
    """Needs the user may see, joined with their case. Providers see referrals, never needs."""
    statement = select(Need).join(Case, Case.id == Need.case_id)
    if user.role == Role.COORDINATOR and user.ministry is not None:
        return statement.where(_within_mandate(user))
    if user.role == Role.OFFICER and user.office_id is not None:
        return statement.where(_at_own_office(user))
    return statement.where(false())


def visible_cases(user: Viewer) -> Select[Case]:
    """Cases the user may see: an officer's own office; a coordinator's when a need is in their mandate.

    A merged case has no needs of its own: those of the case it went into count.
    """
    if user.role == Role.COORDINATOR and user.ministry is not None:
        standing = func.coalesce(Case.merged_into_id, Case.id)
        return select(Case).where(exists().where(Need.case_id == standing, _within_mandate(user)))
    if user.role == Role.OFFICER and user.office_id is not None:
        return select(Case).where(_at_own_office(user))
    return select(Case).where(false())


def visible_submissions(user: Viewer) -> Select[Submission]:
    """Submissions the user may look after, outer-joined with tablet, office and case.

    Quarantined ones of the governorate's tablets (or of no tablet: ODK Central), and for coordinators those
    whose case they may see.
    """
    statement = (
        select(Submission)
        .outerjoin(Tablet, Tablet.id == Submission.tablet_id)
        .outerjoin(Office, Office.id == Tablet.office_id)
        .outerjoin(Case, Case.id == Submission.case_id)
    )
    of_governorate = or_(Submission.tablet_id.is_(None), Office.governorate == user.governorate)
    quarantined = Submission.status == SubmissionStatus.QUARANTINED
    if user.role == Role.ADMIN:
        return statement.where(of_governorate, quarantined)
    if user.role == Role.COORDINATOR:
        own_cases: Select[Any] = visible_cases(user).with_only_columns(Case.id)
        return statement.where(
            of_governorate,
            or_(and_(quarantined, Submission.case_id.is_(None)), Submission.case_id.in_(own_cases)),
        )
    return statement.where(false())


def visible_pairs(user: Viewer) -> Select[DuplicatePair]:
    """Pairs of cases that the user may decide on: the governorate's, for coordinators of a deciding ministry."""
    deciding = duplicate_weights().deciding_ministries
    if user.role == Role.COORDINATOR and user.ministry in deciding:
        return select(DuplicatePair).where(DuplicatePair.governorate == user.governorate)
    return select(DuplicatePair).where(false())


def visible_users(user: Viewer) -> Select[User]:
    """Accounts an administrator looks after: those of the own governorate."""
    own = User.governorate == user.governorate if user.role == Role.ADMIN else false()
    return select(User).where(own)


def visible_tablets(user: Viewer) -> Select[Tablet]:
    """Tablets an administrator looks after, joined with their office."""
    own = Office.governorate == user.governorate if user.role == Role.ADMIN else false()
    return select(Tablet).join(Office, Office.id == Tablet.office_id).where(own)


def visible_escalations(user: Viewer) -> Select[Escalation]:
    """What a user's role must hear of, joined with need and case, outer-joined with the referral.

    Coordinators and supervisors: the own ministry's mandate; officers: the own office.
    """
    statement = (
        select(Escalation)
        .join(Need, Need.id == Escalation.need_id)
        .join(Case, Case.id == Need.case_id)
        .outerjoin(Referral, Referral.id == Escalation.referral_id)
        .where(Escalation.to_role == user.role)
    )
    if user.role in {Role.COORDINATOR, Role.SUPERVISOR} and user.ministry is not None:
        return statement.where(_within_mandate(user))
    if user.role == Role.OFFICER and user.office_id is not None:
        return statement.where(_at_own_office(user))
    return statement.where(false())


def visible_closures(user: Viewer) -> Select[OfficeClosure]:
    """Announced closures that an administrator looks after, outer-joined with the office."""
    own = OfficeClosure.governorate == user.governorate if user.role == Role.ADMIN else false()
    return select(OfficeClosure).outerjoin(Office, Office.id == OfficeClosure.office_id).where(own)
