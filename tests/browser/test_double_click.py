"""A button pressed twice on a slow line sends its form once."""

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Served, sign_in

pytestmark = pytest.mark.browser


def test_a_double_click_approves_once_and_shows_what_was_done(chromium: Browser, served: Served) -> None:
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, served.address, "coordinator")
    page.goto(f"{served.address}/referrals/{served.world.referrals['proposed']}")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.route("**/approve", lambda route: (page.wait_for_timeout(600), route.continue_()))
    page.evaluate(
        """() => {
            const form = document.querySelector("form[action$='/approve']");
            form.requestSubmit();
            setTimeout(() => form.requestSubmit(), 200);
        }"""
    )
    page.wait_for_url("**done=approved")
    assert [url.rpartition("/")[2] for url in posts] == ["approve"]
    context.close()
