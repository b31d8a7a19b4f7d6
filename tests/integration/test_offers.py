"""Offers that nobody answers: who was asked is reminded, then a supervisor is told, and nothing is stuck."""

import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from multiprocessing import get_context

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from casework import hand_overs, transfers
from casework.contact_points import Owner, set_contact_point
from casework.deadline_runs import run_deadlines
from casework.escalations import settle_escalation
from casework.moves import Actor
from casework.offers import tell_overdue_hand_over, tell_overdue_transfer
from db.accounts import create_user
from db.case_events import get_visible_case
from db.consents import set_withdrawn
from db.errors import DomainError
from db.escalations import create_high_risk, list_escalations
from db.hand_overs import list_hand_overs
from db.keyfile import MasterKeys
from db.models import Case, CaseTransfer, Escalation, HandOver, Need, OutboxMessage, Role, User
from db.session import make_engine, session_scope
from db.transfers import list_transfers
from db.vault import Vault
from governorates import Governorate
from tests.integration import test_mandates, test_transfers
from tests.integration.test_mandates import HEALTH, MOI, MOMD
from tests.integration.test_transfers import offered, officer

NOW = test_transfers.NOW
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG = timedelta(days=40)
SUPERVISOR = Actor(None, Role.SUPERVISOR, "nineveh", ministry="momd")
SUPERVISOR_MOI = Actor(None, Role.SUPERVISOR, "nineveh", ministry="moi")


def add_everybody(session: Session, vault: Vault) -> None:
    """Officers of three offices, a coordinator and a supervisor of each ministry, all with a work address."""
    for role, where in (
        *((Role.OFFICER, office) for office in ("mosul", "sinjar", "telafar")),
        *((role, ministry) for role in (Role.COORDINATOR, Role.SUPERVISOR) for ministry in ("momd", "moi")),
    ):
        login = f"{role}-{where}"
        user = create_user(
            session,
            login=login,
            password_hash="-",
            role=role,
            governorate="nineveh",
            ministry=None if role is Role.OFFICER else where,
            office_id=officer(session, where).office_id if role is Role.OFFICER else None,
        )
        set_contact_point(session, vault, Owner(user_id=user.id), "email", f"{login}@example.org", None)


def told(session: Session) -> list[tuple[str, str]]:
    """Template and login of what was written of offers, in the order of writing."""
    kinds = [f"{kind}_{turn}" for kind in ("transfer", "hand_over") for turn in ("overdue", "escalated")]
    rows = session.execute(
        select(OutboxMessage.template, User.login, OutboxMessage.params)
        .join(User, User.id == OutboxMessage.user_id)
        .where(OutboxMessage.template.in_(kinds))
        .order_by(OutboxMessage.id)
    ).all()
    assert all(row.params == {} for row in rows)
    return [(row.template, row.login) for row in rows]


@pytest.mark.parametrize("kind", ["transfer", "hand_over"])
def test_who_is_asked_hears_of_an_offer_when_it_is_made(
    session: Session, vault: Vault, governorate: Governorate, kind: str
) -> None:
    (offered_transfer if kind == "transfer" else offered_need)(session, vault, governorate)
    rows = select(OutboxMessage.template, User.login).join(User, User.id == OutboxMessage.user_id)
    written = session.execute(rows.where(OutboxMessage.template == f"{kind}_offered")).all()
    asked = "officer-sinjar" if kind == "transfer" else "coordinator-moi"
    assert [tuple(row) for row in written] == [(f"{kind}_offered", asked)]


def offered_transfer(session: Session, vault: Vault, governorate: Governorate) -> tuple[int, Case]:
    add_everybody(session, vault)
    case = test_transfers.opened(session, vault, governorate)
    return offered(session, vault, case), case


def offered_need(session: Session, vault: Vault, governorate: Governorate) -> tuple[int, Need]:
    add_everybody(session, vault)
    case_id = test_mandates.opened(session, vault, governorate, HEALTH)
    need = test_mandates.need_of(session, case_id, HEALTH)
    offer_id = hand_overs.offer_need(
        session, vault, need.id, "moi", MOMD, reason="needs_both", spoken=test_mandates.YES, now=NOW
    )
    return offer_id, need


def open_abouts(session: Session, actor: Actor) -> list[str]:
    return [row.about for row in list_escalations(session, actor).rows]


def test_a_transfer_is_reminded_of_once_and_then_told_to_the_operators_supervisor(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    transfer_id, _ = offered_transfer(session, vault, governorate)

    def turns(now: datetime) -> int:
        return sum(tell_overdue_transfer(session, governorate, transfer_id, now) for _ in range(3))

    due = session.get_one(CaseTransfer, transfer_id).due_at
    assert (turns(due - HOUR), told(session)) == (0, [])
    assert turns(due) == 1
    assert told(session) == [("transfer_overdue", "officer-sinjar")]
    assert turns(due + 23 * HOUR) == 0  # the clock of its most pressing need: 24 hours once more
    assert (turns(due + 24 * HOUR), turns(due + LONG)) == (1, 0)
    assert told(session)[1:] == [("transfer_escalated", "supervisor-momd")]
    assert open_abouts(session, SUPERVISOR) == ["transfer"]
    assert open_abouts(session, SUPERVISOR_MOI) == []
    transfers.accept(session, vault, transfer_id, officer(session, "sinjar"), now=due + LONG)
    assert open_abouts(session, SUPERVISOR) == []
    assert session.scalars(select(Escalation.settled_how)).one() == "moved_on"


def test_a_hand_over_is_reminded_of_once_and_then_told_to_the_supervisor_of_who_offers(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    offer_id, need = offered_need(session, vault, governorate)
    due = session.get_one(HandOver, offer_id).due_at
    for _ in range(3):
        tell_overdue_hand_over(session, governorate, offer_id, due)
    assert told(session) == [("hand_over_overdue", "coordinator-moi")]
    for _ in range(3):
        tell_overdue_hand_over(session, governorate, offer_id, due + LONG)
    assert told(session)[1:] == [("hand_over_escalated", "supervisor-momd")]
    assert open_abouts(session, SUPERVISOR) == ["hand_over"]
    assert open_abouts(session, SUPERVISOR_MOI) == []
    row = list_escalations(session, SUPERVISOR).rows[0]
    settle_escalation(session, vault, SUPERVISOR, row.escalation_id, "اتصلنا", user_id=None, now=due + LONG)
    assert open_abouts(session, SUPERVISOR) == []
    hand_overs.decline(session, vault, offer_id, MOI, reason="not_our_task", now=due + LONG)
    assert session.scalars(select(Escalation.settled_how)).one() == "seen"
    # The same need offered again has a clock of its own, and a need of high risk is told of beside it.
    again = hand_overs.offer_need(
        session, vault, need.id, "moi", MOMD, reason="needs_both", spoken=test_mandates.YES, now=due + LONG
    )
    for _ in range(2):
        assert tell_overdue_hand_over(session, governorate, again, due + 3 * LONG)
        session.execute(update(HandOver).where(HandOver.id == again).values(act_at=due))
    assert open_abouts(session, SUPERVISOR) == ["hand_over"]
    assert create_high_risk(session, "nineveh", ["normal"], "supervisor", due) == [need.id]
    assert create_high_risk(session, "nineveh", ["normal"], "supervisor", due) == []


def test_an_offer_that_is_never_answered_stays_with_who_made_it_and_can_be_taken_back(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    transfer_id, case = offered_transfer(session, vault, governorate)
    mosul, sinjar = officer(session, "mosul"), officer(session, "sinjar")
    late = NOW + 10 * LONG
    for _ in range(2):
        session.execute(update(CaseTransfer).values(act_at=NOW))
        assert tell_overdue_transfer(session, governorate, transfer_id, late)
    row = list_transfers(session, mosul, incoming=False).rows[0]
    assert (row.state, row.due_at < late, row.is_here) == ("offered", True, True)
    assert get_visible_case(session, mosul, case.code) is not None
    assert get_visible_case(session, sinjar, case.code) is None
    transfers.withdraw_offer(session, vault, transfer_id, mosul, now=late)
    assert open_abouts(session, SUPERVISOR) == []
    assert list_transfers(session, sinjar, incoming=True).rows[0].state == "withdrawn"
    with pytest.raises(DomainError, match="changed_meanwhile"):
        transfers.accept(session, vault, transfer_id, sinjar, now=late)
    second = offered(session, vault, case)  # and the case is free to be offered elsewhere
    assert second != transfer_id


def test_a_hand_over_that_is_never_answered_can_be_taken_back(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    offer_id, need = offered_need(session, vault, governorate)
    assert test_mandates.sees(session, MOMD, need)
    assert list_hand_overs(session, MOMD, incoming=False).rows[0].state == "offered"
    hand_overs.withdraw_offer(session, vault, offer_id, MOMD, now=NOW + LONG)
    assert not tell_overdue_hand_over(session, governorate, offer_id, NOW + 2 * LONG)
    assert told(session) == []


def test_nobody_is_hurried_about_a_closed_case_and_its_offer_can_still_be_taken_back(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    transfer_id, case = offered_transfer(session, vault, governorate)
    session.execute(update(Case).where(Case.id == case.id).values(closed_at=NOW))
    assert not tell_overdue_transfer(session, governorate, transfer_id, NOW + LONG)
    session.expire_all()
    transfers.withdraw_offer(session, vault, transfer_id, officer(session, "mosul"), now=NOW + LONG)
    assert session.get_one(CaseTransfer, transfer_id).state == "withdrawn"


def test_nobody_is_hurried_about_a_need_that_has_ended(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    offer_id, need = offered_need(session, vault, governorate)
    need.status = "withdrawn"
    session.flush()
    assert not tell_overdue_hand_over(session, governorate, offer_id, NOW + LONG)


def test_nobody_is_hurried_to_accept_what_the_person_took_back(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    transfer_id, case = offered_transfer(session, vault, governorate)
    set_withdrawn(session, [case.id], ["transfer"], NOW)
    assert not tell_overdue_transfer(session, governorate, transfer_id, NOW + LONG)
    transfers.withdraw_offer(session, vault, transfer_id, officer(session, "mosul"), now=NOW + LONG)


def test_a_case_without_a_need_of_the_operators_is_told_by_a_message_alone(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    transfer_id, _ = offered_transfer(session, vault, governorate)
    session.execute(update(Need).values(status="withdrawn"))
    for _ in range(2):
        session.execute(update(CaseTransfer).values(act_at=NOW))
        assert tell_overdue_transfer(session, governorate, transfer_id, NOW + LONG)
    assert [template for template, _ in told(session)] == ["transfer_overdue", "transfer_escalated"]
    assert session.scalars(select(Escalation)).all() == []


def test_who_answers_just_now_is_not_disturbed(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        transfer_id, _ = offered_transfer(session, Vault(session, masters), governorate)
    with Session(fresh_engine) as answering:
        sinjar = officer(answering, "sinjar")
        transfers.accept(answering, Vault(answering, masters), transfer_id, sinjar, now=NOW)
        assert run_deadlines(fresh_engine, masters, governorate, now=NOW + LONG).offers == 0
        answering.commit()
    assert run_deadlines(fresh_engine, masters, governorate, now=NOW + LONG).offers == 0


def _die_while_telling(url: str, masters: MasterKeys, governorate: Governorate, after: int) -> None:
    """Run the job in a child process that is killed just before its commit of the nth turn."""
    engine, seen = make_engine(url), 0

    def turn(act: Callable[..., bool]) -> Callable[..., bool]:
        def wrapped(*values: object) -> bool:
            nonlocal seen
            done, seen = act(*values), seen + 1
            if seen == after:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return wrapped

    from casework import deadline_runs

    deadline_runs.tell_overdue_transfer = turn(tell_overdue_transfer)
    deadline_runs.tell_overdue_hand_over = turn(tell_overdue_hand_over)
    run_deadlines(engine, masters, governorate, now=NOW + LONG)


def test_a_job_that_is_killed_and_run_again_tells_once(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    with session_scope(fresh_engine) as session:
        vault = Vault(session, masters)
        offered_transfer(session, vault, governorate)
        case_id = test_mandates.opened(session, vault, governorate, HEALTH)
        need = test_mandates.need_of(session, case_id, HEALTH)
        hand_overs.offer_need(
            session, vault, need.id, "moi", MOMD, reason="needs_both", spoken=test_mandates.YES, now=NOW
        )
    url = fresh_engine.url.render_as_string(hide_password=False)
    for after in (1, 2, 1):
        child = get_context("fork").Process(
            target=_die_while_telling, args=(url, masters, governorate, after)
        )
        child.start()
        child.join(timeout=30)
        assert child.exitcode == -signal.SIGKILL
    once = [("transfer_overdue", "officer-sinjar"), ("hand_over_overdue", "coordinator-moi")]
    for days, expected in (
        (0, once),
        (0, once),
        (40, [*once, ("transfer_escalated", "supervisor-momd"), ("hand_over_escalated", "supervisor-momd")]),
        (80, [*once, ("transfer_escalated", "supervisor-momd"), ("hand_over_escalated", "supervisor-momd")]),
    ):
        report = run_deadlines(fresh_engine, masters, governorate, now=NOW + LONG + days * DAY)
        assert report.errors == ()
        with session_scope(fresh_engine) as session:
            assert sorted(told(session)) == sorted(expected)
