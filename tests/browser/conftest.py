"""Chromium and a served world. A missing browser is a failure that says what to do, never a skip."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from api.server import running_server
from api.settings import Settings
from tests.factories.world import PASSWORD, World

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def find_chromium() -> str:
    """The browser: IHALA_CHROMIUM, or the first of the usual names on the path."""
    wanted = os.environ.get("IHALA_CHROMIUM")
    if wanted:
        if not Path(wanted).exists():
            pytest.fail(f"IHALA_CHROMIUM names {wanted}, which does not exist.", pytrace=False)
        return wanted
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            "No Chromium found. Install it (apt-get install chromium, or `make test` does it), "
            "or set IHALA_CHROMIUM to its path.",
            pytrace=False,
        )
    return found


@dataclass
class Served:
    """The address of a running server and the world behind it."""

    address: str
    world: World


@dataclass
class Watched:
    """A page and what it did that it must not: errors on the console, requests to other hosts."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def watch(context: BrowserContext, address: str) -> Watched:
    """Open a page and note its errors and every request to another host."""
    watched = Watched(context.new_page())
    watched.page.on("console", lambda m: watched.errors.append(m.text) if m.type == "error" else None)
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    watched.page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "data:", "blob:"))
            else watched.foreign.append(request.url)
        ),
    )
    return watched


def sign_in(page: Page, address: str, login: str) -> None:
    """Sign in by the form."""
    page.goto(f"{address}/login")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.click("main form button")
    page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for the run."""
    path = find_chromium()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def served(
    clone_world: Callable[[Settings], AbstractContextManager[World]], tmp_path: Path
) -> Iterator[Served]:
    """A world of the test's own, served on a free port."""
    settings = Settings(data_folder=tmp_path, host="127.0.0.1", port=0)
    with clone_world(settings) as world, running_server(world.context) as address:
        yield Served(address, world)
