"""Take the pictures of the documentation: `make screenshots`. The people in them are invented."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from api.demo import Demo, temporary_demo

IMAGES = Path(__file__).parent / "images"
SIZES = {"wide": (1366, 900), "phone": (390, 844)}
LANGUAGES = ("ar", "en")
COUNT = 300


def main() -> None:
    """Run a demo of its own and photograph the queue and a referral in both languages and sizes."""
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
            for size, (width, height) in SIZES.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                _sign_in(page, demo, language)
                _photograph(page, demo, f"{language}-{size}")
                page.context.close()
        browser.close()
    console.print(f"Written to {IMAGES}")


def _sign_in(page: Page, demo: Demo, language: str) -> None:
    page.goto(f"{demo.base_url}/login")
    page.fill("#login", "coordinator-momd")
    page.fill("#password", demo.password)
    page.click("main button.primary")
    page.wait_for_url("**/queue*")
    page.click("header details.menu:has(button[name=language]) summary")
    page.click(f"button[name=language][value={language}]")
    page.wait_for_selector(f"html[lang={language}]")


def _photograph(page: Page, demo: Demo, suffix: str) -> None:
    page.goto(f"{demo.base_url}/queue")
    page.screenshot(path=IMAGES / f"queue-{suffix}.png")
    page.click("main a[href^='/referrals/']")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"referral-{suffix}.png", full_page=True)


if __name__ == "__main__":
    main()
