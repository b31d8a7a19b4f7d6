"""A whole case goes to another office: offered with the person's yes, answered once, and only then it moves."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from casework import transfers
from casework.case_events import hold_case
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.reopening import close_case
from casework.spoken_consents import SpokenConsent
from db.case_events import get_visible_case, list_case_events
from db.consents import set_withdrawn
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import Case, CaseTransfer, Consent, Need, Office, Referral
from db.offices import get_office_by_code
from db.session import session_scope
from db.transfers import list_transfers
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday
YES = SpokenConsent(agreed=True, channel="desk", language="ar")


def officer(session: Session, code: str, governorate: str = "nineveh") -> Actor:
    office = get_office_by_code(session, governorate, code)
    assert office is not None
    return Actor(None, "officer", governorate, office_id=office.id)


def opened(session: Session, vault: Vault, governorate: Governorate) -> Case:
    """A case of the Mosul office with one need and a proposal."""
    needs = [("primary_health_care", "urgent"), ("counselling", "normal")]
    case_id = open_case(session, vault, governorate, make_assessment(governorate, needs)).case_id
    match_open_needs(session, vault, governorate, now=NOW)
    return session.get_one(Case, case_id)


def offered(session: Session, vault: Vault, case: Case, to: str = "sinjar") -> int:
    return transfers.offer(
        session,
        vault,
        case.id,
        officer(session, to).office_id or 0,
        officer(session, "mosul"),
        reason="person_moves",
        spoken=YES,
        now=NOW,
        note="تنتقل إلى بيت أختها",
    )


def refused(code: str, act: Callable[[], object]) -> None:
    with pytest.raises(DomainError) as caught:
        act()
    assert caught.value.code == code


def test_until_it_is_accepted_the_old_office_keeps_the_case(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case = opened(session, vault, governorate)
    mosul, sinjar = officer(session, "mosul"), officer(session, "sinjar")
    transfer_id = offered(session, vault, case)
    assert get_visible_case(session, mosul, case.code) is not None
    assert get_visible_case(session, sinjar, case.code) is None
    row = list_transfers(session, sinjar, incoming=True).rows[0]
    assert (row.case_code, row.needs, row.urgency, row.is_here) == (case.printed_code, 2, "urgent", False)
    assert row.due_at == NOW + timedelta(hours=24)  # the most pressing need's clock
    assert list_transfers(session, sinjar, incoming=False).rows == []
    assert list_transfers(session, officer(session, "telafar"), incoming=True).total == 0
    states = list(session.scalars(select(Referral.state).order_by(Referral.id)))
    transfers.accept(session, vault, transfer_id, sinjar, now=NOW)
    assert get_visible_case(session, mosul, case.code) is None
    assert get_visible_case(session, sinjar, case.code) is not None
    assert list(session.scalars(select(Referral.state).order_by(Referral.id))) == states
    assert [one.kind for one in list_case_events(session, case.id)] == [
        "transfer_accepted",
        "transfer_offered",
    ]
    assert list_transfers(session, mosul, incoming=False).rows[0].state == "accepted"
    refused("not_found", lambda: hold_case(session, case.id, mosul))


def test_the_yes_of_the_person_is_kept_with_channel_language_and_words(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case = opened(session, vault, governorate)
    transfer = session.get_one(CaseTransfer, offered(session, vault, case))
    consent = session.get_one(Consent, transfer.consent_id)
    assert (consent.kind, consent.given, consent.channel, consent.language) == (
        "transfer",
        True,
        "desk",
        "ar",
    )
    assert consent.text_version
    assert vault.open("case_transfer.note", transfer.note) == "تنتقل إلى بيت أختها"


@pytest.mark.parametrize(
    ("code", "spoken"),
    [
        ("consent_required", replace(YES, agreed=False)),
        ("channel_unknown", replace(YES, channel="gossip")),
        ("language_unknown", replace(YES, language="xx")),
        ("interpreter_required", replace(YES, language="kmr")),
    ],
)
def test_no_offer_without_a_proper_yes(
    session: Session, vault: Vault, governorate: Governorate, code: str, spoken: SpokenConsent
) -> None:
    case, to = opened(session, vault, governorate), officer(session, "sinjar").office_id or 0
    mosul = officer(session, "mosul")
    refused(
        code,
        lambda: transfers.offer(session, vault, case.id, to, mosul, reason="safety", spoken=spoken, now=NOW),
    )
    assert session.scalars(select(CaseTransfer)).all() == []


def test_who_may_offer_and_where_to(session: Session, vault: Vault, governorate: Governorate) -> None:
    case = opened(session, vault, governorate)
    mosul, sinjar = officer(session, "mosul"), officer(session, "sinjar")
    far = Office(code="far", governorate="elsewhere", names={"ar": "بعيد"}, districts=[])
    session.add(far)
    session.flush()

    def offer(actor: Actor, to: int | None, reason: str = "safety") -> Callable[[], object]:
        return lambda: transfers.offer(
            session, vault, case.id, to or 0, actor, reason=reason, spoken=YES, now=NOW
        )

    refused("not_found", offer(sinjar, mosul.office_id))
    refused("forbidden", offer(Actor(None, "coordinator", "nineveh", ministry="momd"), sinjar.office_id))
    refused("another_governorate", offer(mosul, far.id))
    refused("not_found", offer(mosul, 0))
    refused("value_wrong", offer(mosul, mosul.office_id))
    refused("reason_unknown", offer(mosul, sinjar.office_id, "whim"))
    offered(session, vault, case)
    refused("offer_waits", offer(mosul, sinjar.office_id))


def test_who_may_answer_and_only_once(session: Session, vault: Vault, governorate: Governorate) -> None:
    case = opened(session, vault, governorate)
    transfer_id = offered(session, vault, case)
    mosul, sinjar, telafar = (officer(session, code) for code in ("mosul", "sinjar", "telafar"))
    accept = transfers.accept
    refused("not_found", lambda: accept(session, vault, transfer_id, telafar, now=NOW))
    refused("forbidden", lambda: accept(session, vault, transfer_id, mosul, now=NOW))
    refused("forbidden", lambda: transfers.withdraw_offer(session, vault, transfer_id, sinjar, now=NOW))
    refused(
        "reason_required",
        lambda: transfers.decline(session, vault, transfer_id, sinjar, reason="", now=NOW),
    )
    transfers.decline(session, vault, transfer_id, sinjar, reason="no_capacity", now=NOW)
    refused("changed_meanwhile", lambda: accept(session, vault, transfer_id, sinjar, now=NOW))
    assert case.office_id == mosul.office_id
    again = offered(session, vault, case)  # a declined offer does not stand in the way of the next
    transfers.withdraw_offer(session, vault, again, mosul, now=NOW)
    refused("changed_meanwhile", lambda: accept(session, vault, again, sinjar, now=NOW))


def test_a_yes_taken_back_and_a_closed_case_do_not_move(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case, sinjar = opened(session, vault, governorate), officer(session, "sinjar")
    transfer_id = offered(session, vault, case)
    close_case(session, vault, case.id, officer(session, "mosul"), reason="person_left", note="رحلت", now=NOW)
    refused("case_closed", lambda: transfers.accept(session, vault, transfer_id, sinjar, now=NOW))
    case.closed_at = None
    set_withdrawn(session, [case.id], ["transfer"], NOW)
    refused("consent_required", lambda: transfers.accept(session, vault, transfer_id, sinjar, now=NOW))


def test_of_a_household_the_surviving_case_moves(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    case, other = opened(session, vault, governorate), opened(session, vault, governorate)
    transfer_id = offered(session, vault, case)
    for need in session.scalars(select(Need).where(Need.case_id == case.id)):
        need.same_as_id = session.scalars(
            select(Need.id).where(Need.case_id == other.id, Need.service_type == need.service_type)
        ).one()
    case.merged_into_id = other.id
    session.flush()
    mosul, sinjar = officer(session, "mosul"), officer(session, "sinjar")
    transfers.accept(session, vault, transfer_id, sinjar, now=NOW)
    assert (case.office_id, other.office_id) == (sinjar.office_id, sinjar.office_id)
    assert get_visible_case(session, mosul, other.code) is None
    assert get_visible_case(session, sinjar, case.code) is other


def test_accept_decline_and_withdraw_at_once_have_one_winner(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        vault = Vault(session, masters)
        case = opened(session, vault, governorate)
        transfer_id, case_id = offered(session, vault, case), case.id
        mosul, sinjar = officer(session, "mosul"), officer(session, "sinjar")
    won: list[str] = []
    lost: list[str] = []
    start = threading.Barrier(6)

    def act(name: str, do: Callable[[Session, Vault], None]) -> None:
        start.wait()
        try:
            with session_scope(fresh_engine) as session:
                do(session, Vault(session, masters))
            won.append(name)
        except DomainError as error:
            lost.append(error.code)

    works: list[tuple[str, Callable[[Session, Vault], None]]] = [
        ("accepted", lambda s, v: transfers.accept(s, v, transfer_id, sinjar, now=NOW)),
        (
            "declined",
            lambda s, v: transfers.decline(s, v, transfer_id, sinjar, reason="no_capacity", now=NOW),
        ),
        ("withdrawn", lambda s, v: transfers.withdraw_offer(s, v, transfer_id, mosul, now=NOW)),
    ] * 2
    threads = [threading.Thread(target=act, args=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1
    assert lost == ["changed_meanwhile"] * 5
    with session_scope(fresh_engine) as session:
        assert session.get_one(CaseTransfer, transfer_id).state == won[0]
        home = sinjar if won == ["accepted"] else mosul
        assert session.get_one(Case, case_id).office_id == home.office_id


def test_two_offers_at_once_leave_one(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        case_id = opened(session, Vault(session, masters), governorate).id
    codes: list[str] = []
    start = threading.Barrier(2)

    def act(to: str) -> None:
        start.wait()
        try:
            with session_scope(fresh_engine) as session:
                offered(session, Vault(session, masters), session.get_one(Case, case_id), to)
            codes.append("offered")
        except DomainError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=act, args=(to,)) for to in ("sinjar", "telafar")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(codes) == ["offer_waits", "offered"]
