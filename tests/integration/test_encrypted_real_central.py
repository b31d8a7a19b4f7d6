"""A project with managed encryption on a real ODK Central, where IHALA_TEST_CENTRAL_* are set.

Submissions are encrypted as Collect does it, so what is tested here is Central's side of the bargain.
"""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db.keyfile import MasterKeys
from db.models import Submission, SubmissionAttachment
from db.vault import Vault
from governorates import Governorate
from ingest.central.account import CentralAccount
from ingest.central.errors import CentralError
from ingest.central.exports import get_export, list_fields, list_keys
from ingest.central.session import CentralSession
from ingest.sync import SyncReport, SyncSettings, sync
from ingest.trees import from_odata, from_xml
from tests.central import encrypter
from tests.central.live_project import FORM, PASSPHRASE, LiveProject, is_configured
from tests.unit.ingest.invented import assessment, changed, to_xml

pytestmark = pytest.mark.skipif(
    not is_configured(), reason="no real Central: IHALA_TEST_CENTRAL_* are not set"
)

PHOTO = b"\xff\xd8\xff\xe0 invented " + bytes(range(256)) * 40


class Installation:
    """Ihala reading that project, with an account of the role Project Viewer."""

    def __init__(
        self, engine: Engine, masters: MasterKeys, governorate: Governorate, account: CentralAccount
    ) -> None:
        self.engine, self.masters, self.governorate, self.account = engine, masters, governorate, account

    def sync(self) -> SyncReport:
        return sync(self.engine, self.masters, self.governorate, SyncSettings(central=self.account))

    def stored(self) -> list[Submission]:
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(select(Submission).order_by(Submission.id)))

    def tree(self, one: Submission) -> Any:
        with Session(self.engine) as session:
            payload = Vault(session, self.masters).open_bytes("submission.payload", one.payload or b"")
        return from_odata(json.loads(payload), FORM).tree

    def files(self) -> dict[str | None, bytes]:
        with Session(self.engine) as session:
            vault = Vault(session, self.masters)
            return {
                vault.open("submission_attachment.name", file.name): vault.open_bytes(
                    "submission_attachment.payload", file.payload or b""
                )
                for file in session.scalars(select(SubmissionAttachment))
            }


@pytest.fixture
def project() -> LiveProject:
    made = LiveProject.create("encryption")
    made.publish()
    return made


@pytest.fixture
def ihala(
    project: LiveProject, fresh_engine: Engine, masters: MasterKeys, governorate: Governorate, tmp_path: Path
) -> Installation:
    email, password = project.add_viewer()
    account = CentralAccount(
        project.url, email, password, project.project_id, (FORM,), tmp_path / "central", PASSPHRASE
    )
    return Installation(fresh_engine, masters, governorate, account)


def test_life_of_a_project_that_turned_encryption_on(project: LiveProject, ihala: Installation) -> None:
    tree = assessment(
        ihala.governorate,
        case_code=None,
        residence__point="36.345 43.13 220.5 4.8",
        residence__at_home="yes",
        notes='=1+1\nسطر "2", @x',
        person__given_name="@وردة ڕۆژ",
    )
    plain = project.submit(tree, encrypted=False)
    project.encrypt()
    sealed = project.submit(tree)
    report = ihala.sync()
    assert (report.stored, report.cases, report.quarantined, report.errors) == (2, 2, 0, ())
    stored = {one.root_instance_id: one for one in ihala.stored()}
    assert {root: one.media_type for root, one in stored.items()} == {plain: "odata+json", sealed: "csv+json"}
    for root, one in stored.items():
        sent = from_xml(to_xml(tree, instance_id=root)).tree
        assert answers(ihala.tree(one)) == answers(sent)
    assert ihala.sync().stored == 0

    knowing = ihala.account
    late = project.submit(changed(tree, household__size="4"))
    for passphrase, code in (
        ("a wrong passphrase", "central_passphrase"),
        (None, "central_passphrase_missing"),
    ):
        ihala.account = replace(knowing, passphrase=passphrase)
        report = ihala.sync()
        assert (report.stored, report.errors) == (0, (f"{FORM}: {code}",))
    ihala.account = knowing
    assert ihala.sync().stored == 1

    version = project.submit(changed(tree, household__size="7"), deprecated_id=sealed)
    report = ihala.sync()
    assert (report.stored, report.updated) == (1, 1)
    assert [one.instance_id for one in ihala.stored() if one.root_instance_id == sealed] == [sealed, version]
    assert ihala.tree(ihala.stored()[-1])["household"]["size"] == "7"
    edited = project.submit(changed(tree, household__size="8"), deprecated_id=plain)
    assert ihala.sync().updated == 1
    assert ihala.stored()[-1].instance_id == edited

    project.ask("DELETE", project.form(f"/submissions/{late}"))
    ihala.sync()
    assert {one.root_instance_id for one in ihala.stored() if one.deleted_at} == {late}
    project.ask("POST", project.form(f"/submissions/{late}/restore"))
    ihala.sync()
    assert not [one for one in ihala.stored() if one.deleted_at]


def test_submission_that_central_cannot_decrypt_holds_up_no_other(
    project: LiveProject, ihala: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.encrypt()
    tree = assessment(ihala.governorate, case_code=None)
    roots = {project.submit(tree) for _ in range(3)}
    roots_spoiled = {project.submit(tree, spoil=True)}
    with monkeypatch.context() as other:
        oaep = padding.OAEP(mgf=padding.MGF1(SHA1()), algorithm=SHA256(), label=None)  # noqa: S303
        other.setattr(encrypter, "_OAEP", oaep)
        roots_spoiled.add(project.submit(tree))
    roots.add(project.submit(tree))
    missing = project.submit(tree, send_content=False)
    report = ihala.sync()
    assert {one.root_instance_id for one in ihala.stored()} == roots
    assert report.errors == (f"{FORM}: central_undecryptable",)
    for root in (*roots_spoiled, missing):
        project.ask("DELETE", project.form(f"/submissions/{root}"))
    assert ihala.sync().errors == ()


def test_photos(project: LiveProject, ihala: Installation) -> None:
    project.encrypt()
    files = {"a.jpg": PHOTO, "بيت 1.jpg": PHOTO[::-1]}
    tree = assessment(ihala.governorate, case_code=None)
    project.submit(tree)
    project.submit(tree, files=files)
    report = ihala.sync()
    assert (report.files, report.errors) == (2, ())
    assert ihala.files() == files


def test_what_the_export_answers(project: LiveProject, ihala: Installation) -> None:
    """Facts that the code relies on."""
    project.encrypt()
    tree = assessment(ihala.governorate)
    root = project.submit(tree)
    version = project.submit(tree, deprecated_id=root)
    with closing(CentralSession(ihala.account)) as client:
        (key,) = list_keys(client, FORM)
        assert key.is_managed
        fields = list_fields(client, FORM)
        with (
            pytest.raises(CentralError) as caught,
            get_export(client, FORM, [], {key.id: "a wrong passphrase"}),
        ):
            pass
        assert caught.value.code == "central_passphrase"
        with get_export(client, FORM, [], {key.id: PASSPHRASE}) as export:
            assert export.read_rows(fields) == []
        with get_export(client, FORM, [version], {key.id: PASSPHRASE}) as export:
            assert export.read_rows(fields) == []  # __id is that of the first version
        with get_export(client, FORM, [root], {key.id: PASSPHRASE}) as export:
            (row,) = export.read_rows(fields)
        assert (row.root, row.answers["meta"]["instanceID"]) == (root, version)
        with get_export(client, FORM, [root], {}) as export:
            assert [one.status for one in export.read_rows(fields)] == ["not decrypted"]
        with get_export(client, FORM, [root], {10_000_000: PASSPHRASE}) as export:
            assert export.read_rows(fields) == []  # those of other keys are left out


def answers(tree: Any) -> Any:
    return {name: value for name, value in tree.items() if name != "meta"}
