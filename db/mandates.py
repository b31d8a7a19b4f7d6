"""Whose decisions a need is: the owner of its category, or the ministry that it was handed over to.

Pages, lists and acts ask here and nowhere else (`db.visibility`, `casework.moves`).
"""

from sqlalchemy import ColumnElement, and_, any_, exists, false, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from db.models import Case, Consent, HandOver, Need, OfferState
from governorates import KIND_ASKED_APART, Governorate, load


def within_mandate(governorate: Governorate, ministry: str | None) -> ColumnElement[bool]:
    """Whether the `Need` of the statement, with its `Case`, is for this ministry's coordinators.

    One ministry is asked for apart (of Interior in Nineveh): whoever did not say yes to it does not exist for
    its users, and what they need of it is looked after by the governorate's operator.
    """
    if ministry is None:
        return false()
    apart = governorate.asked_apart.code
    wanted = _belongs_to(governorate, ministry)
    if ministry == apart:
        wanted = and_(wanted, agreed_to_asked_apart(governorate))
    elif ministry == governorate.operator.code:
        unheard = and_(_belongs_to(governorate, apart), ~agreed_to_asked_apart(governorate))
        wanted = or_(wanted, unheard)
    return and_(Case.governorate == governorate.code, wanted)


def is_within_mandate(session: Session, need_id: int, governorate: str, ministry: str | None) -> bool:
    """Whether the decisions on a need are this ministry's now."""
    statement = (
        select(Need.id)
        .join(Case, Case.id == Need.case_id)
        .where(Need.id == need_id, within_mandate(load(governorate), ministry))
    )
    return session.scalar(statement) is not None


def owner_of(governorate: Governorate, category: str, handed_to: str | None) -> str:
    """The ministry that a need belongs to by its category, or to which it was handed over (`need.ministry`)."""
    return handed_to or governorate.categories[category].ministry


def _belongs_to(governorate: Governorate, ministry: str) -> ColumnElement[bool]:
    own = and_(Need.ministry.is_(None), Need.category.in_(governorate.categories_of(ministry)))
    return or_(own, Need.ministry == ministry)


def agreed_to_asked_apart(governorate: Governorate) -> ColumnElement[bool]:
    """Whether the person said yes to the ministry that is asked apart: in the assessment, or to this hand-over."""
    return or_(_assessed(literal(KIND_ASKED_APART) == any_(Consent.recipients)), _handed_over(governorate))


def _assessed(*limits: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the newest assessment's consent is in force and keeps to the limits."""
    newest = aliased(Consent)
    newest_id = (
        select(func.max(newest.id))
        .where(newest.case_id == Case.id, newest.kind == "assessment")
        .correlate(Case)
        .scalar_subquery()
    )
    return (
        exists()
        .where(Consent.id == newest_id, Consent.given, Consent.withdrawn_at.is_(None), *limits)
        .correlate(Case)
    )


def _handed_over(governorate: Governorate) -> ColumnElement[bool]:
    """Whether the need was handed over to the ministry asked apart by a consent that is still in force."""
    apart = governorate.asked_apart.code
    named = aliased(Consent)
    agreed = (
        exists()
        .where(
            HandOver.need_id == Need.id,
            HandOver.to_ministry == apart,
            HandOver.state == OfferState.ACCEPTED,
            named.id == HandOver.consent_id,
            named.given,
            named.withdrawn_at.is_(None),
        )
        .correlate(Need)
    )
    return and_(Need.ministry == apart, agreed, _assessed())
