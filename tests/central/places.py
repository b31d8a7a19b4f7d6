"""Where provisioning is tried: the stand-in, and a real ODK Central where IHALA_TEST_CENTRAL_URL is set."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from ingest.central.account import CentralAccount
from tests.central.provisioned import PASSWORD, Project, serving

SETTINGS = ("IHALA_TEST_CENTRAL_URL", "IHALA_TEST_CENTRAL_EMAIL", "IHALA_TEST_CENTRAL_PASSWORD")


@dataclass
class Place:
    """A project on a Central, with accounts that read, manage and administer it. `stand_in` is None on a real one."""

    url: str
    project_id: int
    reader: CentralAccount
    manager: CentralAccount
    admin: CentralAccount
    stand_in: Project | None = None

    def ask(self, path: str) -> Any:
        """What the manager is answered."""
        body = {"email": self.manager.email, "password": self.manager.password}
        token = requests.post(f"{self.url}/v1/sessions", json=body, timeout=20).json()["token"]
        headers = {"Authorization": f"Bearer {token}", "X-Extended-Metadata": "true"}
        answer = requests.get(f"{self.url}/v1/projects/{self.project_id}/{path}", headers=headers, timeout=20)
        return answer.json()

    def picture(self) -> dict[str, Any]:
        """All that stands, without tokens, as the server tells it: equal pictures are equal projects."""
        users = self.ask("app-users")
        names = {user["id"]: user["displayName"] for user in users}
        forms = self.ask("forms")
        lists = {name: self.ask(f"datasets/{name}") for name in ("services", "referrals", "returnees")}
        return {
            "forms": {
                form["xmlFormId"]: (
                    [one["version"] for one in self.ask(f"forms/{form['xmlFormId']}/versions")],
                    [
                        (file["name"], file["exists"], file["datasetExists"])
                        for file in self.ask(f"forms/{form['xmlFormId']}/attachments")
                    ],
                )
                for form in forms
            },
            "lists": {
                name: (
                    sorted(one["name"] for one in found["properties"]),
                    found["approvalRequired"],
                    found.get("accessFilter"),
                )
                for name, found in lists.items()
                if "properties" in found
            },
            "app_users": sorted(
                (user["displayName"], user["token"] is not None, str(user["properties"])) for user in users
            ),
            "assigned": sorted(
                (names[row["actorId"]], row["xmlFormId"]) for row in self.ask("assignments/forms/app-user")
            ),
        }


def _account(url: str, email: str, project_id: int, folder: Path, password: str = PASSWORD) -> CentralAccount:
    return CentralAccount(url, email, password, project_id, ("visit",), folder / "central")


@contextmanager
def stand_in_place(folder: Path, **values: Any) -> Iterator[Place]:
    """The stand-in, with an empty project."""
    project = Project(**values)
    project.roles["admin@example.org"] = "admin"
    with serving(project) as url:
        reader, manager, admin = (
            _account(url, f"{who}@example.org", 1, folder) for who in ("reader", "manager", "admin")
        )
        yield Place(url, 1, reader, manager, admin, project)


@contextmanager
def real_place(folder: Path) -> Iterator[Place]:
    """A project of its own on a real Central, deleted afterwards. Skips where none is set."""
    if not all(os.environ.get(name) for name in SETTINGS):
        pytest.skip("no real Central is set")
    url, email, password = (os.environ[name] for name in SETTINGS)
    web = requests.Session()
    answer = web.post(f"{url}/v1/sessions", json={"email": email, "password": password}, timeout=20)
    web.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def post(path: str, **body: str) -> Any:
        return web.post(f"{url}/v1/{path}", json=body, timeout=20).json()

    mark = secrets.token_hex(4)
    project_id = post("projects", name=f"provisioning {mark}")["id"]
    for role in ("viewer", "manager"):
        made = post("users", email=f"{role}-{mark}@example.org", password=PASSWORD)
        post(f"projects/{project_id}/assignments/{role}/{made['id']}")
    try:
        yield Place(
            url,
            project_id,
            _account(url, f"viewer-{mark}@example.org", project_id, folder),
            _account(url, f"manager-{mark}@example.org", project_id, folder),
            _account(url, email, project_id, folder, password),
        )
    finally:
        web.delete(f"{url}/v1/projects/{project_id}", timeout=20)


@pytest.fixture(params=["stand-in", "real"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty project, on the stand-in and on a real Central."""
    with stand_in_place(tmp_path) if request.param == "stand-in" else real_place(tmp_path) as found:
        yield found
