"""The project in ODK Central, what an account may do in it, and the server's version."""

import re
from dataclasses import dataclass
from typing import Any

from ingest.central.errors import CentralError
from ingest.central.session import CentralSession, read_json

EXTENDED = {"X-Extended-Metadata": "true"}

READING = frozenset(
    {
        "project.read",
        "form.list",
        "form.read",
        "submission.list",
        "submission.read",
        "dataset.list",
        "dataset.read",
        "entity.list",
        "entity.read",
    }
)
"""Verbs that reading needs; the role Project Viewer has them."""

WRITING = READING | {
    "form.create",
    "form.update",
    "submission.update",
    "dataset.create",
    "dataset.update",
    "entity.create",
    "entity.update",
    "entity.delete",
    "field_key.list",
    "field_key.create",
    "assignment.list",
    "assignment.create",
    "session.end",
}
"""Verbs that provisioning and writing back need; the role Project Manager has them."""

SERVER_WIDE = frozenset({"config.set", "project.create", "user.create"})
"""Verbs of a server's administrator."""

VERSION = re.compile(r"\(?v(\d{4}\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Project:
    """A project. `verbs`: what the account that asked may do in it. `encrypted`: by keys that Central manages."""

    project_id: int
    name: str
    archived: bool
    encrypted: bool
    verbs: frozenset[str]

    @property
    def writing_verbs(self) -> tuple[str, ...]:
        """Verbs that change something."""
        return tuple(sorted(verb for verb in self.verbs if not verb.endswith((".read", ".list"))))


def get_project(central: CentralSession) -> Project:
    """Read the account's project; `central_not_found` or `central_forbidden` where it is not its own."""
    row = read_json(central.get(f"projects/{central.account.project_id}", headers=EXTENDED))
    try:
        return Project(
            int(row["id"]),
            str(row["name"]),
            bool(row.get("archived")),
            row.get("keyId") is not None,
            frozenset(map(str, row.get("verbs") or ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CentralError("central_answer") from None


def list_project_names(central: CentralSession) -> list[tuple[int, str]]:
    """Id and name of every project that the account sees."""
    return [(int(row["id"]), str(row["name"])) for row in read_rows(central, "projects")]


def create_project(central: CentralSession, name: str) -> int:
    """Create a project, which only an administrator of the server may; returns its id."""
    return int(read_row(central.send("POST", "projects", json={"name": name}))["id"])


def find_web_user(central: CentralSession, email: str) -> int | None:
    """Find a web user by the whole e-mail address; an administrator only."""
    rows = read_rows(central, "users", params={"q": email})
    found = [row for row in rows if str(row.get("email", "")).casefold() == email.casefold()]
    return int(found[0]["id"]) if found else None


def assign_role(central: CentralSession, project_id: int, role: str, actor_id: int) -> bool:
    """Give a web user a role in a project, `viewer` or `manager`; False where he has it."""
    return create_once(central, f"projects/{project_id}/assignments/{role}/{actor_id}", None)


def get_server_version(central: CentralSession) -> str | None:
    """Read the server's version from the file that ODK's own installation serves; None where there is none."""
    try:
        response = central.get("../version.txt")
    except CentralError as error:
        if error.code in {"central_unreachable", "central_sign_in"} and error.status is None:
            raise
        return None
    found = sorted(VERSION.findall(response.text[:4000]), key=lambda one: tuple(map(int, one.split("."))))
    return found[-1] if found else None


def read_row(response: Any) -> dict[str, Any]:
    """Read one thing out of an answer."""
    row = read_json(response)
    if not isinstance(row, dict):
        raise CentralError("central_answer")
    return row


def read_rows(central: CentralSession, path: str, **options: Any) -> list[dict[str, Any]]:
    """Read a list of things."""
    rows = read_json(central.get(path, **options))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CentralError("central_answer")
    return rows


def create_once(central: CentralSession, path: str, body: dict[str, Any] | None) -> bool:
    """POST something that is there once; False where it stood already (409.3)."""
    try:
        central.send("POST", path, json=body)
    except CentralError as error:
        if error.problem != "409.3":
            raise
        return False
    return True
