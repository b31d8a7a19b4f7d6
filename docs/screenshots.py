"""Take the pictures of the documentation: `make screenshots`. The people in them are invented."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from api.cookies import LANGUAGE_COOKIE
from api.demo import Demo, temporary_demo

IMAGES = Path(__file__).parent / "images"
SIZES = {"wide": (1366, 900), "phone": (390, 844)}
LANGUAGES = ("ar", "en")
COUNT = 300
COORDINATOR, OFFICER = "coordinator-momd", "officer-mosul"


def main() -> None:
    """Run a demo of its own and photograph the pages that say most, the two of the coordinator in both languages."""
    console = Console(stderr=True)
    IMAGES.mkdir(exist_ok=True)
    browser_path = (
        os.environ.get("IHALA_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    with temporary_demo(count=COUNT, console=console) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        for language in LANGUAGES:
            for size in SIZES:
                with _opened(browser, demo, COORDINATOR, language, size) as page:
                    _photograph_queue(page, demo, f"{language}-{size}")
        _photograph_desks(browser, demo)
        browser.close()
    console.print(f"Written to {IMAGES}")


@contextmanager
def _opened(browser: Browser, demo: Demo, login: str | None, language: str, size: str) -> Iterator[Page]:
    """A page of a size, in a language, signed in unless `login` is None."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": demo.base_url}])
    page = context.new_page()
    if login is not None:
        page.goto(f"{demo.base_url}/login")
        page.fill("#login", login)
        page.fill("#password", demo.password)
        page.click("main button.primary")
        page.wait_for_url(lambda url: "/login" not in url)
    yield page
    context.close()


def _photograph_queue(page: Page, demo: Demo, suffix: str) -> None:
    page.goto(f"{demo.base_url}/queue")
    page.screenshot(path=IMAGES / f"queue-{suffix}.png")
    page.click("main a[href^='/referrals/']")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"referral-{suffix}.png", full_page=True)


def _photograph_desks(browser: Browser, demo: Demo) -> None:
    """The open day, what is read out before a referral is sent, the menu, a complaint, a provider's places."""
    with _opened(browser, demo, OFFICER, "ar", "wide") as page:
        page.goto(f"{demo.base_url}/open-days")
        page.click("main a[href^='/open-days/']")
        page.screenshot(path=IMAGES / "open-day-ar-wide.png")
    with _opened(browser, demo, COORDINATOR, "ar", "phone") as page:
        page.click(".nav-menu summary")
        page.screenshot(path=IMAGES / "menu-ar-phone.png")
    with _opened(browser, demo, COORDINATOR, "ar", "wide") as page:
        page.goto(f"{demo.base_url}/queue")
        page.click("main a[href^='/referrals/']")
        page.click("form[action$='/approve'] button")
        page.wait_for_selector("#consent")
        page.screenshot(path=IMAGES / "consent-ar-wide.png")
    with _opened(browser, demo, None, "ar", "phone") as page:
        page.goto(f"{demo.base_url}/complaints/new")
        page.screenshot(path=IMAGES / "complaint-ar-phone.png", full_page=True)
    provider = next(account.login for account in demo.accounts if account.organization_id is not None)
    with _opened(browser, demo, provider, "ar", "wide") as page:
        page.goto(f"{demo.base_url}/provider/services")
        page.screenshot(path=IMAGES / "services-ar-wide.png")


if __name__ == "__main__":
    main()
