"""What the stand-in keeps about entity lists, and what devices do to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.central.actors import Actor


@dataclass
class EntityVersion:
    """One version of an entity. `received`: what the writer sent; `label` apart."""

    version: int
    label: str
    data: dict[str, str]
    received: dict[str, str]
    creator: Actor
    agent: str | None
    at: datetime
    base: int | None = None
    conflict: str | None = None
    conflicting: list[str] | None = None
    resolved: bool = False
    source: dict[str, Any] = field(default_factory=dict)
    branch: tuple[str | None, int | None] = (None, None)
    """A device's own line of changes, and the version of the server that it grew from."""


@dataclass
class Entity:
    """An entity with all its versions, the newest last."""

    uuid: str
    number: int
    created_at: datetime
    versions: list[EntityVersion]
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    conflict: str | None = None

    @property
    def current(self) -> EntityVersion:
        return self.versions[-1]


@dataclass
class Property:
    """A property of a list, and the form that saves to it, if one does."""

    name: str
    at: datetime
    form_ids: list[str] = field(default_factory=list)


@dataclass
class EntityList:
    """An entity list. `access_filter`: as a web user set it, or None."""

    name: str
    number: int
    created_at: datetime
    last_update: datetime
    approval_required: bool = False
    owner_only: bool = False
    access_filter: Any = None
    properties: dict[str, Property] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)

    def add_properties(self, names: Mapping[str, str] | list[str], at: datetime, form_id: str) -> None:
        """Take over what a published form saves."""
        for name in names:
            found = self.properties.setdefault(name, Property(name, at))
            if form_id not in found.form_ids:
                found.form_ids.append(form_id)

    def create(
        self,
        uuid: str,
        label: str,
        data: dict[str, str],
        creator: Actor,
        at: datetime,
        *,
        agent: str | None = None,
        source: dict[str, Any] | None = None,
    ) -> Entity:
        """Create; what may be refused was refused before."""
        received = {"label": label} | data
        first = EntityVersion(1, label, dict(data), received, creator, agent, at, source=source or {})
        entity = Entity(uuid, len(self.entities) + 1, at, [first])
        self.entities[uuid] = entity
        self.last_update = at
        return entity

    def update(
        self,
        entity: Entity,
        changes: dict[str, str],
        label: str | None,
        creator: Actor,
        at: datetime,
        *,
        agent: str | None = None,
        base: int | None = None,
        source: dict[str, Any] | None = None,
    ) -> EntityVersion:
        """Add a version, also where nothing changes.

        One that a device based on an older version is applied all the same, and flagged: hard where the same
        property was changed in between, else soft.
        """
        current = entity.current
        received = changes | ({} if label is None else {"label": label})
        conflict, conflicting = None, None
        if base is not None and base != current.version:
            since = {
                name
                for version in entity.versions
                if version.version > base
                for name in version.received
                if version.received[name] != received.get(name, object())
            }
            conflicting = sorted(since & received.keys())
            conflict = "hard" if conflicting else "soft"
        version = EntityVersion(
            version=current.version + 1,
            label=current.label if label is None else label,
            data=current.data | changes,
            received=received,
            creator=creator,
            agent=agent,
            at=at,
            base=current.version if base is None else base,
            conflict=conflict,
            conflicting=conflicting,
            source=source or {},
        )
        entity.versions.append(version)
        entity.updated_at = self.last_update = at
        if conflict and entity.conflict != "hard":
            entity.conflict = conflict
        return version

    def listed(self, *, deleted: bool = False) -> list[Entity]:
        """List newest first, as Central does."""
        found = [one for one in list(self.entities.values()) if (one.deleted_at is not None) == deleted]
        return sorted(found, key=lambda one: (one.created_at, one.number), reverse=True)

    def seen_by(self, actor: Actor) -> list[Entity]:
        """List what an app user's tablet downloads: with a filter, only what equals his own properties."""
        entities = self.listed()
        if self.owner_only:
            entities = [one for one in entities if one.versions[0].creator.id == actor.id]
        return [one for one in entities if self._is_open_to(one, actor)]

    def _is_open_to(self, entity: Entity, actor: Actor) -> bool:
        return all(
            (actor.properties or {}).get(mine) not in {None, ""}
            and entity.current.data.get(theirs) == (actor.properties or {}).get(mine)
            for theirs, mine in filter_pairs(self.access_filter)
        )


def filter_pairs(access_filter: Any) -> list[tuple[str, str]]:
    """Read the pairs (property of the entity, property of the app user) of a filter."""
    rules = (access_filter or {}).get("rules", [])
    return [(one["datasetProperty"], one["actorProperty"]) for one in rules]
