"""A whole case goes to another office: offered with the person's yes, and only then accepted or not.

Until it is accepted nothing changes: the old office keeps the case, the new one knows of an offer and no more.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import add_case_event, hold_case, key_of
from casework.moves import Actor, require_choice
from casework.offers import end_offer, most_pressing, tell_offered
from casework.spoken_consents import SpokenConsent, record_spoken_consent, require_in_force
from db import case_events
from db import consents as consent_query
from db import transfers as query
from db.errors import DomainError
from db.models import Case, CaseEventKind, CaseTransfer, Consent, OfferState
from db.vault import Vault
from governorates import load
from governorates.calendar import offer_due_at

CONSENT_KIND = "transfer"


def offer(
    session: Session,
    vault: Vault,
    case_id: int,
    to_office_id: int,
    actor: Actor,
    *,
    reason: str,
    spoken: SpokenConsent,
    now: datetime,
    note: str | None = None,
) -> int:
    """Offer a case to another office of the governorate; returns the id of the offer.

    Only the office that looks after the case may, not one whose open day received it. Raises what `hold_case` and
    `record_spoken_consent` raise; DomainError `not_found` (the office), `another_governorate`, `value_wrong` (it is
    the same office), `offer_waits`, `reason_required` or `reason_unknown`.
    """
    case = hold_case(session, case_id, actor)
    if case.office_id is None or case.office_id != actor.office_id:
        raise DomainError("forbidden", case_id=case_id)
    require_choice("transfer_reason", reason)
    office = query.get_office(session, to_office_id)
    if office is None:
        raise DomainError("not_found", office_id=to_office_id)
    if office.governorate != case.governorate:
        raise DomainError("another_governorate", office_id=to_office_id)
    if office.id == case.office_id:
        raise DomainError("value_wrong", field="to_office")
    if query.has_open_transfer(session, case.id):
        raise DomainError("offer_waits", case_id=case_id)
    consent = record_spoken_consent(session, vault, case, actor, CONSENT_KIND, spoken, now)
    urgency = most_pressing(case_events.list_urgencies(session, case.id))
    due_at = offer_due_at(load(case.governorate), "transfer", urgency, now)
    transfer = CaseTransfer(
        case_id=case.id,
        from_office_id=case.office_id,
        to_office_id=office.id,
        reason=reason,
        note=vault.seal(key_of(case), "case_transfer.note", note) if note else None,
        consent_id=consent.id,
        state=OfferState.OFFERED,
        requested_by=actor.user_id,
        requested_at=now,
        due_at=due_at,
        act_at=due_at,
    )
    session.add(transfer)
    session.flush()
    tell_offered(session, load(case.governorate), transfer, now)
    _record(session, vault, case, transfer, actor, CaseEventKind.TRANSFER_OFFERED, now, reason)
    return transfer.id


def accept(session: Session, vault: Vault, transfer_id: int, actor: Actor, *, now: datetime) -> None:
    """Take the case over. Referrals, history and people stay with it; the old office does not see it any more.

    A case that was merged meanwhile is stood for by the surviving one, if the same office looks after that.
    Raises DomainError `forbidden`, `not_found`, `changed_meanwhile`, `case_closed`, `case_erased`,
    `consent_required` (the person took it back) or `consent_expired`.
    """
    transfer, household, case = _hold(session, transfer_id, actor, incoming=True)
    if case.office_id != transfer.from_office_id:
        raise DomainError("changed_meanwhile", transfer_id=transfer_id)
    if case.closed_at is not None:
        raise DomainError("case_closed", case_id=case.id)
    key_of(case)
    require_in_force(session, case, session.get_one(Consent, transfer.consent_id), now)
    for one in household:
        if one.office_id == transfer.from_office_id:
            one.office_id = transfer.to_office_id
    end_offer(session, transfer, OfferState.ACCEPTED, actor, now)
    _record(session, vault, case, transfer, actor, CaseEventKind.TRANSFER_ACCEPTED, now)


def decline(
    session: Session, vault: Vault, transfer_id: int, actor: Actor, *, reason: str, now: datetime
) -> None:
    """Leave the case where it is. Raises what `accept` raises of who may, `reason_required` or `reason_unknown`."""
    transfer, _, case = _hold(session, transfer_id, actor, incoming=True)
    require_choice("transfer_decline_reason", reason)
    transfer.answer_reason = reason
    end_offer(session, transfer, OfferState.DECLINED, actor, now)
    _record(session, vault, case, transfer, actor, CaseEventKind.TRANSFER_DECLINED, now, reason)


def withdraw_offer(session: Session, vault: Vault, transfer_id: int, actor: Actor, *, now: datetime) -> None:
    """Take an offer back before it is answered; as `decline`, by the office that made it."""
    transfer, _, case = _hold(session, transfer_id, actor, incoming=False)
    end_offer(session, transfer, OfferState.WITHDRAWN, actor, now)
    _record(session, vault, case, transfer, actor, CaseEventKind.TRANSFER_WITHDRAWN, now)


def end_offers(
    session: Session, vault: Vault, household: Sequence[Case], actor: Actor, *, reason: str, now: datetime
) -> None:
    """Take back what was offered of a household whose cases the caller holds, because the person took its yes back.

    A case that another office has taken over stays there: somebody must look after it.
    """
    for transfer in query.lock_open_transfers(session, [case.id for case in household]):
        consent_query.withdraw_consent(session, transfer.consent_id, now)
        end_offer(session, transfer, OfferState.WITHDRAWN, actor, now)
        _record(session, vault, household[0], transfer, actor, CaseEventKind.TRANSFER_WITHDRAWN, now, reason)


def _hold(
    session: Session, transfer_id: int, actor: Actor, *, incoming: bool
) -> tuple[CaseTransfer, list[Case], Case]:
    """The open offer, its household and the case that stands for it; whoever stands on the other side may not."""
    if actor.role != "officer":
        raise DomainError("forbidden")
    found = query.lock_visible_transfer(session, actor, transfer_id)
    if found is None:
        raise DomainError("not_found", transfer_id=transfer_id)
    transfer, household = found
    if actor.office_id != (transfer.to_office_id if incoming else transfer.from_office_id):
        raise DomainError("forbidden", transfer_id=transfer_id)
    standing = [case for case in household if case.merged_into_id is None]
    is_one_of_them = transfer.case_id in {case.id for case in household}
    if transfer.state != OfferState.OFFERED or len(standing) != 1 or not is_one_of_them:
        raise DomainError("changed_meanwhile", transfer_id=transfer_id)
    return transfer, household, standing[0]


def _record(
    session: Session,
    vault: Vault,
    case: Case,
    transfer: CaseTransfer,
    actor: Actor,
    kind: CaseEventKind,
    now: datetime,
    reason: str | None = None,
) -> None:
    details = {"from_office_id": transfer.from_office_id, "to_office_id": transfer.to_office_id}
    add_case_event(
        session, vault, case, actor, kind, now, object_id=transfer.id, reason=reason, details=details
    )
