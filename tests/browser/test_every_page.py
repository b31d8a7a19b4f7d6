"""Every page of every role, wide and narrow, in both directions: no sideways scroll, no error, no other host."""

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Served, sign_in, watch

pytestmark = pytest.mark.browser

PAGES = {
    "coordinator": [
        "/queue?view=all",
        "/queue?view=held",
        "/queue?view=overdue",
        "/escalations",
        "/unmet",
        "/submissions",
        "/duplicates",
        "/duplicates/{pair}",
        "/referrals/{proposed}",
        "/referrals/{awaiting}",
        "/referrals/{sent}",
        "/cases/{excluding_code}",
        "/needs/{need}",
        "/hand-overs?side=outgoing",
        "/nowhere",
    ],
    "officer": [
        "/cases",
        "/cases/{twin_code}",
        "/referrals/{awaiting}",
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
    ],
    "provider": ["/provider", "/provider/print", "/provider/referrals/{sent}"],
    "supervisor": ["/escalations"],
    "admin": ["/admin", "/admin/closures", "/submissions", "/messages"],
}


@pytest.mark.parametrize("width", [390, 1366])
@pytest.mark.parametrize("language", ["ar", "en"])
def test_pages_fit_and_are_quiet(chromium: Browser, served: Served, width: int, language: str) -> None:
    ids = (
        {
            "pair": served.world.pair,
            "open_day": served.world.open_day,
            "station": served.world.station,
            "need": served.world.need,
            "information": served.world.information,
        }
        | served.world.referrals
        | {f"{name}_code": code for name, code in served.world.codes.items()}
    )
    seen = 0
    for login, paths in PAGES.items():
        context = chromium.new_context(viewport={"width": width, "height": 800})
        watched = watch(context, served.address)
        page = watched.page
        sign_in(page, served.address, login)
        page.click(".top-end .menu:first-child summary")
        page.click(f".menu-list button[value={language}]")
        for path in paths:
            page.goto(served.address + path.format(**ids))
            assert page.locator("html").get_attribute("lang") == language
            sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert sideways <= 0, path
            if path.startswith("/referrals/"):
                assert page.locator("#map svg path").count() > 5  # the map drew its vectors
            seen += 1
        quiet = [error for error in watched.errors if "404" not in error]
        assert quiet == []
        assert watched.foreign == []
        context.close()
    assert seen == sum(len(paths) for paths in PAGES.values())
