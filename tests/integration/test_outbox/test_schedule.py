"""The jobs of the table: every minute, from the row to the mail server."""

from api.jobs.table import list_jobs
from tests.integration.test_outbox.conftest import Mailbox, World


def test_the_jobs_send_what_waits(world: World, mailbox: Mailbox) -> None:
    jobs = {job.name: job for job in list_jobs(world.context.settings)}
    assert {jobs[name].every for name in ("digests", "messages")} == {60}
    world.send()
    jobs["digests"].run(world.context)
    ran = jobs["messages"].run(world.context)
    assert ran is not None
    assert ran.figures["sent"] >= 1
    assert "ڕەوانەکردنێکی نوێ چاوەڕوانتانە" in [mail["Subject"] for mail in mailbox.mails]
    assert world.messages()[0].state == "sent"
