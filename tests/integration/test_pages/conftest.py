"""One world and one application for the tests that only look; a world of their own for those that act."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from tests.factories.world import PASSWORD, World

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class Browser:
    """A signed-in browser without JavaScript: reads pages, posts forms with the page's token."""

    client: TestClient
    language: str = "en"

    def get(self, path: str) -> httpx.Response:
        """One page; redirects are not followed."""
        return self.client.get(path)

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Post a form as the page would, with its token."""
        token = {"csrf_token": self.token()}
        return self.client.post(path, data=token | (data or {}), headers=headers)

    def token(self) -> str:
        """The token of this browser's forms."""
        page = self.client.get("/login", follow_redirects=True).text
        found = TOKEN.search(page)
        assert found is not None
        return found.group(1)

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
    browsers: dict[str, Browser] = field(default_factory=dict)

    def anonymous(self) -> Browser:
        """A browser that nobody is signed in to."""
        return Browser(TestClient(self.app, follow_redirects=False, raise_server_exceptions=False))

    def browser(self, login: str) -> Browser:
        """The browser of this login, signed in once."""
        if login not in self.browsers:
            browser = self.anonymous()
            assert browser.sign_in(login).status_code == 303
            self.browsers[login] = browser
        return self.browsers[login]


CloneWorld = Callable[[Settings], AbstractContextManager[World]]


@pytest.fixture(scope="package")
def site(clone_world: CloneWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A world to look at; tests leave its referrals as they are."""
    with clone_world(Settings(data_folder=tmp_path_factory.mktemp("site"))) as world:
        yield Site(create_app(world.context), world)


@pytest.fixture
def own_site(clone_world: CloneWorld, tmp_path: Path) -> Iterator[Site]:
    """A world of the test's own, to act in."""
    with clone_world(Settings(data_folder=tmp_path)) as world:
        yield Site(create_app(world.context), world)
