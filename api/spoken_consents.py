"""How a person was asked, as the forms of the offices post it and as their pages ask for it."""

from typing import Annotated, Any

from fastapi import Depends, Form

from api.asked_form import asked_form
from api.consent_words import spoken_texts, unreviewed_languages
from casework.named_consents import Asked
from casework.spoken_consents import SpokenConsent
from db.models import Case
from governorates import Governorate


def spoken_consent(
    asked: Annotated[Asked, Depends(asked_form)],
    agreed: Annotated[str, Form(max_length=10)] = "",
) -> SpokenConsent:
    """The fields of `spoken_consent.html`."""
    return SpokenConsent(agreed == "yes", asked.channel, asked.language, asked.interpreter, asked.respondent)


Spoken = Annotated[SpokenConsent, Depends(spoken_consent)]


def consent_values(
    governorate: Governorate, kind: str, case: Case, language: str, *, is_child: bool
) -> dict[str, Any]:
    """What the template `spoken_consent.html` needs: the words of this kind of consent, Arabic first."""
    return {
        "spoken": spoken_texts(governorate, kind, case.contact_language),
        "unreviewed": unreviewed_languages(governorate, kind, language),
        "own_language": case.contact_language or language,
        "is_child": is_child,
    }
