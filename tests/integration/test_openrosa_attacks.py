"""Odd senders, many at once, and a database that is away: nothing breaks, nothing is lost, nothing is doubled."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db.models import DataKey
from governorates import Governorate
from tests.integration.test_openrosa import (
    OPENROSA,
    Tablets,
    attachments,
    message,
    tablets,
    with_photo,
)
from tests.unit.ingest.invented import assessment, new_instance_id, to_xml

__all__ = ["tablets"]


@pytest.mark.parametrize("charset", ["idna", "punycode", "utf-7", "unicode_escape", "undefined", "klingon"])
@pytest.mark.parametrize("named", [True, False], ids=["file", "field"])
def test_a_charset_that_the_sender_claims_changes_nothing(
    tablets: Tablets, governorate: Governorate, charset: str, named: bool
) -> None:
    xml = to_xml(assessment(governorate) | {"notes": r"\ud800 +2AA-"})
    head = b'--q\r\nContent-Disposition: form-data; name="xml_submission_file"' + (
        b'; filename="s.xml"' if named else b""
    )
    kind = f"Multipart/Form-Data; charset={charset}; boundary=q"
    body = head + b"\r\n\r\n" + xml + b"\r\n--q--\r\n"
    path, headers = f"{tablets.base}/submission", OPENROSA | {"Content-Type": kind}
    assert tablets.client.post(path, headers=headers, content=body).status_code == 201
    assert tablets.open(tablets.stored()[0]) == xml


@pytest.mark.parametrize("kind", ["a\x00b", "وردة", "image/" + "j" * 500, "07700000655"])
def test_type_of_a_file_that_is_none_is_not_kept(
    tablets: Tablets, governorate: Governorate, kind: str
) -> None:
    body = b"".join(
        b'--q\r\nContent-Disposition: form-data; name="x"; filename="%b"\r\nContent-Type: %b\r\n\r\n%b\r\n'
        % (name, content_type, content)
        for name, content_type, content in [(b"house.jpg", kind.encode(), b"photo")]
    )
    body += b'--q\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="s.xml"\r\n\r\n'
    body += with_photo(governorate) + b"\r\n--q--\r\n"
    headers = OPENROSA | {"Content-Type": "multipart/form-data; boundary=q"}
    assert tablets.client.post(f"{tablets.base}/submission", headers=headers, content=body).status_code == 201
    assert [stored.content_type for stored in attachments(tablets)] == [None]


def test_form_names_that_fit_no_column_are_kept_in_quarantine(
    tablets: Tablets, governorate: Governorate
) -> None:
    for odd in ({"form_id": "f" * 200}, {"version": "v" * 5000}, {"form_id": "a\u200cb"}):
        xml = to_xml(assessment(governorate), **odd)
        assert tablets.post(xml).status_code == 202
        assert tablets.open(tablets.stored()[-1]) == xml


def test_one_instance_posted_by_many_at_once(tablets: Tablets, governorate: Governorate) -> None:
    same = to_xml(assessment(governorate))
    ids = new_instance_id()
    different = [to_xml(assessment(governorate) | {"notes": str(n)}, instance_id=ids) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda xml: tablets.post(xml).status_code, [same] * 6))
        conflicts = sorted(pool.map(lambda xml: tablets.post(xml).status_code, different))
    assert answers == [201] * 6
    assert conflicts == [201] + [409] * 5
    assert len(tablets.stored()) == 2
    with Session(tablets.engine) as session:
        assert session.scalar(select(func.count()).select_from(DataKey)) == 2


def test_database_that_is_away_is_told_and_the_form_stays_on_the_tablet(
    tablets: Tablets, governorate: Governorate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception())

    with monkeypatch.context() as patch:
        patch.setattr("api.openrosa.receive", gone)
        patch.setattr("api.openrosa_intake.receive_new", gone)
        response = tablets.post(to_xml(assessment(governorate)))
    assert response.status_code == 503
    assert "nothing was stored" in message(response)
    assert tablets.stored() == []
    assert tablets.woken == []
