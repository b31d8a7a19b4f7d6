"""What a person said yes to at the desk or on a safe call: to whom, in which language and words, who recorded it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import key_of
from casework.consent_gate import expires_at, require_consent
from casework.moves import Actor
from casework.named_consents import Asked
from casework.respondents import Respondent
from db.errors import DomainError
from db.models import Case, Consent
from db.vault import Vault
from governorates import consent_text_version


@dataclass(frozen=True, slots=True)
class SpokenConsent:
    """How the person was asked, and their answer; fields as those of `Asked`."""

    agreed: bool
    channel: str
    language: str
    interpreter: str | None = field(default=None, repr=False)
    respondent: Respondent = field(default_factory=Respondent)

    @property
    def asked(self) -> Asked:
        """The same, for the rules that every answer keeps to."""
        return Asked(self.channel, self.language, self.interpreter, self.respondent)


def record_spoken_consent(
    session: Session,
    vault: Vault,
    case: Case,
    actor: Actor,
    kind: str,
    spoken: SpokenConsent,
    now: datetime,
    *,
    fields: Sequence[str] = (),
) -> Consent:
    """Write the person's yes to one thing (`kind`: transfer, hand_over, letter) down, for a case with consent in force.

    `fields`: what a letter says. It grows old as every consent to tell somebody does. Raises what
    `Asked.require_sound` and `consent_gate.require_consent` raise, `consent_required` (they did not agree) or
    `case_erased`.
    """
    spoken.asked.require_sound(session, case.id, case.governorate, kind)
    if not spoken.agreed:
        raise DomainError("consent_required", case_id=case.id)
    require_consent(session, case.id, now)
    key_id = key_of(case)
    consent = Consent(
        **spoken.respondent.columns(vault, key_id),
        case_id=case.id,
        kind=kind,
        given=True,
        given_at=now,
        expires_at=expires_at(case.governorate, now),
        text_version=consent_text_version(kind),
        language=spoken.language,
        channel=spoken.channel,
        interpreter=vault.seal(key_id, "consent.interpreter", spoken.interpreter),
        fields=list(fields),
        recorded_by=actor.user_id,
        recorded_at=now,
    )
    session.add(consent)
    session.flush()
    return consent


def require_in_force(session: Session, case: Case, consent: Consent, now: datetime) -> None:
    """Raise DomainError `consent_required` when this yes, or the case's consent, was taken back meanwhile.

    `consent_expired` when either has grown old: the case's own is renewed before anybody takes it over.
    """
    if not consent.in_force:
        raise DomainError("consent_required", case_id=case.id)
    require_consent(session, case.id, now)
    if not consent.in_force_at(now):
        raise DomainError("consent_expired", case_id=case.id)
