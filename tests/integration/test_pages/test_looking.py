"""What the pages show, and what they must not: names, exact points, other people's rows."""

import json
import re

import pytest
from sqlalchemy import func, select

from db.models import AuditEvent
from db.session import session_scope
from governorates import LANGUAGES
from tests.integration.test_pages.conftest import Site

NAMES = ("زهراء", "كريم", "صالح", "07701234567")
SENT_TO_HEALTH = ("زهراء", "كريم", "07701234567")
"""What a health provider may know; the grandfather's name is not in its profile."""


def audits(site: Site, action: str) -> int:
    with session_scope(site.world.context.engine) as session:
        return session.scalar(select(func.count()).where(AuditEvent.action == action)) or 0


def test_queue_is_in_order_and_without_names(site: Site) -> None:
    page = site.browser("coordinator").get("/queue?view=all").text
    shown = [page.find(site.world.printed(name)) for name in ("proposed", "awaiting", "other")]
    assert -1 not in shown
    assert shown == sorted(shown)  # emergency, urgent, normal
    assert site.world.printed("sent") not in page
    assert not any(name in page for name in NAMES)


def test_queue_filters_agree_with_their_counts(site: Site) -> None:
    browser = site.browser("coordinator")
    everything = browser.get("/api/queue?view=all").json()
    assert everything["total"] == len(everything["rows"]) == everything["counts"]["all"]
    for view in ("proposed", "awaiting_consent", "held"):
        found = browser.get(f"/api/queue?view={view}").json()
        assert found["total"] == len(found["rows"]) == found["counts"][view]
    urgent = browser.get("/api/queue?view=all&urgency=urgent").json()
    assert {row["urgency"] for row in urgent["rows"]} == {"urgent"}
    assert urgent["total"] == len(urgent["rows"])
    assert browser.get("/api/queue?view=all&district=IQG15Q08").json()["rows"] == []
    assert browser.get("/api/queue?view=all&page=9").json()["rows"] == []
    assert "Nothing is waiting here" in browser.get("/queue?view=held").text


def test_json_twin_says_what_the_page_says(site: Site) -> None:
    browser, referral_id = site.browser("coordinator"), site.world.referrals["proposed"]
    detail = browser.get(f"/api/referrals/{referral_id}").json()
    page = browser.get(f"/referrals/{referral_id}").text
    assert detail["state"] == "proposed"
    assert [option["rank"] for option in detail["options"] if option["status"] == "option"][:1] == [1]
    assert sum(option["chosen"] for option in detail["options"]) == 1
    for option in detail["options"]:
        assert option["organization"]["en"].replace("'", "&#39;") in page
        for sentence in option["words"]:
            assert sentence.replace("'", "&#39;") in page
    assert detail["on_the_nearest"].replace("'", "&#39;") in page
    assert detail["moves"] == ["approve", "change", "hold", "pause_clock", "recall"]


def test_a_proposal_is_shown_without_names_or_exact_points(site: Site) -> None:
    page = site.browser("coordinator").get(f"/referrals/{site.world.referrals['proposed']}").text
    assert site.world.printed("proposed") in page
    assert not any(name in page for name in NAMES)
    found = re.search(r'<script type="application/json" id="map-data">(.+?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found.group(1))
    assert data["home"]["radius"] >= 500  # metres: a place, never a house
    assert sum(option["chosen"] for option in data["options"]) == 1
    assert len(data["crossings"]) == 5
    assert data["tiles"] is None


def test_the_map_script_obeys_the_policy(site: Site) -> None:
    page = site.browser("coordinator").get(f"/referrals/{site.world.referrals['proposed']}").text
    assert not re.findall(r"\sstyle=|\son\w+=|<style", page)
    assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", page))


def test_asking_for_consent_shows_exactly_what_will_be_sent_and_is_audited(site: Site) -> None:
    before = audits(site, "disclosure.preview")
    page = site.browser("coordinator").get(f"/referrals/{site.world.referrals['awaiting']}").text
    assert "Read this out to the person" in page
    assert all(name in page for name in SENT_TO_HEALTH)
    assert "صالح" not in page
    assert "article 437" in page
    assert audits(site, "disclosure.preview") == before + 1


def test_provider_sees_codes_in_the_list_and_names_on_the_page(site: Site) -> None:
    browser = site.browser("provider")
    listed = browser.get("/provider").text
    assert site.world.printed("sent") in listed
    assert not any(name in listed for name in NAMES)
    before = audits(site, "disclosure.read")
    page = browser.get(f"/provider/referrals/{site.world.referrals['sent']}").text
    assert all(name in page for name in SENT_TO_HEALTH)
    printed = browser.get("/provider/print").text
    assert all(name in printed for name in SENT_TO_HEALTH)
    assert "صالح" not in page + printed
    assert audits(site, "disclosure.read") == before + 2


def test_officer_reads_names_and_the_reading_is_audited(site: Site) -> None:
    before = audits(site, "case.read_names")
    page = site.browser("officer").get(f"/cases/{site.world.codes['proposed']}").text
    assert "زهراء كريم صالح" in page
    assert audits(site, "case.read_names") == before + 1
    coordinators = site.browser("coordinator").get(f"/cases/{site.world.codes['proposed']}").text
    assert not any(name in coordinators for name in NAMES)
    assert audits(site, "case.read_names") == before + 1


def test_a_case_is_found_by_its_code_however_it_is_typed(site: Site) -> None:
    browser, code = site.browser("officer"), site.world.codes["proposed"]
    answer = browser.post("/cases", {"code": f" {site.world.printed('proposed').lower()} "})
    assert answer.headers["location"] == f"/cases/{code}"
    slip = browser.post("/cases", {"code": code[:-1] + ("2" if code[-1] != "2" else "3")})
    assert (slip.status_code, "This code has a slip" in slip.text) == (422, True)
    elsewhere = site.browser("officer-elsewhere").post("/cases", {"code": code})
    assert (elsewhere.status_code, "not yours to see" in elsewhere.text) == (404, True)


def test_a_name_typed_for_a_code_never_gets_into_an_address(site: Site) -> None:
    browser = site.browser("officer")
    page = browser.get("/cases").text
    form = page[page.index('role="search"') - 80 : page.index('id="code"')]
    assert 'method="post"' in form
    answer = browser.post("/cases", {"code": "زهراء كريم 07701234567"})
    assert (answer.status_code, answer.headers.get("location")) == (422, None)
    assert "This code has a slip" not in browser.get("/cases?code=nonsense").text  # no search by address


def test_collided_cases_are_shown_together(site: Site) -> None:
    page = site.browser("officer").get(f"/cases/{site.world.codes['twin']}").text
    assert "Two cases hold this code" in page
    assert page.count('<article class="case">') == 2
    assert "Two cases hold the same printed code" in page


def test_unmet_needs_say_why(site: Site) -> None:
    page = site.browser("coordinator").get("/unmet").text
    assert site.world.printed("excluding") in page
    assert "An excluded organization has not been identified yet" in page
    assert site.browser("coordinator").get("/unmet?reason=too_far").status_code == 200


def test_submissions_say_what_is_odd(site: Site) -> None:
    page = site.browser("coordinator").get("/submissions").text
    assert "This version of the form is not known here" in page
    assert "The place is not on the list" in page
    admin = site.browser("admin").get("/submissions").text
    assert "This version of the form is not known here" in admin
    assert site.world.printed("twin") not in admin  # no case content for administrators


def test_administrators_see_no_case(site: Site) -> None:
    page = site.browser("admin").get("/admin").text
    assert "coordinator-moi" in page
    assert not any(site.world.printed(name) in page for name in site.world.cases)
    assert not any(name in page for name in NAMES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("login", "path"),
    [
        ("coordinator", "/queue?view=all"),
        ("coordinator", "/unmet"),
        ("coordinator", "/submissions"),
        ("coordinator", "/referrals/{proposed}"),
        ("coordinator", "/referrals/{awaiting}"),
        ("coordinator", "/cases/{excluding}"),
        ("officer", "/cases/{twin}"),
        ("officer", "/cases"),
        ("provider", "/provider"),
        ("provider", "/provider/print"),
        ("provider", "/provider/referrals/{sent}"),
        ("admin", "/admin"),
        ("officer", "/consents/expiring"),
        ("supervisor", "/overrides"),
        ("data-protection", "/overrides"),
        ("supervisor", "/deletions"),
        ("provider", "/provider/deletions"),
    ],
)
def test_every_page_opens_in_every_language(site: Site, language: str, login: str, path: str) -> None:
    ids = site.world.codes if path.startswith("/cases/") else site.world.referrals
    browser = site.browser(login)
    cookies = f"ihala_session={browser.client.cookies['ihala_session']}; ihala_language={language}"
    answer = browser.client.get(path.format(**ids), headers={"Cookie": cookies})
    assert answer.status_code == 200
    assert f'<html lang="{"kmr-Arab" if language == "kmr" else language}"' in answer.text
    assert ">None<" not in answer.text
    assert "%(" not in answer.text


def test_openapi_describes_the_twins(site: Site) -> None:
    described = site.anonymous().get("/api/openapi.json").json()
    assert {"/api/queue", "/api/referrals/{referral_id}", "/api/provider/referrals"} == set(
        described["paths"]
    )
    assert "QueueItem" in described["components"]["schemas"]
