"""Contradicting answers on the pages: who sees which value, who settles, and what is recorded of it."""

import pytest
from sqlalchemy import select

from db.models import AuditEvent, FactConflict
from db.session import session_scope
from tests.factories.conflicts import NAME, PHONE, contradict
from tests.integration.test_pages.conftest import Site
from tests.integration.test_pages.test_query_counts import counted


def audited(site: Site, action: str) -> list[tuple[int, str | None]]:
    with session_scope(site.world.context.engine) as session:
        rows = select(AuditEvent.object_id, AuditEvent.purpose).where(AuditEvent.action == action)
        return [(row[0], row[1]) for row in session.execute(rows)]


@pytest.fixture
def conflicts(own_site: Site) -> dict[str, int]:
    return contradict(own_site.world)


def test_who_sees_the_list(own_site: Site, conflicts: dict[str, int]) -> None:
    code = own_site.world.printed("sent")
    assert set(conflicts) == {"contact", "residence", "identity"}
    for login in ("officer", "coordinator"):
        page = own_site.browser(login).get("/conflicts").text
        assert page.count(code) == 3
        assert PHONE not in page
        assert NAME not in page
    assert code not in own_site.browser("officer-elsewhere").get("/conflicts").text
    assert own_site.browser("coordinator-moi").get("/conflicts").status_code == 403
    assert own_site.anonymous().get("/conflicts").status_code == 303


@pytest.mark.parametrize("path", ["", "/values", "/take", "/keep"])
def test_somebody_elses_conflict_does_not_exist(own_site: Site, conflicts: dict[str, int], path: str) -> None:
    target = f"/conflicts/{conflicts['contact']}{path}"
    for login, status in (
        ("officer-elsewhere", 404),
        ("coordinator-moi", 403),
        ("provider", 403),
        ("admin", 403),
    ):
        browser = own_site.browser(login)
        form = {"reason": "person_confirmed"}
        assert (browser.post(target, form) if path else browser.get(target)).status_code == status, login
    with session_scope(own_site.world.context.engine) as session:
        assert session.get_one(FactConflict, conflicts["contact"]).state == "open"


def test_names_and_numbers_are_shown_to_the_office_for_a_reason(
    own_site: Site, conflicts: dict[str, int]
) -> None:
    target = f"/conflicts/{conflicts['contact']}"
    for login in ("officer", "coordinator"):
        page = own_site.browser(login).get(target).text
        assert PHONE not in page
        assert "Differs, not shown" in page
        assert "Any family member" in page
    page = own_site.browser("coordinator").get(f"/conflicts/{conflicts['residence']}").text
    assert "Not shown" not in page, "a place by its code is nothing that the coordinator does not see anyway"
    assert (
        own_site.browser("coordinator").post(f"{target}/values", {"reason": "person_present"}).status_code
        == 403
    )
    officer = own_site.browser("officer")
    assert officer.post(f"{target}/values").status_code == 422
    assert officer.post(f"{target}/values", {"reason": "curious"}).status_code == 422
    assert audited(own_site, "conflict.read_personal") == []
    shown = officer.post(f"{target}/values", {"reason": "person_present"}).text
    assert PHONE in shown
    assert "07701234567" in shown
    assert audited(own_site, "conflict.read_personal") == [(conflicts["contact"], "person_present")]
    named = officer.post(f"/conflicts/{conflicts['identity']}/values", {"reason": "compare_spelling"}).text
    assert NAME in named


def test_the_case_shows_both_and_the_settled_value(own_site: Site, conflicts: dict[str, int]) -> None:
    officer, code = own_site.browser("officer"), own_site.world.codes["sent"]
    page = officer.get(f"/cases/{code}").text
    assert page.count("An edit contradicts what was acted on") == 3
    assert PHONE not in page
    assert "Nobody calls or writes until this is settled" in officer.get(f"/cases/{code}/follow-ups").text
    assert "tel:" not in officer.get(f"/cases/{code}/follow-ups").text
    assert "An edit contradicts" not in own_site.browser("coordinator-moi").get(f"/cases/{code}").text
    answer = officer.post(f"/conflicts/{conflicts['contact']}/take", {"reason": "person_confirmed"})
    assert answer.status_code == 303
    assert (
        officer.post(f"/conflicts/{conflicts['contact']}/keep", {"reason": "entry_error"}).status_code == 409
    )
    assert PHONE in officer.get(f"/cases/{code}/follow-ups").text
    assert officer.post(f"/conflicts/{conflicts['identity']}/keep").status_code == 422
    kept = own_site.browser("coordinator").post(
        f"/conflicts/{conflicts['identity']}/keep", {"reason": "entry_error"}
    )
    assert kept.status_code == 303
    assert "It was entered wrongly" in officer.get("/conflicts?view=kept").text
    assert "The former answer was kept" in officer.get(f"/conflicts/{conflicts['identity']}").text
    history = officer.get(f"/cases/{code}/history").text
    assert "the new answer was taken" in history
    assert "The person confirmed it" in history


def test_the_task_leads_to_the_case(own_site: Site, conflicts: dict[str, int]) -> None:
    page = own_site.browser("officer").get("/tasks").text
    assert "Settle contradicting answers" in page
    assert "Settle it on the page of the case" in page


def test_a_referral_names_the_versions_it_used(own_site: Site, conflicts: dict[str, int]) -> None:
    page = own_site.browser("coordinator").get(f"/referrals/{own_site.world.referrals['sent']}").text
    assert "The match used version" in page
    assert "The newest version is" in page


def test_more_rows_need_no_more_statements(own_site: Site) -> None:
    def count(login: str, path: str) -> int:
        with counted(own_site) as statements:
            assert own_site.browser(login).get(path).status_code == 200
        return len(statements)

    code = own_site.world.codes["sent"]
    pages = [
        ("officer", "/conflicts"),
        ("coordinator", "/conflicts?view=superseded"),
        ("officer", "/conflicts?view=open&page=2"),
    ]
    own_site.browser("officer"), own_site.browser("coordinator")
    contradict(own_site.world)
    before = [count(*page) for page in pages]
    contradict(own_site.world, times=15)
    for name in ("awaiting", "moi"):
        contradict(own_site.world, name)
    assert [count(*page) for page in pages] == before
    assert max(before) <= 12
    assert count("officer", f"/cases/{code}") <= 14
    second = own_site.browser("coordinator").get("/conflicts?view=superseded&page=2").text
    assert own_site.world.printed("sent") in second, "45 were overtaken, 25 stand on the first page"
