"""Pausing the clock of a referral with a reason, letting it go on, and reporting on a long service."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework import deadlines
from casework.moves import Actor, lock_referral, make_move
from db import deadlines as query
from db.errors import DomainError
from db.models import Deadline
from db.referrals import ReferralParts
from db.vault import Vault
from referral_engine import sop


def pause_clock(
    session: Session,
    vault: Vault,
    referral_id: int,
    actor: Actor,
    reason: str,
    until: datetime | None = None,
    note: str | None = None,
    *,
    now: datetime | None = None,
) -> None:
    """Stop the clock while somebody waits for a document or the person, at most until `until` (aware).

    A provider pauses only the clock of what it has accepted: its answer is due whatever it waits for. Raises
    DomainError `not_found`, `forbidden`, `reason_required`, `reason_unknown`, `date_not_ahead`, `pause_used_up`, or
    `illegal_move` for a referral that has ended.
    """
    at = now or datetime.now(UTC)
    parts, deadline = _hold(session, referral_id, actor, "pause_clock")
    if until is not None and until <= at:
        raise DomainError("date_not_ahead")
    make_move(session, vault, parts, "pause_clock", actor, reason, note, now=at)
    if not deadlines.pause(session, parts, deadline, reason, at, until):
        raise DomainError("pause_used_up", referral_id=referral_id)


def resume_clock(
    session: Session, vault: Vault, referral_id: int, actor: Actor, *, now: datetime | None = None
) -> None:
    """Let a paused clock go on. Raises DomainError `not_paused`, else as `pause_clock`.

    What the coordinator holds goes on when the hold is released.
    """
    at = now or datetime.now(UTC)
    parts, deadline = _hold(session, referral_id, actor, "resume_clock")
    if deadline.paused_at is None:
        raise DomainError("not_paused", referral_id=referral_id)
    if deadline.paused_reason == deadlines.ON_HOLD and actor.role != sop.Actor.SYSTEM:
        raise DomainError("illegal_move", state="held", move="resume_clock")
    make_move(session, vault, parts, "resume_clock", actor, now=at)
    deadlines.resume(session, parts, deadline, at)


def report_progress(
    session: Session, vault: Vault, referral_id: int, actor: Actor, note: str, *, now: datetime | None = None
) -> None:
    """Say how a long service goes; asking after it falls due again after its whole interval.

    Raises DomainError `illegal_move` where the clock is no monitoring interval, and `text_required`.
    """
    at = now or datetime.now(UTC)
    parts = lock_referral(session, referral_id, actor)
    if parts.referral.state in sop.LIVE and deadlines.clock_of(parts).breach != "monitor":
        raise DomainError("illegal_move", state=parts.referral.state, move="report_progress")
    make_move(session, vault, parts, "report_progress", actor, None, note, now=at)
    deadlines.restart(session, parts, at)


def may_pause(state: str, role: str) -> bool:
    """Whether a role may stop and start the clock of a state: offices always, a provider after it has accepted."""
    return state in (sop.PAUSED_BY_PROVIDER if role == sop.Actor.PROVIDER else sop.LIVE)


def offered(
    moves: Iterable[str], state: str, role: str, paused_reason: str | None, breach_action: str | None
) -> set[str]:
    """Those of the moves that make sense with the clock as it is: the table knows states, not clocks."""
    left = set(moves)
    if paused_reason is not None or breach_action is None or not may_pause(state, role):
        left.discard("pause_clock")
    if paused_reason in (None, deadlines.ON_HOLD) or not may_pause(state, role):
        left.discard("resume_clock")
    if breach_action != "monitor":
        left.discard("report_progress")
    return left


def _hold(session: Session, referral_id: int, actor: Actor, move: str) -> tuple[ReferralParts, Deadline]:
    parts = lock_referral(session, referral_id, actor)
    state = parts.referral.state
    if state not in sop.LIVE:
        raise DomainError("illegal_move", state=state, move=move)
    if not may_pause(state, actor.role):
        raise DomainError("forbidden", move=move)
    deadline = query.get_open_deadline(session, referral_id, lock=True)
    if deadline is None:  # from before there were clocks; the job starts it
        raise DomainError("busy")
    return parts, deadline
