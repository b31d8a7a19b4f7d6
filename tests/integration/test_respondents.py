"""Who may say yes for whom: a child's caregiver and the child, a proxy with evidence, a witness by name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from casework import sending
from casework.assessment import PersonAnswers
from casework.respondents import Respondent
from db.errors import DomainError
from db.models import Consent
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_consent
from tests.factories.consents import Waiting, make_waiting

MOTHER = Respondent("caregiver", "parent", "caregiver_present", assent=True)
PROXY = Respondent("proxy", "sibling", "power_of_attorney")


def waiting_for(
    session: Session, vault: Vault, governorate: Governorate, age: int | None, respondent: str = "caregiver"
) -> Waiting:
    head = PersonAnswers("head", 0, "زهراء", "كريم", "صالح", sex="female", age_years=age)
    consent = make_consent(governorate, respondent=respondent, child_assent=respondent == "caregiver")
    return make_waiting(session, vault, governorate, persons=(head,), consent=consent)


def send(waiting: Waiting, respondent: Respondent) -> None:
    sending.send(
        waiting.session, waiting.vault, waiting.referral_id, waiting.coordinator,
        channel="desk", language="ar", respondent=respondent, now=datetime.now(UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("age", "changes", "code"),
    [
        (9, {}, None),
        (17, {}, None),
        (9, {"respondent": "self"}, "caregiver_required"),
        (9, {"relation": None}, "proxy_evidence_required"),
        (9, {"evidence": None}, "proxy_evidence_required"),
        (9, {"evidence": "none"}, "proxy_evidence_required"),
        (9, {"evidence": "a smile"}, "not_an_option"),
        (9, {"relation": "friend"}, "not_an_option"),
        (9, {"assent": None}, "assent_required"),
        (9, {"assent": False}, "assent_required"),
        (9, {"assent": False, "assent_reason": "cannot_answer"}, "assent_required"),
        (9, {"assent": None, "assent_reason": "too_young"}, "assent_required"),
        (9, {"assent": None, "assent_reason": "cannot_answer"}, None),
        (6, {"assent": None, "assent_reason": "too_young"}, "assent_required"),
        (5, {"assent": None, "assent_reason": "too_young"}, None),
        (5, {"assent": None}, "assent_required"),
        (None, {"respondent": "self"}, "caregiver_required"),
        (None, {"assent": None, "assent_reason": "too_young"}, "assent_required"),
        (18, {"respondent": "self", "assent": None}, None),
        (18, {"assent": None}, "proxy_evidence_unfit"),
        (18, {"assent": None, "evidence": "confirmed_by_phone"}, None),
        (18, {"assent": None, "respondent": "proxy"}, "proxy_evidence_unfit"),
        (17, {"evidence": "power_of_attorney"}, "proxy_evidence_unfit"),
        (17, {"evidence": "person_present", "respondent": "proxy"}, "proxy_evidence_unfit"),
        (17, {"evidence": "court_order"}, None),
        (18, {"evidence": "court_order", "assent": None}, None),
        (None, {"evidence": "power_of_attorney"}, "proxy_evidence_unfit"),
        (18, {"evidence": None}, "proxy_evidence_required"),
    ],
)
def test_a_child_is_spoken_for_and_asked(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    age: int | None,
    changes: dict[str, Any],
    code: str | None,
) -> None:
    waiting = waiting_for(session, vault, governorate, age)
    if code is None:
        send(waiting, replace(MOTHER, **changes))
        assert waiting.state == "sent"
        return
    with pytest.raises(DomainError) as refusal:
        send(waiting, replace(MOTHER, **changes))
    assert refusal.value.code == code
    assert waiting.state == "awaiting_consent"


def test_what_was_answered_is_kept(session: Session, vault: Vault, governorate: Governorate) -> None:
    waiting = waiting_for(session, vault, governorate, 34, "proxy")
    with pytest.raises(DomainError, match="witness_required"):
        send(waiting, replace(PROXY, signature="witness_named"))
    send(waiting, replace(PROXY, signature="witness_named", witness="أم سعد"))
    row = session.scalars(select(Consent).where(Consent.kind == "referral")).one()
    assert (row.respondent, row.proxy_relation, row.proxy_evidence, row.signature) == (
        "proxy", "sibling", "power_of_attorney", "witness_named",
    )  # fmt: skip
    assert vault.open("consent.witness", row.witness) == "أم سعد"
    assert row.organization_id == waiting.provider.organization_id
    assert row.expires_at == governorate.consent.end_of(row.given_at)
