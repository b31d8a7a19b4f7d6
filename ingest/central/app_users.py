"""App users of a project in ODK Central: one a tablet. The token is the login; it never expires.

Central takes a token back only by an address that holds it, so that addresses must not reach a log.
"""

import logging
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ingest.central.errors import CentralError
from ingest.central.projects import EXTENDED, create_once, read_row, read_rows
from ingest.central.session import CentralSession

ROLE = "app-user"
_TOKEN_IN_PATH = re.compile(r"(/(?:sessions|key)/)[^/\s?\"']+")


class _TokenFilter(logging.Filter):
    """Takes tokens out of the addresses that the HTTP library logs when it tries again."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _TOKEN_IN_PATH.sub(r"\1***", record.getMessage()), ()
        return True


_filter = _TokenFilter()


@dataclass(frozen=True, slots=True)
class AppUser:
    """An app user. `token` is None once it was revoked; `properties` is what the access filters compare."""

    app_user_id: int
    name: str
    token: str | None = field(repr=False)
    properties: tuple[tuple[str, str], ...] = ()
    last_used: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether the tablet may still send."""
        return self.token is not None


def list_app_users(central: CentralSession) -> list[AppUser]:
    """List all app users of the project, revoked ones included, in the order in which they were made."""
    rows = read_rows(central, central.project("app-users"), headers=EXTENDED)
    return sorted((_app_user(row) for row in rows), key=lambda one: one.app_user_id)


def create_app_user(central: CentralSession, name: str, properties: dict[str, str]) -> AppUser:
    """Make an app user. Central takes the same name twice: ask `list_app_users` first."""
    body: dict[str, Any] = {"displayName": name}
    if properties:
        body["properties"] = properties
    return _app_user(read_row(central.send("POST", central.project("app-users"), json=body)))


def update_app_user(central: CentralSession, app_user_id: int, properties: dict[str, str]) -> None:
    """Set properties of an app user."""
    central.send("PATCH", central.project(f"app-users/{app_user_id}"), json={"properties": properties})


def list_assignments(central: CentralSession) -> frozenset[tuple[int, str]]:
    """List which app user has which form: pairs of id and form id."""
    rows = read_rows(central, central.project(f"assignments/forms/{ROLE}"))
    try:
        return frozenset((int(row["actorId"]), str(row["xmlFormId"])) for row in rows)
    except (KeyError, TypeError, ValueError):
        raise CentralError("central_answer") from None


def assign_form(central: CentralSession, form_id: str, app_user_id: int) -> bool:
    """Give a form to an app user; False where he has it."""
    return create_once(central, f"{central.form(form_id)}/assignments/{ROLE}/{app_user_id}", None)


def revoke_app_user(central: CentralSession, app_user: AppUser) -> None:
    """Shut an app user out for good. Once it is, Central says 403, as it does to an account without the right."""
    if app_user.token is None:
        return
    logging.getLogger("urllib3.connectionpool").addFilter(_filter)
    central.send("DELETE", f"sessions/{quote(app_user.token, safe='')}")


def server_url(public_url: str, project_id: int, token: str) -> str:
    """Return the address that Collect posts to."""
    return f"{public_url.rstrip('/')}/v1/key/{token}/projects/{project_id}"


def _app_user(row: dict[str, Any]) -> AppUser:
    try:
        properties = row.get("properties") or {}
        return AppUser(
            int(row["id"]),
            str(row["displayName"]),
            None if row["token"] is None else str(row["token"]),
            tuple(sorted((str(key), str(value)) for key, value in properties.items() if value is not None)),
            row.get("lastUsed"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CentralError("central_answer") from None
