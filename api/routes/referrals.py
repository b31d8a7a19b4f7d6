"""A referral as JSON: the coordinator's view, by code, without names."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.referral_view import OptionView, view_referral
from api.rendering import language_of

router = APIRouter(tags=["referrals"])


class OptionItem(BaseModel):
    """A service at a location that was looked at; `reasons` are the engine's codes, `words` say them.

    `reserved`: besides the `free_slots`, one place is reserved there for this person.
    """

    service_at_location_id: int
    organization: dict[str, str]
    service: dict[str, str]
    location: dict[str, str]
    status: str
    rank: int
    minutes: float | None
    km: float | None
    river_considered: bool
    eligibility: int
    free_slots: int
    chosen: bool
    reserved: bool
    reasons: list[dict[str, Any]]
    words: list[str]


class EventItem(BaseModel):
    """One step of the history."""

    move: str
    from_state: str | None
    to_state: str
    actor_role: str
    reason: str | None
    at: datetime

    model_config = {"from_attributes": True}


class ReferralDetail(BaseModel):
    """A referral with its options and history."""

    referral_id: int
    case_code: str
    service_type: str
    category: str
    urgency: str
    district: str | None
    state: str
    state_since: datetime
    held_reason: str | None
    organization: dict[str, str]
    on_the_nearest: str | None
    moves: list[str]
    options: list[OptionItem]
    events: list[EventItem]


def _item(view: OptionView) -> OptionItem:
    option = view.option
    return OptionItem(
        service_at_location_id=option.service_at_location_id,
        organization=option.organization,
        service=option.service,
        location=option.location,
        status=option.status,
        rank=option.rank,
        minutes=option.minutes,
        km=option.km,
        river_considered=option.river_considered,
        eligibility=option.eligibility,
        free_slots=option.free_slots,
        chosen=view.chosen,
        reserved=view.reserved,
        reasons=list(option.reasons),
        words=list(view.reasons),
    )


@router.get("/referrals/{referral_id}")
def read_referral(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.REFERRAL_READ))],
    referral_id: int,
) -> ReferralDetail:
    """One referral with ranked options, exclusions and their reasons, and its history."""
    governorate = request.app.state.context.governorate
    view = view_referral(session, user, governorate, referral_id, language_of(request))
    sheet = view.sheet
    return ReferralDetail(
        referral_id=referral_id,
        case_code=sheet.case.printed_code,
        service_type=sheet.need.service_type,
        category=sheet.need.category,
        urgency=sheet.referral.urgency,
        district=sheet.case.residence_district,
        state=sheet.referral.state,
        state_since=sheet.referral.state_since,
        held_reason=sheet.referral.held_reason,
        organization=sheet.organization.names,
        on_the_nearest=view.on_the_nearest,
        moves=sorted(view.moves),
        options=[_item(option) for option in (*view.options, *view.excluded)],
        events=[EventItem.model_validate(event) for event in view.events],
    )
