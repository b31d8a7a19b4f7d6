"""The second step of consent: the word on one named recipient and the exact fields."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import key_of
from casework.consent_gate import expires_at, may_contact, needs_interpreter
from casework.moves import Actor
from casework.respondents import Respondent
from db import cases as case_query
from db.errors import DomainError
from db.models import Consent
from db.models.consents import CONSENT
from db.referrals import ReferralParts
from db.vault import Vault
from governorates import LANGUAGES, consent_text_version, load

CHANNELS = ("desk", "safe_call")
KIND = "referral"


def require_asked(channel: str, language: str) -> None:
    """Raise DomainError `channel_unknown` or `language_unknown` for a way of asking that there is not."""
    if channel not in CHANNELS:
        raise DomainError("channel_unknown", channel=channel)
    if language not in LANGUAGES:
        raise DomainError("language_unknown", language=language)


@dataclass(frozen=True, slots=True)
class Asked:
    """How a person was asked: at the desk or on a safe call, in which language, interpreted by whom, who answered."""

    channel: str
    language: str
    interpreter: str | None = field(default=None, repr=False)
    respondent: Respondent = field(default_factory=Respondent)

    def require_sound(self, session: Session, case_id: int, governorate: str, kind: str) -> None:
        """Refuse an answer that was not asked for properly.

        Raises DomainError `channel_unknown`, `language_unknown`, `interpreter_required`, `contact_withdrawn`
        (nobody may call), or what `Respondent.require_complete` raises.
        """
        require_asked(self.channel, self.language)
        version = consent_text_version(kind)
        if not (self.interpreter or "").strip() and needs_interpreter(
            governorate, kind, version, self.language
        ):
            raise DomainError("interpreter_required", language=self.language)
        if self.channel == "safe_call" and not may_contact(session, case_id):
            raise DomainError("contact_withdrawn", case_id=case_id)
        first = case_query.get_assessment_consent(session, case_id)
        head = case_query.get_head(session, case_id)
        self.respondent.require_complete(head, first, load(governorate).consent)


def add_named_consent(
    session: Session,
    vault: Vault,
    parts: ReferralParts,
    actor: Actor,
    asked: Asked,
    fields: Sequence[str],
    now: datetime,
    *,
    basis: str = CONSENT,
) -> Consent:
    """Record the word on a referral's recipient; `basis` vital_interest: nobody could be asked.

    Raises DomainError `case_erased`.
    """
    key_id = key_of(parts.case)
    consent = Consent(
        **asked.respondent.columns(vault, key_id),
        case_id=parts.case.id,
        kind=KIND,
        basis=basis,
        referral_id=parts.referral.id,
        organization_id=parts.organization.id,
        given=basis == CONSENT,
        given_at=now,
        expires_at=expires_at(parts.case.governorate, now),
        text_version=consent_text_version(KIND),
        language=asked.language,
        channel=asked.channel,
        interpreter=vault.seal(key_id, "consent.interpreter", asked.interpreter),
        categories=[parts.need.category],
        recipients=[parts.organization.kind],
        exclusions=[],
        excluded_organizations=[],
        fields=list(fields),
        recorded_by=actor.user_id,
    )
    session.add(consent)
    session.flush()
    return consent
