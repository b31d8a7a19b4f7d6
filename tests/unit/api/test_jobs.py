"""The table of jobs: complete, in words, and with sensible clocks."""

import re
from pathlib import Path

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError

import api
from api.job_texts import ERRORS, JOBS, OUTCOMES
from api.jobs.acts import figures_of
from api.jobs.kinds import ARRIVAL
from api.jobs.runs import error_code
from api.jobs.table import list_jobs
from api.settings import Settings
from db.errors import DomainError
from db.models import JobOutcome
from ingest.central.errors import CODES, CentralError
from tests.unit.api.test_catalogues import codes_in


def test_every_job_and_code_has_words() -> None:
    names = [job.name for job in list_jobs(Settings())]
    assert len(names) == len(set(names))
    assert JOBS.keys() == set(names)
    assert OUTCOMES.keys() == set(JobOutcome)
    given = codes_in(("api", "db"), r'Ended\(JobOutcome\.\w+, "([a-z_]+)"') | codes_in(
        ("api",), r'return "((?:cut|database|internal)[a-z_]*)"'
    )
    assert {"cut_off", "internal"} <= given
    assert given | CODES <= ERRORS.keys()


def test_the_clocks_are_sensible() -> None:
    jobs = {job.name: job for job in list_jobs(Settings(sync_minutes=10))}
    assert jobs["sync"].every == 600
    assert ARRIVAL in jobs["sync"].woken_by
    for job in jobs.values():
        assert 0 < job.jitter <= job.every / 5
        assert job.every >= 60


def test_every_entry_is_listed_in_the_handbook() -> None:
    """An operator finds each job in the documentation."""
    text = (Path(api.__file__).parents[1] / "docs" / "worker.md").read_text(encoding="utf-8")
    table = text.partition("| Job |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(JOBS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DomainError("busy"), "busy"),
        (CentralError("central_proxy", 502), "central_proxy"),
        (ValueError("Ahmed 07701234567"), "internal"),
        (OperationalError("SELECT 'Ahmed'", {}, Exception("gone")), "database_away"),
        (InterfaceError("SELECT 'Ahmed'", {}, Exception("gone")), "database_away"),
    ],
)
def test_an_error_leaves_its_code_only(error: Exception, code: str) -> None:
    assert error_code(error) == code


def test_figures_are_numbers() -> None:
    report = {"cases": 3, "seconds": 0.5, "busy": True, "errors": ("form: central_busy",), "unmet": {"a": 1}}
    assert figures_of(report) == {"cases": 3, "seconds": 0.5}
