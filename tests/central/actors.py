"""Who uses the stand-in: web users with a role, and app users with a token each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

VIEWER, MANAGER, ADMIN = 1, 2, 3
"""Project Viewer, Project Manager, administrator of the server: each may do what those before may."""


def stamp(at: datetime | None) -> str | None:
    """Write an instant as Central does."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Actor:
    """A web user (`level`) or an app user (`token`: None after it was revoked)."""

    id: int
    kind: str
    name: str
    created_at: datetime
    level: int = 0
    token: str | None = None
    project_id: int | None = None
    properties: dict[str, str] | None = None
    last_used: datetime | None = None
    updated_at: datetime | None = None

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": self.kind,
            "displayName": self.name,
            "createdAt": stamp(self.created_at),
            "updatedAt": stamp(self.updated_at),
            "deletedAt": None,
        }
