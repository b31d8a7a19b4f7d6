"""What a provider receives: the fields of the service's profile, exactly as read out, stored as sent.

The same function makes the text that is read out and the row that is sent, so they cannot differ.
"""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from casework.consent_gate import may_contact
from casework.facts import CONTACT
from db import cases as case_query
from db import conflicts as conflict_query
from db import consents as consent_query
from db import referrals as query
from db.errors import DomainError
from db.models import Consent, Disclosure, DisclosureAmendment
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import disclosure_profiles

SENT_FACTS = ("housing_damage", "tenure", "documents", "education_level", "work_status", "disability")
"""Answers of the assessment that some profile names (`governorates/disclosure_profiles.toml`)."""

CONTACT_FIELDS = frozenset({"phone", "contact_answerer", "contact_hours"})


def preview(session: Session, vault: Vault, referral_id: int) -> list[tuple[str, str]]:
    """The fields and values that sending this referral would disclose; empty answers are left out.

    Raises DomainError `not_found` or `case_erased`.
    """
    parts = query.get_referral_parts(session, referral_id)
    if parts is None:
        raise DomainError("not_found", referral_id=referral_id)
    return list(_values(session, vault, parts).items())


def read_out_mark(vault: Vault, fields: Sequence[tuple[str, str]]) -> str:
    """A keyed mark of what was read out, so that nothing else can be sent than what stood on the page."""
    return vault.blind("disclosure.preview", json.dumps(list(fields), ensure_ascii=False)).hex()


def values_to_send(
    session: Session, vault: Vault, parts: ReferralParts, read_out: str | None
) -> dict[str, str]:
    """What is sent with this referral, whose case the caller holds.

    Raises DomainError `case_erased`, or `changed_meanwhile` when it is not what bears the mark `read_out`.
    """
    values = _values(session, vault, parts)
    if read_out is not None and read_out != read_out_mark(vault, list(values.items())):
        raise DomainError("changed_meanwhile", referral_id=parts.referral.id)
    return values


def record_disclosure(
    session: Session, vault: Vault, parts: ReferralParts, consent: Consent, values: Mapping[str, str]
) -> None:
    """Store, sealed, what is sent with this referral. Raises DomainError `case_erased` when the key is gone."""
    key_id = parts.case.data_key_id
    if key_id is None:
        raise DomainError("case_erased")
    session.add(
        Disclosure(
            referral_id=parts.referral.id,
            consent_id=consent.id,
            data_key_id=key_id,
            submission_id=parts.case.submission_id,
            fields=list(values),
            payload=vault.seal_json(key_id, "disclosure.payload", dict(values)),
        )
    )
    session.flush()


def read_disclosures(
    session: Session, vault: Vault, referral_ids: Sequence[int]
) -> dict[int, Mapping[str, str]]:
    """What was sent, by referral: five queries however many referrals; withdrawn or erased ones are absent.

    What was amended since is as the provider was told last. Whoever may not be called any more, or gave two answers on
    how, has no phone there either, although it was sent.
    """
    rows = [row for row in query.list_disclosures(session, referral_ids) if row.data_key_id is not None]
    vault.load_keys(row.data_key_id for row in rows)
    ids = [row.referral_id for row in rows]
    amendments = conflict_query.list_amendments(session, [row.id for row in rows])
    callable_ids = consent_query.list_callable_referral_ids(session, ids)
    callable_ids -= conflict_query.list_contested_referral_ids(session, ids, CONTACT)
    return {
        row.referral_id: {
            name: value
            for name, value in sent_values(vault, row, amendments.get(row.id, ())).items()
            if name not in CONTACT_FIELDS or row.referral_id in callable_ids
        }
        for row in rows
    }


def sent_values(
    vault: Vault, disclosure: Disclosure, amendments: Sequence[DisclosureAmendment]
) -> Mapping[str, str]:
    """What the provider was told last: what was sent, with what was amended since (oldest first)."""
    values: dict[str, str | None] = dict(vault.open_json("disclosure.payload", disclosure.payload))
    for amendment in amendments:
        values |= vault.open_json("disclosure_amendment.payload", amendment.payload)
    return {name: value for name, value in values.items() if value is not None}


def current_values(session: Session, vault: Vault, parts: ReferralParts) -> Mapping[str, str]:
    """What would be sent with this referral now, by field. Raises DomainError `case_erased`."""
    return _values(session, vault, parts)


def _values(session: Session, vault: Vault, parts: ReferralParts) -> dict[str, str]:
    if parts.case.data_key_id is None:
        raise DomainError("case_erased", referral_id=parts.referral.id)
    head, case = case_query.get_head(session, parts.case.id), parts.case
    safe = (head and vault.open_json("person.safe_contact", head.safe_contact)) or {}
    # Neither number of two that contradict each other is passed on.
    may_call = may_contact(session, case.id) and not conflict_query.has_open_conflict(
        session, case.id, CONTACT
    )
    facts = vault.open_json("case_file.facts", case.facts) or {}
    found: dict[str, object] = {
        "case_code": case.printed_code,
        "given_name": vault.open("person.given_name", head.given_name) if head else None,
        "father_name": vault.open("person.father_name", head.father_name) if head else None,
        "grandfather_name": vault.open("person.grandfather_name", head.grandfather_name) if head else None,
        "sex": head.sex if head else None,
        "age_years": head.age_years if head else None,
        "phone": vault.open("person.phone", head.phone) if head and may_call else None,
        "contact_answerer": safe.get("answerer") if may_call else None,
        "contact_hours": safe.get("hours") if may_call else None,
        "contact_language": case.contact_language,
        "district": case.residence_district,
        "place": case.residence,
        "service_type": parts.need.service_type,
        "urgency": parts.need.urgency,
        "household_size": case.household_size,
        **{name: facts.get(name) for name in SENT_FACTS},
    }
    profile = disclosure_profiles().fields_for(parts.need.service_type, parts.need.category)
    texts = {name: _text(found[name]) for name in profile}
    return {name: text for name, text in texts.items() if text}


def _text(value: object) -> str:
    """A value as it is stored and sent: codes and figures, several codes with a space between, as ODK does."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(str(one) for one in value)
    return str(value)
