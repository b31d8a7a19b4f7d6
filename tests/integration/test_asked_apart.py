"""The ministry that is asked apart sees what was referred to it with the person's yes, and no more; acts agree."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from casework import drafts, hand_overs, overrides, provider_acts, referrals, sending
from casework.assessment import Issue
from casework.consent import settle_exclusion
from casework.households import answer_anew
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.named_consents import Asked
from casework.renewals import renew_consent
from casework.spoken_consents import SpokenConsent
from casework.withdrawals import withdraw
from db.case_sheets import list_case_issues, list_decided_categories, list_merged_codes
from db.consents import list_expiring
from db.errors import DomainError
from db.hand_overs import list_hand_overs
from db.intake_health import list_open_issues, list_quarantined
from db.models import Capacity, Case, Consent, ConsentOverride, Need, Referral, Role, Withdrawal
from db.overrides import get_visible_override, list_overrides
from db.unmet import list_unmet
from db.vault import Vault
from db.visibility import visible_cases, visible_needs, visible_submissions
from db.withdrawals import get_receipt, list_visible_withdrawals
from governorates import KIND_ASKED_APART, Governorate
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission
from tests.factories.consents import person, provider_of

NOW = datetime.now(UTC)
HEALTH, WOMEN = "primary_health_care", "womens_legal_counselling"
YES = SpokenConsent(agreed=True, channel="desk", language="ar")
ASKED = Asked("desk", "ar")


@pytest.fixture
def momd(session: Session) -> Actor:
    return person(session, "momd-one", ministry="momd")


@pytest.fixture
def moi(session: Session) -> Actor:
    return person(session, "moi-one", ministry="moi")


def opened(session: Session, vault: Vault, governorate: Governorate, *needs: str, **changes: object) -> Case:
    """A case that nobody has matched yet."""
    said = [(need, "emergency") for need in needs]
    case_id = open_case(session, vault, governorate, make_assessment(governorate, said, **changes)).case_id
    return session.get_one(Case, case_id)


def match(session: Session, vault: Vault, governorate: Governorate) -> None:
    match_open_needs(session, vault, governorate, now=NOW)


def need_of(session: Session, case: Case, service_type: str) -> Need:
    return session.scalars(
        select(Need).where(Need.case_id == case.id, Need.service_type == service_type)
    ).one()


def referral_of(session: Session, need: Need) -> int:
    return session.scalar(select(func.max(Referral.id)).where(Referral.need_id == need.id)) or 0


def seers(session: Session, need: Need, *actors: Actor) -> list[str]:
    """The ministries that see this need, and with it the case."""
    found = []
    for actor in actors:
        sees_need = session.scalar(visible_needs(actor).where(Need.id == need.id)) is not None
        sees_case = session.scalar(visible_cases(actor).where(Case.id == need.case_id)) is not None
        assert sees_case or not sees_need
        found += [str(actor.ministry)] * sees_need
    return found


def refused(act: Callable[[], object]) -> str | None:
    """The code of the refusal, None when the act went through."""
    try:
        act()
    except DomainError as error:
        return error.code
    return None


def said_anew(session: Session, case: Case, **changes: object) -> None:
    former = session.scalars(
        select(Consent).where(Consent.case_id == case.id, Consent.kind == "assessment").order_by(Consent.id)
    ).first()
    assert former is not None
    session.add(answer_anew(former, **changes))
    session.flush()


def test_nobody_is_known_before_a_referral_was_proposed(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    case = opened(session, vault, governorate, WOMEN)
    need = need_of(session, case, WOMEN)
    need.unmet_reason, need.unmet_since = "no_slot", NOW
    assert seers(session, need, momd, moi) == ["momd"]
    assert session.scalars(visible_cases(moi)).all() == []
    assert [row.need_id for row in list_unmet(session, momd).rows] == [need.id]
    assert (list_unmet(session, moi).rows, list_unmet(session, moi).by_reason) == ([], {})
    match(session, vault, governorate)
    assert seers(session, need, momd, moi) == ["moi"]


def test_a_draft_is_nothing_yet(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    session.execute(update(Capacity).values(slots=Capacity.reserved))
    case = opened(session, vault, governorate, WOMEN)
    need = need_of(session, case, WOMEN)
    match(session, vault, governorate)
    assert (need.status, need.unmet_reason) == ("open", "no_slot")
    assert [row.need_id for row in list_unmet(session, momd).rows] == [need.id]
    assert list_unmet(session, moi).rows == []
    session.execute(update(Capacity).values(slots=Capacity.reserved + 1))
    offers = select(Capacity.service_at_location_id).order_by(Capacity.id)
    codes = {
        refused(lambda one=one: drafts.draft(session, vault, need.id, one, momd, "transport"))  # type: ignore[misc]
        for one in session.scalars(offers).all()
    }
    assert None in codes
    drafted = referral_of(session, need)
    assert session.get_one(Referral, drafted).state == "draft"
    assert seers(session, need, momd, moi) == ["momd"]
    sending.recall(session, vault, drafted, momd, "error", "x")
    assert seers(session, need, momd, moi) == ["momd"]
    place = session.get_one(Referral, drafted).service_at_location_id
    again = drafts.draft(session, vault, need.id, place, momd, "transport")
    drafts.propose(session, vault, again, momd)
    assert seers(session, need, momd, moi) == ["moi"]


@pytest.mark.parametrize(
    "change",
    [
        {"given_at": NOW - timedelta(days=500), "expires_at": NOW - timedelta(days=135)},
        {"withdrawn_at": NOW},
        {"given": False},
        {"categories": ["health"]},
        {"recipients": ["state_programme"]},
        {"exclusions": ["named_organization"]},
    ],
    ids=["expired", "withdrawn", "no", "category", "recipient", "exclusion"],
)
def test_only_while_the_persons_yes_is_in_force(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    momd: Actor,
    moi: Actor,
    change: dict[str, object],
) -> None:
    case = opened(session, vault, governorate, WOMEN)
    need = need_of(session, case, WOMEN)
    match(session, vault, governorate)
    assert seers(session, need, momd, moi) == ["moi"]
    said_anew(session, case, **change)
    assert seers(session, need, momd, moi) == ["momd"]


def test_whom_a_person_fears_is_not_settled_by_the_ministry_asked_apart(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    fearing = make_consent(governorate, exclusions=("named_organization",), exclusion_note="ابن عمي")
    case = opened(session, vault, governorate, WOMEN, consent=fearing)
    consent = session.scalars(
        select(Consent).where(Consent.case_id == case.id, Consent.kind == "assessment")
    ).one()
    elsewhere = Actor(momd.user_id, "coordinator", "anbar", ministry="momd")
    assert refused(lambda: settle_exclusion(session, vault, moi, consent.id, [])) == "forbidden"
    assert refused(lambda: settle_exclusion(session, vault, elsewhere, consent.id, [])) == "not_found"
    assert consent.exclusion_open
    settle_exclusion(session, vault, momd, consent.id, [])
    assert not consent.exclusion_open


def test_intake_is_none_of_its_business(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    issues = (Issue("phone_in_another_case", "head/phone"),)
    case = opened(session, vault, governorate, WOMEN, HEALTH, issues=issues)
    quarantined = store_submission(session, vault)
    quarantined.status, quarantined.reason = "quarantined", "form_version_unknown"
    match(session, vault, governorate)
    assert len(list_quarantined(session, momd)) == 1
    assert list_quarantined(session, moi) == []
    assert session.scalars(visible_submissions(moi)).all() == []
    assert [row.case_code for row in list_open_issues(session, momd)] == [case.printed_code]
    assert list_open_issues(session, moi) == []
    assert len(list_case_issues(session, momd, [case.id])) == 1
    assert list_case_issues(session, moi, [case.id]) == []
    other = opened(session, vault, governorate, HEALTH)
    other.merged_into_id = case.id
    session.flush()
    assert list_merged_codes(session, momd, [case.id]) == [(case.id, other.printed_code)]
    assert list_merged_codes(session, moi, [case.id]) == []
    assert list_decided_categories(session, moi, case.id) == ["womens_legal_counselling"]


def handed_override(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> tuple[Need, int]:
    """A need of the operator's, handed over to the ministry asked apart and sent by it for a vital interest."""
    case = opened(session, vault, governorate, HEALTH)
    need = need_of(session, case, HEALTH)
    match(session, vault, governorate)
    offered = hand_overs.offer_need(
        session, vault, need.id, "moi", momd, reason="person_wishes", spoken=YES, now=NOW
    )
    hand_overs.accept(session, vault, offered, moi, now=NOW)
    referral_id = referral_of(session, need)
    referrals.approve(session, vault, referral_id, moi)
    made = overrides.override_consent(
        session, vault, referral_id, moi, reason="unconscious", note="نزيف", now=NOW
    )
    return need, made


def test_an_override_is_the_business_of_whoever_decides_on_the_need_now(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    _, made = handed_override(session, vault, governorate, momd, moi)
    second = person(session, "moi-two", ministry="moi")
    supervisor = person(session, "momd-sup", Role.SUPERVISOR, ministry="momd")
    start, end = NOW - timedelta(days=1), NOW + timedelta(days=1)
    for stranger in (momd, supervisor, replace(second, governorate="anbar")):
        assert get_visible_override(session, stranger, made) is None
        assert list_overrides(session, stranger, start, end).rows == []
        confirming = refused(lambda who=stranger: overrides.confirm_override(session, made, who, NOW))  # type: ignore[misc]
        assert confirming == "not_found"
    assert session.get_one(ConsentOverride, made).confirmed_at is None
    overrides.confirm_override(session, made, second, NOW)
    assert session.get_one(ConsentOverride, made).confirmed_by == second.user_id


def test_an_override_for_who_said_no_to_it_is_the_operators(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    need, made = handed_override(session, vault, governorate, momd, moi)
    supervisor = person(session, "moi-sup", Role.SUPERVISOR, ministry="moi")
    assert get_visible_override(session, supervisor, made) is not None
    case = session.get_one(Case, need.case_id)
    said_anew(session, case, withdrawn_at=NOW)
    assert get_visible_override(session, supervisor, made) is None
    assert get_visible_override(session, moi, made) is None


def test_the_whole_consent_is_renewed_by_the_office_and_the_operator_alone(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    case = opened(session, vault, governorate, WOMEN, HEALTH)
    match(session, vault, governorate)
    narrow = {"categories": ["womens_legal_counselling"], "recipients": [KIND_ASKED_APART]}
    asked = refused(lambda: renew_consent(session, vault, case.id, moi, ASKED, now=NOW, **narrow))  # type: ignore[arg-type]
    assert asked == "forbidden"
    health = session.get_one(Referral, referral_of(session, need_of(session, case, HEALTH)))
    assert health.state == "proposed"
    later = NOW + timedelta(days=400)
    assert [row.kind for row in list_expiring(session, momd, later).rows] == ["assessment"]
    assert list_expiring(session, moi, later).rows == []
    kept = [code for code in governorate.categories if code != "health"]
    renew_consent(session, vault, case.id, momd, ASKED, now=NOW, categories=kept)
    assert health.state == "recalled"
    taken = session.scalars(select(Withdrawal).where(Withdrawal.case_id == case.id)).one()
    assert (taken.scope, taken.categories, taken.recorded_by) == ("categories", ["health"], momd.user_id)


def test_a_withdrawal_at_its_office_says_nothing_of_others(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    case = opened(session, vault, governorate, WOMEN, HEALTH)
    match(session, vault, governorate)
    women, health = (referral_of(session, need_of(session, case, one)) for one in (WOMEN, HEALTH))
    for referral_id, actor in ((women, moi), (health, momd)):
        referrals.approve(session, vault, referral_id, actor)
        sending.send(session, vault, referral_id, actor, channel="desk", language="ar")
        provider_acts.accept(session, vault, referral_id, provider_of(session, referral_id))

    def take_back(actor: Actor, scope: str, **what: object) -> int:
        return withdraw(session, vault, case.id, actor, channel="desk", scope=scope, now=NOW, **what)  # type: ignore[arg-type]

    assert refused(lambda: take_back(moi, "categories", categories=["health"])) == "not_an_option"
    assert refused(lambda: take_back(moi, "categories", categories=["education"])) == "not_an_option"
    assert refused(lambda: take_back(moi, "referral", referral_id=health)) == "not_found"
    assert session.get_one(Referral, health).state == "accepted"
    theirs = take_back(momd, "statistics")
    assert get_receipt(session, moi, case.printed_code, theirs) is None
    assert list_visible_withdrawals(session, moi, [case.id]) == []
    own = take_back(moi, "everything")
    receipt, whole = (get_receipt(session, who, case.printed_code, own) for who in (moi, momd))
    assert receipt is not None
    assert whole is not None
    assert ([one.service_type for one in receipt.told], receipt.is_whole) == ([WOMEN], False)
    assert ({one.service_type for one in whole.told}, whole.is_whole) == ({WOMEN, HEALTH}, True)
    second = person(session, "moi-two", ministry="moi")
    assert get_receipt(session, second, case.printed_code, own) is None
    assert (
        refused(lambda: take_back(moi, "contact")) == "not_found"
    )  # the case does not exist for it any more


def test_nobody_takes_back_for_a_case_outside_the_mandate(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    case = opened(session, vault, governorate, HEALTH)
    match(session, vault, governorate)
    for actor, code in ((moi, "not_found"), (momd, None)):
        done = refused(
            lambda who=actor: withdraw(  # type: ignore[misc]
                session, vault, case.id, who, channel="desk", scope="statistics", now=NOW
            )
        )
        assert done == code


def test_an_offer_is_seen_while_the_person_agrees(
    session: Session, vault: Vault, governorate: Governorate, momd: Actor, moi: Actor
) -> None:
    case = opened(session, vault, governorate, HEALTH)
    match(session, vault, governorate)
    need = need_of(session, case, HEALTH)
    hand_overs.offer_need(session, vault, need.id, "moi", momd, reason="person_wishes", spoken=YES, now=NOW)
    assert [row.case_code for row in list_hand_overs(session, moi, incoming=True).rows] == [case.printed_code]
    said_anew(session, case, withdrawn_at=NOW)
    assert list_hand_overs(session, moi, incoming=True).rows == []
    assert len(list_hand_overs(session, momd, incoming=False).rows) == 1
