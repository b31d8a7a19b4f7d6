"""Workers that are killed, and workers side by side: every message arrives, and never as another one."""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter

import pytest

from api.context import AppContext
from api.delivery import DeliveryReport, deliver_messages
from api.settings import Settings
from casework.sending import send
from db.keyfile import MasterKeys
from db.session import make_engine, session_scope
from db.vault import Vault
from governorates import Governorate
from tests.integration.test_outbox.conftest import MOMD, MORNING, Mailbox, World


def deliver_once(url: str, settings: Settings, masters: MasterKeys, governorate: Governorate) -> None:
    """Deliver in a child process, with connections of its own."""
    deliver_messages(AppContext(settings, make_engine(url), "", masters, governorate), MORNING)


def _child(world: World) -> multiprocessing.Process:
    context = world.context
    url = context.engine.url.render_as_string(hide_password=False)
    fork = multiprocessing.get_context("fork")
    return fork.Process(  # type: ignore[return-value]
        target=deliver_once, args=(url, context.settings, context.masters, context.governorate), daemon=True
    )


def test_killed_between_sending_and_committing(world: World, mailbox: Mailbox) -> None:
    """The server has the message, the worker dies before it hears so: the same message goes out again."""
    world.queue()
    child = _child(world)

    def kill() -> None:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.1)  # the answer is never read

    mailbox.on_data = kill
    child.start()
    child.join(timeout=20)
    assert child.exitcode == -signal.SIGKILL
    assert len(mailbox.envelopes) == 1
    after_the_kill = world.message()
    assert (after_the_kill.state, after_the_kill.attempts) == ("queued", 0)

    mailbox.on_data = None
    assert _until_free(world).outcomes == {"sent": 1}
    first, second = mailbox.mails
    assert (
        first["Message-ID"] == second["Message-ID"] == f"<{after_the_kill.delivery_key}@office.example.org>"
    )
    assert mailbox.envelopes[0].content == mailbox.envelopes[1].content
    assert (world.message().state, world.message().attempts) == ("sent", 1)


def _until_free(world: World) -> DeliveryReport:
    """Deliver as soon as the server has noticed that the killed worker is gone."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        report = deliver_messages(world.context, MORNING)
        if report.outcomes:
            return report
        time.sleep(0.05)
    raise AssertionError("the row of a killed worker was never freed")


def test_killed_again_and_again_nothing_is_lost(world: World, mailbox: Mailbox) -> None:
    world.queue(12)
    deaths = 0
    while deaths < 6:
        child, arrived = _child(world), len(mailbox.envelopes)

        def kill(process: multiprocessing.Process = child, before: int = arrived) -> None:
            if len(mailbox.envelopes) == before + 2:  # one message was committed, the next one is not
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                time.sleep(0.1)

        mailbox.on_data = kill
        child.start()
        child.join(timeout=20)
        deaths += child.exitcode == -signal.SIGKILL
        if child.exitcode == 0:
            break
    mailbox.on_data = None
    assert deaths >= 5
    while any(row.state == "queued" for row in world.messages()):
        deliver_messages(world.context, MORNING)
    assert {row.state for row in world.messages()} == {"sent"}
    bodies = Counter((mail["Message-ID"], mail.get_content()) for mail in mailbox.mails)
    assert len(bodies) == len({key for key, _ in bodies}) == 12
    assert sum(bodies.values()) <= 12 + deaths


def test_two_workers_never_send_the_same_row(world: World, mailbox: Mailbox) -> None:
    world.queue(20)
    mailbox.on_data = lambda: time.sleep(0.01)  # long enough for the others to come by
    reports = []

    def work() -> None:
        reports.append(deliver_messages(world.context, MORNING))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert len(mailbox.envelopes) == 20
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 20
    assert sum(report.outcomes["sent"] for report in reports) == 20
    assert sum(report.outcomes["sent"] > 0 for report in reports) >= 2


def test_an_act_that_is_rolled_back_leaves_no_message(world: World) -> None:
    with pytest.raises(ZeroDivisionError), session_scope(world.engine) as session:
        vault = Vault(session, world.context.masters)
        send(session, vault, world.referral_id, MOMD, channel="desk", language="ar")
        _ = 1 / 0
    assert world.messages() == []
    world.send()
    assert len(world.messages()) == 1
