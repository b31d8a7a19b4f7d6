"""Sending without consent, for a vital interest only: a life is in danger and the person cannot be asked.

It never goes against what a person has said: withdrawn consent, excluded organizations and kinds of recipient that
were not agreed to still stop it. A second person looks at it within a day, or it is taken back.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from casework.case_events import key_of
from casework.consent_gate import require_bounds
from casework.disclosure import record_disclosure, values_to_send
from casework.moves import SYSTEM, Actor, check_move, lock_referral, make_move
from casework.named_consents import Asked, add_named_consent
from casework.provider_links import close_ended_links
from casework.sending import take_back
from db import overrides as query
from db import referrals as referral_query
from db.errors import DomainError
from db.models import ConsentOverride
from db.models.consents import VITAL_INTEREST
from db.vault import Vault
from governorates import FALLBACK_LANGUAGE, load
from referral_engine import sop

EMERGENCY = "emergency"
CONFIRMERS = frozenset({"supervisor", "coordinator"})
NOT_CONFIRMED = "override_not_confirmed"
OVERRIDES_AT_ONCE = 50


def override_consent(
    session: Session,
    vault: Vault,
    referral_id: int,
    actor: Actor,
    *,
    reason: str,
    note: str,
    now: datetime,
    read_out: str | None = None,
) -> int:
    """Send a referral of an emergency although the person cannot be asked; returns the override's id.

    `reason` is a code of override_vital_reason, `note` is mandatory. Raises DomainError `forbidden` (also for the
    system: a person answers for it), `override_not_emergency`, what `check_move` and `require_bounds` raise (age
    apart), `changed_meanwhile` or `case_erased`.
    """
    if actor.user_id is None:
        raise DomainError("forbidden", move="override")
    parts = lock_referral(session, referral_id, actor)
    check_move(parts.referral, "override", actor, reason, note)
    if {parts.referral.urgency, parts.need.urgency} != {EMERGENCY}:
        raise DomainError("override_not_emergency", referral_id=referral_id)
    require_bounds(session, parts, now, however_old=True)
    values = values_to_send(session, vault, parts, read_out)
    asked = Asked(channel="none", language=FALLBACK_LANGUAGE)
    consent = add_named_consent(session, vault, parts, actor, asked, list(values), now, basis=VITAL_INTEREST)
    key_id = key_of(parts.case)
    override = ConsentOverride(
        referral_id=referral_id,
        consent_id=consent.id,
        reason=reason,
        note=vault.seal(key_id, "consent_override.note", note),
        made_by=actor.user_id,
        made_at=now,
        due_at=now + timedelta(hours=load(parts.case.governorate).consent.override_hours),
    )
    session.add(override)
    session.flush()
    record_disclosure(session, vault, parts, consent, values)
    make_move(session, vault, parts, "override", actor, reason, note, now=now)
    return override.id


def confirm_override(session: Session, override_id: int, actor: Actor, now: datetime) -> None:
    """A second person, a supervisor or coordinator, says that the override was right.

    Of the ministry that the decisions on the need are with now. Raises DomainError `not_found` (also for another
    ministry's), `second_person_required`, `forbidden` or `override_lapsed` (too late, or settled already).
    """
    if actor.role not in CONFIRMERS or actor.user_id is None:
        raise DomainError("forbidden", override_id=override_id)
    if query.get_visible_override(session, actor, override_id) is None:
        raise DomainError("not_found", override_id=override_id)
    override = query.get_override(session, override_id)
    if override is None:
        raise DomainError("not_found", override_id=override_id)
    if actor.user_id == override.made_by:
        raise DomainError("second_person_required", override_id=override_id)
    if override.lapsed_at is not None or override.confirmed_at is not None or now > override.due_at:
        raise DomainError("override_lapsed", override_id=override_id)
    override.confirmed_by, override.confirmed_at = actor.user_id, now
    session.flush()


def lapse_overrides(session: Session, vault: Vault, now: datetime, *, limit: int = OVERRIDES_AT_ONCE) -> int:
    """Take back what nobody confirmed in time; returns how many.

    Where the person has agreed meanwhile nothing is taken back. Safe to repeat: call until it returns 0.
    """
    overdue = query.list_overdue_override_ids(session, now, limit)
    return sum(_lapse(session, vault, override_id, referral_id, now) for override_id, referral_id in overdue)


def _lapse(session: Session, vault: Vault, override_id: int, referral_id: int, now: datetime) -> bool:
    parts = lock_referral(
        session, referral_id, SYSTEM
    )  # case, referral, then the override: one order for all
    override = query.get_override(session, override_id)
    if override is None or override.confirmed_at is not None or override.lapsed_at is not None:
        return False  # somebody was quicker
    override.lapsed_at = now
    session.flush()
    if parts.referral.state in sop.LIVE:
        take_back(session, vault, parts, NOT_CONFIRMED, now)
    else:
        close_ended_links(session, parts, now)
    referral_query.withdraw_referral_consents(session, referral_id, now)
    return True
