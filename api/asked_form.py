"""The part of a form that says how a person was asked for consent, and who answered."""

from typing import Annotated

from fastapi import Form

from casework.named_consents import Asked
from casework.respondents import Respondent

Code = Annotated[str, Form(max_length=40)]
Name = Annotated[str, Form(max_length=200)]

ASSENT = {"yes": True, "no": False}


def asked_form(
    channel: Code = "",
    language: Code = "",
    interpreter: Name = "",
    respondent: Code = "self",
    relation: Code = "",
    evidence: Code = "",
    assent: Code = "",
    assent_reason: Code = "",
    signature: Code = "spoken",
    witness: Name = "",
) -> Asked:
    """Read the fields of `asked_fields.html`; what was left empty is None. Casework judges the answers."""
    return Asked(
        channel=channel,
        language=language,
        interpreter=interpreter.strip() or None,
        respondent=Respondent(
            respondent=respondent or "self",
            relation=relation or None,
            evidence=evidence or None,
            assent=ASSENT.get(assent),
            assent_reason=assent_reason or None,
            signature=signature or "spoken",
            witness=witness.strip() or None,
        ),
    )
