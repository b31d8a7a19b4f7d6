"""Definitions of entity lists in ODK Central: the lists, their properties, who downloads what. Not the entities.

Central drops an access filter in silence when its actor property does not exist, so that must be made first.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ingest.central.errors import CentralError
from ingest.central.projects import create_once, read_row, read_rows
from ingest.central.session import CentralSession, read_json

NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class EntityListState:
    """An entity list as it stands. `access`: pairs of entity property and actor property that must be equal."""

    name: str
    properties: frozenset[str]
    approval_required: bool
    access: frozenset[tuple[str, str]]


def get_entity_list(central: CentralSession, name: str) -> EntityListState | None:
    """Read one entity list; None where there is none."""
    response = central.get(_path(central, name), expect=(200, NOT_FOUND))
    if response.status_code == NOT_FOUND:
        read_json(response)  # a proxy's page is no answer
        return None
    row = read_row(response)
    try:
        rules = (row.get("accessFilter") or {}).get("rules") or ()
        return EntityListState(
            str(row["name"]),
            frozenset(str(item["name"]) for item in row["properties"]),
            bool(row.get("approvalRequired")),
            frozenset((str(rule["datasetProperty"]), str(rule["actorProperty"])) for rule in rules),
        )
    except (KeyError, TypeError, AttributeError):
        raise CentralError("central_answer") from None


def create_entity_list(central: CentralSession, name: str, *, approval_required: bool) -> bool:
    """Make an entity list without properties; False where it stood already."""
    body = {"name": name, "approvalRequired": approval_required}
    return create_once(central, central.project("datasets"), body)


def create_property(central: CentralSession, list_name: str, name: str) -> bool:
    """Add a property to a list; False where it stood already, also in other capitals."""
    return create_once(central, f"{_path(central, list_name)}/properties", {"name": name})


def update_entity_list(central: CentralSession, name: str, **values: Any) -> None:
    """Change settings of a list: `approvalRequired`, `accessFilter`."""
    central.send("PATCH", _path(central, name), json=values)


def access_filter(entity_property: str, actor_property: str) -> dict[str, Any]:
    """Return the filter by which an app user downloads only entities whose property equals his own."""
    rule = {"datasetProperty": entity_property, "actorProperty": actor_property}
    return {"type": "property", "rules": [rule]}


def list_actor_properties(central: CentralSession) -> frozenset[str] | None:
    """List the properties that app users of the project may have; None where the server is older than v2026.2."""
    try:
        rows = read_rows(central, central.project("actor-properties"))
    except CentralError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    return frozenset(str(row.get("name")) for row in rows)


def create_actor_property(central: CentralSession, name: str) -> bool:
    """Let app users of the project have a property; False where they may already."""
    return create_once(central, central.project("actor-properties"), {"name": name})


def _path(central: CentralSession, name: str) -> str:
    return central.project(f"datasets/{quote(name, safe='')}")
