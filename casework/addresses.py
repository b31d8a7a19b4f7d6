"""Where a message goes, looked up and checked at the moment of sending. Nothing here is kept or logged."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from casework.consent_gate import may_contact
from casework.contact_points import ADDRESS_FIELD
from casework.facts import CONTACT
from casework.message_templates import TEMPLATES
from casework.safe_contact import SEND_NOW, Decision, Verdict, decide, dialled
from db import accounts, outbox
from db import cases as case_query
from db import contact_points as query
from db.conflicts import has_open_conflict
from db.models import Organization, OutboxMessage, User
from db.vault import ErasedError, Vault
from governorates import load

NO_ADDRESS = "no_address"
"""The code of a message whose user or organization has left no address: an administrator can mend that."""


@dataclass(frozen=True, slots=True)
class Destination:
    """What to do with a message, and its address when it may be sent now."""

    decision: Decision
    address: str | None = field(default=None, repr=False)


def _cancel(code: str) -> Destination:
    return Destination(Decision(Verdict.CANCEL, code))


def find_destination(session: Session, vault: Vault, message: OutboxMessage, now: datetime) -> Destination:
    """Look everything up anew: the state of the referral, the account, the consent, the hours, the address.

    A message that is to be sent but has no address comes back with neither address nor reason.
    """
    template = TEMPLATES.get(message.template)
    if template is None:
        return _cancel("template_unknown")
    if template.lifetime is not None and now > message.created_at + template.lifetime:
        return _cancel("outdated")
    if template.while_in is not None:
        state = outbox.get_referral_state(session, message.referral_id)
        if state not in template.while_in:
            return _cancel("settled_meanwhile")
    if message.case_id is not None:
        return _returnee(session, vault, message, now)
    return _work_address(session, vault, message)


def _work_address(session: Session, vault: Vault, message: OutboxMessage) -> Destination:
    owner: User | Organization | None = (
        session.get(User, message.user_id)
        if message.user_id is not None
        else session.get(Organization, message.organization_id)
    )
    if owner is None or not owner.active:
        return _cancel("recipient_inactive")
    found = query.get_contact_point(
        session, message.channel, user_id=message.user_id, organization_id=message.organization_id
    )
    try:
        address = vault.open(ADDRESS_FIELD, found.address) if found else None
    except ErasedError:
        address = None
    return Destination(SEND_NOW, address)


def _returnee(session: Session, vault: Vault, message: OutboxMessage, now: datetime) -> Destination:
    """The phone of the household's head, under the consent of the case that stands for it now."""
    case = case_query.get_case(session, message.case_id or 0)
    if case is not None and case.merged_into_id is not None:
        case = case_query.get_case(session, case.merged_into_id)
    if case is None:
        return _cancel("no_phone")
    head = case_query.get_head(session, case.id)
    try:
        safe = vault.open_json("person.safe_contact", head.safe_contact) if head else None
        phone = vault.open("person.phone", head.phone) if head else None
    except ErasedError:
        return _cancel("erased")
    accounts.record_audit(session, None, "phone.read", "case_file", [case.id], "message")
    governorate = load(case.governorate)
    number = dialled(phone, governorate.contact.phone_prefix)
    decision = decide(
        governorate,
        now,
        agreed=may_contact(session, case.id),
        has_phone=number is not None,
        hours=(safe or {}).get("hours"),
        in_conflict=has_open_conflict(session, case.id, CONTACT),
    )
    return Destination(decision, number if decision.verdict is Verdict.SEND else None)
