"""What a coordinator sees of a pair and does about it; nobody else sees that there are pairs."""

import pytest
from sqlalchemy import select

from db.models import AuditEvent, Case, CaseMerge, DuplicatePair
from db.session import session_scope
from tests.integration.test_pages.conftest import Site

NAMES = ("زهراء", "كريم", "صالح", "07701234567")


def pair_cases(site: Site) -> tuple[Case, Case]:
    with session_scope(site.world.context.engine) as session:
        pair = session.get_one(DuplicatePair, site.world.pair)
        return session.get_one(Case, pair.first_case_id), session.get_one(Case, pair.second_case_id)


def actions(site: Site) -> list[tuple[str, str | None]]:
    with session_scope(site.world.context.engine) as session:
        rows = session.execute(select(AuditEvent.action, AuditEvent.purpose).order_by(AuditEvent.id))
        return [(row[0], row[1]) for row in rows if row[0].startswith(("duplicate", "case."))]


def test_the_list_and_the_pair_show_reasons_and_no_names(site: Site) -> None:
    browser = site.browser("coordinator")
    listed = browser.get("/duplicates").text
    assert f"/duplicates/{site.world.pair}" in listed
    shown = browser.get(f"/duplicates/{site.world.pair}").text
    assert "nearly the same" in shown
    assert "Very likely one household" in shown
    assert "Join as one household" in shown
    for text in (listed, shown):
        assert not any(name in text for name in NAMES)


@pytest.mark.parametrize("login", ["coordinator-moi"])
def test_another_ministrys_coordinator_sees_no_pairs(site: Site, login: str) -> None:
    browser = site.browser(login)
    page = browser.get("/duplicates").text
    assert f"/duplicates/{site.world.pair}" not in page
    assert 'href="/duplicates"' not in browser.get("/queue").text
    assert 'href="/duplicates"' in site.browser("coordinator").get("/queue").text
    target = f"/duplicates/{site.world.pair}"
    assert browser.get(target).status_code == 403
    for act in ("same", "different", "undo", "names"):
        assert browser.post(f"{target}/{act}", {"reason": "compare_spelling"}).status_code == 403


def test_names_need_a_reason_and_leave_a_trace(own_site: Site) -> None:
    browser, target = own_site.browser("coordinator"), f"/duplicates/{own_site.world.pair}/names"
    for reason in ("", "curiosity"):
        answer = browser.post(target, {"reason": reason})
        assert answer.status_code == 422
        assert "زهراء" not in answer.text
    assert actions(own_site) == []
    answer = browser.post(target, {"reason": "compare_spelling"})
    assert answer.status_code == 200
    assert "زهراء كريم صالح" in answer.text
    assert "07701234567" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert actions(own_site) == [("duplicate.read_names", "compare_spelling")] * 2


def test_same_then_undo(own_site: Site) -> None:
    browser, target = own_site.browser("coordinator"), f"/duplicates/{own_site.world.pair}"
    first, second = pair_cases(own_site)
    answer = browser.post(f"{target}/same", {"keep": str(first.id)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{target}?done=merged")
    assert pair_cases(own_site)[1].merged_into_id == first.id
    # Both codes lead to the case that stayed, which says so.
    for code in (first.printed_code, second.printed_code):
        page = browser.get(f"/cases/{code}").text
        assert "Also registered as" in page
        assert "Two cases hold this code" not in page
    assert "Undo this decision" in browser.get(target).text
    assert target in browser.get("/duplicates?view=same").text
    assert browser.post(f"{target}/same", {"keep": str(first.id)}).status_code == 409
    assert browser.post(f"{target}/undo").status_code == 303
    assert pair_cases(own_site)[1].merged_into_id is None
    assert "Join as one household" in browser.get(target).text


def test_same_needs_one_of_the_two_cases(own_site: Site) -> None:
    browser, target = own_site.browser("coordinator"), f"/duplicates/{own_site.world.pair}/same"
    assert browser.post(target).status_code == 422
    assert browser.post(target, {"keep": "999999"}).status_code == 422
    with session_scope(own_site.world.context.engine) as session:
        assert session.scalars(select(CaseMerge)).all() == []


def test_different_then_undo(own_site: Site) -> None:
    browser, target = own_site.browser("coordinator"), f"/duplicates/{own_site.world.pair}"
    assert browser.post(f"{target}/different").headers["location"] == "/duplicates?done=different"
    assert f'"{target}"' not in browser.get("/duplicates").text
    assert f'"{target}"' in browser.get("/duplicates?view=different").text
    assert browser.post(f"{target}/undo").status_code == 303
    assert f'"{target}"' in browser.get("/duplicates").text


def test_the_provider_still_sees_the_code_that_was_sent(own_site: Site) -> None:
    world = own_site.world
    with session_scope(world.context.engine) as session:
        sent, kept = sorted((world.cases["sent"], world.cases["proposed"]), reverse=True)
        pair = session.scalars(
            select(DuplicatePair.id).where(
                DuplicatePair.first_case_id == kept, DuplicatePair.second_case_id == sent
            )
        ).one()
    keep = str(world.cases["proposed"])
    assert own_site.browser("coordinator").post(f"/duplicates/{pair}/same", {"keep": keep}).status_code == 303
    rows = own_site.browser("provider").get("/api/provider/referrals").json()["rows"]
    assert [(row["referral_id"], row["case_code"]) for row in rows] == [
        (world.referrals["sent"], world.codes["sent"])
    ]
