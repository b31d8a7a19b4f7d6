"""One world and one application for the tests that only look; a world of their own for those that act."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.cookies import FORM_COOKIE, SESSION_COOKIE
from api.settings import Settings
from tests.conftest import Database
from tests.factories.world import PASSWORD, World

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class Browser:
    """A signed-in browser without JavaScript: reads pages, posts forms with the page's token."""

    client: TestClient
    language: str = "en"
    tokens: dict[tuple[str | None, ...], str] = field(default_factory=dict)
    """The token of the forms, by the cookies that it belongs to."""

    def get(self, path: str) -> httpx.Response:
        """One page; redirects are not followed."""
        return self.client.get(path)

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Post a form as the page would, with its token."""
        token = {"csrf_token": self.token()}
        return self.client.post(path, data=token | (data or {}), headers=headers)

    def token(self) -> str:
        """The token of this browser's forms."""
        if self._cookies() not in self.tokens:
            page = self.client.get("/login", follow_redirects=True).text
            found = TOKEN.search(page)
            assert found is not None
            self.tokens[self._cookies()] = found.group(1)
        return self.tokens[self._cookies()]

    def _cookies(self) -> tuple[str | None, ...]:
        return tuple(self.client.cookies.get(name) for name in (SESSION_COOKIE, FORM_COOKIE))

    def sign_in(self, login: str, password: str = PASSWORD) -> httpx.Response:
        """Sign in; pages are then in English, so that tests can read them."""
        answer = self.post("/login", {"login": login, "password": password})
        self.client.cookies.set("ihala_language", self.language, domain="testserver.local", path="/")
        return answer


@dataclass
class Site:
    """The application over a world, with one browser for each login."""

    app: FastAPI
    world: World
    portal: BlockingPortal
    browsers: dict[str, Browser] = field(default_factory=dict)

    def anonymous(self) -> Browser:
        """A browser that nobody is signed in to."""
        client = TestClient(self.app, follow_redirects=False, raise_server_exceptions=False)
        client.portal = self.portal
        return Browser(client)

    def browser(self, login: str) -> Browser:
        """The browser of this login, signed in once."""
        if login not in self.browsers:
            browser = self.anonymous()
            assert browser.sign_in(login).status_code == 303
            self.browsers[login] = browser
        return self.browsers[login]


CloneWorld = Callable[[Settings], AbstractContextManager[World]]


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """The event loop that all applications of the run are served by, as a server has one."""
    with start_blocking_portal() as started:
        yield started


@pytest.fixture(scope="package")
def site(
    clone_world: CloneWorld, portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A world to look at; tests leave its referrals as they are."""
    with clone_world(Settings(data_folder=tmp_path_factory.mktemp("site"))) as world:
        yield Site(create_app(world.context), world, portal)


@pytest.fixture(scope="session")
def own_app(prepared_world: tuple[Database, World]) -> FastAPI:
    """The application of the tests that act, which builds its routes at the first request, as one process does."""
    return create_app(prepared_world[1].context)


@pytest.fixture
def own_site(
    clone_world: CloneWorld, own_app: FastAPI, portal: BlockingPortal, tmp_path: Path
) -> Iterator[Site]:
    """A world of the test's own, to act in."""
    with clone_world(Settings(data_folder=tmp_path)) as world:
        own_app.state.context = world.context
        yield Site(own_app, world, portal)
