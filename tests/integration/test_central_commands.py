"""`ihala central` as an operator types it, on a stand-in for ODK Central."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import segno
from typer.testing import CliRunner

from api.cli import app, main
from api.collect_qr import qr_text, settings_of_server
from tests.central.places import Place, stand_in_place
from tests.central.provisioned import PASSWORD, Project
from tests.conftest import Database

Run = Callable[..., str]


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Place]:
    """A Central with an empty project."""
    with stand_in_place(tmp_path, name="Returns") as place:
        yield place


@pytest.fixture
def run(fresh_database: Database, central: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    values = {
        "DATABASE_URL": fresh_database.app_url,
        "OWNER_DATABASE_URL": fresh_database.owner_url,
        "DATA_FOLDER": str(tmp_path),
        "CENTRAL_URL": central.url,
        "CENTRAL_PROJECT_ID": "1",
        "CENTRAL_EMAIL": central.reader.email,
        "CENTRAL_PASSWORD": PASSWORD,
        "CENTRAL_MANAGER_EMAIL": central.manager.email,
        "CENTRAL_MANAGER_PASSWORD": PASSWORD,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"IHALA_{name}", value)
    runner = CliRunner()

    def call(*arguments: str, code: int = 0, typed: str | None = None) -> str:
        result = runner.invoke(app, list(arguments), input=typed)
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    call("tablets", "add", "MOS-01", "--office", "mosul")
    return call


def _project(central: Place) -> Project:
    assert central.stand_in is not None
    return central.stand_in


def test_from_nothing_to_complete(run: Run, central: Place) -> None:
    project = _project(central)
    assert "MISSING  Form needs_assessment is not published." in run("central", "check", code=1)
    plan = run("central", "provision", "--tablet", "SIN-01=sinjar")
    assert "+ tablet MOS-01 mosul" in plan
    assert "+ tablet SIN-01 sinjar" in plan
    assert "Nothing was changed" in plan
    assert project.changes == 0
    assert run("central", "provision", "--apply").endswith("Done.\n")
    assert run("central", "provision", "--apply").endswith("as they should be\nNothing to do.\n")
    assert "MISSING" not in run("central", "check")
    found = json.loads(run("central", "check", "--json"))
    assert found["complete"]
    figures = json.loads(run("central", "provision", "--json", "--tablet", "SIN-01=sinjar", "--apply"))
    assert [step["action"] for step in figures["steps"]] == ["app_user.create", "app_user.form"]
    shown = run("central", "tablets") + run("central", "tablets", "--json") + json.dumps(figures)
    assert all(user["token"] not in shown for user in project.app_users)
    run("central", "provision", "--tablet", "X=nowhere", code=2)


def test_a_form_of_somebody_else_is_told_by_the_exit_code(run: Run, central: Place) -> None:
    run("central", "provision", "--apply")
    form = _project(central).forms["needs_assessment"]
    form.published[0].xml = form.published[0].xml.replace('version="2026', 'version="spring ', 1)
    assert "! Version spring" in run("central", "provision", "--apply", code=1)
    assert len(form.published) == 1
    run("central", "provision", "--apply", "--publish-over", "needs_assessment")
    assert len(form.published) == 2


def test_who_may_only_read_is_told_before_anything_is_changed(
    run: Run, central: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def typed(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["ihala", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 1
        return capsys.readouterr().err

    monkeypatch.setenv("IHALA_CENTRAL_MANAGER_EMAIL", central.reader.email)
    assert "Give it the role Project Manager" in typed("central", "provision", "--apply")
    assert _project(central).changes == 0
    monkeypatch.setenv("IHALA_CENTRAL_MANAGER_EMAIL", "nobody@example.org")
    assert "cannot sign in" in typed("central", "provision")
    monkeypatch.setenv("IHALA_CENTRAL_MANAGER_EMAIL", central.manager.email)
    monkeypatch.setenv("IHALA_CENTRAL_PROJECT_ID", "77")
    assert "ihala central project" in typed("central", "provision")
    monkeypatch.setenv("IHALA_CENTRAL_URL", "http://127.0.0.1:9")
    assert "does not answer" in typed("central", "provision")
    monkeypatch.delenv("IHALA_CENTRAL_MANAGER_EMAIL")
    run("central", "provision", code=2)


def _modules(page: Any, left: float, top: float, size: float, count: int) -> list[list[bool]]:
    """Read a QR code off a rendered page: the middle of each module. Millimetres from the top left."""
    scale = 8.0
    picture = page.render(scale=scale).to_pil().convert("L")
    dot = scale * 72 / 25.4
    return [
        [
            picture.getpixel(
                (int((left + (x + 0.5) * size / count) * dot), int((top + (y + 0.5) * size / count) * dot))
            )
            < 128
            for x in range(count)
        ]
        for y in range(count)
    ]


def test_the_sheet_of_codes_can_be_scanned_and_is_private(run: Run, central: Place, tmp_path: Path) -> None:
    from api.tablet_sheet_pdf import CARD_HEIGHT, CARD_WIDTH, GAP, HEAD, MARGIN, QR_SIZE

    sheet = tmp_path / "sheet.pdf"
    run("central", "tablets", "--sheet", str(sheet), code=2)
    assert not sheet.exists()
    more = [f"--tablet=SIN-0{n}=sinjar" for n in range(1, 5)]
    run("central", "provision", "--apply", *more)
    shown = run("central", "tablets", "--sheet", str(sheet))
    assert sheet.stat().st_mode & 0o777 == 0o600
    run("central", "tablets", "--sheet", str(sheet), code=2)  # nothing is written over
    users = _project(central).app_users
    assert all(
        user["token"] not in shown and user["token"].encode() not in sheet.read_bytes() for user in users
    )
    pages = pypdfium2.PdfDocument(sheet)
    assert len(pages) == 2
    text = pages[0].get_textpage().get_text_range()
    assert "Mosul office" in text
    assert text.index("QR»") < text.index("Open ODK Collect")  # the Arabic stands first
    for at, user in enumerate(sorted(users, key=lambda one: str(one["displayName"]))):
        settings = settings_of_server(f"{central.url}/v1/key/{user['token']}/projects/1", "Returns")
        expected = [[bool(dot) for dot in row] for row in segno.make(qr_text(settings), error="m").matrix]
        row, column = divmod(at % 4, 2)
        left = 210 - MARGIN - CARD_WIDTH - column * (CARD_WIDTH + GAP) + (CARD_WIDTH - QR_SIZE) / 2
        top = MARGIN + HEAD + row * (CARD_HEIGHT + GAP) + CARD_HEIGHT - QR_SIZE - 6
        assert _modules(pages[at // 4], left, top, QR_SIZE, len(expected)) == expected
        assert json.loads(zlib.decompress(base64.b64decode(qr_text(settings)))) == settings
    assert "not in Central" in run("central", "tablets", "--tablet", "nobody", code=2)


def test_one_command_shuts_out_everywhere(run: Run, central: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    project = _project(central)
    run("central", "provision", "--apply", "--tablet", "SIN-01=sinjar")
    project.roles[central.manager.email] = "viewer"
    told = run("tablets", "revoke", "MOS-01", code=1)
    assert "MOS-01 is shut out." in told
    assert "may still be open" in told
    assert "revoked" in run("tablets", "list")
    assert project.app_users[0]["token"]
    project.roles[central.manager.email] = "manager"
    assert "app_user_still_open" in run("central", "check", "--json", code=1)
    told = run("central", "revoke", "MOS-01")
    assert "was shut out already" in told
    assert "ODK Central: shut out." in told
    assert project.app_users[0]["token"] is None
    assert "no access is open" in run("tablets", "revoke", "MOS-01")
    assert "ODK Central: shut out." in run("central", "revoke", "SIN-01")  # known in Central alone
    run("central", "revoke", "nobody", code=2)
    run("tablets", "add", "MOS-02", "--office", "mosul")
    monkeypatch.setenv("IHALA_CENTRAL_URL", "http://127.0.0.1:9")
    assert "repeat this later" in run("tablets", "revoke", "MOS-02", code=1)
    monkeypatch.delenv("IHALA_CENTRAL_MANAGER_EMAIL")
    assert "IHALA_CENTRAL_MANAGER_EMAIL" in run("tablets", "revoke", "MOS-02", code=1)
    monkeypatch.delenv("IHALA_CENTRAL_URL")
    assert run("tablets", "revoke", "MOS-02") == "Tablet MOS-02 was shut out already.\n"


def test_an_administrator_makes_the_project(run: Run, central: Place) -> None:
    project = _project(central)
    project.exists = False
    project.roles |= {central.reader.email: "manager", central.manager.email: "viewer"}
    typed = f"{central.admin.email}\n{PASSWORD}\n"
    assert "+ project Returns" in run("central", "project", "Returns", typed=typed)
    assert not project.exists
    told = run("central", "project", "Returns", "--apply", typed=typed)
    assert "IHALA_CENTRAL_PROJECT_ID=1" in told
    assert PASSWORD not in told
    assert project.roles[central.reader.email] == "viewer"
    assert "= project Returns" in run("central", "project", "Returns", "--apply", typed=typed)
