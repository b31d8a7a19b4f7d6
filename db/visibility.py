"""Which rows a user may see. Lists, pages, exports and the API all start from these queries.

What a user may *do* is a permission checked by the route; which rows exist for them is decided here and
nowhere else. A row outside these queries does not exist for that user: the answer is 404.
"""

from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, and_, any_, exists, false, func, literal, or_, select
from sqlalchemy.orm import aliased

from db.mandates import agreed_to_hand_over, mandate_of, said_yes
from db.models import (
    Case,
    CaseTransfer,
    Complaint,
    Consent,
    Disclosure,
    DuplicatePair,
    Escalation,
    HandOver,
    InformationGiven,
    Location,
    Need,
    Office,
    OfficeClosure,
    OpenDay,
    OpenDayState,
    Organization,
    OutboxMessage,
    Referral,
    Role,
    Service,
    ServiceAtLocation,
    Submission,
    SubmissionIssue,
    SubmissionStatus,
    Tablet,
    Task,
    User,
)
from governorates import KIND_ASKED_APART, load
from referral_engine.complaints import ComplaintLine
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
    return load(user.governorate).categories_of(user.ministry)


def is_operators_coordinator(user: Viewer) -> bool:
    """Whether the user coordinates for the body that runs the mechanism in the governorate."""
    return user.role == Role.COORDINATOR and user.ministry == load(user.governorate).operator.code


def is_asked_apart(user: Viewer) -> bool:
    """Whether the user works for the ministry whose offices see only what was referred to them."""
    return user.ministry is not None and user.ministry == load(user.governorate).asked_apart.code


def _within_mandate(user: Viewer) -> ColumnElement[bool]:
    """Needs whose decisions are the user's ministry's (`db.mandates`)."""
    return mandate_of(user.governorate, user.ministry)


def _at_own_office(user: Viewer) -> ColumnElement[bool]:
    """Cases of the user's office, those that a case of the office was merged into, and those it is receiving.

    Who lives in another office's area and came to an open day of this one stands before its desks until the day
    is closed; then the office of the place of residence looks after them alone.
    """
    merged = aliased(Case)
    brought = exists().where(merged.merged_into_id == Case.id, merged.office_id == user.office_id)
    received = exists().where(
        OpenDay.id == Case.open_day_id,
        OpenDay.office_id == user.office_id,
        OpenDay.state == OpenDayState.OPEN,
    )
    return and_(
        Case.governorate == user.governorate, or_(Case.office_id == user.office_id, brought, received)
    )


def _addressed_to(user: Viewer) -> ColumnElement[bool]:
    disclosed = (
        exists()
        .where(Disclosure.referral_id == Referral.id, Disclosure.withdrawn_at.is_(None))
        .correlate(Referral)
    )
    return and_(
        Service.organization_id == user.organization_id,
        Case.governorate == user.governorate,
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

    Quarantined ones of the governorate, and for coordinators those whose case they may see. Nobody was referred
    by a submission, so the ministry asked apart sees none.
    """
    statement = (
        select(Submission)
        .outerjoin(Tablet, Tablet.id == Submission.tablet_id)
        .outerjoin(Office, Office.id == Tablet.office_id)
        .outerjoin(Case, Case.id == Submission.case_id)
    )
    of_governorate = Submission.governorate == user.governorate
    quarantined = Submission.status == SubmissionStatus.QUARANTINED
    if user.role == Role.ADMIN:
        return statement.where(of_governorate, quarantined)
    if user.role == Role.COORDINATOR and not is_asked_apart(user):
        own_cases: Select[Any] = visible_cases(user).with_only_columns(Case.id)
        return statement.where(
            of_governorate,
            or_(and_(quarantined, Submission.case_id.is_(None)), Submission.case_id.in_(own_cases)),
        )
    return statement.where(false())


def visible_issues(user: Viewer) -> Select[SubmissionIssue]:
    """Issues of the cases that the user may see, and of those merged into them, joined with the issue's case.

    They speak of the whole case and of other people's (one phone in two cases), so never for the ministry asked
    apart.
    """
    statement = select(SubmissionIssue).join(Case, Case.id == SubmissionIssue.case_id)
    if is_asked_apart(user):
        return statement.where(false())
    own_cases: Select[Any] = visible_cases(user).with_only_columns(Case.id)
    standing = func.coalesce(Case.merged_into_id, Case.id)
    return statement.where(standing.in_(own_cases))


def visible_pairs(user: Viewer) -> Select[DuplicatePair]:
    """Pairs of cases that the user may decide on: the governorate's, for its operator's coordinators."""
    if is_operators_coordinator(user):
        return select(DuplicatePair).where(DuplicatePair.governorate == user.governorate)
    return select(DuplicatePair).where(false())


def visible_offers(user: Viewer) -> Select[ServiceAtLocation]:
    """Active services at locations whose places the user looks after, joined with service, location, organization.

    A provider's own; a coordinator's, those of the governorate in the ministry's own categories.
    """
    statement = (
        select(ServiceAtLocation)
        .join(Service, Service.id == ServiceAtLocation.service_id)
        .join(Location, Location.id == ServiceAtLocation.location_id)
        .join(Organization, Organization.id == Service.organization_id)
        .where(ServiceAtLocation.active, Organization.active, Organization.governorate == user.governorate)
    )
    if user.role == Role.PROVIDER and user.organization_id is not None:
        return statement.where(Organization.id == user.organization_id)
    if user.role == Role.COORDINATOR and user.ministry is not None:
        return statement.where(Service.category.in_(mandated_categories(user)))
    return statement.where(false())


def visible_tasks(user: Viewer) -> Select[Task]:
    """Tasks that the user may see, joined with their case and outer-joined with their need.

    An officer's office's; a coordinator's, those of coordinators and of offices about needs in the own mandate,
    and those about no need that name the own ministry, or none where the case is theirs to see. What names nobody
    is not the business of the ministry asked apart.
    """
    statement = select(Task).join(Case, Case.id == Task.case_id).outerjoin(Need, Need.id == Task.need_id)
    if user.role == Role.OFFICER and user.office_id is not None:
        return statement.where(Task.role == Role.OFFICER, _at_own_office(user))
    if user.role == Role.COORDINATOR and user.ministry is not None:
        own_cases: Select[Any] = visible_cases(user).with_only_columns(Case.id)
        named = and_(Task.ministry == user.ministry, Case.governorate == user.governorate)
        unnamed = and_(Task.ministry.is_(None), Case.id.in_(own_cases))
        theirs = and_(named, Case.id.in_(own_cases)) if is_asked_apart(user) else or_(named, unnamed)
        own = and_(Task.need_id.is_(None), theirs)
        return statement.where(or_(own, and_(Task.need_id.is_not(None), _within_mandate(user))))
    return statement.where(false())


def visible_users(user: Viewer) -> Select[User]:
    """Accounts an administrator looks after: those of the own governorate."""
    own = User.governorate == user.governorate if user.role == Role.ADMIN else false()
    return select(User).where(own)


def visible_tablets(user: Viewer) -> Select[Tablet]:
    """Tablets an administrator looks after, joined with their office."""
    own = Office.governorate == user.governorate if user.role == Role.ADMIN else false()
    return select(Tablet).join(Office, Office.id == Tablet.office_id).where(own)


def visible_open_days(user: Viewer) -> Select[OpenDay]:
    """Open days the user may see, joined with their office: an officer's own office, a coordinator's governorate.

    They are days of the ministry that receives the returnees: the Ministry of Interior sees what was referred to
    it and no more.
    """
    statement = select(OpenDay).join(Office, Office.id == OpenDay.office_id)
    own = Office.governorate == user.governorate
    if user.role == Role.OFFICER and user.office_id is not None:
        return statement.where(own, OpenDay.office_id == user.office_id)
    if user.role == Role.COORDINATOR and user.ministry is not None and not is_asked_apart(user):
        return statement.where(own)
    return statement.where(false())


def visible_complaints(user: Viewer) -> Select[Complaint]:
    """Complaints that the user handles, of the own governorate.

    Supervisors have those of their ministry, the data protection focal point appeals that no other supervisor can
    answer. Complaints of sexual exploitation exist for the PSEA focal point alone, whomever they are about.
    """
    own = select(Complaint).where(Complaint.governorate == user.governorate)
    if user.role == Role.SUPERVISOR and user.ministry is not None:
        return own.where(Complaint.line == ComplaintLine.SUPERVISOR, Complaint.ministry == user.ministry)
    if user.role == Role.DATA_PROTECTION:
        return own.where(Complaint.line == ComplaintLine.DATA_PROTECTION)
    if user.role == Role.PSEA_FOCAL_POINT:
        return own.where(Complaint.line == ComplaintLine.PSEA)
    return own.where(false())


def outside_the_line() -> ColumnElement[bool]:
    """Whether an `OutboxMessage` is a PSEA focal point's: that there is one tells of a complaint to nobody else."""
    return exists().where(User.id == OutboxMessage.user_id, User.role == Role.PSEA_FOCAL_POINT)


def visible_messages(user: Viewer) -> Select[OutboxMessage]:
    """Messages of the own governorate that a user looks after. They hold no address and no name.

    An administrator's are all but those to PSEA focal points, which exist for these alone.
    """
    own = select(OutboxMessage).where(OutboxMessage.governorate == user.governorate)
    if user.role == Role.ADMIN:
        return own.where(~outside_the_line())
    if user.role == Role.PSEA_FOCAL_POINT:
        return own.where(outside_the_line())
    return own.where(false())


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


def visible_transfers(user: Viewer) -> Select[CaseTransfer]:
    """Offers of whole cases from and to the officer's office, joined with the case that was offered.

    An offer is no right to the case: that follows `case_file.office_id` alone.
    """
    statement = select(CaseTransfer).join(Case, Case.id == CaseTransfer.case_id)
    if user.role == Role.OFFICER and user.office_id is not None:
        own = or_(CaseTransfer.from_office_id == user.office_id, CaseTransfer.to_office_id == user.office_id)
        return statement.where(Case.governorate == user.governorate, own)
    return statement.where(false())


def visible_hand_overs(user: Viewer) -> Select[HandOver]:
    """Offers of needs from and to the coordinator's ministry, joined with need and case; no right to the need.

    The ministry asked apart sees them while the person's yes to it stands.
    """
    statement = select(HandOver).join(Need, Need.id == HandOver.need_id).join(Case, Case.id == Need.case_id)
    if user.role == Role.COORDINATOR and user.ministry is not None:
        outgoing, incoming = HandOver.from_ministry == user.ministry, HandOver.to_ministry == user.ministry
        if is_asked_apart(user):
            heard = said_yes(literal(KIND_ASKED_APART) == any_(Consent.recipients))
            outgoing, incoming = and_(outgoing, heard), and_(incoming, said_yes(), agreed_to_hand_over())
        own = or_(outgoing, incoming)
        return statement.where(Case.governorate == user.governorate, own)
    return statement.where(false())


def visible_information(user: Viewer) -> Select[InformationGiven]:
    """What people were told about services, joined with need and case: for whoever may see the need."""
    needs: Select[Any] = visible_needs(user).with_only_columns(Need.id)
    return (
        select(InformationGiven)
        .join(Need, Need.id == InformationGiven.need_id)
        .join(Case, Case.id == Need.case_id)
        .where(Need.id.in_(needs))
    )
