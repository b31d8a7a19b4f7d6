"""The pages on capacity and tasks: access first, then one click, one form, one result."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from db.capacities import list_capacity_events
from db.models import Capacity, Case, Need, Task
from db.session import session_scope
from tests.integration.test_pages.conftest import Site


@pytest.mark.parametrize("login", ["officer", "coordinator", "admin", "supervisor", "provider"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/provider/services", {"provider"}),
        ("/capacity", {"coordinator"}),
        ("/tasks", {"officer", "coordinator"}),
    ],
)
def test_each_role_has_its_own_pages(site: Site, login: str, path: str, allowed: set[str]) -> None:
    assert site.browser(login).get(path).status_code == (200 if login in allowed else 403)
    assert site.anonymous().get(path).status_code == 303


def test_somebody_elses_service_and_task_do_not_exist(site: Site) -> None:
    offer, task = site.world.offers["addressed"], site.world.task
    form = {"status": "waitlist", "slots": "4"}
    assert site.browser("provider-other").post(f"/provider/services/{offer}", form).status_code == 404
    assert site.browser("provider").post("/provider/services/99999999", form).status_code == 404
    for login in ("officer-elsewhere", "coordinator", "coordinator-moi"):
        answer = site.browser(login).post(f"/tasks/{task}/finish", {"reason": "reached"})
        assert answer.status_code == 404, login


def test_a_form_from_elsewhere_is_refused(site: Site) -> None:
    client = site.browser("provider").client
    assert client.post("/provider/services/confirm", data={}).status_code == 403
    assert client.post(f"/tasks/{site.world.task}/finish", data={}).status_code == 403


def _word(site: Site) -> tuple[str, int, datetime]:
    with session_scope(site.world.context.engine) as session:
        return session.execute(
            select(Capacity.status, Capacity.slots, Capacity.confirmed_at).where(
                Capacity.service_at_location_id == site.world.offers["addressed"]
            )
        ).one()._tuple()  # fmt: skip


def _make_old(site: Site, days: int) -> None:
    with session_scope(site.world.context.engine) as session:
        session.execute(update(Capacity).values(confirmed_at=datetime.now(UTC) - timedelta(days=days)))


def test_one_click_confirms(own_site: Site) -> None:
    browser = own_site.browser("provider")
    _make_old(own_site, 20)
    assert "Not confirmed lately" in browser.get("/provider/services").text
    answer = browser.post("/provider/services/confirm")
    assert answer.headers["location"] == "/provider/services?done=current"
    page = browser.get(answer.headers["location"]).text
    assert "Your services are confirmed" in page
    assert "Not confirmed lately" not in page
    assert datetime.now(UTC) - _word(own_site)[2] < timedelta(minutes=5)


def test_a_provider_says_how_a_service_stands(own_site: Site) -> None:
    browser, offer = own_site.browser("provider"), own_site.world.offers["addressed"]
    answer = browser.post(f"/provider/services/{offer}", {"status": "waitlist", "slots": "11"})
    assert answer.headers["location"] == "/provider/services?done=counted"
    assert _word(own_site)[:2] == ("waitlist", 11)
    with session_scope(own_site.world.context.engine) as session:
        assert [(e.action, e.actor_role) for e in list_capacity_events(session, offer)] == [
            ("set", "provider")
        ]


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"status": "has_capacity", "slots": "0"}, 409, "More places are reserved already"),
        ({"status": "has_capacity", "slots": "-4"}, 422, "whole number of places"),
        ({"status": "has_capacity"}, 422, "whole number of places"),
        ({"status": "has_capacity", "slots": "many"}, 400, ""),
        ({"status": "made_up", "slots": "9"}, 422, "not on the list"),
        ({"slots": "9"}, 422, "choose a reason"),
    ],
)
def test_a_wrong_form_is_refused_in_words(site: Site, form: dict[str, str], status: int, words: str) -> None:
    before = _word(site)
    answer = site.browser("provider").post(f"/provider/services/{site.world.offers['addressed']}", form)
    assert answer.status_code == status
    assert words in answer.text
    assert _word(site) == before


def test_the_board_is_sorted_and_paged(site: Site) -> None:
    browser = site.browser("coordinator")
    first = browser.get("/capacity?sort=free").text
    assert first.count("<tr>") == 26
    assert 'href="?sort=free&amp;page=2"' in first
    assert browser.get("/capacity?sort=made_up").status_code == 200
    assert browser.get("/capacity?page=9999").status_code == 200


def test_an_officer_finishes_a_task(own_site: Site) -> None:
    world, browser = own_site.world, own_site.browser("officer")
    page = browser.get("/tasks").text
    assert "Trace the person" in page
    assert world.printed("proposed") in page
    assert "Trace the person" in browser.get(f"/cases/{world.codes['proposed']}").text
    wrong = browser.post(f"/tasks/{world.task}/finish", {"reason": "obtained"})
    assert (wrong.status_code, "not on the list" in wrong.text) == (422, True)
    answer = browser.post(f"/tasks/{world.task}/finish", {"reason": "reached", "note": "عند المختار"})
    assert answer.headers["location"] == "/tasks?done=finished"
    assert "The task is done." in browser.get(answer.headers["location"]).text
    again = browser.post(f"/tasks/{world.task}/finish", {"reason": "reached"})
    assert again.status_code == 409


def test_a_coordinator_sees_on_the_case_what_the_office_has_to_do(site: Site) -> None:
    code = site.world.codes["proposed"]
    assert "Trace the person" in site.browser("coordinator").get(f"/cases/{code}").text
    assert "Trace the person" not in site.browser("coordinator").get("/tasks").text


def test_many_tasks_stand_on_pages_of_25_the_first_due_first(own_site: Site) -> None:
    world, now = own_site.world, datetime.now(UTC)
    browser = own_site.browser("officer")
    with session_scope(world.context.engine) as session:
        case = session.get_one(Case, world.cases["proposed"])
        need = session.scalars(select(Need).where(Need.case_id == case.id)).one()
        session.add_all(
            Task(
                case_id=case.id,
                need_id=need.id,
                kind="obtain_document",
                holds_need=True,
                role="officer",
                urgency="normal",
                due_at=now - timedelta(days=number),
            )
            for number in range(30)
        )
        session.flush()
        assert session.scalar(select(func.count()).select_from(Task)) == 31
    first = browser.get("/tasks").text
    assert first.count("<tr>") == 26
    assert "Overdue" in first
    assert browser.get("/tasks?page=2").text.count("<tr>") == 7


def test_the_unmet_page_says_place_and_since(site: Site) -> None:
    page = site.browser("coordinator").get("/unmet").text
    assert "Unmet since" in page
    assert "An excluded organization has not been identified yet" in page
