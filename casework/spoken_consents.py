"""What a person said yes to at the desk or on a safe call: to whom, in which language and words, who recorded it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import key_of
from casework.moves import Actor
from casework.named_consents import require_asked
from db import cases as case_query
from db.errors import DomainError
from db.models import Case, Consent
from db.vault import Vault
from governorates import load

SPOKEN_TEXT_VERSION = "2026-11"
"""Version of the words on the pages for transfers and hand-overs; a change of them is a new version."""


@dataclass(frozen=True, slots=True)
class SpokenConsent:
    """How the person was asked, and their answer. Where no native reader has reviewed the text, who interpreted."""

    agreed: bool
    channel: str
    language: str
    interpreter: str | None = None


def check_spoken(governorate: str, channel: str, language: str, interpreter: str | None) -> None:
    """Raise DomainError `channel_unknown`, `language_unknown` or `interpreter_required`."""
    require_asked(channel, language)
    if not interpreter and not load(governorate).language_details[language].reviewed:
        raise DomainError("interpreter_required", language=language)


def record_spoken_consent(
    session: Session, vault: Vault, case: Case, actor: Actor, kind: str, spoken: SpokenConsent, now: datetime
) -> Consent:
    """Write the person's yes to one thing (`kind`: transfer, hand_over) down, for a case whose consent is in force.

    Raises what `check_spoken` raises, `consent_required` (they did not agree, or took the case's consent back) or
    `case_erased`.
    """
    check_spoken(case.governorate, spoken.channel, spoken.language, spoken.interpreter)
    bounds = case_query.get_assessment_consent(session, case.id)
    if not spoken.agreed or bounds is None or not bounds.in_force:
        raise DomainError("consent_required", case_id=case.id)
    consent = Consent(
        case_id=case.id,
        kind=kind,
        given=True,
        text_version=SPOKEN_TEXT_VERSION,
        language=spoken.language,
        channel=spoken.channel,
        interpreter=vault.seal(key_of(case), "consent.interpreter", spoken.interpreter),
        recorded_by=actor.user_id,
        recorded_at=now,
    )
    session.add(consent)
    session.flush()
    return consent


def require_in_force(session: Session, case: Case, consent: Consent) -> None:
    """Raise DomainError `consent_required` when this yes, or the case's consent, was taken back meanwhile."""
    bounds = case_query.get_assessment_consent(session, case.id)
    if not consent.in_force or bounds is None or not bounds.in_force:
        raise DomainError("consent_required", case_id=case.id)
