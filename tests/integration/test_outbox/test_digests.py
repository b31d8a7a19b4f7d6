"""The day's digests: what they count, once a day, whatever happens to the worker."""

import multiprocessing
import os
import signal
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from api.delivery import deliver_messages
from casework.contact_points import Owner, set_contact_point
from casework.digests import queue_digests
from casework.provider_acts import accept
from casework.sending import recall
from casework.withdrawals import confirm_deletion
from db.accounts import create_user
from db.deadlines import count_overdue
from db.models import Deadline, DeletionRequest, OutboxMessage, Role
from db.session import make_engine, session_scope
from db.vault import Vault
from governorates import Governorate
from tests.integration.test_outbox.conftest import (
    COORDINATOR_ADDRESS,
    MOMD,
    PROVIDER_ADDRESS,
    Mailbox,
    World,
)

_TODAY = datetime.now(UTC).replace(hour=5, minute=0, second=0, microsecond=0)
EIGHT = _TODAY if datetime.now(UTC) < _TODAY else _TODAY + timedelta(days=1)
"""The next eight o'clock in Mosul after the acts of these tests: within a day, before any clock of theirs runs out."""


def write(world: World, now: datetime = EIGHT) -> int:
    with session_scope(world.engine) as session:
        return queue_digests(session, world.context.governorate, now)


def digests(world: World) -> dict[str, dict[str, object]]:
    return {row.template: row.params for row in world.messages() if row.template.endswith("_digest")}


def let_run_out(world: World, due: datetime) -> None:
    """The clock of the referral ran out then."""
    with session_scope(world.engine) as session:
        session.execute(update(Deadline).where(Deadline.closed_at.is_(None)).values(due_at=due, act_at=due))


def test_counts_only(world: World, mailbox: Mailbox) -> None:
    world.send()
    let_run_out(world, EIGHT + timedelta(minutes=1))
    assert write(world) == 1
    assert digests(world) == {"provider_digest": {"new": 1, "waiting": 0, "overdue": 0}}
    deliver_messages(world.context, EIGHT)
    mails = {mail["To"]: mail.get_content() for mail in mailbox.mails}
    assert list(mails) == [PROVIDER_ADDRESS]
    assert "1" in mails[PROVIDER_ADDRESS]


def test_what_is_overdue_reaches_provider_and_coordinator(world: World, mailbox: Mailbox) -> None:
    world.send()
    world.act(accept, world.provider)
    let_run_out(world, EIGHT)
    assert write(world) == 2
    assert digests(world) == {
        "provider_digest": {"new": 0, "waiting": 1, "overdue": 1},
        "overdue_digest": {"overdue": {"accepted": 1}},
    }
    deliver_messages(world.context, EIGHT)
    mails = {mail["To"]: mail.get_content() for mail in mailbox.mails}
    assert "Accepted: 1" in mails[COORDINATOR_ADDRESS]
    assert "https://ihala.example.org/queue" in mails[COORDINATOR_ADDRESS]


@pytest.mark.parametrize("twice", ["again", "a later minute"])
def test_twice_is_once(world: World, twice: str) -> None:
    world.send()
    assert write(world) == 1
    assert write(world, EIGHT if twice == "again" else EIGHT + timedelta(hours=9)) == 0
    assert write(world, EIGHT + timedelta(days=1)) == 1
    assert len(digests(world)) == 1
    assert sum(row.template == "provider_digest" for row in world.messages()) == 2


def test_not_before_the_hour(world: World) -> None:
    world.send()
    assert write(world, EIGHT - timedelta(seconds=1)) == 0
    assert write(world, EIGHT.replace(hour=22)) == 0, "one o'clock at night of the next local day"
    assert write(world, EIGHT + timedelta(hours=6)) == 1, "a worker that started late catches up"


def test_nothing_waits_nobody_is_written_to(world: World) -> None:
    assert write(world) == 0
    world.send()
    assert write(world, EIGHT + timedelta(hours=1)) == 0, "what comes later is in the next day's digest"
    assert write(world, EIGHT + timedelta(days=1)) == 1


def write_slowly(url: str, governorate: Governorate) -> None:
    """Write the digests in a child process and wait before committing."""
    engine = make_engine(url)
    with session_scope(engine) as session:
        queue_digests(session, governorate, EIGHT)
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_before_the_commit_and_run_again(world: World) -> None:
    world.send()
    fork = multiprocessing.get_context("fork")
    url = world.engine.url.render_as_string(hide_password=False)
    child = fork.Process(target=write_slowly, args=(url, world.context.governorate), daemon=True)
    child.start()
    child.join(timeout=20)
    assert child.exitcode == -signal.SIGKILL
    assert digests(world) == {}
    assert write(world) == 1


def test_two_workers_write_one(world: World) -> None:
    world.send()
    written: list[int] = []
    workers = [threading.Thread(target=lambda: written.append(write(world))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=20)
    assert sorted(written) == [0, 0, 0, 1]


def test_a_paused_clock_and_asking_after_a_long_service_are_nobodys_delay(world: World) -> None:
    world.send()
    world.act(accept, world.provider)
    late = {
        "provider_digest": {"new": 0, "waiting": 1, "overdue": 1},
        "overdue_digest": {"overdue": {"accepted": 1}},
    }
    nobody = {"provider_digest": {"new": 0, "waiting": 1, "overdue": 0}}
    runs_out = EIGHT - timedelta(minutes=1)
    paused = {
        "due_at": None,
        "act_at": None,
        "paused_at": runs_out,
        "paused_until": EIGHT + timedelta(days=9),
    }
    for number, (values, expected) in enumerate(
        [
            ({"due_at": runs_out, "act_at": runs_out}, late),
            ({"breach_action": "monitor"}, nobody),
            ({"breach_action": "remind", **paused, "paused_reason": "await_person"}, nobody),
        ]
    ):
        with session_scope(world.engine) as session:
            session.execute(update(Deadline).where(Deadline.closed_at.is_(None)).values(**values))
            session.execute(delete(OutboxMessage))
            assert count_overdue(session, MOMD, EIGHT) == ({"accepted": 1} if expected is late else {})
        write(world, EIGHT + timedelta(days=number))
        assert digests(world) == expected, values


def test_deletions_that_are_late_are_told_to_the_provider_and_to_supervisors(
    world: World, mailbox: Mailbox
) -> None:
    world.send()
    with session_scope(world.engine) as session:
        user = create_user(
            session,
            login="overseer",
            password_hash="nobody signs in",
            role=Role.SUPERVISOR,
            governorate="nineveh",
            ministry="momd",
        )
        vault = Vault(session, world.context.masters)
        set_contact_point(session, vault, Owner(user_id=user.id), "email", "overseer@momd.example.org", None)
    world.act(recall, MOMD, reason="error", note="sent by mistake")
    days = world.context.governorate.consent.deletion_days
    write(world)
    assert "deletion_digest" not in digests(world), "there is time yet"
    for late in (1, 2):
        write(world, EIGHT + timedelta(days=days + late))
        assert sum(row.template == "deletion_digest" for row in world.messages()) == late
    assert digests(world)["deletion_digest"] == digests(world)["deletions_digest"] == {"overdue": 1}
    with session_scope(world.engine) as session:
        request_id = session.scalars(select(DeletionRequest.id)).one()
        confirm_deletion(session, request_id, world.provider, EIGHT + timedelta(days=days + 2))
    write(world, EIGHT + timedelta(days=days + 3))
    assert sum(row.template.startswith("deletion") for row in world.messages()) == 4
