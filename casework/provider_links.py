"""The one way in which a provider loses sight of a person: what was disclosed is taken back and deleted.

Every link by which a provider reads a disclosure hangs on the disclosure's row, so closing it here closes them all.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import referrals as query
from db import withdrawals as withdrawal_query
from governorates import load


def close_provider_links(
    session: Session, referral_id: int, organization_id: int, governorate: str, at: datetime
) -> None:
    """Take back what was disclosed with a referral and ask the provider to delete it; nothing sent, nothing done."""
    if not query.withdraw_disclosure(session, referral_id, at):
        return
    due_at = at + timedelta(days=load(governorate).consent.deletion_days)
    withdrawal_query.upsert_deletion_request(session, referral_id, organization_id, at, due_at)
