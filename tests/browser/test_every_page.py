"""Every page of every role, narrow and wide, in both directions: no sideways scroll, no error, no other host."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page

from api.cookies import LANGUAGE_COOKIE
from casework.moves import Actor
from casework.withdrawals import withdraw
from db.models import Case
from db.session import session_scope
from db.vault import Vault
from tests.browser.conftest import Served, Watched, sign_in, watch
from tests.factories.complaints import complain
from tests.factories.conflicts import contradict

pytestmark = pytest.mark.browser

NARROW, WIDE = {"width": 390, "height": 800}, {"width": 1366, "height": 800}

ANYBODY = ""
PAGES = {
    ANYBODY: ["/login", "/complaints/new", "/complaints/status"],
    "coordinator": [
        "/queue?view=all",
        "/queue?view=held",
        "/queue?view=overdue",
        "/escalations",
        "/unmet",
        "/capacity",
        "/tasks",
        "/submissions",
        "/duplicates",
        "/duplicates/{pair}",
        "/referrals/{proposed}",
        "/referrals/{awaiting}",
        "/referrals/{sent}",
        "/cases/{excluding_code}",
        "/needs/{need}",
        "/hand-overs?side=outgoing",
        "/complaints/record",
        "/conflicts",
        "/account",
        "/nowhere",
    ],
    "coordinator-moi": ["/hand-overs"],
    "officer": [
        "/cases",
        "/cases/{twin_code}",
        "/cases/{twin_code}/withdrawals/{withdrawal}",
        "/referrals/{awaiting}",
        "/consents/expiring",
        "/open-days",
        "/open-days/{open_day}?token=1",
        "/open-days/{open_day}?station={station}",
        "/open-days/{open_day}/reconciliation",
        "/follow-ups",
        "/cases/{sent_code}/plan",
        "/cases/{sent_code}/follow-ups",
        "/cases/{sent_code}/scores",
        "/cases/{sent_code}/scores/answers",
        "/cases/{sent_code}/letters",
        "/cases/{sent_code}/history",
        "/cases/{sent_code}/transfer",
        "/transfers?side=outgoing",
        "/needs/{need}",
        "/information/{information}",
        "/cases/{sent_code}",
        "/conflicts",
        "/conflicts/{conflict}",
    ],
    "officer-elsewhere": ["/transfers"],
    "provider": [
        "/provider",
        "/provider/print",
        "/provider/referrals/{sent}",
        "/provider/services",
        "/provider/deletions",
    ],
    "supervisor": ["/escalations", "/overrides", "/deletions", "/complaints", "/complaints/{complaint}"],
    "admin": ["/admin", "/admin/closures", "/submissions", "/messages", "/messages?view=failed"],
}

PARTS = (
    (ANYBODY, "coordinator", "coordinator-moi", "provider", "admin"),
    ("officer", "officer-elsewhere", "supervisor"),
)
"""Who is looked at together, so that the suite's workers share the pages evenly."""

OPEN_ALL = "() => document.querySelectorAll('main details').forEach(one => one.open = true)"
SIDEWAYS = "() => document.documentElement.scrollWidth - window.innerWidth"
CUT_OFF = """() => [...document.querySelectorAll("main *")]
    .filter(one => one.getClientRects().length && !one.closest(".map, thead, noscript, option"))
    .filter(one => one.getBoundingClientRect().left < -1 || one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.outerHTML.slice(0, 80))"""
SMALL_TARGETS = """() => {
    const targets = "button, .button, summary, select, textarea, input:not([type=checkbox], [type=radio]), "
        + ".tick, .nav a, .tabs a, .pages a, .list td.lead > a";
    const shown = one => one.getClientRects().length && !one.closest(".map");
    return [...document.querySelectorAll(targets)]
        .filter(one => shown(one) && one.getBoundingClientRect().height < 43.5)
        .map(one => one.outerHTML.slice(0, 80));
}"""


def test_every_login_is_looked_at() -> None:
    assert sorted(login for part in PARTS for login in part) == sorted(PAGES)


@pytest.mark.parametrize("part", PARTS, ids=["coordinators", "officers"])
@pytest.mark.parametrize("language", ["ar", "en"])
def test_pages_fit_and_are_quiet(
    chromium: Browser, served: Served, language: str, part: Sequence[str]
) -> None:
    seen, ids = 0, _ids(served)
    for login in part:
        for watched in _signed_in(chromium, served, login, language):
            for path in PAGES[login]:
                watched.page.goto(served.address + path.format(**ids))
                assert watched.page.locator("html").get_attribute("lang") == language
                if path.startswith("/referrals/"):
                    assert watched.page.locator("#map svg path").count() > 5  # the map drew its vectors
                _assert_fits(watched.page, path)
                seen += 1
            assert [error for error in watched.errors if "404" not in error] == []
            assert watched.foreign == []
    assert seen == sum(len(PAGES[login]) for login in part)


def test_the_menu_holds_every_page_without_scripts(chromium: Browser, served: Served) -> None:
    context = chromium.new_context(viewport=NARROW, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, served.address, "coordinator")
    assert page.locator(".nav a:visible").count() == 0
    page.click(".nav-menu summary")
    assert page.locator(".nav-menu a:visible").count() == 12
    page.set_viewport_size(WIDE)
    assert page.locator(".nav-row a:visible").count() == 5
    assert page.locator(".nav-menu a:visible").count() == 7
    page.click(".top-end .menu:first-child summary")
    page.click(".menu-list button[value=en]")
    assert page.locator("html").get_attribute("lang") == "en"
    context.close()


def _assert_fits(page: Page, path: str) -> None:
    """At both widths, first as the page comes and then with everything unfolded; fingers find what they tap."""
    for viewport in (WIDE, NARROW):
        page.set_viewport_size(viewport)
        assert page.evaluate(SIDEWAYS) <= 0, (path, viewport)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(SIDEWAYS) <= 0, (path, "unfolded")
    assert page.evaluate(CUT_OFF) == [], path
    assert page.evaluate(SMALL_TARGETS) == [], path


def _signed_in(chromium: Browser, served: Served, login: str, language: str) -> Iterator[Watched]:
    context = chromium.new_context(viewport=WIDE)
    context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": served.address}])
    watched = watch(context, served.address)
    if login != ANYBODY:
        sign_in(watched.page, served.address, login)
    yield watched
    context.close()


def _ids(served: Served) -> dict[str, object]:
    """What the paths name, and what the world lacks: a complaint, and a consent that was taken back in part."""
    world, now = served.world, datetime.now(UTC)
    with session_scope(world.context.engine) as session:
        vault = Vault(session, world.context.masters)
        receipt = complain(session, vault, world.context.governorate, now)
        case = session.get_one(Case, world.cases["twin"])
        officer = Actor(None, "officer", case.governorate, office_id=case.office_id)
        withdrawal = withdraw(session, vault, case.id, officer, channel="desk", scope="statistics", now=now)
    return {
        "conflict": contradict(world)["contact"],
        "pair": world.pair,
        "open_day": world.open_day,
        "station": world.station,
        "need": world.need,
        "information": world.information,
        "complaint": receipt.code,
        "withdrawal": withdrawal,
        **world.referrals,
        **{f"{name}_code": code for name, code in world.codes.items()},
    }
