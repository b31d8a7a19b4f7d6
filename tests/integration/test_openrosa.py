"""What a tablet sees and what is kept, through the whole application on a real database."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from api.app import create_app
from api.context import AppContext
from api.openrosa_answers import MAX_BODY_BYTES
from api.server import running_server
from api.settings import Settings
from db.keyfile import MasterKeys
from db.models import Case, DataKey, Office, Submission, SubmissionAttachment, Tablet
from db.session import session_scope
from db.tablets import create_tablet, revoke_tablet
from db.vault import Vault
from governorates import Governorate
from ingest.forms import published_forms
from tests.central.recorded import recorded
from tests.conftest import Database
from tests.unit.ingest.invented import assessment, new_instance_id, to_xml

OPENROSA = {"X-OpenRosa-Version": "1.0"}
Files = dict[str, tuple[str, bytes, str]]


@dataclass
class Tablets:
    """A running application with one tablet."""

    client: TestClient
    engine: Engine
    masters: MasterKeys
    tablet_id: int
    token: str = field(repr=False)
    woken: list[bool] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"/openrosa/{self.token}"

    def post(self, xml: bytes | None, files: Files | None = None) -> httpx.Response:
        parts: dict[str, Any] = {} if xml is None else {"xml_submission_file": ("s.xml", xml, "text/xml")}
        response: httpx.Response = self.client.post(
            f"{self.base}/submission?deviceID=collect%3Ax", headers=OPENROSA, files=parts | (files or {})
        )
        return response

    def stored(self) -> list[Submission]:
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(select(Submission).order_by(Submission.id)))

    def open(self, submission: Submission) -> bytes:
        assert submission.payload is not None
        with Session(self.engine) as session:
            return Vault(session, self.masters).open_bytes("submission.payload", submission.payload)


@pytest.fixture
def tablets(
    fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> Iterator[Tablets]:
    with session_scope(fresh_engine) as session:
        office_id = session.scalars(select(Office.id)).first()
        assert office_id is not None
        tablet, token = create_tablet(session, "mosul-1", office_id)
    woken: list[bool] = []
    context = AppContext(
        Settings(_env_file=None),  # type: ignore[call-arg]
        fresh_engine,
        fresh_database.owner_url,
        masters,
        governorate,
        wake=lambda: woken.append(True),
    )
    client = TestClient(create_app(context), base_url="http://tablets.example.org")
    yield Tablets(client, fresh_engine, masters, tablet.id, token, woken)


def shape(xml: str) -> list[str]:
    """Element names and attributes of an answer, in order, each repeated run once."""
    names = re.findall(r"<([a-zA-Z]\w*(?:\s+xmlns=\"[^\"]*\")?)", xml)
    return list(dict.fromkeys(names))


def message(response: httpx.Response) -> str:
    found = re.search(r"<message nature=\"(\w*)\">(.*)</message>", response.text)
    assert found is not None
    return found[2]


def test_created_is_sealed_and_wakes_the_ingester(tablets: Tablets, governorate: Governorate) -> None:
    xml = to_xml(assessment(governorate))
    response = tablets.post(xml)
    assert response.status_code == 201
    assert response.headers["X-OpenRosa-Version"] == "1.0"
    assert response.headers["X-OpenRosa-Accept-Content-Length"] == str(MAX_BODY_BYTES)
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert shape(response.text) == shape(recorded("submission-post-created")["body_text"])
    [stored] = tablets.stored()
    assert (stored.status, stored.source, stored.tablet_id) == ("received", "inbox", tablets.tablet_id)
    assert stored.payload is not None
    assert "وردة".encode() not in stored.payload
    assert tablets.open(stored) == xml
    assert tablets.woken == [True]


def test_the_same_bytes_again_change_nothing(tablets: Tablets, governorate: Governorate) -> None:
    xml = to_xml(assessment(governorate))
    for _ in range(3):
        assert tablets.post(xml).status_code == 201
    assert len(tablets.stored()) == 1
    with Session(tablets.engine) as session:
        assert session.scalar(select(func.count()).select_from(DataKey)) == 1
    assert tablets.woken == [True]


def test_other_bytes_under_the_same_id_are_a_conflict(tablets: Tablets, governorate: Governorate) -> None:
    instance_id = new_instance_id()
    xml = to_xml(assessment(governorate), instance_id=instance_id)
    tablets.post(xml)
    response = tablets.post(xml.replace(b"</data>", b"\n</data>"))
    assert response.status_code == recorded("submission-post-same-id-other-xml")["status"] == 409
    assert shape(response.text) == shape(recorded("submission-post-same-id-other-xml")["body_text"])
    assert "المنسّق" in message(response)
    assert "call the coordinator" in message(response)
    [stored] = tablets.stored()
    assert tablets.open(stored) == xml


@pytest.mark.parametrize(
    "broken",
    [
        lambda xml: xml[: len(xml) // 2],
        lambda xml: xml[:-3],
        lambda xml: b"",
        lambda xml: b'<!DOCTYPE d [<!ENTITY a "b">]>' + xml,
        lambda xml: xml.replace(b"orx:instanceID", b"orx:other"),
    ],
)
def test_broken_xml_stays_on_the_tablet(
    tablets: Tablets, governorate: Governorate, broken: Callable[[bytes], bytes]
) -> None:
    response = tablets.post(broken(to_xml(assessment(governorate))))
    assert response.status_code == 400
    assert 'nature="error"' in response.text
    assert "broken or cut off" in message(response)
    assert "تالف" in message(response)
    assert "وردة" not in response.text
    assert tablets.stored() == []
    with Session(tablets.engine) as session:
        assert session.scalar(select(func.count()).select_from(DataKey)) == 0


@pytest.mark.parametrize(
    ("odd", "reason"),
    [({"form_id": "hand_made"}, "form_unknown"), ({"version": "1999"}, "form_version_unknown")],
)
def test_unknown_form_or_version_is_kept_whole(
    tablets: Tablets, governorate: Governorate, odd: dict[str, str], reason: str
) -> None:
    xml = to_xml(assessment(governorate), **odd)
    response = tablets.post(xml)
    assert response.status_code == 202
    assert "kept for the coordinator" in message(response)
    [stored] = tablets.stored()
    assert (stored.status, stored.reason) == ("quarantined", reason)
    assert tablets.open(stored) == xml
    with Session(tablets.engine) as session:
        waiting = select(Submission.id).where(Submission.status == "quarantined").order_by(Submission.id)
        assert session.scalars(waiting).all() == [stored.id]
    assert tablets.post(xml).status_code == 201
    assert len(tablets.stored()) == 1


def test_earlier_data_under_the_authors_version_is_accepted(
    tablets: Tablets, governorate: Governorate
) -> None:
    version = published_forms("nineveh")["needs_assessment"].version.partition("-")[0]
    assert tablets.post(to_xml(assessment(governorate), version=f"{version}-0badcafe")).status_code == 201


PHOTO: tuple[str, bytes, str] = ("house.jpg", b"\xff\xd8" + b"x" * 1_500_000, "image/jpeg")


def with_photo(governorate: Governorate) -> bytes:
    return to_xml(assessment(governorate) | {"photo": "house.jpg"})


def attachments(tablets: Tablets) -> list[SubmissionAttachment]:
    with Session(tablets.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(SubmissionAttachment)))


def test_photo_in_a_later_post(tablets: Tablets, governorate: Governorate) -> None:
    xml = with_photo(governorate)
    assert tablets.post(xml).status_code == 201
    assert attachments(tablets) == []
    for _ in range(2):
        assert tablets.post(xml, {"house.jpg": PHOTO}).status_code == 201
    [stored] = attachments(tablets)
    assert stored.content_type == "image/jpeg"
    assert stored.payload is not None
    assert b"house" not in stored.name
    with Session(tablets.engine) as session:
        vault = Vault(session, tablets.masters)
        assert vault.open("submission_attachment.name", stored.name) == "house.jpg"
        assert vault.open_bytes("submission_attachment.payload", stored.payload) == PHOTO[1]


@pytest.mark.parametrize("name", ["other.jpg", "../house.jpg", "/etc/house.jpg", "a\\house.jpg", "x" * 300])
def test_file_that_the_xml_does_not_name_is_dropped(
    tablets: Tablets, governorate: Governorate, name: str
) -> None:
    assert tablets.post(with_photo(governorate), {"p": (name, b"x", "image/jpeg")}).status_code == 201
    assert attachments(tablets) == []


def test_too_much_at_once(tablets: Tablets, governorate: Governorate) -> None:
    huge = ("house.jpg", b"x" * (MAX_BODY_BYTES + 1), "image/jpeg")
    response = tablets.post(with_photo(governorate), {"house.jpg": huge})
    assert response.status_code == 413
    many: Files = {f"{i}.jpg": (f"{i}.jpg", b"x", "image/jpeg") for i in range(80)}
    assert tablets.post(with_photo(governorate), many).status_code in {400, 413}
    assert tablets.stored() == []


def test_not_multipart_or_without_the_xml(tablets: Tablets) -> None:
    expected = recorded("submission-post-missing-part")
    plain = tablets.client.post(
        f"{tablets.base}/submission", headers=OPENROSA | {"Content-Type": "application/xml"}, content=b"<a/>"
    )
    missing = tablets.post(None, {"other": ("x.xml", b"<a/>", "text/xml")})
    cut = tablets.client.post(
        f"{tablets.base}/submission",
        headers=OPENROSA | {"Content-Type": "multipart/form-data; boundary=q"},
        content=b'--q\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="s.xml"\r\n\r\n<data',
    )
    for response in (plain, missing, cut):
        assert response.status_code == expected["status"]
        assert shape(response.text) == shape(expected["body_text"])
    assert tablets.stored() == []


def test_edit_is_a_new_version_and_a_second_edit_of_the_old_copy_a_conflict(
    tablets: Tablets, governorate: Governorate
) -> None:
    first, second = new_instance_id(), new_instance_id()
    tree = assessment(governorate)
    original = to_xml(tree, instance_id=first)
    edit = to_xml(tree | {"notes": "x"}, instance_id=second, deprecated_id=first)
    assert tablets.post(edit).status_code == 409  # the original has not arrived
    assert tablets.post(original).status_code == 201
    assert tablets.post(edit).status_code == 201
    assert tablets.post(edit).status_code == 201
    assert tablets.post(original).status_code == 201  # the same bytes again, although edited since
    stale = to_xml(tree | {"notes": "y"}, instance_id=new_instance_id(), deprecated_id=first)
    response = tablets.post(stale)
    assert response.status_code == 409
    assert "newer copy" in message(response)
    versions = [(row.root_instance_id, row.instance_id) for row in tablets.stored()]
    assert versions == [(first, first), (first, second)]


def test_header_and_token_are_required(tablets: Tablets) -> None:
    unknown, malformed = "/openrosa/" + "a" * 64, "/openrosa/short"
    cases: list[tuple[str, str, dict[str, str], str]] = [
        ("GET", f"{tablets.base}/formList", {}, "formlist-no-openrosa-header"),
        ("GET", f"{unknown}/formList", OPENROSA, "formlist-bad-token"),
        ("GET", f"{malformed}/formList", OPENROSA, "formlist-malformed-token"),
    ]
    for method, path, headers, name in cases:
        response = tablets.client.request(method, path, headers=headers)
        assert response.status_code == recorded(name)["status"], name
        assert shape(response.text) == shape(recorded(name)["body_text"])
    assert tablets.client.head(f"{tablets.base}/submission").status_code == 400
    xml = {"xml_submission_file": ("s.xml", b"<data/>", "text/xml")}
    for path, status in ((unknown, 403), (malformed, 401)):
        assert tablets.client.post(f"{path}/submission", headers=OPENROSA, files=xml).status_code == status
        assert tablets.client.head(f"{path}/submission", headers=OPENROSA).status_code == status
        for page in ("forms/needs_assessment.xml", "forms/needs_assessment/manifest"):
            assert tablets.client.get(f"{path}/{page}", headers=OPENROSA).status_code == status


def test_revoked_tablet_is_shut_out_and_loses_nothing(tablets: Tablets, governorate: Governorate) -> None:
    with session_scope(tablets.engine) as session:
        tablet = session.get_one(Tablet, tablets.tablet_id)
        assert tablet.last_seen_at is None
        assert revoke_tablet(session, tablet.id, tablet.created_at)
        assert not revoke_tablet(session, tablet.id, tablet.created_at)
    response = tablets.post(to_xml(assessment(governorate)))
    assert response.status_code == 403
    assert "not registered" in message(response)
    assert tablets.stored() == []


def test_head_tells_how_much_may_be_sent(tablets: Tablets) -> None:
    response = tablets.client.head(f"{tablets.base}/submission?deviceID=x", headers=OPENROSA)
    expected = recorded("submission-head")
    assert response.status_code == expected["status"] == 204
    for name in ("X-OpenRosa-Version", "X-OpenRosa-Accept-Content-Length"):
        assert name in expected["headers"]
        assert response.headers[name]
    with Session(tablets.engine) as session:
        assert session.get_one(Tablet, tablets.tablet_id).last_seen_at is not None


def test_form_list_form_and_hash(tablets: Tablets) -> None:
    response = tablets.client.get(f"{tablets.base}/formList", headers=OPENROSA)
    assert response.status_code == 200
    expected = [name for name in shape(recorded("formlist")["body_text"]) if name != "manifestUrl"]
    assert shape(response.text) == expected
    url = re.search("<downloadUrl>(.*?)</downloadUrl>", response.text)
    digest = re.search("<hash>md5:(.*?)</hash>", response.text)
    assert url is not None
    assert digest is not None
    assert url[1].startswith(f"http://tablets.example.org{tablets.base}/forms/")
    form = tablets.client.get(url[1], headers=OPENROSA)
    assert hashlib.md5(form.content, usedforsecurity=False).hexdigest() == digest[1]
    version = published_forms("nineveh")["needs_assessment"].version
    assert f'version="{version}"' in form.text
    assert tablets.client.get(f"{url[1]}?version={version}", headers=OPENROSA).status_code == 200
    assert tablets.client.get(f"{url[1]}?version=1999", headers=OPENROSA).status_code == 404
    unknown = url[1].replace("needs_assessment", "hand_made")
    assert tablets.client.get(unknown, headers=OPENROSA).status_code == 404


def test_manifest_lists_media(tablets: Tablets, monkeypatch: pytest.MonkeyPatch) -> None:
    form = published_forms("nineveh")["needs_assessment"]
    monkeypatch.setitem(form.media, "voice & ear.mp3", b"sound")
    response = tablets.client.get(f"{tablets.base}/forms/needs_assessment/manifest", headers=OPENROSA)
    assert shape(response.text) == shape(recorded("manifest-assessment")["body_text"])
    assert hashlib.md5(b"sound", usedforsecurity=False).hexdigest() in response.text
    url = re.search("<downloadUrl>(.*?)</downloadUrl>", response.text)
    assert url is not None
    media = tablets.client.get(url[1].replace("&amp;", "&"), headers=OPENROSA)
    assert media.content == b"sound"
    missing = tablets.client.get(f"{tablets.base}/forms/needs_assessment/media/x", headers=OPENROSA)
    assert missing.status_code == 404
    listed = tablets.client.get(f"{tablets.base}/formList", headers=OPENROSA)
    assert shape(listed.text) == shape(recorded("formlist")["body_text"])


def test_token_stands_in_no_log_record(
    tablets: Tablets, governorate: Governorate, caplog: pytest.LogCaptureFixture
) -> None:
    """Every logger, the HTTP client's and the web server's own included."""
    with caplog.at_level(logging.DEBUG):
        tablets.post(to_xml(assessment(governorate)))
        tablets.post(b"<broken")
        logging.getLogger("uvicorn.access").info(
            '%s - "%s %s HTTP/%s" %d',
            "127.0.0.1:1",
            "POST",
            f"{tablets.base}/submission?deviceID=x",
            "1.1",
            201,
        )
    assert any("/openrosa/" in record.getMessage() for record in caplog.records)
    for record in caplog.records:
        assert tablets.token not in record.getMessage()
        assert tablets.token not in str(record.__dict__)


def test_no_case_is_opened_by_the_post_itself(tablets: Tablets, governorate: Governorate) -> None:
    tablets.post(to_xml(assessment(governorate)))
    with Session(tablets.engine) as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 0


def test_over_the_real_server(tablets: Tablets, governorate: Governorate) -> None:
    """Collect wants exactly one Date header; the web server adds it."""
    context: AppContext = tablets.client.app.state.context  # type: ignore[attr-defined]
    context.settings.port = 0
    with running_server(context) as url:
        parts = {"xml_submission_file": ("s.xml", to_xml(assessment(governorate)), "text/xml")}
        response = httpx.post(f"{url}{tablets.base}/submission", headers=OPENROSA, files=parts)
        listed = httpx.get(f"{url}{tablets.base}/formList", headers=OPENROSA)
    assert response.status_code == 201
    assert len(response.headers.get_list("Date")) == 1
    assert f"{url}{tablets.base}/forms/needs_assessment.xml" in listed.text
    assert len(tablets.stored()) == 1
