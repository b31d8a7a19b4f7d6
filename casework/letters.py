"""Support letters: which fields one discloses, that the person asked for it, and who issued it.

The text is made anew each time from `governorates/letters.toml` and never stored; the event of issuing
names its version.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import add_case_event, hold_case, key_of
from casework.moves import Actor
from casework.spoken_consents import SpokenConsent, record_spoken_consent
from db import accounts
from db import cases as case_query
from db import letters as query
from db.errors import DomainError
from db.models import Case, CaseEventKind, Letter
from db.vault import Vault
from governorates import LETTER_LANGUAGES, LetterKind, Names, letter_texts, load

CONSENT_KIND = "letter"
NAME_PARTS = ("given_name", "father_name", "grandfather_name")


@dataclass(frozen=True, slots=True)
class LetterContent:
    """What one letter says. `name` only where the person asked for it; `case_code` without its dashes."""

    number: str
    kind: LetterKind
    case_code: str
    office: Names
    name: str | None
    service: Names | None
    organization: Names | None
    issued_at: datetime


def issue_letter(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    *,
    kind: str,
    requested_by_person: bool,
    with_name: bool,
    spoken: SpokenConsent,
    now: datetime,
    referral_id: int | None = None,
) -> Letter:
    """Record that a letter is issued at the person's request, and the person's consent to its exact fields.

    Raises what `hold_case` and `record_spoken_consent` raise; DomainError `reason_unknown` (kind), `not_found`
    (a letter to a provider needs a referral of this case that was sent) or `value_wrong` (no name is known).
    """
    found = letter_texts().kinds.get(kind)
    if found is None:
        raise DomainError("reason_unknown", reason_list="letter")
    if not requested_by_person:
        raise DomainError("consent_required", case_id=case_id)
    case = hold_case(session, case_id, actor)
    if with_name and not _name(session, vault, case):
        raise DomainError("value_wrong", field="name")
    _check_referral(session, case, found, referral_id)
    fields = _fields(found, with_name=with_name)
    consent = record_spoken_consent(session, vault, case, actor, CONSENT_KIND, spoken, now, fields=fields)
    letter = Letter(
        case_id=case.id,
        kind=kind,
        referral_id=referral_id if found.referral else None,
        consent_id=consent.id,
        office_id=actor.office_id,
        languages=list(LETTER_LANGUAGES),
        fields=fields,
        requested_by_person=True,
        issued_by=actor.user_id,
        issued_at=now,
    )
    session.add(letter)
    session.flush()
    words = {"text_version": letter_texts().version}
    add_case_event(
        session, vault, case, actor, CaseEventKind.LETTER_ISSUED, now,
        object_id=letter.id, reason=kind, details=words,
    )  # fmt: skip
    return letter


def read_letter(
    session: Session, vault: Vault, case: Case, letter_id: int, actor: Actor, now: datetime
) -> LetterContent:
    """What a letter of a case (that the actor may see) says, for drawing it; the reading is audited.

    Raises DomainError `not_found`, `consent_required` (it was taken back), `consent_expired` or `case_erased`.
    """
    parts = query.get_letter_parts(session, case.id, letter_id)
    if parts is None:
        raise DomainError("not_found", letter_id=letter_id)
    if not parts.consent.in_force:
        raise DomainError("consent_required", letter_id=letter_id)
    if not parts.consent.in_force_at(now):
        raise DomainError("consent_expired", letter_id=letter_id)
    key_of(parts.case)
    accounts.record_audit(session, actor.user_id, "letter.read", "letter", [letter_id])
    service = load(parts.case.governorate).service_types.get(parts.service_type or "")
    return LetterContent(
        number=parts.letter.number,
        kind=letter_texts().kinds[parts.letter.kind],
        case_code=parts.case.printed_code,
        office=parts.office,
        name=_name(session, vault, parts.case) if "name" in parts.letter.fields else None,
        service=None if service is None else service.names,
        organization=parts.organization,
        issued_at=parts.letter.issued_at,
    )


def _fields(kind: LetterKind, *, with_name: bool) -> list[str]:
    fields = ["case_code", "office"]
    if with_name:
        fields.append("name")
    if kind.referral:
        fields += ["service", "organization"]
    return fields


def _check_referral(session: Session, case: Case, kind: LetterKind, referral_id: int | None) -> None:
    if not kind.referral:
        return
    sent = {row.referral_id for row in query.list_sent_referrals(session, case.id)}
    if referral_id not in sent:
        raise DomainError("not_found", referral_id=referral_id)


def _name(session: Session, vault: Vault, case: Case) -> str:
    head = case_query.get_head(session, case.id)
    if head is None:
        return ""
    parts = [vault.open(f"person.{part}", getattr(head, part)) for part in NAME_PARTS]
    return " ".join(part for part in parts if part)
