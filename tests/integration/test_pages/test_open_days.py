"""An open day on the pages: planned, worked through at the desks, matched, and looked over at its end."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from db.models import AuditEvent, Case, OpenDay, QueueToken, Station
from db.session import session_scope
from governorates.calendar import local_day
from tests.factories.open_days import desk
from tests.integration.test_pages.conftest import Site

NAMES = ("زهراء", "كريم", "صالح", "07701234567")
ACTS = (
    "begin", "close", "match", "tokens", "stations/{station}/call", "tokens/{token}/link",
    "tokens/{token}/serve", "tokens/{token}/leave", "tokens/{token}/back", "tokens/{token}/slip",
)  # fmt: skip


def home(site: Site) -> str:
    return f"/open-days/{site.world.open_day}"


def token_of(site: Site) -> QueueToken:
    with session_scope(site.world.context.engine) as session:
        return session.get_one(QueueToken, site.world.token)


@pytest.mark.parametrize("login", ["officer-elsewhere", "coordinator-moi"])
def test_another_offices_day_does_not_exist(site: Site, login: str) -> None:
    browser, world = site.browser(login), site.world
    assert f'"{home(site)}"' not in browser.get("/open-days").text
    wrong = 404 if login.startswith("officer") else 403
    assert browser.get(home(site)).status_code == wrong
    assert browser.get(f"{home(site)}/reconciliation").status_code == wrong
    for act in ACTS:
        path = f"{home(site)}/{act.format(station=world.station, token=world.token)}"
        assert browser.post(path).status_code == wrong, act
    assert token_of(site).state == "waiting"


def test_coordinators_read_and_match_and_do_no_more(site: Site) -> None:
    browser = site.browser("coordinator")
    assert f'"{home(site)}"' in browser.get("/open-days").text
    page = browser.get(home(site)).text
    assert "Match now" in page
    for forbidden in (
        "Call the next person",
        "Give a number",
        "Close the day",
        "Elderly",
        "Plan an open day",
    ):
        assert forbidden not in page, forbidden
    assert "Elderly" in site.browser("officer").get(home(site)).text
    assert "Priority" in page
    assert "Plan an open day" not in browser.get("/open-days").text


def test_the_menu_leads_there(site: Site) -> None:
    link = 'href="/open-days"'
    assert link in site.browser("officer").get("/cases").text
    assert link in site.browser("coordinator").get("/queue").text
    assert link not in site.browser("coordinator-moi").get("/queue").text
    assert link not in site.browser("provider").get("/provider").text


def test_a_person_from_the_door_to_the_slip(own_site: Site) -> None:
    world, browser = own_site.world, own_site.browser("officer")
    answer = browser.post(f"{home(own_site)}/tokens", {"priority": "pregnant"})
    assert answer.headers["location"] == f"{home(own_site)}?token=2&done=numbered"
    shown = browser.get(answer.headers["location"]).text
    assert re.search(r'class="big"><bdi>2</bdi>', shown)
    with session_scope(world.context.engine) as session:
        stations = {
            kind: desk(session, world.open_day, kind)
            for kind in ("reception", "assessment", "consent", "slip")
        }
    for kind, station_id in stations.items():
        # Number 1 has priority too and came first.
        answer = browser.post(f"{home(own_site)}/stations/{station_id}/call", {"station": str(station_id)})
        assert answer.headers["location"] == f"{home(own_site)}?station={station_id}&done=called"
        assert browser.post(f"{home(own_site)}/stations/{station_id}/call").status_code == 409
        assert token_of(own_site).station_kind == kind
        if kind == "assessment":
            code = world.printed("proposed")
            link = f"{home(own_site)}/tokens/{world.token}/link"
            assert browser.post(link, {"code": "ABC"}).status_code == 404
            assert browser.post(link, {"code": code.lower()}).status_code == 303
            assert world.codes["proposed"] in browser.get(home(own_site)).text
        if kind == "slip":
            page = browser.get(f"{home(own_site)}/reconciliation").text
            assert f"/cases/{world.codes['proposed']}" in page
            assert browser.post(f"{home(own_site)}/tokens/{world.token}/slip").status_code == 303
        assert browser.post(f"{home(own_site)}/tokens/{world.token}/serve").status_code == 303
    assert token_of(own_site).state == "served"
    page = browser.get(f"{home(own_site)}/reconciliation").text
    assert f"/cases/{world.codes['proposed']}" not in page
    assert "token=2" in page  # who never got a case
    assert not any(name in page for name in NAMES)
    answer = browser.post(f"{home(own_site)}/stations/{stations['slip']}/call")
    assert answer.headers["location"] == f"{home(own_site)}?done=nobody"
    with session_scope(world.context.engine) as session:
        case = session.get_one(Case, world.cases["proposed"])
        assert case.open_day_id == world.open_day
        done = set(session.scalars(select(AuditEvent.action).where(AuditEvent.user_id.is_not(None))))
        assert {"queue_token.link", "case.slip_given"} <= done
    assert "Given on" in browser.get(f"/cases/{world.codes['proposed']}").text


def test_gone_and_here_again(own_site: Site) -> None:
    browser = own_site.browser("officer")
    path = f"{home(own_site)}/tokens/{own_site.world.token}"
    assert browser.post(f"{path}/leave").headers["location"] == f"{home(own_site)}?done=gone"
    assert "Is here again" in browser.get(f"{home(own_site)}?token=1").text
    assert browser.post(f"{path}/leave").status_code == 409
    assert browser.post(f"{path}/back").headers["location"] == f"{home(own_site)}?done=back"
    assert token_of(own_site).state == "waiting"
    assert browser.post(f"{path}/slip").status_code == 404  # no case yet


def test_plan_begin_close(own_site: Site) -> None:
    browser, world = own_site.browser("officer"), own_site.world
    today = local_day(world.context.governorate, datetime.now(UTC))
    form = {"date": (today + timedelta(days=3)).isoformat(), "stations_reception": "2", "stations_slip": ""}
    answer = browser.post("/open-days", form | {"tablet_id": str(world.tablets["own"])})
    assert answer.status_code == 303
    planned = answer.headers["location"].split("?")[0]
    assert browser.post("/open-days", form).status_code == 409
    assert browser.post("/open-days", form | {"date": "2020-01-01"}).status_code == 422
    assert browser.post("/open-days", form | {"date": "tomorrow"}).status_code == 400
    later = {"date": (today + timedelta(days=4)).isoformat()}
    assert browser.post("/open-days", later).status_code == 422
    assert browser.post("/open-days", later | {"stations_reception": "many"}).status_code == 422
    foreign = {"tablet_id": str(world.tablets["foreign"]), "stations_reception": "1"}
    assert browser.post("/open-days", later | foreign).status_code == 403
    with session_scope(world.context.engine) as session:
        day = session.get_one(OpenDay, int(planned.rsplit("/", 1)[1]))
        stations = session.scalars(select(Station).where(Station.open_day_id == day.id)).all()
        assert sorted((one.kind, one.number) for one in stations) == [("reception", 1), ("reception", 2)]
    assert browser.post(f"{planned}/begin").status_code == 422  # not today
    assert browser.post(f"{home(own_site)}/begin").status_code == 409  # in progress
    answer = browser.post(f"{home(own_site)}/close")
    assert answer.headers["location"] == f"{home(own_site)}/reconciliation?done=ended"
    assert browser.post(f"{home(own_site)}/tokens").status_code == 409
    page = browser.get(home(own_site)).text
    assert "Call the next person" not in page
    assert "Elderly" in page  # counted, no longer at the number


@pytest.mark.parametrize("login", ["officer", "coordinator"])
def test_match_now(own_site: Site, login: str) -> None:
    browser, woken = own_site.browser(login), []
    own_site.world.context.wake = lambda: woken.append(True)
    answer = browser.post(f"{home(own_site)}/match")
    assert answer.headers["location"] == f"{home(own_site)}?done=matched"
    assert woken == [True]


def test_a_slip_on_the_cases_own_page(own_site: Site) -> None:
    browser, world = own_site.browser("officer"), own_site.world
    path, wanted = f"/cases/{world.codes['sent']}", str(world.cases["sent"])
    assert "Not given yet" in browser.get(path).text
    assert browser.post(f"{path}/slip", {"case_id": str(world.cases["proposed"])}).status_code == 404
    elsewhere = own_site.browser("officer-elsewhere")
    assert elsewhere.post(f"{path}/slip", {"case_id": wanted}).status_code == 404
    assert browser.post(f"{path}/slip", {"case_id": wanted}).headers["location"] == f"{path}?done=slip"
    assert "Given on" in browser.get(path).text
    assert "Slip was given" not in own_site.browser("coordinator").get(path).text


@pytest.mark.parametrize("language", ["ar", "ckb", "kmr", "en"])
def test_every_page_in_every_language(site: Site, language: str) -> None:
    browser = site.browser("officer")
    browser.client.cookies.set("ihala_language", language, domain="testserver.local", path="/")
    try:
        for path in ("/open-days", home(site), f"{home(site)}?token=1", f"{home(site)}/reconciliation"):
            page = browser.get(path)
            assert page.status_code == 200
            assert f'dir="{"ltr" if language == "en" else "rtl"}"' in page.text
        for path in (f"{home(site)}?station={site.world.station}", f"{home(site)}?station=0&page=99"):
            assert browser.get(path).status_code == 200
    finally:
        browser.client.cookies.set("ihala_language", "en", domain="testserver.local", path="/")
