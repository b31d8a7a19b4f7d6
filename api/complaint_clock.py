"""The clock of complaints: closes those whose time to appeal has run out, and tells of those that wait too long."""

from datetime import UTC, datetime

from api.context import AppContext
from casework.complaint_messages import tell_overdue_complaints
from casework.complaints import close_lapsed_complaints
from db.session import session_scope
from db.vault import Vault


def run_complaint_clock(context: AppContext, now: datetime | None = None) -> None:
    """Act on what has run out, a transaction each, so that it may be killed and run again at any moment.

    Says nothing in the log: a figure would count complaints that are outside the line.
    """
    closed = True
    while closed:
        with session_scope(context.engine) as session:
            vault = Vault(session, context.masters)
            closed = close_lapsed_complaints(session, vault, now or datetime.now(UTC), limit=1) > 0
    told = True
    while told:
        with session_scope(context.engine) as session:
            told = tell_overdue_complaints(session, now or datetime.now(UTC), limit=1) > 0
