"""An edit of a form against what the person had agreed to: what is narrower is kept, what is wider is held back.

Held back means: left out of the new answer and told by its codes, for a person to settle. Codes by name:
`categories`, `recipients` that the edit adds; `exclusions` that it drops; `answers`, kinds of consent to which
it says yes anew; `how_asked` where it completes what had been left out (`casework.consent_gate.is_complete`).
"""

from collections.abc import Iterable, Mapping, Sequence

from casework.consent_gate import is_complete
from db.models import Consent

CONSENT_WIDER = "consent_wider"
HOW_ASKED = (
    "text_version",
    "language",
    "respondent",
    "proxy_relation",
    "proxy_reason",
    "proxy_evidence",
    "interpreter",
    "child_assent",
    "assent_reason",
)
"""The columns that say how a person was asked and by whom the answer was given."""


def hold_wider(said: Consent, edited: Consent, governorate: str) -> dict[str, str]:
    """Narrow an edit's answer to what was said before; returns the codes that were held back, by name."""
    held = {
        "categories": _added(said.categories, edited.categories),
        "recipients": _added(said.recipients, edited.recipients),
        "exclusions": _added(edited.exclusions, said.exclusions),
        "answers": "",
        "how_asked": "",
    }
    edited.categories = [code for code in edited.categories if code in said.categories]
    edited.recipients = [code for code in edited.recipients if code in said.recipients]
    edited.exclusions = list(dict.fromkeys([*said.exclusions, *edited.exclusions]))
    if not said.in_force:
        edited.given, edited.withdrawn_at = said.given, said.withdrawn_at
        held["answers"] = edited.kind
    if is_complete(edited, governorate) and not is_complete(said, governorate):
        for column in HOW_ASKED:
            setattr(edited, column, getattr(said, column))
        held["how_asked"] = "yes"
    return held


def hold_plain(edited: Sequence[Consent], said: Mapping[str, Consent]) -> str:
    """Let no yes of an edit stand where the person's last word of that kind is not yes; returns these kinds."""
    held = [one for one in edited if one.given and not (one.kind in said and said[one.kind].in_force)]
    for one in held:
        former = said.get(one.kind)
        one.given = former is not None and former.given
        one.withdrawn_at = None if former is None else former.withdrawn_at
    return " ".join(one.kind for one in held)


def _added(before: Iterable[str], now: Iterable[str]) -> str:
    known = set(before)
    return " ".join(code for code in now if code not in known)
