"""Whose decisions a need is: the owner of its category, or the ministry that it was handed over to.

Pages, lists and acts ask here and nowhere else (`db.visibility`, `casework.moves`).
"""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, all_, and_, any_, exists, false, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from db.models import Case, Consent, HandOver, Need, OfferState, Referral, ReferralEvent
from governorates import KIND_ASKED_APART, Governorate, load
from referral_engine.sop import ReferralState


def within_mandate(governorate: Governorate, ministry: str | None) -> ColumnElement[bool]:
    """Whether the `Need` of the statement, with its `Case`, is for this ministry's coordinators.

    One ministry is asked for apart (of Interior in Nineveh): its users see what was referred to it with the
    person's yes, and no more. What they do not see of its categories the governorate's operator looks after.
    """
    if ministry is None:
        return false()
    apart = governorate.asked_apart.code
    wanted = belongs_to(governorate, ministry)
    if ministry == apart:
        wanted = and_(wanted, exists_for_asked_apart(governorate))
    elif ministry == governorate.operator.code:
        unheard = and_(belongs_to(governorate, apart), ~exists_for_asked_apart(governorate))
        wanted = or_(wanted, unheard)
    return and_(Case.governorate == governorate.code, wanted)


@cache
def mandate_of(governorate: str, ministry: str | None) -> ColumnElement[bool]:
    """`within_mandate` of a governorate's code, put together once: that takes longer than to ask the database."""
    return within_mandate(load(governorate), ministry)


def is_within_mandate(session: Session, need_id: int, governorate: str, ministry: str | None) -> bool:
    """Whether the decisions on a need are this ministry's now."""
    statement = (
        select(Need.id)
        .join(Case, Case.id == Need.case_id)
        .where(Need.id == need_id, mandate_of(governorate, ministry))
    )
    return session.scalar(statement) is not None


def owner_of(governorate: Governorate, category: str, handed_to: str | None) -> str:
    """The ministry that a need belongs to by its category, or to which it was handed over (`need.ministry`)."""
    return handed_to or governorate.categories[category].ministry


def belongs_to(governorate: Governorate, ministry: str) -> ColumnElement[bool]:
    """Whether the `Need` is of the ministry's categories or was handed over to it; not yet whether it may see it."""
    own = and_(Need.ministry.is_(None), Need.category.in_(governorate.categories_of(ministry)))
    return or_(own, Need.ministry == ministry)


def exists_for_asked_apart(governorate: Governorate) -> ColumnElement[bool]:
    """Whether the ministry that is asked apart has learned of the `Need`, and the person's yes to that stands.

    It learns by a referral once that is proposed to one of its offices, or by a hand-over that it accepted.
    """
    agreed = said_yes(
        literal(KIND_ASKED_APART) == any_(Consent.recipients), Need.category == any_(Consent.categories)
    )
    return or_(and_(agreed, _was_referred()), _handed_over(governorate))


def said_yes(*limits: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the newest assessment's consent of the `Case` is in force just now and keeps to the limits.

    While it is not known whom the person wants to be left out, nothing is in force.
    """
    newest = aliased(Consent)
    newest_id = (
        select(func.max(newest.id))
        .where(newest.case_id == Case.id, newest.kind == "assessment")
        .correlate(Case)
        .scalar_subquery()
    )
    is_settled = or_(
        literal("named_organization") != all_(Consent.exclusions), Consent.exclusion_settled_at.is_not(None)
    )
    return (
        exists()
        .where(Consent.id == newest_id, *_in_force(Consent), is_settled, *limits)
        .correlate(Case, Need)
    )


def agreed_to_hand_over() -> ColumnElement[bool]:
    """Whether the person's yes to the ministry of the `HandOver` is still in force."""
    named = aliased(Consent)
    return exists().where(named.id == HandOver.consent_id, *_in_force(named)).correlate(HandOver)


def _in_force(consent: Any) -> tuple[ColumnElement[bool], ...]:
    not_expired = or_(consent.expires_at.is_(None), consent.expires_at > func.now())
    return consent.given, consent.withdrawn_at.is_(None), not_expired


def _was_referred() -> ColumnElement[bool]:
    """Whether a referral of the need was ever proposed; a draft that never went further is nothing yet.

    By the case as well, for which there is an index.
    """
    referral, event = aliased(Referral), aliased(ReferralEvent)
    return (
        exists()
        .where(
            referral.case_id == Need.case_id,
            referral.need_id == Need.id,
            event.referral_id == referral.id,
            event.to_state == ReferralState.PROPOSED,
        )
        .correlate(Need)
    )


def _handed_over(governorate: Governorate) -> ColumnElement[bool]:
    """Whether the need was handed over to the ministry asked apart by a consent that is still in force."""
    apart = governorate.asked_apart.code
    agreed = (
        exists()
        .where(
            HandOver.need_id == Need.id,
            HandOver.to_ministry == apart,
            HandOver.state == OfferState.ACCEPTED,
            agreed_to_hand_over(),
        )
        .correlate(Need)
    )
    return and_(Need.ministry == apart, agreed, said_yes())
