"""Who says yes for whom, and how it was witnessed: for a child a caregiver and the child, for an adult themselves.

Rules: domain.md of the field (consent by proxy with relation and evidence; caregiver's consent and the child's
assent); ages are data of the governorate (sop.toml, [consent]).
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from db.errors import DomainError
from db.models import Consent, Person
from db.vault import Vault
from governorates import ConsentRules, choice_codes, fits_age

NO_EVIDENCE = "none"
TOO_YOUNG = "too_young"
WITNESS_NAMED = "witness_named"


@dataclass(frozen=True, slots=True)
class Respondent:
    """Who answered when consent was asked. `assent` is the child's own answer, None where it was not asked.

    `evidence`, `relation`, `assent_reason` and `signature` are codes of choices.toml; `witness` is
    a name, sealed when it is stored.
    """

    respondent: str = "self"
    relation: str | None = None
    evidence: str | None = None
    assent: bool | None = None
    assent_reason: str | None = None
    signature: str = "spoken"
    witness: str | None = field(default=None, repr=False)

    def require_complete(self, head: Person | None, first: Consent | None, rules: ConsentRules) -> None:
        """Refuse what does not bind the person whom it is about.

        `first` is the assessment's consent. Raises DomainError `not_an_option`, `witness_required`,
        `caregiver_required`, `proxy_evidence_required`, `proxy_evidence_unfit` (a child's for an adult, or the
        other way round) or `assent_required`.
        """
        self._require_known_codes()
        if self.signature == WITNESS_NAMED and not (self.witness or "").strip():
            raise DomainError("witness_required")
        child = is_child(head, first, rules)
        if child and self.respondent == "self":
            raise DomainError("caregiver_required")
        if self.respondent != "self" and (not self.relation or self.evidence in {None, NO_EVIDENCE}):
            raise DomainError("proxy_evidence_required")
        if self.respondent != "self" and not fits_age("proxy_evidence", str(self.evidence), is_child=child):
            raise DomainError("proxy_evidence_unfit", evidence=self.evidence)
        if child and not self.assent and not self._is_excused(head, rules):
            raise DomainError("assent_required")

    def _require_known_codes(self) -> None:
        for list_name, code in (
            ("respondent", self.respondent),
            ("relation", self.relation),
            ("proxy_evidence", self.evidence),
            ("assent_reason", self.assent_reason),
            ("signature", self.signature),
        ):
            if code is not None and code not in choice_codes(list_name):
                raise DomainError("not_an_option", list=list_name)

    def _is_excused(self, head: Person | None, rules: ConsentRules) -> bool:
        """A child who said no is never excused; one below the age of assent may be too young."""
        if self.assent is False or self.assent_reason is None:
            return False
        age = head.age_years if head else None
        return self.assent_reason != TOO_YOUNG or (age is not None and age < rules.assent_age)

    def columns(self, vault: Vault, key_id: UUID) -> dict[str, Any]:
        """The columns of a consent row, the witness sealed with the case's key."""
        by_another = self.respondent != "self"
        return {
            "respondent": self.respondent,
            "proxy_relation": self.relation if by_another else None,
            "proxy_evidence": self.evidence if by_another else None,
            "child_assent": self.assent,
            "assent_reason": None if self.assent else self.assent_reason,
            "signature": self.signature,
            "witness": vault.seal(key_id, "consent.witness", self.witness),
        }


def is_child(head: Person | None, first: Consent | None, rules: ConsentRules) -> bool:
    """Whether the person is under age; of unknown age when a caregiver answered the assessment."""
    if head is not None and head.age_years is not None:
        return head.age_years < rules.adult_age
    return first is not None and first.respondent == "caregiver"
