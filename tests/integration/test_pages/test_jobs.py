"""The page of scheduled jobs, and the figures for Prometheus: who may read them and what they say."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from api.app import create_app
from db.jobs import create_job_run, finish_job_run, upsert_job_plans
from db.lags import open_outage
from db.locks import NamedLock
from db.models import JobOutcome
from db.session import session_scope
from db.vault import Vault
from tests.factories.cases import store_submission
from tests.integration.test_pages.conftest import Site

TOKEN = "a token of the tests, long enough"
HERE = ("127.0.0.1", 50000)


def client(
    site: Site, *, host: str = HERE[0], token: str | None = None, name: str = "localhost"
) -> TestClient:
    """A program that asks from an address, of an installation with or without a token."""
    context = site.world.context
    context.settings.metrics_token = SecretStr(token) if token else None
    return TestClient(create_app(context), base_url=f"http://{name}:8000", client=(host, 50000))


@pytest.fixture
def history(own_site: Site) -> Site:
    """Sixty runs of one job, one failure of another."""
    now = datetime.now(UTC)
    with session_scope(own_site.world.context.engine) as session:
        for number in range(60):
            began = now - timedelta(minutes=60 - number)
            run = create_job_run(session, "nineveh", "sync", "desk:77", began)
            finish_job_run(
                session, run, JobOutcome.OK, began + timedelta(seconds=2.5), figures={"cases": number}
            )
        run = create_job_run(session, "nineveh", "messages", "desk:77", now)
        finish_job_run(session, run, JobOutcome.FAILED, now, error="database_away")
        elsewhere = create_job_run(session, "elsewhere", "sync", "foreign:1", now)
        finish_job_run(session, elsewhere, JobOutcome.FAILED, now, error="central_busy")
        upsert_job_plans(session, "nineveh", "desk:77", {"sync": now + timedelta(minutes=1)})
    return own_site


def test_what_ran_is_shown_page_by_page(history: Site) -> None:
    admin = history.browser("admin")
    page = admin.get("/jobs").text
    for words in ("Take in submissions and match", "The database did not answer", "database_away", "desk:77"):
        assert words in page
    assert "foreign:1" not in page
    assert page.count("new cases") == 24  # 25 rows, one of them the failure
    assert "new cases" not in admin.get("/jobs?job=messages").text
    assert 'rel="next" href="?job=sync&amp;page=3"' in admin.get("/jobs?job=sync&page=2").text
    assert (
        admin.get("/jobs?job=sync&page=3").text.count("new cases") == 9
    )  # the one that found none shows none
    failed = admin.get("/jobs?outcome=failed").text
    assert failed.count('<td class="lead">Send messages</td>') == 1
    assert "No runs" in admin.get("/jobs?job=nothing").text
    assert admin.get("/jobs?outcome=everything").status_code == 400
    assert admin.get(f"/jobs?job={'x' * 41}").status_code == 400


def test_nobody_runs_the_jobs(history: Site) -> None:
    context = history.world.context
    alarm = "Nobody runs the jobs now."
    assert alarm in history.browser("admin").get("/jobs").text
    lock = NamedLock(context.engine, "leader nineveh", "desk:77")
    assert lock.take()
    page = history.browser("admin").get("/jobs").text
    lock.release()
    assert alarm not in page
    assert re.search(r"Run by <bdi>desk:77</bdi>\.", page)


def test_an_outage_is_a_banner(history: Site) -> None:
    assert "Submissions are read too late, since" not in history.browser("admin").get("/jobs").text
    with session_scope(history.world.context.engine) as session:
        open_outage(session, "nineveh", datetime.now(UTC))
    assert "Submissions are read too late, since" in history.browser("admin").get("/jobs").text


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN]
)
def test_without_the_token_there_is_nothing(own_site: Site, given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given}
    answer = client(own_site, host="192.0.2.7", token=TOKEN).get("/metrics", headers=headers)
    assert answer.status_code == 404
    assert "ihala_" not in answer.text


def test_an_administrator_is_no_exception(own_site: Site) -> None:
    assert own_site.browser("admin").get("/metrics").status_code == 404


def test_the_token_opens_from_anywhere(own_site: Site) -> None:
    away = client(own_site, host="192.0.2.7", token=TOKEN)
    answer = away.get(
        "/metrics", headers={"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "192.0.2.9"}
    )
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a_proxy_of_this_machine_is_not_this_machine(own_site: Site, header: str) -> None:
    assert client(own_site).get("/metrics").status_code == 200
    assert client(own_site, host="::1").get("/metrics").status_code == 200
    assert client(own_site).get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_a_page_from_elsewhere_cannot_ask_through_a_browser_here(own_site: Site) -> None:
    assert client(own_site, name="evil.example.org").get("/metrics").status_code == 404


def test_a_wrong_token_from_here_is_refused(own_site: Site) -> None:
    answer = client(own_site, token=TOKEN).get("/metrics", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 404


def test_what_the_figures_say(history: Site) -> None:
    context = history.world.context
    with session_scope(context.engine) as session:
        waiting = store_submission(session, Vault(session, context.masters))
        waiting.received_at = datetime.now(UTC) - timedelta(minutes=30)
    text = client(history).get("/metrics").text
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["ihala_job_runs_total", "ok", "sync"] == 60
    assert found["ihala_job_runs_total", "failed", "messages"] == 1
    assert found["ihala_job_seconds_total", "ok", "sync"] == pytest.approx(150)
    assert found["ihala_job_last_duration_seconds", "sync"] == 2.5
    assert 0 < datetime.now(UTC).timestamp() - found["ihala_job_last_success_timestamp_seconds", "sync"] < 300
    assert 1790 < found["ihala_lag_seconds", "inbox", "needs_assessment"] < 1900
    assert found[("ihala_forms_late",)] == 1
    assert found[("ihala_submissions_waiting",)] == 1
    assert found[("ihala_worker_leads",)] == 0
    assert {"ihala_submissions_quarantined", "ihala_messages_waiting", "ihala_outage"} <= {
        key[0] for key in found
    }
    assert "elsewhere" not in text
    for code in history.world.codes.values():
        assert code not in text
    assert {label for key in found for label in key[1:]} <= {
        *("sync", "messages", "follow_ups", "complaints", "digests", "deadlines", "consents", "watch"),
        *(map(str, JobOutcome)),
        *("inbox", "needs_assessment"),
    }
