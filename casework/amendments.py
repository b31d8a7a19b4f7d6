"""What a provider is told when a fact that was sent to it has changed: the fields that the person agreed to, no more.

The disclosure stays as it was sent; an amendment stands beside it, and the provider's pages show the newer value.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from casework.consent_gate import require_named_consent
from casework.disclosure import current_values, sent_values
from casework.facts import FACTS
from casework.messages import queue_about_referral
from casework.moves import SYSTEM, lock_referral
from db import conflicts as query
from db import consents as consent_query
from db.errors import DomainError
from db.models import Case, DisclosureAmendment, FactConflict
from db.referrals import ReferralParts
from db.vault import Vault

MESSAGE = (("details_changed", "provider"),)


def amend_disclosures(
    session: Session, vault: Vault, case: Case, conflict: FactConflict, now: datetime
) -> list[int]:
    """Tell the providers who work for this case what differs now from what they hold; their referrals' ids.

    Only fields of the settled fact that were sent and that the word on this recipient names. Where that is not in force
    any more, they are told that the former does not hold, and nothing instead. The caller holds the case.
    """
    told = []
    names = FACTS[conflict.fact].sent_as
    for referral_id in query.list_told_referral_ids(session, case.id):
        if _amend(session, vault, referral_id, conflict, names, now):
            told.append(referral_id)
    return told


def _amend(
    session: Session,
    vault: Vault,
    referral_id: int,
    conflict: FactConflict,
    names: Sequence[str],
    now: datetime,
) -> bool:
    parts = lock_referral(session, referral_id, SYSTEM)
    disclosure = query.get_disclosure(session, referral_id)
    word = consent_query.get_named_consent(session, referral_id)
    if disclosure is None or disclosure.data_key_id is None or word is None:
        return False
    amendments = query.list_amendments(session, [disclosure.id]).get(disclosure.id, ())
    known, current = sent_values(vault, disclosure, amendments), current_values(session, vault, parts)
    agreed = set(disclosure.fields) & set(word.fields) & set(names)
    may_be_told = _is_in_force(session, parts, now)
    changed = {
        name: current.get(name) if may_be_told else None
        for name in sorted(agreed)
        if current.get(name) != known.get(name) and (may_be_told or name in known)
    }
    if not changed:
        return False
    session.add(
        DisclosureAmendment(
            disclosure_id=disclosure.id,
            conflict_id=conflict.id,
            data_key_id=disclosure.data_key_id,
            fields=list(changed),
            payload=vault.seal_json(disclosure.data_key_id, "disclosure_amendment.payload", changed),
            amended_at=now,
        )
    )
    session.flush()
    queue_about_referral(session, parts, MESSAGE, f"{referral_id}:conflict-{conflict.id}", now)
    return True


def _is_in_force(session: Session, parts: ReferralParts, now: datetime) -> bool:
    """Whether this recipient may be told anything more."""
    try:
        require_named_consent(session, parts, now)
    except DomainError:
        return False
    return True
