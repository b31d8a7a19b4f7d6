"""Whose decisions a need is: no act reaches over, and a hand-over is explicit and consented."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from casework import closure, drafts, hand_overs, referrals, sending
from casework.matching import match_open_needs
from casework.moves import Actor, lock_referral, make_move
from casework.reopening import reopen_need
from casework.spoken_consents import SpokenConsent
from db.consents import set_withdrawn
from db.contact_points import list_ministries_in_charge
from db.errors import DomainError
from db.hand_overs import list_hand_overs
from db.keyfile import MasterKeys
from db.models import Case, Consent, HandOver, Need, Referral, ReferralEvent
from db.options import get_referral_sheet
from db.session import session_scope
from db.unmet import list_unmet
from db.vault import Vault
from db.visibility import visible_cases, visible_needs, visible_referrals
from governorates import Governorate
from referral_engine import sop
from tests.factories.cases import make_assessment, make_consent, open_case

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")
YES = SpokenConsent(agreed=True, channel="safe_call", language="ar")
HEALTH, WOMEN = "primary_health_care", "womens_legal_counselling"


def opened(session: Session, vault: Vault, governorate: Governorate, *needs: str, moi: bool = True) -> int:
    assessment = make_assessment(
        governorate, [(need, "normal") for need in needs], consent=make_consent(governorate, moi=moi)
    )
    case_id = open_case(session, vault, governorate, assessment).case_id or 0
    match_open_needs(session, vault, governorate, now=NOW)
    return case_id


def need_of(session: Session, case_id: int, service_type: str) -> Need:
    return session.scalars(
        select(Need).where(Need.case_id == case_id, Need.service_type == service_type)
    ).one()


def referral_of(session: Session, need: Need) -> int:
    return session.scalars(select(Referral.id).where(Referral.need_id == need.id)).one()


def sees(session: Session, actor: Actor, need: Need) -> bool:
    return session.scalar(visible_needs(actor).where(Need.id == need.id)) is not None


def code_of(act: Callable[[], object]) -> str | None:
    """The code of the refusal, None when the act went through."""
    try:
        act()
    except DomainError as error:
        return error.code
    return None


Act = Callable[[Session, Vault, int, Actor], object]

ACTS: Mapping[str, Act] = {
    "propose": drafts.propose,
    "approve": referrals.approve,
    "hold": lambda s, v, i, a: referrals.hold(s, v, i, a, "check_consent"),
    "unhold": referrals.release_hold,
    "change": lambda s, v, i, a: referrals.choose_other(s, v, i, 1, a, "transport", None),
    "send": lambda s, v, i, a: sending.send(s, v, i, a, channel="desk", language="ar"),
    "recall": lambda s, v, i, a: sending.recall(s, v, i, a, "error", "x"),
}
"""Moves with an act of their own beside `make_move`."""


@pytest.mark.parametrize("move", sorted(set(sop.MOVES) - {"draft"}))
@pytest.mark.parametrize(("service_type", "own", "other"), [(WOMEN, MOI, MOMD), (HEALTH, MOMD, MOI)])
def test_no_move_reaches_over_to_another_ministry(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    move: str,
    service_type: str,
    own: Actor,
    other: Actor,
) -> None:
    case_id = opened(session, vault, governorate, service_type)
    referral_id = referral_of(session, need_of(session, case_id, service_type))

    def plain(actor: Actor) -> None:
        make_move(session, vault, lock_referral(session, referral_id, actor), move, actor)

    events = session.scalar(select(func.count(ReferralEvent.id)))
    assert code_of(lambda: plain(other)) == "not_found"
    if move in ACTS:
        assert code_of(lambda: ACTS[move](session, vault, referral_id, other)) == "not_found"
    assert get_referral_sheet(session, other, referral_id) is None
    assert session.scalar(select(func.count(ReferralEvent.id))) == events
    assert code_of(lambda: plain(own)) != "not_found"  # the same move is at least looked at for the owner


def test_no_draft_and_no_reopening_reaches_over(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case_id = opened(session, vault, governorate, WOMEN)
    need = need_of(session, case_id, WOMEN)
    referral_id = referral_of(session, need)
    place = session.get_one(Referral, referral_id).service_at_location_id
    sending.recall(session, vault, referral_id, MOI, "error", "x")
    assert need.status == "open"
    savepoint = session.begin_nested()
    reaching = code_of(lambda: drafts.draft(session, vault, need.id, place, MOMD, "other"))
    assert reaching == "not_found"
    savepoint.rollback()
    need.status = "withdrawn"
    reopened = code_of(lambda: reopen_need(session, vault, need.id, MOMD, reason="needed_again", now=NOW))
    assert reopened == "not_found"
    assert code_of(lambda: closure.confirm(session, vault, referral_id, MOMD)) == "not_found"


def test_who_did_not_agree_to_moi_is_looked_after_by_the_operator_alone(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case_id = opened(session, vault, governorate, WOMEN, HEALTH, moi=False)
    need = need_of(session, case_id, WOMEN)
    assert (sees(session, MOMD, need), sees(session, MOI, need)) == (True, False)
    assert session.scalars(visible_cases(MOI).where(Case.id == case_id)).all() == []
    assert need.id in {row.need_id for row in list_unmet(session, MOMD).rows} or need.status == "referred"
    assert list_unmet(session, MOI).rows == []


def offer(
    session: Session, vault: Vault, need: Need, actor: Actor, to: str, spoken: SpokenConsent = YES
) -> int:
    return hand_overs.offer_need(
        session, vault, need.id, to, actor, reason="needs_both", spoken=spoken, now=NOW, note="تفضّل ذلك"
    )


@pytest.mark.parametrize(("service_type", "giving", "taking"), [(HEALTH, MOMD, MOI), (WOMEN, MOI, MOMD)])
def test_a_hand_over_moves_the_decisions_once_accepted(
    session: Session, vault: Vault, governorate: Governorate, service_type: str, giving: Actor, taking: Actor
) -> None:
    case_id = opened(session, vault, governorate, service_type)
    need = need_of(session, case_id, service_type)
    referral_id = referral_of(session, need)
    hand_over_id = offer(session, vault, need, giving, str(taking.ministry))
    assert (sees(session, giving, need), sees(session, taking, need)) == (True, False)
    row = list_hand_overs(session, taking, incoming=True).rows[0]
    assert (row.category, row.state, row.due_at) == (need.category, "offered", NOW + timedelta(hours=48))
    assert code_of(lambda: lock_referral(session, referral_id, taking)) == "not_found"
    hand_overs.accept(session, vault, hand_over_id, taking, now=NOW)
    assert (sees(session, giving, need), sees(session, taking, need)) == (False, True)
    assert code_of(lambda: lock_referral(session, referral_id, giving)) == "not_found"
    referrals.approve(session, vault, referral_id, taking)
    assert list_ministries_in_charge(session, referral_id, "nineveh") == [taking.ministry]
    consent = session.get_one(Consent, session.get_one(HandOver, hand_over_id).consent_id)
    assert (consent.kind, consent.channel, consent.language) == ("hand_over", "safe_call", "ar")
    assert consent.text_version


def test_only_the_need_handed_over_exists_for_moi_and_only_while_the_person_agrees(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case_id = opened(session, vault, governorate, WOMEN, HEALTH, moi=False)
    women, health = need_of(session, case_id, WOMEN), need_of(session, case_id, HEALTH)
    hand_overs.accept(session, vault, offer(session, vault, women, MOMD, "moi"), MOI, now=NOW)
    assert (sees(session, MOI, women), sees(session, MOI, health)) == (True, False)
    assert sees(session, MOMD, health)
    assert not sees(session, MOMD, women)
    assert session.scalars(visible_referrals(MOI).with_only_columns(Need.id)).all() in ([], [women.id])
    set_withdrawn(session, [case_id], ["hand_over"], NOW)
    assert (sees(session, MOI, women), sees(session, MOMD, women)) == (False, True)


def test_taking_the_cases_consent_back_takes_it_from_moi_too(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case_id = opened(session, vault, governorate, HEALTH)
    need = need_of(session, case_id, HEALTH)
    hand_overs.accept(session, vault, offer(session, vault, need, MOMD, "moi"), MOI, now=NOW)
    set_withdrawn(session, [case_id], ["assessment"], NOW)
    assert (sees(session, MOI, need), sees(session, MOMD, need)) == (False, True)


def test_who_may_offer_and_answer(session: Session, vault: Vault, governorate: Governorate) -> None:
    case_id = opened(session, vault, governorate, HEALTH)
    need = need_of(session, case_id, HEALTH)
    officer = Actor(None, "officer", "nineveh", office_id=session.get_one(Case, case_id).office_id)
    no = SpokenConsent(agreed=False, channel="desk", language="ar")
    assert code_of(lambda: offer(session, vault, need, MOI, "momd")) == "not_found"
    assert code_of(lambda: offer(session, vault, need, officer, "moi")) == "forbidden"
    assert code_of(lambda: offer(session, vault, need, MOMD, "momd")) == "value_wrong"
    assert code_of(lambda: offer(session, vault, need, MOMD, "jcc")) == "value_wrong"
    assert code_of(lambda: offer(session, vault, need, MOMD, "moi", no)) == "consent_required"
    hand_over_id = offer(session, vault, need, MOMD, "moi")
    assert code_of(lambda: offer(session, vault, need, MOMD, "moi")) == "offer_waits"
    answers: tuple[Callable[[Actor], Any], ...] = (
        lambda actor: hand_overs.accept(session, vault, hand_over_id, actor, now=NOW),
        lambda actor: hand_overs.decline(session, vault, hand_over_id, actor, reason="no_capacity", now=NOW),
    )
    for answer in answers:
        assert code_of(lambda answer=answer: answer(MOMD)) == "forbidden"  # type: ignore[misc]
        assert code_of(lambda answer=answer: answer(officer)) == "forbidden"  # type: ignore[misc]
    elsewhere = Actor(None, "coordinator", "anbar", ministry="moi")
    assert code_of(lambda: answers[0](elsewhere)) == "not_found"
    answers[1](MOI)
    assert code_of(lambda: answers[0](MOI)) == "changed_meanwhile"
    assert need.ministry is None
    again = offer(session, vault, need, MOMD, "moi")
    hand_overs.withdraw_offer(session, vault, again, MOMD, now=NOW)
    assert code_of(lambda: hand_overs.accept(session, vault, again, MOI, now=NOW)) == "changed_meanwhile"


def test_accept_and_withdraw_at_once_have_one_winner(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        vault = Vault(session, masters)
        case_id = opened(session, vault, governorate, HEALTH)
        need = need_of(session, case_id, HEALTH)
        hand_over_id, need_id = offer(session, vault, need, MOMD, "moi"), need.id
    results: list[str | None] = []
    start = threading.Barrier(4)

    def act(do: Callable[..., None], actor: Actor) -> None:
        start.wait()

        def once() -> None:
            with session_scope(fresh_engine) as session:
                do(session, Vault(session, masters), hand_over_id, actor, now=NOW)

        results.append(code_of(once))

    pairs = [(hand_overs.accept, MOI), (hand_overs.withdraw_offer, MOMD)] * 2
    threads = [threading.Thread(target=act, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results, key=str) == [None, *["changed_meanwhile"] * 3]
    with session_scope(fresh_engine) as session:
        is_accepted = session.get_one(HandOver, hand_over_id).state == "accepted"
        assert session.get_one(Need, need_id).ministry == ("moi" if is_accepted else None)
