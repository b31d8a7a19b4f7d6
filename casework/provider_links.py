"""The one way in which a provider loses sight of a person: what was disclosed is taken back and deleted.

Every link by which a provider reads a disclosure hangs on the disclosure's row, so closing it here closes them all.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from casework.messages import queue_about_referral
from db import referrals as query
from db import withdrawals as withdrawal_query
from db.referrals import ReferralParts
from governorates import load


def close_provider_links(
    session: Session, referral_id: int, organization_id: int, governorate: str, at: datetime
) -> bool:
    """Take back what was disclosed with a referral and ask the provider to delete it; False: nothing was sent."""
    if not query.withdraw_disclosure(session, referral_id, at):
        return False
    due_at = at + timedelta(days=load(governorate).consent.deletion_days)
    withdrawal_query.upsert_deletion_request(session, referral_id, organization_id, at, due_at)
    return True


def close_ended_links(session: Session, parts: ReferralParts, at: datetime) -> None:
    """The same for a referral that has ended, so that no move of it tells the provider: a message does."""
    referral_id = parts.referral.id
    if close_provider_links(session, referral_id, parts.organization.id, parts.case.governorate, at):
        told = (("referral_recalled", "provider"),)
        queue_about_referral(session, parts, told, f"{referral_id}:ended", at)
