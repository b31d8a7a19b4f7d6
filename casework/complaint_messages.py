"""Who is told of a complaint: the role that handles its line, and nobody else. No word and no code of it goes out."""

from datetime import datetime

from sqlalchemy.orm import Session

from casework.messages import queue_message, user_recipient
from db import complaints as query
from db import contact_points as contacts
from db.contact_points import MinistryView, Reached
from db.models import Channel, Complaint, Role
from governorates import Governorate
from referral_engine.complaints import HANDLED_BY, MOVES, ComplaintLine, ComplaintState


def tell_of_move(session: Session, complaint: Complaint, move: str, by: int | None, now: datetime) -> None:
    """Tell of a move, in its transaction, if the table says so. Whoever made it (`by`) is not told of it."""
    template = MOVES[move].message
    if template is not None:
        _tell(session, complaint, template, f"{complaint.id}:{move}:{now:%Y%m%dT%H%M%S.%f}", now, but_not=by)


def tell_overdue_complaints(session: Session, now: datetime, limit: int = 100) -> int:
    """Tell of complaints whose clock has run out, once for each due time; how many. Made to be run again and again.

    Whoever had left no address by then hears of it with the next digest.
    """
    overdue = query.claim_untold_complaints(session, now, limit)
    for complaint in overdue:
        _tell(
            session,
            complaint,
            "complaint_overdue",
            f"{complaint.id}:{complaint.due_at:%Y%m%dT%H%M%S.%f}",
            now,
        )
        complaint.told_due_at = complaint.due_at
    session.flush()
    return len(overdue)


def queue_complaint_digests(session: Session, governorate: Governorate, day: str, now: datetime) -> None:
    """Write how many complaints are overdue to each who handles them; `day` is the digest's.

    Gives back no figure: it would count complaints that are outside the line.
    """
    for line in ComplaintLine:
        for ministry in governorate.ministries if line is ComplaintLine.SUPERVISOR else (None,):
            view = MinistryView(governorate.code, ministry, _role_of(line))
            overdue = query.count_overdue_complaints(session, view, now)
            users = _reached(session, governorate.code, line, ministry) if overdue else []
            for user in users:
                if Channel.EMAIL in user.channels:
                    queue_message(
                        session,
                        "complaint_digest",
                        user_recipient(governorate.code, user),
                        params={"overdue": overdue},
                        dedupe_key=day,
                        now=now,
                    )


def _tell(
    session: Session,
    complaint: Complaint,
    template: str,
    about: str,
    now: datetime,
    *,
    but_not: int | None = None,
) -> None:
    for user in _handlers(session, complaint):
        if user.id != but_not:
            recipient = user_recipient(complaint.governorate, user)
            queue_message(session, template, recipient, params={}, dedupe_key=about, now=now)


def _handlers(session: Session, complaint: Complaint) -> list[Reached]:
    """Those who handle it now. An appeal is for somebody else than who answered, where there is anybody else."""
    line = ComplaintLine(complaint.line)
    users = _reached(session, complaint.governorate, line, complaint.ministry)
    if complaint.state != ComplaintState.APPEALED:
        return users
    return [user for user in users if user.id != complaint.answered_by] or users


def _reached(session: Session, governorate: str, line: ComplaintLine, ministry: str | None) -> list[Reached]:
    """Who handles a line and left an address; the ministry matters on the supervisors' line alone."""
    ministries = [ministry] if line is ComplaintLine.SUPERVISOR and ministry is not None else None
    return contacts.list_reached_users(session, governorate, _role_of(line), ministries=ministries)


def _role_of(line: ComplaintLine) -> Role:
    return Role(HANDLED_BY[line])
