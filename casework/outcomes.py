"""What a referral brought: typed, with a quantity and a day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from casework.case_events import add_case_event
from casework.moves import Actor, lock_referral, require_choice
from db.errors import DomainError
from db.models import CaseEventKind, Outcome
from db.vault import Vault
from governorates import load, local_day
from referral_engine import sop

MOST = Decimal("999999999999.99")
CENT = Decimal("0.01")
RECORDERS = frozenset({sop.Actor.OFFICER, sop.Actor.PROVIDER})


@dataclass(frozen=True, slots=True)
class DeliveredOutcome:
    """What a provider says it delivered: codes of `outcome_type` and `unit`, a quantity, and the day."""

    outcome_type: str
    quantity: Decimal
    unit: str
    delivered_on: date


def record_outcome(
    session: Session,
    vault: Vault,
    referral_id: int,
    *,
    outcome_type: str,
    quantity: Decimal,
    unit: str,
    delivered_on: date,
    actor: Actor,
    now: datetime | None = None,
) -> Outcome:
    """Add an outcome to a referral: by the office that looks after the case, or the provider.

    Raises DomainError `not_found` (somebody else's referral), `forbidden` (another role), `illegal_move` (the service
    has not begun, or never was given), `reason_required` or `reason_unknown` (type, unit), or `value_wrong` (the
    quantity is not above zero or too large, the day lies ahead or before the referral).
    """
    parts = lock_referral(session, referral_id, actor)
    referral, case = parts.referral, parts.case
    if actor.role not in RECORDERS:
        raise DomainError("forbidden", referral_id=referral_id)
    if referral.state not in sop.BRINGS_OUTCOMES:
        raise DomainError("illegal_move", state=str(referral.state), move="outcome")
    moment, governorate = now or datetime.now(UTC), load(case.governorate)
    if not quantity.is_finite() or not CENT <= quantity <= MOST:
        raise DomainError("value_wrong", field="quantity")
    first_day = local_day(governorate, referral.created_at)
    if not first_day <= delivered_on <= local_day(governorate, moment):
        raise DomainError("value_wrong", field="delivered_on")
    outcome = Outcome(
        referral_id=referral.id,
        outcome_type=require_choice("outcome_type", outcome_type),
        quantity=quantity.quantize(CENT),
        unit=require_choice("unit", unit),
        delivered_on=delivered_on,
        recorded_by=actor.user_id,
        recorded_role=actor.role,
        recorded_at=moment,
    )
    session.add(outcome)
    session.flush()
    add_case_event(session, vault, case, actor, CaseEventKind.OUTCOME_RECORDED, moment, object_id=outcome.id)
    return outcome
