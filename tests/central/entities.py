"""Entity lists and entities by REST, and the feed of a list."""

import csv
import io
import json
import re
import uuid
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tests.central.actors import MANAGER, Actor, stamp
from tests.central.entity_lists import Entity, EntityList, EntityVersion
from tests.central.forms import attachment
from tests.central.gate import Gate
from tests.central.odata import Filter, Reading, next_link, page_of
from tests.central.problems import CentralProblemError, exists, not_found, unexpected, wrong_kind
from tests.central.projects import Project, Row
from tests.central.store import Store
from tests.central.xforms import odata_name

DONE = {"success": True}
LISTS = "/projects/{project_id}/datasets"
ONE = f"{LISTS}/{{name}}"
ENTITIES = f"{ONE}/entities"
DELETED = "__system/deletedAt"
FIELDS: dict[str, Reading] = {
    "__id": lambda entity: entity.uuid,
    "__system/createdAt": lambda entity: entity.created_at,
    "__system/updatedAt": lambda entity: entity.updated_at,
    "__system/creatorId": lambda entity: entity.versions[0].creator.id,
    "__system/conflict": lambda entity: entity.conflict,
    DELETED: lambda entity: entity.deleted_at,
}


def list_row(project: Project, entities: EntityList) -> Row:
    return {
        "name": entities.name,
        "createdAt": stamp(entities.created_at),
        "projectId": project.id,
        "approvalRequired": entities.approval_required,
        "ownerOnly": entities.owner_only,
        "deletedAt": None,
    }


def full_list_row(project: Project, entities: EntityList) -> Row:
    """A list with its properties and the forms that use it."""
    linked, sources, draft_linked, draft_sources = [], [], [], []
    for file in project.files.values():
        for version, uses, fills in (
            (file.published, linked, sources),
            (file.draft, draft_linked, draft_sources),
        ):
            if version is None:
                continue
            row = {"name": version.definition.title, "xmlFormId": file.form_id}
            if f"{entities.name}.csv" in version.definition.files:
                uses.append(row)
            if version.definition.dataset == entities.name:
                fills.append(row)
    properties = [
        {
            "name": one.name,
            "publishedAt": stamp(one.at),
            "odataName": odata_name(one.name),
            "forms": [row for row in sources if row["xmlFormId"] in one.form_ids],
        }
        for one in entities.properties.values()
    ]
    row = list_row(project, entities) | {
        "lastUpdate": stamp(entities.last_update),
        "linkedForms": linked,
        "sourceForms": sources,
        "draftLinkedForms": draft_linked,
        "draftSourceForms": draft_sources,
        "properties": properties,
    }
    return row | ({"accessFilter": entities.access_filter} if entities.access_filter else {})


def version_row(version: EntityVersion, *, current: bool) -> Row:
    branch, trunk = version.branch
    return {
        "current": current,
        "label": version.label,
        "creatorId": version.creator.id,
        "userAgent": version.agent,
        "data": version.data,
        "version": version.version,
        "baseVersion": version.base,
        "dataReceived": version.received,
        "conflictingProperties": version.conflicting,
        "createdAt": stamp(version.at),
        "branchId": branch,
        "trunkVersion": trunk,
        "branchBaseVersion": version.base if branch else None,
    }


def entity_row(entity: Entity, *, extended: bool = False) -> Row:
    row: Row = {
        "uuid": entity.uuid,
        "creatorId": entity.versions[0].creator.id,
        "conflict": entity.conflict,
        "createdAt": stamp(entity.created_at),
        "updatedAt": stamp(entity.updated_at),
        "deletedAt": stamp(entity.deleted_at),
        "currentVersion": version_row(entity.current, current=True),
    }
    if extended:
        row["creator"] = entity.versions[0].creator.row()
        row["currentVersion"]["creator"] = entity.current.creator.row()
    return row


def history_row(entity: Entity, version: EntityVersion) -> Row:
    """A version with its place in the history of conflicts."""
    before = next((one for one in entity.versions if one.version == version.version - 1), None)
    base = next((one for one in entity.versions if one.version == version.base), None)
    good = [one.version for one in entity.versions if one.conflict is None]
    return (
        version_row(version, current=version is entity.current)
        | {
            "conflict": version.conflict,
            "resolved": version.resolved,
            "baseDiff": _different(version, base),
            "serverDiff": _different(version, before),
            "lastGoodVersion": version.version == max(good),
            "source": version.source,
        }
        | ({"relevantToConflict": True} if entity.conflict else {})
    )


def _different(version: EntityVersion, other: EntityVersion | None) -> list[str]:
    if other is None:
        return []
    return [
        name for name in version.received if name != "label" and version.data[name] != other.data.get(name)
    ]


def feed_row(entities: EntityList, entity: Entity) -> Row:
    row: Row = {"__id": entity.uuid, "label": entity.current.label}
    row["__system"] = {
        "createdAt": stamp(entity.created_at),
        "creatorId": str(entity.versions[0].creator.id),
        "creatorName": entity.versions[0].creator.name,
        "updates": len(entity.versions) - 1,
        "updatedAt": stamp(entity.updated_at),
        "deletedAt": stamp(entity.deleted_at),
        "version": entity.current.version,
        "conflict": entity.conflict,
    }
    return row | {odata_name(name): entity.current.data.get(name, "") for name in entities.properties}


def check_entity(project_lists: list[EntityList], entities: EntityList, body: Row) -> tuple[str, str, Row]:
    """Read a new entity; returns uuid, label, data. Raises CentralProblemError as Central does."""
    told = body.get("uuid", str(uuid.uuid4()))
    if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", str(told)):
        raise wrong_kind("uuid", "valid version 4 UUID")
    label, data = _label(body.get("label")), body.get("data") or {}
    check_data(entities, data)
    return str(told), label, data


def _label(label: Any) -> str:
    if not isinstance(label, str):
        raise wrong_kind("label", "string")
    if not label.strip():
        raise unexpected("label", "(empty string)", "Label cannot be blank.")
    return label


def check_data(entities: EntityList, data: Row) -> None:
    for name, value in data.items():
        if not isinstance(value, str):
            raise wrong_kind(name, "string")
        if name not in entities.properties:
            reason = f"You specified the dataset property [{name}] which does not exist."
            raise CentralProblemError(400.28, f"The entity is invalid. {reason}", {"reason": reason})


def check_new(store: Store, uuids: list[str]) -> None:
    """Raise CentralProblemError where one is known on the whole server, deleted ones included."""
    known = {
        one.uuid: one
        for project in store.projects.values()
        for entities in project.lists.values()
        for one in entities.entities.values()
    }
    gone = [one for one in uuids if one in known and known[one].deleted_at is not None]
    if gone:
        message = (
            "The following UUID(s) cannot be used because they are associated with deleted Entities: "
            f"({', '.join(gone)})."
        )
        raise CentralProblemError(409.19, message, {"entityUuids": gone})
    for number, one in enumerate(uuids):
        if one in known or one in uuids[:number]:
            raise exists("entities", ["uuid"], [one])


def to_csv(entities: EntityList, found: list[Entity], *, for_device: bool) -> bytes:
    """Write a list as Collect gets it, or as a web user downloads it."""
    names = list(entities.properties)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if for_device:
        writer.writerow(["name", "label", "__version", *names])
    else:
        system = ["createdAt", "creatorId", "creatorName", "updates", "updatedAt", "version"]
        writer.writerow(["__id", "label", *names, *(f"__{name}" for name in system)])
    for one in found:
        values = [one.current.data.get(name, "") for name in names]
        if for_device:
            writer.writerow([one.uuid, one.current.label, one.current.version, *values])
        else:
            creator = one.versions[0].creator
            dates = [stamp(one.created_at), creator.id, creator.name, len(one.versions) - 1]
            writer.writerow(
                [one.uuid, one.current.label, *values, *dates, stamp(one.updated_at), one.current.version]
            )
    return out.getvalue().encode()


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    def enter(
        request: Request, project_id: int, name: str, level: int = 1
    ) -> tuple[Actor, Project, EntityList]:
        actor, project = gate.project(request, project_id, level)
        if name not in project.lists:
            raise not_found()
        return actor, project, project.lists[name]

    def live(entities: EntityList, uuid: str) -> Entity:
        entity = entities.entities.get(uuid)
        if entity is None or entity.deleted_at is not None:
            raise not_found()
        return entity

    @router.get(f"{ENTITIES}")
    def index(request: Request, project_id: int, name: str, deleted: bool = False) -> Response:
        _, _, entities = enter(request, project_id, name)
        return JSONResponse([entity_row(one) for one in entities.listed(deleted=deleted)])

    @router.get(f"{ONE}/entities.csv")
    def download(request: Request, project_id: int, name: str) -> Response:
        _, _, entities = enter(request, project_id, name)
        return attachment(to_csv(entities, entities.listed(), for_device=False), f"{name}.csv")

    @router.post(ENTITIES)
    async def create(request: Request, project_id: int, name: str) -> Response:
        actor, project, entities = enter(request, project_id, name, MANAGER)
        body, agent = await request.json(), request.headers.get("user-agent")
        with store.lock:
            lists, is_bulk = list(project.lists.values()), "entities" in body
            source = body.get("source") or {}
            if is_bulk and not isinstance(source.get("size", 0), int):
                raise wrong_kind("size", "number", type(source["size"]).__name__.replace("str", "string"))
            checked = [check_entity(lists, entities, one) for one in body.get("entities", [body])]
            check_new(store, [one for one, _, _ in checked])
            at = store.now()
            made = [
                entities.create(one, label, data, actor, at, agent=agent, source=source)
                for one, label, data in checked
            ]
        return JSONResponse(DONE if is_bulk else entity_row(made[0]))

    @router.post(f"{ENTITIES}/bulk-delete")
    async def bulk_delete(request: Request, project_id: int, name: str) -> Response:
        _, _, entities = enter(request, project_id, name, MANAGER)
        ids = (await request.json())["ids"]
        found = [one for one in entities.listed() if one.uuid in ids]
        for one in found:
            one.deleted_at = entities.last_update = store.now()
        return JSONResponse({"count": len(found)})

    @router.post(f"{ENTITIES}/bulk-restore")
    async def bulk_restore(request: Request, project_id: int, name: str) -> Response:
        _, _, entities = enter(request, project_id, name, MANAGER)
        ids = (await request.json())["ids"]
        found = [one for one in entities.listed(deleted=True) if one.uuid in ids]
        for one in found:
            one.deleted_at, entities.last_update = None, store.now()
        return JSONResponse({"count": len(found)})

    @router.get(f"{ENTITIES}/{{uuid}}")
    def single(request: Request, project_id: int, name: str, uuid: str) -> Response:
        _, _, entities = enter(request, project_id, name)
        extended = request.headers.get("x-extended-metadata") == "true"
        return JSONResponse(entity_row(live(entities, uuid), extended=extended))

    @router.get(f"{ENTITIES}/{{uuid}}/versions")
    def versions(request: Request, project_id: int, name: str, uuid: str) -> Response:
        _, _, entities = enter(request, project_id, name)
        entity = live(entities, uuid)
        return JSONResponse([history_row(entity, version) for version in entity.versions])

    @router.patch(f"{ENTITIES}/{{uuid}}")
    async def update(request: Request, project_id: int, name: str, uuid: str) -> Response:
        actor, _, entities = enter(request, project_id, name, MANAGER)
        text = await request.body()
        body = json.loads(text) if text else {}
        asked = request.query_params
        with store.lock:
            entity = live(entities, uuid)
            check_base(entity, asked.get("baseVersion"), asked.get("force") == "true")
            if asked.get("resolve") == "true" and entity.conflict is None:
                message = f"The entity {uuid} of {name} is not in conflict."
                raise CentralProblemError(400.32, message, {"uuid": uuid})
            data = body.get("data") or {}
            check_data(entities, data)
            label = _label(body["label"]) if "label" in body else None
            if data or label is not None or asked.get("resolve") != "true":
                agent = request.headers.get("user-agent")
                entities.update(entity, data, label, actor, store.now(), agent=agent)
            if asked.get("resolve") == "true":
                entity.conflict, entity.updated_at = None, store.now()
                for one in entity.versions:
                    one.resolved = one.conflict is not None
        return JSONResponse(entity_row(entity))

    @router.delete(f"{ENTITIES}/{{uuid}}")
    def delete(request: Request, project_id: int, name: str, uuid: str) -> Response:
        _, _, entities = enter(request, project_id, name, MANAGER)
        live(entities, uuid).deleted_at = entities.last_update = store.now()
        return JSONResponse(DONE)

    @router.post(f"{ENTITIES}/{{uuid}}/restore")
    def restore(request: Request, project_id: int, name: str, uuid: str) -> Response:
        _, _, entities = enter(request, project_id, name, MANAGER)
        entity = entities.entities.get(uuid)
        if entity is None or entity.deleted_at is None:
            raise not_found()
        entity.deleted_at, entities.last_update = None, store.now()
        return JSONResponse(DONE)

    @router.get(f"{ONE}.svc/Entities")
    def feed(request: Request, project_id: int, name: str) -> Response:
        _, _, entities = enter(request, project_id, name)
        asked = dict(request.query_params)
        found = entities.listed()
        if "$filter" in asked:
            choice = Filter(asked["$filter"], FIELDS)
            if DELETED in choice.names:
                found += entities.listed(deleted=True)
                found.sort(key=lambda one: (one.created_at, one.number), reverse=True)
            found = [one for one in found if choice.matches(one)]
        page, token = page_of(found, asked, "uuid", lambda one: one.uuid, store.page_limit)
        context = f"{store.public_url}/v1/projects/{project_id}/datasets/{name}.svc"
        body: Row = {
            "value": [feed_row(entities, one) for one in page],
            "@odata.context": f"{context}/$metadata#Entities",
        }
        if token is not None:
            rest = {key: value for key, value in asked.items() if key not in {"$skiptoken", "$skip"}}
            body["@odata.nextLink"] = next_link(context, "Entities", rest, token)
        if asked.get("$count") == "true":
            body["@odata.count"] = len(found)
        return JSONResponse(body)

    return router


def check_base(entity: Entity, base: str | None, force: bool) -> None:
    """Raise CentralProblemError 409.15 where the writer did not know the current version."""
    current = str(entity.current.version)
    if force or base == current:
        return
    told = "undefined" if base is None else base
    message = (
        f"Current version of the Entity is '{current}' and you provided '{told}'. Please correct the version "
        "number or pass '?force=true' in the URL to forcefully update the Entity."
    )
    provided = {} if base is None else {"provided": base}
    raise CentralProblemError(409.15, message, {"current": current} | provided)
