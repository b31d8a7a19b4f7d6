"""The jobs of the scheduler: every minute, from the row to the mail server."""

from datetime import timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from api.scheduler import DIGESTS_JOB, MESSAGES_JOB, schedule_jobs
from tests.integration.test_outbox.conftest import Mailbox, World


def test_the_jobs_send_what_waits(world: World, mailbox: Mailbox) -> None:
    scheduler = BackgroundScheduler(timezone="UTC")
    schedule_jobs(scheduler, world.context)
    jobs = {job.id: job for job in scheduler.get_jobs()}
    assert {jobs[name].trigger.interval for name in (DIGESTS_JOB, MESSAGES_JOB)} == {timedelta(minutes=1)}
    world.send()
    jobs[DIGESTS_JOB].func()
    jobs[MESSAGES_JOB].func()
    assert "ڕەوانەکردنێکی نوێ چاوەڕوانتانە" in [mail["Subject"] for mail in mailbox.mails]
    assert world.messages()[0].state == "sent"
