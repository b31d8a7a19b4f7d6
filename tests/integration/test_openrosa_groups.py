"""Posts that are stored together: each is answered as if it had come alone."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from api.openrosa_intake import GroupCommit
from db.keyfile import MasterKeys
from db.models import DataKey, Office, Submission, Tablet
from db.session import session_scope
from db.tablets import create_tablet, revoke_tablet
from db.vault import Vault
from db.versions import NewVersion, create_versions
from governorates import Governorate
from ingest.sources.inbox import PlainPost, Receipt, receive_new
from tests.integration.test_openrosa import Tablets, tablets  # noqa: F401  a fixture
from tests.unit.ingest.invented import assessment, new_instance_id, to_xml

Receive = Callable[..., list[Receipt | None]]


@pytest.fixture
def receive_group(fresh_engine: Engine, masters: MasterKeys) -> Receive:
    def receive(*posts: PlainPost) -> list[Receipt | None]:
        with session_scope(fresh_engine) as session:
            now = datetime.now(UTC)
            return receive_new(Vault(session, masters), posts, governorate_code="nineveh", now=now)

    return receive


def add_tablet(engine: Engine, *, revoked: bool = False) -> str:
    with session_scope(engine) as session:
        office_id = session.scalars(select(Office.id).where(Office.governorate == "nineveh")).first()
        assert office_id is not None
        tablet, token = create_tablet(session, new_instance_id()[:20], office_id)
        if revoked:
            revoke_tablet(session, tablet.id, datetime.now(UTC))
    return token


def kinds(receipts: list[Receipt | None]) -> list[str | None]:
    return [receipt.kind if receipt else None for receipt in receipts]


def count_of(engine: Engine) -> tuple[int, int]:
    """Submissions and keys: a key without a submission would be litter, a submission without one unreadable."""
    with Session(engine) as session:
        submissions = session.scalars(select(Submission.data_key_id)).all()
        keys = session.scalars(select(DataKey.id)).all()
        assert set(submissions) == set(keys)
        return len(submissions), len(keys)


def test_only_what_is_plainly_new_is_stored(
    receive_group: Receive, fresh_engine: Engine, governorate: Governorate
) -> None:
    token, tree = add_tablet(fresh_engine), assessment(governorate)
    first = to_xml(tree)
    assert kinds(receive_group(PlainPost(token, first))) == ["created"]
    twice = to_xml(tree)
    posts = [
        PlainPost(token, to_xml(tree)),
        PlainPost(token, first),
        PlainPost(token, b"<data"),
        PlainPost(token, to_xml(tree, deprecated_id=new_instance_id())),
        PlainPost("x" * 64, to_xml(tree)),
        PlainPost(add_tablet(fresh_engine, revoked=True), to_xml(tree)),
        PlainPost(token, twice),
        PlainPost(token, twice),
        PlainPost(token, to_xml(tree, version="1")),
        PlainPost(token, to_xml(tree)),
    ]
    expected = ["created", None, None, None, None, None, "created", None, "quarantined", "created"]
    receipts = receive_group(*posts)
    assert kinds(receipts) == expected
    assert count_of(fresh_engine) == (5, 5)
    with Session(fresh_engine) as session:
        for post, receipt in zip(posts, receipts, strict=True):
            if receipt is not None:
                stored = session.get_one(Submission, receipt.submission_id)
                assert stored.instance_id.encode() in post.xml
        tablet_ids = set(session.scalars(select(Submission.tablet_id)))
        heard_of = session.scalars(select(Tablet.id).where(Tablet.last_seen_at.is_not(None))).all()
        assert set(heard_of) == tablet_ids


def test_another_governorates_tablet_stores_nothing(
    receive_group: Receive, fresh_engine: Engine, governorate: Governorate
) -> None:
    token = add_tablet(fresh_engine)
    with session_scope(fresh_engine) as session:
        for office in session.scalars(select(Office)):
            office.governorate = "anbar"
    assert receive_group(PlainPost(token, to_xml(assessment(governorate)))) == [None]
    assert count_of(fresh_engine) == (0, 0)


def test_unsealed_content_is_refused(fresh_engine: Engine, masters: MasterKeys) -> None:
    with Session(fresh_engine) as session:
        key_id, wrapped = Vault(session, masters).new_key()
        plain = NewVersion(
            form_id="f",
            form_version=None,
            root_instance_id="a",
            instance_id="a",
            media_type="xml",
            payload=b"a name",
            fingerprint=b"",
            data_key_id=key_id,
            wrapped_key=wrapped,
            status="received",
            submitted_at=None,
        )
        with pytest.raises(Exception, match="not_sealed"):
            create_versions(session, "nineveh", "inbox", [plain], master_key_id=masters.current_id)
        odd = replace(plain, payload=None, instance_id='\\x41"b', root_instance_id="'; --")
        stored = create_versions(session, "nineveh", "inbox", [odd], master_key_id=masters.current_id)
        assert list(stored) == [("'; --", '\\x41"b')]


def test_many_at_once_are_answered_each_for_itself(
    tablets: Tablets,  # noqa: F811
    governorate: Governorate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = assessment(governorate)
    good, same = [to_xml(tree) for _ in range(12)], to_xml(tree)
    posts = [*good, same, same, same, *[b"<data"] * 3]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda xml: tablets.post(xml).status_code, posts))
    assert statuses == [201] * 15 + [400] * 3
    assert len(tablets.stored()) == 13

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("api.openrosa_intake.receive_new", fail)
        with ThreadPoolExecutor(8) as pool:
            more = list(pool.map(lambda xml: tablets.post(xml).status_code, [to_xml(tree) for _ in range(6)]))
    assert more == [201] * 6, "a group that fails goes one by one"
    assert tablets.post(to_xml(tree)).status_code == 201
    assert count_of(tablets.engine) == (20, 20)


def test_a_tablet_that_hung_up_stops_nobody(tablets: Tablets, governorate: Governorate) -> None:  # noqa: F811
    application: Any = tablets.client.app
    line: GroupCommit = application.state.intake
    tree = assessment(governorate)

    async def hang_up_then_post() -> Receipt | None:
        with line._changed:  # nothing is taken from the line meanwhile
            gone = asyncio.ensure_future(line.store(tablets.token, to_xml(tree)))
            while not line._line:
                await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
        return await asyncio.wait_for(line.store(tablets.token, to_xml(tree)), 20)

    receipt = asyncio.run(hang_up_then_post())
    assert receipt is not None
    assert len(tablets.stored()) == 1
