"""How a person was asked, as the forms of the offices post it and as their pages ask for it."""

from typing import Annotated, Any

from fastapi import Depends, Form

from casework.named_consents import CHANNELS
from casework.spoken_consents import SpokenConsent
from governorates import Governorate, choice_name


def spoken_consent(
    agreed: Annotated[str, Form(max_length=10)] = "",
    channel: Annotated[str, Form(max_length=20)] = "",
    language: Annotated[str, Form(max_length=8)] = "",
    interpreter: Annotated[str, Form(max_length=200)] = "",
) -> SpokenConsent:
    """The fields of `spoken_consent.html`."""
    return SpokenConsent(agreed == "yes", channel, language, interpreter.strip() or None)


Spoken = Annotated[SpokenConsent, Depends(spoken_consent)]


def consent_values(governorate: Governorate, language: str) -> dict[str, Any]:
    """What the template `spoken_consent.html` needs."""
    return {
        "channels": CHANNELS,
        "read_languages": governorate.languages,
        "unreviewed": [
            choice_name("language", details.code, language)
            for details in governorate.language_details.values()
            if not details.reviewed
        ],
    }
