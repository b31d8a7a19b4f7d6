"""The provider's list as JSON: what was disclosed to it, and nothing else."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.auth import Database, Keys
from api.pages.provider import Filters, Reader
from casework.disclosure import read_disclosures
from db import accounts
from db.provider_list import list_provider_referrals

router = APIRouter(prefix="/provider", tags=["provider"])


class ProviderItem(BaseModel):
    """One referral addressed to the signed-in provider, with the fields that the person agreed to."""

    referral_id: int
    case_code: str
    service_type: str
    urgency: str
    state: str
    state_since: datetime
    sent_at: datetime
    location: dict[str, str]
    disclosed: dict[str, str]


class ProviderList(BaseModel):
    """One page of the list; `counts` holds how many are in each state."""

    rows: list[ProviderItem]
    total: int
    page: int
    pages: int
    counts: dict[str, int]


@router.get("/referrals")
def read_provider_referrals(
    session: Database,
    keys: Keys,
    user: Reader,
    filters: Filters,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> ProviderList:
    """Referrals addressed to the organization; the reading is audited."""
    listed = list_provider_referrals(session, user, filters, page=page)
    ids = [row.referral_id for row in listed.rows]
    disclosed = read_disclosures(session, keys, ids)
    accounts.record_audit(session, user.user_id, "disclosure.read", "referral", ids, "api")
    return ProviderList(
        rows=[
            ProviderItem(
                referral_id=row.referral_id,
                case_code=row.case_code,
                service_type=row.service_type,
                urgency=row.urgency,
                state=row.state,
                state_since=row.state_since,
                sent_at=row.sent_at,
                location=row.location,
                disclosed=dict(disclosed.get(row.referral_id, {})),
            )
            for row in listed.rows
        ],
        total=listed.total,
        page=listed.page,
        pages=listed.pages,
        counts=listed.counts,
    )
