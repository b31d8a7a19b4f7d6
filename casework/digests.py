"""Once a day: what waits for providers, what is overdue for coordinators and handlers of complaints. Counts only."""

from datetime import datetime

from sqlalchemy.orm import Session

from casework.complaint_messages import queue_complaint_digests
from casework.messages import Recipient, queue_message, user_recipient
from db import contact_points as contacts
from db import deadlines, outbox
from db import withdrawals as deletions
from db.contact_points import MinistryView
from db.models import Channel, Role
from governorates import Governorate, local_zone
from referral_engine.sop import ReferralState

NEW = frozenset({ReferralState.SENT})
WAITING = frozenset({ReferralState.ACKNOWLEDGED, ReferralState.WAITLISTED, ReferralState.ACCEPTED})
PROVIDER_OWES = NEW | WAITING | {ReferralState.SERVICE_STARTED}
"""States in which the next step is the provider's, so that an overdue one is the provider's to mend."""


def queue_digests(session: Session, governorate: Governorate, now: datetime) -> int:
    """Write the day's digests once the local hour has come; returns how many tell of referrals.

    The claim on the day and the messages are one transaction: killed anywhere, it is run again; run again, it
    does nothing. Whoever has nothing waiting, or left no e-mail address, gets none.
    """
    local = now.astimezone(local_zone(governorate))
    if local.hour < governorate.contact.digest_hour:
        return 0
    if not outbox.create_digest_run(session, governorate.code, local.date(), now):
        return 0
    day = local.date().isoformat()
    queue_complaint_digests(session, governorate, day, now)
    _tell_of_deletions(session, governorate, day, now)
    return _to_providers(session, governorate, day, now) + _to_coordinators(session, governorate, day, now)


def _to_providers(session: Session, governorate: Governorate, day: str, now: datetime) -> int:
    counts = deadlines.count_by_organization(session, governorate.code, PROVIDER_OWES, now)
    written = 0
    for found in contacts.list_reached_organizations(session, governorate.code):
        by_state = counts.get(found.id)
        if not by_state or Channel.EMAIL not in found.channels:
            continue
        params = {
            "new": sum(by_state[state][0] for state in by_state if state in NEW),
            "waiting": sum(by_state[state][0] for state in by_state if state in WAITING),
            "overdue": sum(late for _, late in by_state.values()),
        }
        if not any(params.values()):
            continue
        recipient = Recipient(governorate.code, found.language, found.channels, organization_id=found.id)
        written += queue_message(
            session, "provider_digest", recipient, params=params, dedupe_key=day, now=now
        )
    return written


def _to_coordinators(session: Session, governorate: Governorate, day: str, now: datetime) -> int:
    written = 0
    for ministry in governorate.ministries:
        users = contacts.list_reached_users(
            session, governorate.code, Role.COORDINATOR, ministries=[ministry]
        )
        users = [user for user in users if Channel.EMAIL in user.channels]
        late = (
            deadlines.count_overdue(session, MinistryView(governorate.code, ministry), now) if users else {}
        )
        if not late:
            continue
        for user in users:
            written += queue_message(
                session,
                "overdue_digest",
                user_recipient(governorate.code, user),
                params={"overdue": late},
                dedupe_key=day,
                now=now,
            )
    return written


def _tell_of_deletions(session: Session, governorate: Governorate, day: str, now: datetime) -> None:
    """Remind providers that have not said that they deleted what was taken back, and tell the supervisors.

    Every day for as long as it is so; each ministry's supervisors hear of those in their mandate.
    """
    late = deletions.count_overdue_deletions(session, governorate.code, now)
    for found in contacts.list_reached_organizations(session, governorate.code) if late else ():
        if found.id in late and Channel.EMAIL in found.channels:
            recipient = Recipient(governorate.code, found.language, found.channels, organization_id=found.id)
            params = {"overdue": late[found.id]}
            queue_message(session, "deletion_digest", recipient, params=params, dedupe_key=day, now=now)
    for ministry in governorate.ministries if late else ():
        overseer = MinistryView(governorate.code, ministry, Role.SUPERVISOR)
        number = deletions.count_visible_overdue_deletions(session, overseer, now)
        users = contacts.list_reached_users(session, governorate.code, Role.SUPERVISOR, ministries=[ministry])
        for user in users if number else ():
            if Channel.EMAIL in user.channels:
                queue_message(
                    session,
                    "deletions_digest",
                    user_recipient(governorate.code, user),
                    params={"overdue": number},
                    dedupe_key=day,
                    now=now,
                )
