"""Provisioning a project, on the stand-in and, where one is set, on a real Central."""

import copy
import csv
import logging
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from ingest.central.account import CentralAccount
from ingest.central.app_users import list_app_users
from ingest.central.errors import CentralError
from ingest.central.forms import create_draft, publish_draft
from ingest.central.session import CentralSession
from ingest.provisioning.apply import close_app_users, plan_project, provision
from ingest.provisioning.errors import ProvisioningError
from ingest.provisioning.plan import Action, Sign, Step
from ingest.provisioning.wanted import Wanted, WantedTablet
from tests.central.places import Place, place, real_place, stand_in_place
from tests.factories.provisioning import NEXT_VERSION, VERSION, small_form, small_wanted, small_xml

__all__ = ["place"]

MOSUL, SINJAR = WantedTablet("MOS-01", "mosul"), WantedTablet("SIN-01", "sinjar")


def _run(account: CentralAccount, wanted: Wanted, **options: Any) -> list[Step]:
    """One run of `provision --apply`; returns what it planned to do."""
    with closing(CentralSession(account)) as central:
        steps = plan_project(central, wanted, **options)
        provision(central, wanted, steps, **options)
    return [step for step in steps if step.is_work]


def _blocked(account: CentralAccount, wanted: Wanted) -> list[Action]:
    with closing(CentralSession(account)) as central:
        return [step.action for step in plan_project(central, wanted) if step.sign is Sign.BLOCKED]


def test_an_empty_project_is_filled_and_a_second_run_does_nothing(place: Place) -> None:
    wanted = small_wanted(MOSUL, SINJAR)
    assert len(_run(place.manager, wanted)) > 20
    picture = place.picture()
    versions, files = picture["forms"]["visit"]
    assert versions == [VERSION]
    assert sorted(files) == [("districts.csv", True, False), ("services.csv", True, True)]
    assert picture["lists"]["referrals"][2] == {
        "type": "property",
        "rules": [{"datasetProperty": "office", "actorProperty": "office"}],
    }
    assert picture["lists"]["services"][2] is None
    assert {"case_code", "office"} <= set(picture["lists"]["returnees"][0])
    assert picture["assigned"] == [("MOS-01", "visit"), ("SIN-01", "visit")]
    assert _run(place.manager, wanted) == []
    assert place.picture() == picture


def test_a_dry_run_changes_nothing(place: Place) -> None:
    before = place.picture()
    with closing(CentralSession(place.manager)) as central:
        assert any(step.is_work for step in plan_project(central, small_wanted()))
    assert place.picture() == before


def test_a_changed_form_is_published_and_keeps_its_files(place: Place) -> None:
    _run(place.manager, small_wanted())
    changed = replace(small_form(NEXT_VERSION), media={})
    done = _run(place.manager, small_wanted(form=changed))
    assert [(step.sign, step.action, step.detail) for step in done] == [
        (Sign.CHANGE, Action.FORM_PUBLISH, NEXT_VERSION)
    ]
    versions, files = place.picture()["forms"]["visit"]
    assert versions == [NEXT_VERSION, VERSION]
    assert ("districts.csv", True, False) in files
    # The former version cannot come back, and nobody's newer version is published over.
    assert _blocked(place.manager, small_wanted()) == [Action.FORM_VERSION_USED]
    assert _blocked(place.manager, small_wanted(form=small_form("2026112301-00000009"))) == [
        Action.FORM_NEWER
    ]


def test_a_form_that_somebody_else_published_stays(place: Place) -> None:
    with closing(CentralSession(place.manager)) as central:
        create_draft(central, "visit", small_xml("visit", "spring"))
        publish_draft(central, "visit")
    wanted = small_wanted(form=replace(small_form(), media={}))
    assert _blocked(place.manager, wanted) == [Action.FORM_FOREIGN]
    _run(place.manager, wanted)
    assert place.picture()["forms"]["visit"][0] == ["spring"]
    assert place.picture()["assigned"] == [("MOS-01", "visit")]  # the rest was done
    with pytest.raises(ProvisioningError) as refused:
        _run(place.manager, wanted, publish_over=frozenset({"visit"}))
    assert (refused.value.code, refused.value.details["file"]) == ("attachment_missing", "districts.csv")
    _run(place.manager, small_wanted(), publish_over=frozenset({"visit"}))
    assert place.picture()["forms"]["visit"][0] == [VERSION, "spring"]


def test_a_root_that_loses_entities_is_refused_before_anything_is_published(place: Place) -> None:
    with pytest.raises(ProvisioningError) as refused:
        _run(place.manager, small_wanted(form=small_form(root="visit")))
    assert refused.value.code == "root_not_data"
    assert place.picture()["forms"] == {}


def test_tablets_that_exist_get_what_they_lack(place: Place) -> None:
    _run(place.manager, small_wanted(MOSUL))
    moved = replace(MOSUL, office="sinjar")
    done = _run(place.manager, small_wanted(moved, SINJAR))
    assert [step.action for step in done] == [Action.USER_OFFICE, Action.USER, Action.USER_FORM]
    assert place.picture()["app_users"] == [
        ("MOS-01", True, "{'office': 'sinjar'}"),
        ("SIN-01", True, "{'office': 'sinjar'}"),
    ]


def test_a_lost_tablet_is_shut_out_and_not_revived(place: Place) -> None:
    _run(place.manager, small_wanted(MOSUL, SINJAR))
    with closing(CentralSession(place.manager)) as central:
        token = next(user.token for user in list_app_users(central) if user.name == "MOS-01")
        lost = small_wanted(replace(MOSUL, is_revoked=True), SINJAR)
        assert [step.action for step in _run(place.manager, lost)] == [Action.USER_REVOKE]
        assert close_app_users(central, "MOS-01") == 0
        assert close_app_users(central, "nobody") == 0
    assert ("MOS-01", False) in {user[:2] for user in place.picture()["app_users"]}
    if place.stand_in is None:
        form_list = f"{place.url}/v1/key/{token}/projects/{place.project_id}/formList"
        assert requests.get(form_list, headers={"X-OpenRosa-Version": "1.0"}, timeout=9).status_code == 403
    assert _run(place.manager, lost) == []
    assert _run(place.manager, small_wanted(MOSUL, SINJAR)) == []
    assert _blocked(place.manager, small_wanted(MOSUL, SINJAR)) == [Action.USER_REVOKED]


def test_who_may_only_read_changes_nothing_and_is_told_what_is_missing(place: Place) -> None:
    before = place.picture()
    with closing(CentralSession(place.reader)) as central:
        with pytest.raises(ProvisioningError) as refused:
            plan_project(central, small_wanted())
        with pytest.raises(CentralError) as forbidden:
            close_app_users(central, "MOS-01")
    assert refused.value.code == "rights_missing"
    assert "form.create" in refused.value.details["rights"]
    assert forbidden.value.code == "central_forbidden"
    assert place.picture() == before


def test_a_project_that_is_not_there_is_told(place: Place) -> None:
    elsewhere = replace(place.manager, project_id=999_999)
    with closing(CentralSession(elsewhere)) as central, pytest.raises(ProvisioningError) as refused:
        plan_project(central, small_wanted())
    assert refused.value.code == "project_missing"


class Killed(BaseException):
    """The process ends here."""


class Mortal(CentralSession):
    """A session that dies at a call: before it leaves, or after Central did it and before anybody heard."""

    def __init__(self, account: CentralAccount, at: int, *, heard: bool) -> None:
        super().__init__(account)
        self.left, self.heard = at, heard

    def send(self, method: str, path: str, **options: Any) -> Any:
        if self.left == 0:
            if self.heard:
                super().send(method, path, **options)
            raise Killed
        self.left -= 1
        return super().send(method, path, **options)


@pytest.mark.parametrize("heard", [False, True], ids=["before", "after"])
def test_killed_at_any_call_and_run_again_gives_the_same_project(tmp_path: Path, heard: bool) -> None:
    wanted = small_wanted(replace(MOSUL, is_revoked=True), SINJAR, form=small_form(NEXT_VERSION))
    with stand_in_place(tmp_path) as place:
        project = place.stand_in
        assert project is not None
        _run(place.manager, small_wanted(MOSUL, form=small_form(save_to="")))
        start = copy.deepcopy(vars(project))
        _run(place.manager, wanted)
        whole, kills, died = project.picture(), 0, True
        assert whole["app_users"][0][:2] == ("MOS-01", False)
        while died:
            vars(project).update(copy.deepcopy(start))
            with closing(Mortal(place.manager, kills, heard=heard)) as central:
                try:
                    provision(central, wanted, plan_project(central, wanted))
                    died = False
                except Killed:
                    kills += 1
            _run(place.manager, wanted)
            assert project.picture() == whole, f"killed at call {kills}"
    assert kills > 30


def test_an_older_server_gets_everything_but_the_filters(tmp_path: Path) -> None:
    with stand_in_place(tmp_path, is_old=True) as place:
        assert place.stand_in is not None
        _run(place.manager, small_wanted(MOSUL))
        assert place.stand_in.picture()["app_users"] == [("MOS-01", True, "None")]
        assert place.stand_in.lists["referrals"].access is None
        assert _run(place.manager, small_wanted(MOSUL)) == []


def test_an_encrypted_project_adds_to_versions_and_is_still_known(tmp_path: Path) -> None:
    with stand_in_place(tmp_path, key_id=7) as place:
        _run(place.manager, small_wanted())
        assert _run(place.manager, small_wanted()) == []


def test_a_tablet_downloads_only_the_entities_of_its_office(tmp_path: Path) -> None:
    """Only a real Central can say: the filter that provisioning sets is the one that Collect's download obeys."""
    with real_place(tmp_path) as place, closing(CentralSession(place.manager)) as central:
        form = small_form()
        reading = replace(form, xml=form.xml.replace("services", "referrals"))
        _run(place.manager, small_wanted(MOSUL, SINJAR, WantedTablet("NONE-01", None), form=reading))
        for office in ("mosul", "mosul", "sinjar"):
            entity = {"uuid": str(uuid.uuid4()), "label": office, "data": {"office": office}}
            central.send("POST", central.project("datasets/referrals/entities"), json=entity)
        seen = {}
        for user in list_app_users(central):
            base = f"{place.url}/v1/key/{user.token}/projects/{place.project_id}"
            answer = requests.get(f"{base}/forms/visit/attachments/referrals.csv", timeout=9)
            seen[user.name] = [row["office"] for row in csv.DictReader(answer.text.splitlines())]
    assert seen == {"MOS-01": ["mosul", "mosul"], "SIN-01": ["sinjar"], "NONE-01": []}


def test_no_token_reaches_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with stand_in_place(tmp_path) as place:
        assert place.stand_in is not None
        _run(place.manager, small_wanted(MOSUL))
        token = place.stand_in.app_users[0]["token"]
        _run(place.manager, small_wanted(replace(MOSUL, is_revoked=True)))
    assert "/v1/sessions/***" in caplog.text
    for written in (token, token.replace("$", "%24").replace("!", "%21"), token.replace("$", "%24")):
        assert written not in caplog.text
