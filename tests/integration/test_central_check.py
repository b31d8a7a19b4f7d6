"""`ihala central check`: what is missing is found and said in words, on the stand-in and on a real Central."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.central_texts import FINDINGS, finding_words
from ingest.central.forms import create_draft, publish_draft
from ingest.central.session import CentralSession
from ingest.provisioning.apply import plan_project, provision
from ingest.provisioning.check import Finding, Level, check_central, is_complete
from ingest.provisioning.wanted import WantedTablet
from tests.central.places import Place, place, stand_in_place
from tests.factories.provisioning import NEXT_VERSION, VERSION, small_form, small_wanted, small_xml

__all__ = ["place"]

WANTED = small_wanted(WantedTablet("MOS-01", "mosul"))


def _fill(place: Place) -> None:
    with closing(CentralSession(place.manager)) as central:
        provision(central, WANTED, plan_project(central, WANTED))


def _codes(place: Place, level: Level | None = None, **options: Any) -> set[str]:
    return {one.code for one in _findings(place, **options) if level in {None, one.level}}


def _findings(place: Place, **options: Any) -> list[Finding]:
    accounts = {"reader": place.reader, "manager": place.manager} | {
        name: options.pop(name) for name in ("reader", "manager") if name in options
    }
    findings = check_central(
        accounts["reader"], accounts["manager"], options.pop("wanted", WANTED), **options
    )
    for finding in findings:
        sentence, remedy = finding_words(finding)
        assert sentence
        assert bool(remedy) == (finding.level is not Level.OK), finding
        assert "{" not in sentence + remedy
    return findings


def test_an_empty_project_and_then_a_filled_one(place: Place) -> None:
    assert _codes(place, Level.MISSING) == {
        "actor_property_missing",
        "list_missing",
        "app_user_missing",
        "form_missing",
    }
    _fill(place)
    findings = _findings(place)
    assert is_complete(findings)
    assert {one.level for one in findings} == {Level.OK}


def test_rights_that_are_missing_or_too_many(place: Place) -> None:
    _fill(place)
    assert _codes(place, Level.MISSING, manager=place.reader) == {"manager_rights_missing"}
    assert _codes(place, Level.WARNING, reader=place.manager) == {"reader_may_write"}
    assert _codes(place, Level.WARNING, manager=place.admin) == {"manager_is_administrator"}
    assert _codes(place, Level.WARNING, manager=None) == {"manager_not_set"}


def test_accounts_and_projects_that_are_not_there(place: Place) -> None:
    wrong = {"password": "another password"}
    assert {"reader_sign_in"} <= _codes(place, Level.MISSING, reader=replace(place.reader, **wrong))
    assert {"manager_sign_in"} <= _codes(place, Level.MISSING, manager=replace(place.manager, **wrong))
    elsewhere = {
        name: replace(account, project_id=999_999)
        for name, account in (("reader", place.reader), ("manager", place.manager))
    }
    assert _codes(place, Level.MISSING, **elsewhere) == {"project_missing"}
    assert _codes(place, reader=None) == {"settings_missing"}


@pytest.mark.parametrize(
    ("version", "root", "level", "code"),
    [
        ("2026112202-0000000a", "data", Level.WARNING, "form_older"),
        (NEXT_VERSION, "data", Level.WARNING, "form_newer"),
        (VERSION, "visit", Level.MISSING, "root_not_data"),
    ],
)
def test_a_form_that_somebody_else_published(
    place: Place, version: str, root: str, level: Level, code: str
) -> None:
    _fill(place)
    other = small_xml("other", version, root, "returnees")
    with closing(CentralSession(place.manager)) as central:
        create_draft(central, "other", other)
        publish_draft(central, "other")
    wanted = replace(WANTED, forms=(replace(small_form(), form_id="other", fields=frozenset({"age"})),))
    found = {(one.level, one.code) for one in _findings(place, wanted=wanted)}
    assert (level, code) in found
    assert (Level.MISSING, "fields_missing") in found
    assert (Level.MISSING, "attachment_missing") in found
    assert ((Level.MISSING, "entities_lost") in found) == (root != "data")


def test_what_only_the_stand_in_can_be(tmp_path: Path) -> None:
    with stand_in_place(tmp_path) as place:
        project = place.stand_in
        assert project is not None
        _fill(place)
        project.key_id = 7
        assert _codes(place, Level.MISSING) == {"passphrase_missing"}
        assert _codes(place, Level.MISSING, has_passphrase=True) == set()
        project.key_id, project.archived = None, True
        assert _codes(place, Level.MISSING) == {"project_archived"}
        project.archived, project.forms["visit"].state = False, "closing"
        assert _codes(place, Level.MISSING) == {"form_not_open"}
        project.forms["visit"].state, project.version = "open", None
        assert "server_unknown" in _codes(place)
        project.lists["referrals"].access = None
        project.lists["services"].properties.remove("geometry")
        assert _codes(place, Level.MISSING) == {"access_missing", "property_missing"}
        lost = replace(WANTED, tablets=(WantedTablet("MOS-01", "mosul", is_revoked=True),))
        assert "app_user_still_open" in _codes(place, Level.MISSING, wanted=lost)
        project.app_users[0]["token"] = None
        assert "app_user_revoked_before" in _codes(place, Level.MISSING)
        project.is_old = True
        assert "no_actor_properties" in _codes(place, Level.WARNING)
        assert "form_not_ours" in _codes(place, Level.WARNING, form_ids=("visit", "survey"))
        http = "http://central.example.org"
        assert "no_tls" in _codes(place, Level.MISSING, public_url=http)
    assert _codes(place) == {"central_unreachable"}


def test_every_plan_that_waits_for_a_person_has_words() -> None:
    for finding in FINDINGS.values():
        assert finding[0].endswith((".", "..."))
