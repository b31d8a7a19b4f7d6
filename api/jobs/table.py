"""The table of jobs. A new one is one entry here, its function in `api.jobs.acts`, its name in `api.job_texts`."""

from collections.abc import Sequence

from api.jobs import acts
from api.jobs.kinds import ARRIVAL, Job
from api.settings import Settings

MINUTE = 60.0


def list_jobs(settings: Settings) -> Sequence[Job]:
    """Every job of an installation, as its settings have it."""
    sync_seconds = settings.sync_minutes * MINUTE
    return (
        Job("sync", acts.run_sync, sync_seconds, jitter=sync_seconds / 20, woken_by=frozenset({ARRIVAL})),
        Job("follow_ups", acts.run_follow_ups, 15 * MINUTE, jitter=20),
        Job("complaints", acts.run_complaints, 60 * MINUTE, jitter=60),
        Job("digests", acts.run_digests, MINUTE, jitter=3, after=None),
        Job("messages", acts.run_messages, MINUTE, jitter=3, after=5),
        Job("deadlines", acts.run_deadlines, 5 * MINUTE, jitter=10),
        Job("consents", acts.run_consents, 15 * MINUTE, jitter=20, after=MINUTE),
        # Not at once: after a night without power the first sync must have had its turn.
        Job("watch", acts.run_watch, MINUTE, jitter=3, after=2 * MINUTE),
    )
