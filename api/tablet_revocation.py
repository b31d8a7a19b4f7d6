"""A lost tablet is shut out twice: its token for the inbox at once, then its app user in ODK Central.

The first is committed before Central is asked: a Central that does not answer must not keep the inbox open.
"""

from dataclasses import dataclass
from datetime import datetime

from api.context import AppContext
from api.settings import Settings
from db.accounts import record_audit
from db.errors import DomainError
from db.intake_health import revoke_visible_tablet
from db.session import session_scope
from db.tablets import get_tablet_by_label, note_central_closed, revoke_tablet
from db.visibility import Viewer
from ingest.revocation import CentralClosing, close_in_central


@dataclass(frozen=True, slots=True)
class Revocation:
    """`inbox`: whether it was shut out now, had been before (False), or is no tablet of ours (None).

    `central` is None where this installation has no Central.
    """

    inbox: bool | None
    central: CentralClosing | None

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows a tablet of this name."""
        known_there = self.central is not None and (self.central.left is not None or self.central.closed > 0)
        return self.inbox is None and not known_there


def close_in_settings(settings: Settings, label: str) -> CentralClosing | None:
    """Close a tablet's access to the Central of this installation; None where there is none."""
    if not settings.central_url:
        return None
    return close_in_central(settings.central_manager_account(), label)


def revoke_by_id(
    context: AppContext, user: Viewer, user_id: int, tablet_id: int, now: datetime
) -> Revocation:
    """Shut out a tablet that a user sees, and write both into the audit. Raises DomainError `not_found`."""
    with session_scope(context.engine) as session:
        label = revoke_visible_tablet(session, user, tablet_id, now)
        if label is None:
            raise DomainError("not_found", tablet_id=tablet_id)
        record_audit(session, user_id, "tablet.revoke", "tablet", [tablet_id])
    central = close_in_settings(context.settings, label)
    if central is not None and central.left is None:
        with session_scope(context.engine) as session:
            note_central_closed(session, tablet_id, now)
            record_audit(session, user_id, "tablet.revoke_central", "tablet", [tablet_id])
    return Revocation(True, central)


def revoke_by_label(context: AppContext, label: str, now: datetime) -> Revocation:
    """Shut a tablet out everywhere. What Central kept open is closed by a later repeat."""
    with session_scope(context.engine) as session:
        tablet = get_tablet_by_label(session, context.governorate.code, label)
        inbox = None if tablet is None else revoke_tablet(session, tablet.id, now)
    central = close_in_settings(context.settings, label)
    if tablet is not None and central is not None and central.left is None:
        with session_scope(context.engine) as session:
            note_central_closed(session, tablet.id, now)
    return Revocation(inbox, central)
