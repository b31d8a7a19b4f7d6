"""How a person may be reached: who may answer, when, in which language, and whether they want to be called at all."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from casework.consent_gate import may_contact
from casework.facts import CONTACT
from db import cases as query
from db.conflicts import has_open_conflict
from db.models import Case
from db.vault import Vault


@dataclass(frozen=True, slots=True)
class SafeContact:
    """What stands beside the call button; `phone` is None unless it may be shown and the person may be called.

    `in_conflict`: an edit says otherwise of it and nobody has settled that, so nobody calls.
    """

    may_call: bool
    answerer: str | None
    hours: str | None
    language: str | None
    phone: str | None
    in_conflict: bool = False


def read_safe_contact(session: Session, vault: Vault, case: Case, *, with_phone: bool) -> SafeContact:
    """The rules that the person gave. The caller audits the reading.

    Without consent to be contacted nothing but that is said.
    """
    may_call = may_contact(session, case.id)
    head = query.get_head(session, case.id) if may_call and case.data_key_id is not None else None
    if head is None:
        return SafeContact(may_call, None, None, case.contact_language, None)
    in_conflict = has_open_conflict(session, case.id, CONTACT)
    rules = vault.open_json("person.safe_contact", head.safe_contact) or {}
    return SafeContact(
        may_call=True,
        answerer=rules.get("answerer"),
        hours=rules.get("hours"),
        language=case.contact_language,
        phone=vault.open("person.phone", head.phone) if with_phone and not in_conflict else None,
        in_conflict=in_conflict,
    )
