"""An edit of a form narrows consent by itself and never widens it; what lacks its interpreter leads to nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from casework import renewals, sending
from casework.assessment import Assessment
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.named_consents import Asked
from casework.wider_answers import accept_wider, keep_narrower
from db.consents import is_agreed
from db.errors import DomainError
from db.models import Case, Consent, Need, Referral, SubmissionIssue
from db.referrals import list_slot_mismatches
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, make_consent, open_case
from tests.factories.consents import make_waiting
from tests.integration.test_consent_kept import edit, live

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
ELSEWHERE = Actor(None, "coordinator", "anbar", ministry="momd")
ASKED = Asked("desk", "ar")
NEEDS = [("counselling", "normal"), ("hlp_legal_aid", "normal")]


def match(session: Session, vault: Vault, governorate: Governorate) -> None:
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))


def newest(session: Session, kind: str = "assessment") -> Consent:
    session.expire_all()
    return session.scalars(select(Consent).where(Consent.kind == kind).order_by(Consent.id.desc())).first()  # type: ignore[return-value]


def opened(
    session: Session, vault: Vault, governorate: Governorate, **consent: Any
) -> tuple[int, Assessment]:
    assessment = make_assessment(governorate, NEEDS, consent=make_consent(governorate, **consent))
    case_id = open_case(session, vault, governorate, assessment).case_id
    assert case_id is not None
    return case_id, assessment


def wider(session: Session) -> list[SubmissionIssue]:
    return list(
        session.scalars(
            select(SubmissionIssue)
            .where(SubmissionIssue.code == "consent_wider", SubmissionIssue.settled_at.is_(None))
            .order_by(SubmissionIssue.id)
        )
    )


def test_an_edit_that_adds_categories_and_the_ministry_of_interior_changes_nothing(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    narrow = {"categories": ("mhpss",), "moi": False, "contact": False, "exclusions": ("own_subdistrict",)}
    case_id, assessment = opened(session, vault, governorate, **narrow)
    edit(session, vault, governorate, replace(assessment, consent=make_consent(governorate)))
    word = newest(session)
    assert word.categories == ["mhpss"]
    assert "moi_office" not in word.recipients
    assert word.exclusions == ["own_subdistrict"]
    assert not is_agreed(session, case_id, "contact")
    [issue] = wider(session)
    assert set(issue.details["categories"].split()) == set(governorate.categories) - {"mhpss"}
    assert issue.details["recipients"] == "moi_office"
    assert (issue.details["exclusions"], issue.details["answers"]) == ("own_subdistrict", "contact")
    match(session, vault, governorate)
    unmet = dict(session.execute(select(Need.service_type, Need.unmet_reason)).all())
    assert unmet["hlp_legal_aid"] == "consent"


def test_the_person_is_asked_before_any_of_it_counts(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case_id, assessment = opened(
        session, vault, governorate, categories=("health",), moi=False, contact=False
    )
    edit(session, vault, governorate, replace(assessment, consent=make_consent(governorate)))
    [issue] = wider(session)
    now = datetime.now(UTC)
    for actor, asked, code in (
        (ELSEWHERE, ASKED, "not_found"),
        (MOMD, Asked("desk", "kmr"), "interpreter_required"),
        (MOMD, Asked("desk", "kmr", "  "), "interpreter_required"),
    ):
        with pytest.raises(DomainError, match=code):
            accept_wider(session, vault, case_id, issue.id, actor, asked, now=now)
    accept_wider(session, vault, case_id, issue.id, MOMD, ASKED, now=now)
    word = newest(session)
    assert set(word.categories) == set(governorate.categories)
    assert (word.channel, "moi_office" in word.recipients) == ("desk", True)
    assert word.expires_at == governorate.consent.end_of(now)
    assert is_agreed(session, case_id, "contact")
    assert wider(session) == []
    with pytest.raises(DomainError, match="consent_settled_already"):
        keep_narrower(session, case_id, issue.id, MOMD, now=now)
    match(session, vault, governorate)
    assert len(live(session)) == 2


def test_what_the_person_had_agreed_to_may_stay(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case_id, assessment = opened(session, vault, governorate, categories=("health",))
    stranger, _ = opened(session, vault, governorate)
    edit(session, vault, governorate, replace(assessment, consent=make_consent(governorate)))
    [issue] = wider(session)
    with pytest.raises(DomainError, match="not_found"):
        keep_narrower(session, stranger, issue.id, MOMD, now=datetime.now(UTC))
    keep_narrower(session, case_id, issue.id, MOMD, now=datetime.now(UTC))
    assert wider(session) == []
    with pytest.raises(DomainError, match="consent_settled_already"):
        accept_wider(session, vault, case_id, issue.id, MOMD, ASKED, now=datetime.now(UTC))
    word = session.scalars(
        select(Consent)
        .where(Consent.kind == "assessment", Consent.case_id == case_id)
        .order_by(Consent.id.desc())
    ).first()
    assert word is not None
    assert word.categories == ["health"]


def test_an_edit_narrows_and_widens_at_once(session: Session, vault: Vault, governorate: Governorate) -> None:
    _, assessment = opened(session, vault, governorate, statistics=False)
    match(session, vault, governorate)
    assert len(live(session)) == 2
    edit(session, vault, governorate, replace(assessment, consent=make_consent(governorate, moi=False)))
    states = dict(
        session.execute(
            select(Need.service_type, Referral.state).join(Need, Need.id == Referral.need_id)
        ).all()
    )
    assert states == {"counselling": "proposed", "hlp_legal_aid": "recalled"}
    assert list_slot_mismatches(session) == []
    assert [issue.details for issue in wider(session)] == [{"answers": "statistics"}]
    # The next edit takes the wish for statistics away again, and wants the ministry back: one issue, the newest.
    edit(
        session, vault, governorate, replace(assessment, consent=make_consent(governorate, statistics=False))
    )
    assert [issue.details for issue in wider(session)] == [{"recipients": "moi_office"}]


def test_two_names_that_nobody_settled_are_both_kept(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    named = {"exclusions": ("named_organization",)}
    _, assessment = opened(session, vault, governorate, **named, exclusion_note="الأولى")
    other = make_consent(governorate, **named, exclusion_note="الثانية")
    edit(session, vault, governorate, replace(assessment, consent=other))
    assert vault.open("consent.exclusion_note", newest(session).exclusion_note) == "الأولى / الثانية"
    edit(session, vault, governorate, replace(assessment, consent=make_consent(governorate)))
    assert newest(session).exclusion_open
    assert vault.open("consent.exclusion_note", newest(session).exclusion_note) == "الأولى / الثانية"
    assert [issue.details for issue in wider(session)] == [{"exclusions": "named_organization"}]


INCOMPLETE = [
    {"language": "kmr"},
    {"language": "syr"},
    {"respondent": "proxy", "proxy_relation": "spouse", "proxy_evidence": None},
    {"respondent": "proxy", "proxy_relation": "spouse", "proxy_evidence": "none"},
]


@pytest.mark.parametrize("how", INCOMPLETE)
def test_an_incomplete_consent_leads_to_nothing_until_the_person_is_asked_again(
    session: Session, vault: Vault, governorate: Governorate, how: dict[str, Any]
) -> None:
    case_id, _ = opened(session, vault, governorate, **how)
    case = session.get_one(Case, case_id)
    session.add(
        SubmissionIssue(
            submission_id=case.submission_id, case_id=case_id, code="interpreter_missing", details={}
        )
    )
    match(session, vault, governorate)
    assert live(session) == []
    assert set(session.scalars(select(Need.unmet_reason))) == {"consent_incomplete"}
    renewals.renew_consent(session, vault, case_id, MOMD, ASKED, now=datetime.now(UTC))
    match(session, vault, governorate)
    assert len(live(session)) == 2
    assert session.scalars(select(SubmissionIssue).where(SubmissionIssue.settled_at.is_(None))).all() == []


@pytest.mark.parametrize(
    "how",
    [
        {"language": "kmr", "interpreter": "دلشاد، معلم"},
        {"respondent": "proxy", "proxy_relation": "spouse", "proxy_evidence": "power_of_attorney"},
    ],
)
def test_a_complete_one_is_matched(
    session: Session, vault: Vault, governorate: Governorate, how: dict[str, Any]
) -> None:
    opened(session, vault, governorate, **how)
    match(session, vault, governorate)
    assert len(live(session)) == 2


def test_an_edit_that_drops_the_interpreter_stops_the_sending(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    consent = make_consent(governorate, language="kmr", interpreter="دلشاد، معلم")
    waiting = make_waiting(session, vault, governorate, consent=consent)
    assessment = make_assessment(governorate, [("primary_health_care", "emergency")], consent=consent)
    edit(session, vault, governorate, replace(assessment, consent=replace(consent, interpreter=None)))
    with pytest.raises(DomainError, match="consent_incomplete"):
        sending.send(session, vault, waiting.referral_id, waiting.coordinator, channel="desk", language="ar")
    # Written in afterwards, or told to have been Arabic all along: not by itself.
    for again in (consent, replace(consent, language="ar", interpreter=None)):
        edit(session, vault, governorate, replace(assessment, consent=again))
        assert newest(session).interpreter is None
        assert newest(session).language == "kmr"
        assert [issue.details for issue in wider(session)] == [{"how_asked": "yes"}]
    accept_wider(
        session, vault, waiting.case_id, wider(session)[0].id, waiting.coordinator,
        Asked("desk", "kmr", "دلشاد، معلم"), now=datetime.now(UTC),
    )  # fmt: skip
    sending.send(session, vault, waiting.referral_id, waiting.coordinator, channel="desk", language="ar")
    assert waiting.state == "sent"
