"""The stand-in for ODK Central answers like the real one, whose recorded answers stand beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from ingest.central.session import CentralSession
from ingest.central.submissions import list_rows
from tests.central.reader import FORM, Reader, reader

RECORDINGS = Path(__file__).parents[1] / "central" / "recordings"

__all__ = ["reader"]


def kinds(value: Any) -> Any:
    """The shape of an answer: keys and kinds, values left out; a list by its first item."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return "null" if value is None else type(value).__name__


def recorded(name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())["response"]
    return answer


EVENT_HASH = 'W/"eventhash:'
ENVELOPE = {"@odata.context", "@odata.count", "@odata.nextLink", "value"}


@pytest.mark.parametrize(
    ("name", "path", "headers"),
    [
        ("users-current", "users/current", {}),
        ("after-logout-or-expiry", "projects/1/forms", {"Authorization": "Bearer gone"}),
        ("submissions-list", "projects/1/forms/needs_assessment/submissions", {}),
        ("list-deleted", "projects/1/forms/needs_assessment/submissions?deleted=true", {}),
        (
            "submissions-list-not-modified",
            "projects/1/forms/needs_assessment/submissions",
            {"If-None-Match": ""},
        ),
        (
            "submissions-top2",
            "projects/1/forms/needs_assessment.svc/Submissions?$top=2&$count=true&$expand=*",
            {},
        ),
        (
            "filter-unsupported-field",
            "projects/1/forms/needs_assessment.svc/Submissions?$filter=urgency eq 'x'",
            {},
        ),
        (
            "filter-unparseable",
            "projects/1/forms/needs_assessment.svc/Submissions?$filter=__system/submissionDate >= 2026",
            {},
        ),
        (
            "submissions-bad-skiptoken",
            "projects/1/forms/needs_assessment.svc/Submissions?$skiptoken=garbage",
            {},
        ),
        (
            "orderby-next-link",
            "projects/1/forms/needs_assessment.svc/Submissions?$orderby=__id&$top=2&$skiptoken=x",
            {},
        ),
        ("single-submission-unknown", "projects/1/forms/hand_made.svc/Submissions", {}),
    ],
)
def test_stand_in_answers_like_a_real_central(
    reader: Reader, name: str, path: str, headers: dict[str, str]
) -> None:
    roots = [reader.store.add(reader.row()) for _ in range(4)]
    reader.store.delete(roots[0])
    base = f"{reader.account.url}/v1"
    sign_in = {"email": reader.account.email, "password": reader.account.password}
    answer = requests.post(f"{base}/sessions", json=sign_in, timeout=5)
    assert kinds(answer.json()) == kinds(recorded("login-sessions")["body_json"])
    if "If-None-Match" in headers:
        headers = {"If-None-Match": reader.store.etag(FORM)}
    authorized = {"Authorization": f"Bearer {answer.json()['token']}"} | headers
    found = requests.get(f"{base}/{path}", headers=authorized, timeout=5)
    expected = recorded(name)
    assert found.status_code == expected["status"]
    if expected["headers"].get("ETag", "").startswith(EVENT_HASH):
        assert found.headers["ETag"].startswith(EVENT_HASH)
    body = expected.get("body_json")
    if body is None:
        assert found.content == b""
    elif isinstance(body, dict) and "value" in body:
        assert set(found.json()) == ENVELOPE == set(body)
        assert len(found.json()["value"]) == len(body["value"])
        assert set(found.json()["value"][0]["__system"]) == set(body["value"][0]["__system"])
        assert "$skiptoken=01" in found.json()["@odata.nextLink"].replace("%24", "$")
    elif isinstance(body, dict) and "code" in body:
        assert found.json()["code"] == body["code"]
        assert set(found.json()) == set(body)
    else:
        assert _nullable(kinds(found.json())) == _nullable(kinds(body))


def _nullable(shape: Any) -> Any:
    """Leave out which values happen to be null."""
    if isinstance(shape, dict):
        return {key: _nullable(item) for key, item in shape.items()}
    if isinstance(shape, list):
        return [_nullable(item) for item in shape]
    return "value"


def test_stand_in_hides_deleted_rows_and_repeats_like_a_real_central(reader: Reader) -> None:
    gone, kept = reader.store.add(reader.row()), reader.store.add(reader.row())
    reader.store.delete(gone)
    client = CentralSession(reader.account)
    [page] = list_rows(client, FORM, [gone, kept])
    assert [row["__id"] for row in page.rows] == [kept]
    assert [row["member_name"] for row in recorded("single-submission")["body_json"]["value"][0]["member"]]
    assert len(page.rows[0]["household"]["member"]) == 1
    client.close()
